"""Mutation testing by cosmic-ray, as `mutation.toml` has it.

    python tests/mutation/mutate.py [TARGET]... [--sample N] [--seed N] [--share K/N]
        [--keep DIRECTORY]

The mutants are made in a copy of the working tree, and judged by a process that is kept warm
(`warm.py`). A mutant that survives must be explained in `survivors.toml`. Fails if one is not,
if less than the target's share is killed, or if an explanation is for no mutant that survived.
"""

from __future__ import annotations

import argparse
import compileall
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from changes import Change, change_of, is_run
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ROOTS = ("core", "backends", "conformance_tests")
LONG_AGO = 1_000_000_000
"""The copy's files are this old, so that none that is mutated can pass for what was compiled."""


@dataclass
class Score:
    """What became of the mutants of one file."""

    killed: int = 0
    survivors: list[Change] = field(default_factory=list[Change])


def main() -> int:
    wanted = tomllib.loads((HERE / "mutation.toml").read_text())
    arguments = _arguments(list(wanted["targets"]))
    explained = Explained.read(HERE / "survivors.toml")
    directory = arguments.keep or Path(tempfile.mkdtemp(prefix="mutation-"))
    failed = False
    try:
        tree, untouched = directory / "tree", directory / "untouched"
        if not untouched.exists():
            copy_of_the_working_tree(untouched)
        # Again at each start: a run that was broken off leaves its last mutation where it was.
        shutil.copytree(untouched, tree, dirs_exist_ok=True)
        compileall.compile_dir(tree, quiet=1)
        for name in arguments.targets or wanted["targets"]:
            target = {**wanted, **wanted["targets"][name]}
            session = directory / f"{name}.sqlite"
            if not session.exists():
                begin(tree, session, target)
                thin_out(tree, session, target, arguments)
            with warm(tree, directory, target) as ask:
                carry_out(tree, session, ask, limit=baseline(ask))
            scores = read(session)
            failed |= not report(name, target, scores, explained, whole=is_whole(arguments))
    finally:
        if arguments.keep is None:
            shutil.rmtree(directory)
    return int(failed)


def _arguments(targets: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(targets)}; without any, all")
    parser.add_argument("--sample", type=int, help="so many mutants of each target")
    parser.add_argument("--seed", type=int, default=0, help="another sample")
    parser.add_argument("--share", type=_share, help="1/2 or 2/2: for one of two runs at once")
    parser.add_argument("--keep", type=Path, help="work here, and go on where a run was broken off")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(targets):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if arguments.keep:
        arguments.keep = arguments.keep.resolve()
        arguments.keep.mkdir(parents=True, exist_ok=True)
    return arguments


def _share(text: str) -> tuple[int, int]:
    part, parts = map(int, text.split("/"))
    assert 1 <= part <= parts
    return part, parts


def is_whole(arguments: argparse.Namespace) -> bool:
    """Whether every mutant of a target is tried."""
    return not arguments.sample and not arguments.share


