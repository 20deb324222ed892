"""A token in a file that only its owner may read."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from .._errors import BackendError, BackendUnavailable, ConfigError
from .._secret import Secret
from ._tokens import MAX_TOKEN, is_same

LOCK_SECONDS = 10.0

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | _SAFELY  # without waiting for the writer of a pipe
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY
_LOCK = os.O_RDWR | os.O_CREAT | _SAFELY


class FileTokenStore:
    """Keeps the token in a file, which the processes of one user may share.

    The file has mode 0600 and is replaced as a whole, so that no reader sees half of it and a
    crash leaves the old token or the new one. A missing directory is made, with mode 0700.
    Beside the file stands `<name>.lock`, which holds nothing.

    Every call raises `ConfigError` if the file is a symbolic link or no regular file, if
    another user owns it, or if group or others have any right to it; it is then neither used
    nor changed. `BackendError` says that the file cannot be read or written, and
    `BackendUnavailable` that another process held the lock for 10 s.

    :param path: the file. A relative one is taken from the directory of this moment.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()
        self._new = self._path.with_name(f"{self._path.name}.new")
        self._lock = self._path.with_name(f"{self._path.name}.lock")

    def load(self) -> Secret[str] | None:
        """The token, or `None` if there is no file."""
        with self._explained("read"):
            return self._read()

    def save(self, token: Secret[str]) -> None:
        """Write the token to disk, in place of any other."""
        with self._explained("written"):
            _make_private(self._path.parent)
            with self._locked():
                self._read()  # a file that is refused is not replaced either
                self._write(token)

    def forget(self, token: Secret[str]) -> bool:
        """Remove the file if it holds this token, and say whether it did."""
        with self._explained("removed"):
            # Without the lock first, which needs a directory.
            if not is_same(self._read(), token):
                return False
            with self._locked():
                was_it = is_same(self._read(), token)
                if was_it:
                    self._path.unlink()
                    _flush(self._path.parent)
                return was_it

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self._path)!r})"

    def _read(self) -> Secret[str] | None:
        try:
            descriptor = os.open(self._path, _READ)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ConfigError(f"{self._path} is a symbolic link; remove it") from None
            raise
        try:
            self._refuse_shared(os.fstat(descriptor))
            # One more than a token may have, so that a longer one is not taken for its beginning.
            # Whatever the bytes are, they become a string, which is judged where it is used.
            return Secret(os.read(descriptor, MAX_TOKEN + 2).removesuffix(b"\n").decode("latin-1"))
        finally:
            os.close(descriptor)

    def _refuse_shared(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{self._path} is no regular file; remove it")
        if found.st_uid != os.geteuid():
            raise ConfigError(
                f"{self._path} belongs to another user (uid {found.st_uid}); remove it"
            )
        if found.st_mode & _OTHERS:
            raise ConfigError(
                f"others may use {self._path} (mode {stat.S_IMODE(found.st_mode):04o}), so its "
                "token is no secret; remove it and sign in again"
            )

    def _write(self, token: Secret[str]) -> None:
        self._remove_new()  # what a crash left
        try:
            with open(os.open(self._new, _MAKE, 0o600), "wb") as file:
                os.fchmod(file.fileno(), 0o600)  # whatever the umask takes away
                file.write(token.reveal().encode("latin-1") + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._new.replace(self._path)
        except BaseException:
            self._remove_new()
            raise
        _flush(self._path.parent)

    def _remove_new(self) -> None:
        with suppress(FileNotFoundError):
            self._new.unlink()

    @contextmanager
    def _locked(self) -> Generator[None]:
        """One process and one thread at a time, by a file that is never replaced."""
        descriptor = os.open(self._lock, _LOCK, 0o600)
        try:
            end = monotonic() + LOCK_SECONDS
            while not _lock(descriptor):
                if monotonic() > end:
                    raise BackendUnavailable(
                        f"another process has held {self._lock} for {LOCK_SECONDS:g} s"
                    )
                sleep(0.01)
            try:
                yield
            finally:
                # A child that was forked meanwhile has the descriptor, and would keep the lock.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    @contextmanager
    def _explained(self, done: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise BackendError(
                f"the token file {self._path} cannot be {done}: {error.strerror}"
            ) from error


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_private(directory: Path) -> None:
    """Make the directory and those above it that are missing, for their owner alone."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        with suppress(FileExistsError):  # another process was faster
            path.mkdir(mode=0o700)
            path.chmod(0o700)  # whatever the umask takes away


def _flush(directory: Path) -> None:
    """Bring to disk which files the directory has."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
