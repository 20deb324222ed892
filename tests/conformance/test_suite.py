"""Our own backends keep every law: the public suite, as any author runs it."""

from __future__ import annotations

from dataclasses import replace

from coatcheck_conformance import DEFAULT, PROFILES, Conformance
from harnesses import (
    AsyncpgHarness,
    MemoryHarness,
    MongoHarness,
    PlainHarness,
    PostgresHarness,
    SQLiteHarness,
    faces_of,
)

WITHIN_THE_PROCESS = {**PROFILES, "default": replace(DEFAULT, steps=50_000)}


class TestMemory(Conformance):
    harness = MemoryHarness
    profiles = WITHIN_THE_PROCESS


class TestRequiredHooksOnly(Conformance):
    harness = PlainHarness


class TestSQLite(Conformance):
    harness = SQLiteHarness
    profiles = WITHIN_THE_PROCESS


class TestPostgreSQL(Conformance):
    harness = PostgresHarness


class TestAsyncpg(Conformance):
    harness = AsyncpgHarness
    faces = faces_of(AsyncpgHarness)


class TestMongoDB(Conformance):
    harness = MongoHarness
