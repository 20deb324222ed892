"""Correct backends, each written in another manner, pass the whole suite: it does not ask for
our own habits.

With `COATCHECK_MUTANTS=all` with five seeds each, otherwise with one that is new each time.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from coatcheck_conformance import Face, Harness, run
from coatcheck_conformance.report import told
from correct.documents import Documents
from correct.drawers import Drawers
from correct.logbook import Logbook
from correct.partitions import Partitions

TIMES = 5 if os.environ.get("COATCHECK_MUTANTS") == "all" else 1


class WithLogbook(Harness):
    def __init__(self, directory: Path) -> None:
        self.path = directory / "log"

    def open(self) -> object:
        return Logbook(self.path)

    def reset(self) -> None:
        self.path.write_text("")

    def rows(self) -> Iterable[object]:
        return self.path.read_text().splitlines()


class WithDocuments(Harness):
    def __init__(self, _: Path) -> None:
        self.backend = Documents()

    def open(self) -> object:
        return self.backend

    def reset(self) -> None:
        self.backend.database.execute("DELETE FROM sessions")

    def rows(self) -> Iterable[object]:
        return self.backend.database.execute("SELECT * FROM sessions").fetchall()

    def corrupt(self, session_id: UUID) -> None:
        self.backend.database.execute(
            "UPDATE sessions SET document = json_remove(document, '$.scopes') WHERE id = ?",
            (session_id.bytes,),
        )

    def close(self) -> None:
        self.backend.database.close()


class WithDrawers(Harness):
    def __init__(self, _: Path) -> None:
        self.backend = Drawers()

    def open(self) -> object:
        return self.backend

    def reset(self) -> None:
        self.backend.empty()


class WithPartitions(Harness):
    def __init__(self, _: Path) -> None:
        self.backend = Partitions()

    def open(self) -> object:
        return self.backend

    def reset(self) -> None:
        self.backend.rows.clear()


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("face", Face)
@pytest.mark.parametrize("kind", [WithLogbook, WithDocuments, WithDrawers, WithPartitions])
def test_it_passes(kind: type[Harness], face: Face, time: int, tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    with closing(kind(tmp_path)) as harness:  # type: ignore[call-arg]
        report = run(harness, faces=(face,), seed=seed)
    failures = ["\n".join(told(outcome, f"seed={seed}")) for outcome in report.failures]
    assert not failures, "\n".join(failures)
    is_alone = kind is WithDrawers and face is Face.SYNC
    assert report.ok is not is_alone, "an asynchronous one is not shown under the other manager"
