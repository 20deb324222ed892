"""Law 18: with every logger at DEBUG and every error taken apart, no secret is seen anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sqlite_files import FACES, Place
from whole_life import PEPPER, Scenario


@pytest.fixture(scope="module", params=FACES)
def scenario(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scenario]:
    """All of it, once, with every ear open."""
    directory = tmp_path_factory.mktemp("leaks")
    place = Place(directory)
    place.runner.get_loop().set_debug(True)
    scenario = Scenario(place, request.param)
    with scenario.net.reading_output(tmp_path_factory.mktemp("output")):
        scenario.run()
    yield scenario
    place.close()


def test_no_secret_is_seen_anywhere(scenario: Scenario) -> None:
    net = scenario.net
    seen = {where.partition(":")[0] for where, _ in net.caught}
    assert {"log of coatcheck", "log of sqlalchemy.engine.Engine", "locked revoke"} <= seen
    assert {"output", "warning", "manager ", "bound manager", "corrupt key_hash"} <= seen
    assert sum(len(text) for _, text in net.locals) > 10_000
    assert len(scenario.tokens) > 10
    leaks = net.leaks(scenario.canaries)
    assert not leaks, "\n".join(map(str, leaks))


def test_nothing_but_the_hash_reaches_the_files(scenario: Scenario) -> None:
    sessions = scenario.place.open(pepper=PEPPER)
    kept = scenario.hold(sessions.issue("ann", method="password"))
    row = scenario.place.row(kept.session.id)
    assert row is not None
    contents = {file.name: file.read_bytes() for file in scenario.place.files()}
    assert any(row[9].encode() in content for content in contents.values()), "it looks at the rows"
    for name, content in contents.items():
        assert scenario.canaries.found_in_bytes(content) == [], name