def copy_of_the_working_tree(tree: Path) -> None:
    """What git knows, and what is new and not ignored."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            copied = tree / name
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copied)
            os.utime(copied, (LONG_AGO, LONG_AGO))


def begin(tree: Path, session: Path, target: dict[str, Any]) -> None:
    """A session of cosmic-ray with every mutant that the tool has."""
    configure(session, target, "false", 1)
    _cosmic_ray(tree, "init", session.with_suffix(".toml"), session)


def configure(session: Path, target: dict[str, Any], command: str, limit: float) -> None:
    session.with_suffix(".toml").write_text(
        f"[cosmic-ray]\nmodule-path = {target['modules']!r}\ntest-command = {command!r}\n"
        f"timeout = {limit}\nexcluded-modules = []\ndistributor.name = 'local'\n"
    )


def thin_out(
    tree: Path, session: Path, target: dict[str, Any], arguments: argparse.Namespace
) -> None:
    """Skip what another operator made, what stands where no program runs, and all but the
    sample and the share of it."""
    sample: int | None = arguments.sample
    part, parts = arguments.share or (1, 1)
    with use_db(session, WorkDB.Mode.open) as work:
        items = sorted(work.pending_work_items, key=lambda item: repr(item.mutations))
        kept = [item for item in items if is_run(tree, item.mutations[0], target["operators"])]
        if sample is not None and sample < len(kept):
            kept = random.Random(arguments.seed).sample(kept, sample)
        left = {item.job_id for item in kept[part - 1 :: parts]}
        for item in items:
            if item.job_id not in left:
                work.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED))


@contextmanager
def warm(tree: Path, directory: Path, target: dict[str, Any]) -> Iterator[list[str]]:
    """The command that has the tests run, while the process that runs them is there."""
    with tempfile.TemporaryDirectory() as room:
        socket, log = Path(room, "socket"), directory / "tests.log"
        command = [sys.executable, tree / "tests/mutation/warm.py", socket, directory]
        command += [",".join(target["warm"]), "-x", "-q", *target["options"]]
        command += ["-k", target["select"], f"--basetemp={room}/base"]
        command += ["--", *target["first"], "--", *target["tests"]]
        with (
            log.open("wb") as out,
            subprocess.Popen(
                list(map(str, command)),
                cwd=tree,
                env=_environment(tree, target),
                stdout=out,
                stderr=out,
            ) as process,
        ):
            try:
                while not socket.exists():
                    if process.poll() is not None:
                        raise SystemExit(log.read_text())
                    time.sleep(0.05)
                yield [sys.executable, "-S", "-E", str(tree / "tests/mutation/ask.py"), str(socket)]
            finally:
                process.terminate()


def _environment(tree: Path, target: dict[str, Any]) -> dict[str, str]:
    """What is compiled was so beforehand: a mutant is gone before a second has passed, so that
    its own compiled form might serve for the next one."""
    return {
        **os.environ,
        **target["environment"],
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(str(tree / root) for root in ROOTS),
    }


def baseline(ask: list[str]) -> float:
    """The tests on the sources as they are. Gives the time in which a mutant must be judged."""
    begun = time.monotonic()
    if subprocess.run(ask, check=False).returncode != 0:
        raise SystemExit("the tests fail without a mutation; `--keep` leaves tests.log")
    took = time.monotonic() - begun
    print(f"the tests take {took:.1f} s", flush=True)
    return round(2 * took + 10)


def carry_out(tree: Path, session: Path, ask: list[str], *, limit: float) -> None:
    """Judge every mutant that is left in the session."""
    target = tomllib.loads(session.with_suffix(".toml").read_text())["cosmic-ray"]
    configure(session, {"modules": target["module-path"]}, shlex.join(ask), limit)
    _cosmic_ray(tree, "exec", session.with_suffix(".toml"), session)


def _cosmic_ray(tree: Path, *words: object) -> None:
    command = [sys.executable, "-m", "cosmic_ray.cli", *map(str, words)]
    subprocess.run(command, cwd=tree, check=True)


def read(session: Path) -> dict[str, Score]:
    """The score of each file."""
    scores: dict[str, Score] = {}
    with use_db(session, WorkDB.Mode.open) as work:
        for item, result in work.completed_work_items:
            if result.worker_outcome is WorkerOutcome.SKIPPED:
                continue
            if result.worker_outcome is not WorkerOutcome.NORMAL:
                raise SystemExit(f"cosmic-ray failed: {result.output}")
            mutation = item.mutations[0]
            score = scores.setdefault(mutation.module_path.as_posix(), Score())
            if result.test_outcome is TestOutcome.SURVIVED:
                score.survivors.append(change_of(mutation, result.diff or ""))
            else:
                score.killed += 1
    return dict(sorted(scores.items()))


class Explained:
    """The survivors that are known, with their reasons."""

    def __init__(self, entries: list[dict[str, str]]) -> None:
        self.kinds: dict[Change, str] = {}
        for entry in entries:
            assert entry["kind"] in {"equivalent", "accepted"}, entry
            assert entry["reason"], entry
            change = Change(*(entry[name] for name in Change._fields))
            self.kinds[change] = entry["kind"]

    @classmethod
    def read(cls, path: Path) -> Explained:
        return cls(tomllib.loads(path.read_text()).get("survivor", []))


def report(
    name: str,
    target: dict[str, Any],
    scores: dict[str, Score],
    explained: Explained,
    *,
    whole: bool,
) -> bool:
    """Print the table of a target, and what is wrong. True if nothing is."""
    print(f"\n{name:44} mutants killed equivalent accepted unexplained")
    total: Counter[str] = Counter()
    wrong: list[str] = []
    survived: set[Change] = set()
    for file, score in scores.items():
        kinds = Counter(explained.kinds.get(change, "unexplained") for change in score.survivors)
        row = Counter(mutants=score.killed + len(score.survivors), killed=score.killed) + kinds
        print(f"{file:44} {_numbers(row)}")
        total += row
        survived.update(score.survivors)
        wrong += [f"not explained: {c}" for c in score.survivors if c not in explained.kinds]
    print(f"{'':44} {_numbers(total)}")
    mutants = total["mutants"] or 1
    killed, equivalent = 100 * total["killed"] / mutants, 100 * total["equivalent"] / mutants
    print(f"killed {killed:.1f} %, equivalent {equivalent:.1f} %")
    if whole:
        if killed < target["least_killed"]:
            wrong.append(f"less than {target['least_killed']} % killed")
        if equivalent > target["most_equivalent"]:
            wrong.append(f"more than {target['most_equivalent']} % equivalent")
        wrong += [
            f"killed or gone, and still explained: {change}"
            for change in explained.kinds
            if change.file in scores and change not in survived
        ]
    print(*wrong, sep="\n", flush=True)
    return not wrong


def _numbers(row: Counter[str]) -> str:
    columns = ("mutants", "killed", "equivalent", "accepted", "unexplained")
    return " ".join(f"{row[column]:>{len(column)}}" for column in columns)


if __name__ == "__main__":
    sys.exit(main())
