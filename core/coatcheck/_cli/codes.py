"""What the command's exit code says."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Exit codes, for scripts. `HELP` repeats them for people."""

    YES = 0
    NO = 1
    """The token is rejected, the session is not there, the question was answered with no."""
    MISUSED = 2
    """An argument or a setting is wrong, or a confirmation is missing. Nothing was done."""
    STORE_FAILED = 3
    """The store could not be asked, has no schema, or answered what cannot be believed."""
    DEFECT = 70
    """An error that coatcheck should have foreseen (EX_SOFTWARE of sysexits.h)."""
    INTERRUPTED = 130
    """Ctrl-C, as a shell reports SIGINT."""
    READER_GONE = 141
    """Whoever read the output stopped (`| head`), as a shell reports SIGPIPE."""


HELP = (
    "Exit codes: 0 done, or the answer is yes · 1 the answer is no (token rejected, no such "
    "session, nothing revoked, not confirmed) · 2 wrong arguments or configuration · "
    "3 the store could not be asked · 130 interrupted."
)
