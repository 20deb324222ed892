"""What the pages of the stores say of options, capabilities, durability and sizes is so."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from typing import Any, cast

import pytest

from coatcheck import Capability, ConfigError, Secret, SessionManager
from coatcheck._contract.registry import backend_module
from coatcheck_backends.mongodb import location as mongodb
from coatcheck_backends.mongodb import schema as mongodb_schema
from coatcheck_backends.postgresql import greeting
from coatcheck_backends.postgresql import location as postgresql
from coatcheck_backends.sql import statements
from coatcheck_backends.sql.flavours import postgresql_flavour
from coatcheck_backends.sql.statements import Shape
from coatcheck_backends.sql.tables import Names, Sessions
from pages import ROOT, first_cells, names, one_line, page, rows, section

PEPPER = "a pepper that only the tests of the documentation use"
STORES = {point.name for point in entry_points(group="coatcheck.backends")} - {"memory"}
ON_POSTGRESQL, ON_MONGODB = "postgresql://app@db.example/app", "mongodb://db.example/app"


@pytest.mark.parametrize("name", sorted(STORES))
def test_a_store_has_a_page_that_is_led_to(name: str) -> None:
    assert f"\n{name}\n" in page("index")
    assert f"](docs/{name}.md)" in (ROOT / "README.md").read_text()
    assert f"]({name}.md" in page("configuration")


def test_the_oldest_servers_are_those_that_are_let_in() -> None:
    assert mongodb_schema._OLDEST_WIRE_VERSION == 9, "that of 4.4"
    readme = (ROOT / "README.md").read_text()
    for store, name, oldest in [
        ("postgresql", "PostgreSQL", str(greeting.OLDEST // 10_000)),
        ("mongodb", "MongoDB", "4.4"),
    ]:
        assert f"{name} {oldest} or later" in page(store)
        assert f"](docs/{store}.md), {oldest} or later" in readme


# Options


def test_the_options_of_a_sqlite_url_are_all_in_the_table() -> None:
    with pytest.raises(ConfigError) as raised:
        SessionManager.open("sqlite://?none_such=1", pepper=PEPPER)
    known = re.search(r"\(known: (.*)\)", str(raised.value))
    assert known is not None
    table = section("configuration", "Options in the query of a SQLite URL")
    assert first_cells(table) - {"option"} == set(known[1].split(", "))


def documented_options(store: str) -> dict[str, list[str]]:
    table, _, _ = section(store, "in the query, as in").partition("Every other option")
    return {names(cells[0])[0]: cells[1:] for cells in rows(table) if cells[0] != "option"}


def postgresql_with(option: str, value: object) -> Any:
    return postgresql.parse(Secret(f"{ON_POSTGRESQL}?{option}={value}"))


def test_the_options_of_a_postgresql_url_have_the_defaults_of_the_table() -> None:
    options = documented_options("postgresql")
    assert set(options) == set(postgresql.OWN_OPTIONS)
    found = postgresql.parse(Secret(ON_POSTGRESQL))
    assert found.names == Names()
    assert names(options.pop("table")[0]) == [found.names.table]
    assert options.pop("schema")[0].startswith("the first of")
    for option, cells in options.items():
        assert names(cells[0]) == [str(getattr(found, option)).lower()], option


def test_the_options_of_a_postgresql_url_have_the_bounds_of_the_table() -> None:
    for option, (_, values, _) in documented_options("postgresql").items():
        bounds = re.match(r"(\d+) to (\d+)", values)
        if bounds is not None:
            least, most = int(bounds[1]), int(bounds[2])
            allowed, refused = [least, most], [least - 1, most + 1]
        elif option in ("schema", "table"):
            assert names(values) == [postgresql._NAME.pattern]
            continue
        else:
            allowed, refused = cast("list[Any]", names(values)), ["other"]
        for value in allowed:
            postgresql_with(option, value)
        for value in refused:
            with pytest.raises(ConfigError, match=option):
                postgresql_with(option, value)


def test_the_options_that_go_to_asyncpg_are_those_that_it_is_said_to_take() -> None:
    _, _, told = one_line(page("postgresql")).partition("; with asyncpg ")
    of_the_place = {"host", "port", "user", "password", "database", "ssl"}
    taken = (postgresql._ASYNCPG - of_the_place) | {"sslmode", "application_name"}
    assert set(names(told.partition(". One that")[0])) == taken


def test_the_options_of_a_mongodb_url_have_the_defaults_of_the_table() -> None:
    options = documented_options("mongodb")
    found = mongodb.parse(Secret(ON_MONGODB))
    assert set(options) == {"strict", "collection"}
    assert options["strict"][:2] == [f"`{str(found.strict).lower()}`", "`false`, `true`"]
    assert names(options["collection"][0]) == [found.collection]
    database = mongodb.parse(Secret("mongodb://db.example")).database
    assert f"The path names the database, `{database}` if there is none" in page("mongodb")
    with pytest.raises(ConfigError):
        mongodb.parse(Secret(f"{ON_MONGODB}?collection={'a' * 101}"))
    mongodb.parse(Secret(f"{ON_MONGODB}?collection={'a.b-C_9'.ljust(100, 'a')}"))


def test_the_options_that_mongodb_may_not_be_given_are_those_of_the_table() -> None:
    said: dict[str, str | None] = {}
    for cells in rows(section("mongodb", "with any value\nbut the one that holds anyway")):
        must = names(cells[1])
        said |= {name.lower(): must[0] if must else None for name in names(cells[0])}
    once: dict[str, str | None] = {name: value for name, (value, _) in mongodb._ONLY.items()}
    assert said == once | dict.fromkeys(mongodb._NEVER)


# What holds


ALL = frozenset(Capability)
STALE = ALL - {Capability.LINEARIZABLE}
ALONE = frozenset({Capability.LINEARIZABLE, Capability.SCAN})


@pytest.mark.parametrize(
    ("url", "declared"),
    [
        ("memory:", ALONE),
        ("sqlite://", ALONE),
        ("sqlite:///sessions.db", ALL),
        (ON_POSTGRESQL, ALL),
        (f"{ON_POSTGRESQL}?allow_standby=true", STALE),
        (ON_MONGODB, STALE),
        (f"{ON_MONGODB}?strict=true", ALL),
    ],
)
def test_a_store_declares_what_the_page_of_the_laws_says(
    url: str, declared: frozenset[Capability]
) -> None:
    hidden = Secret(url)
    backend = backend_module(hidden).open_backend(hidden)
    assert backend.info().capabilities == declared
    backend.close()


def test_a_touch_alone_is_not_waited_for_on_the_disk_of_postgresql() -> None:
    flavour = postgresql_flavour(Names())
    shape = Shape(user_id=True, method=False, scope=False, pepper_id=False, state=None)
    scopes = frozenset({"scopes"})
    lasting = {
        "issue": statements.insert_session(flavour),
        "update": statements.update_session(flavour, shape, scopes),
        "update_all": statements.update_sessions(flavour, shape, scopes),
        "revoke": statements.delete_session(flavour, shape),
        "revoke_all": statements.delete_sessions(flavour, shape, keeping=True),
        "purge": statements.purge_sessions(flavour, shape),
    }
    table = list(rows(section("postgresql", 'What "kept" means here')))
    assert names(table[1][0]) == list(lasting)
    for statement in (*lasting.values(), statements.replace_key_hash(flavour)):
        assert re.search(r"'synchronous_commit'.*'remote_apply'.*'on'", statement.sql)
    assert names(table[2][1]) == ["off"]
    assert re.search(r"'synchronous_commit', 'off'", statements.touch_session(flavour).sql)


def test_every_change_of_mongodb_is_acknowledged_by_a_majority_with_its_journal() -> None:
    assert mongodb.ALWAYS["w"] == "majority"
    assert mongodb.ALWAYS["journal"] is True
    assert mongodb.ALWAYS["readConcernLevel"] == "majority"
    assert "(`w: majority`, `journal: true`)" in one_line(page("mongodb"))
    seconds = mongodb.CONNECT_TIMEOUT_MS // 1000
    assert f"`connectTimeoutMS`, {seconds} s unless" in one_line(page("mongodb"))


# Indexes and sizes


def test_the_indexes_of_mongodb_are_those_of_the_table() -> None:
    table = rows(section("mongodb", "## Collections, indexes and migrations"))
    said = {names(cells[0])[0]: names(cells[1]) for cells in table if cells[0].startswith("`")}
    made = {
        name: [key for key, _ in index["key"]] for name, index in mongodb_schema.INDEXES.items()
    }
    assert said == {"_id_": ["_id"], **made}


def test_every_index_is_in_the_tables_of_sizes() -> None:
    measured = section("postgresql", "## How much room it takes")
    shown = {name.lstrip("…") for cells in rows(measured) for name in names(cells[0])}
    made = {
        str(index.name).removeprefix(Names().table) for index in Sessions(Names()).table.indexes
    }
    assert shown == made | {"_pkey"}
    measured = section("mongodb", "## How much room it takes")
    shown = {name for cells in rows(measured) for name in names(cells[0])}
    assert shown == set(mongodb_schema.INDEXES) | {"_id_"}


@pytest.mark.parametrize("store", ["postgresql", "mongodb"])
def test_the_sizes_add_up_and_are_extrapolated_by_what_they_add_up_to(store: str) -> None:
    table = list(rows(section(store, "## How much room it takes")))
    parts = [[int(cell) for cell in cells[1:]] for cells in table if cells[-1].isdigit()]
    *parts, together = parts
    for column in (0, 1):
        assert abs(sum(part[column] for part in parts) - together[column]) <= len(parts) / 2
    unit = {"MB": 1e6, "GB": 1e9}
    extrapolated = [cells for cells in table if cells[0].endswith(("measured", "extrapolated"))]
    assert extrapolated
    for cells in extrapolated:
        sessions = int(cells[0].partition(", ")[0].replace(",", ""))
        number, of = cells[1].split()
        assert float(number) * unit[of] == pytest.approx(together[1] * sessions, rel=0.01)
