"""Our own backends keep every law: the public suite, as any author runs it."""

from __future__ import annotations

from dataclasses import replace

from coatcheck_conformance import DEFAULT, PROFILES, QUICK, Conformance
from harnesses import (
    AsyncpgHarness,
    MemoryHarness,
    MongoHarness,
    PlainHarness,
    PostgresHarness,
    SQLiteHarness,
    StrictMongoHarness,
    faces_of,
)

WITHIN_THE_PROCESS = {**PROFILES, "default": replace(DEFAULT, steps=50_000)}
# Steps and histories as in the profile; fewer examples of each law, since CI has half an hour.
ON_A_SERVER = {**PROFILES, "default": replace(DEFAULT, examples=200, least=20)}
A_LITTLE = {
    **PROFILES,
    "quick": replace(QUICK, examples=20, least=1, steps=100, orders=1, deaths=1),
    "default": replace(DEFAULT, examples=50, least=5, steps=500, orders=10, deaths=1),
}


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
    profiles = ON_A_SERVER


class TestAsyncpg(Conformance):
    harness = AsyncpgHarness
    faces = faces_of(AsyncpgHarness)
    profiles = ON_A_SERVER


class TestMongoDB(Conformance):
    harness = MongoHarness
    profiles = ON_A_SERVER


class TestStrictMongoDB(Conformance):
    """As many histories as of any other, and a little of what the lax one has shown."""

    harness = StrictMongoHarness
    profiles = A_LITTLE
