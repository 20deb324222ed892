"""coatcheck against the raw drivers of its stores, and against its peers: `nox -s bench`.

Prints the tables of docs/performance.md in its own Markdown, and draws its charts with
`--charts DIRECTORY`. Each section is a process of its own, with a server of its own on the
disk of the system's temporary directory, so that a commit costs what it does in earnest;
SQLite's file lies on tmpfs where there is one. `--quick` runs the same with few rounds on few
sessions, to see that it works, not to quote it.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import against
import beside
import limits
import parts
import reads
import sizes
import writes
from databases import NAMES, Site, Store, open_site
from databases.sqlite import SQLiteStore
from rounds import Figure, table

PEERS, WEB = "peers", "web"
SECTIONS = (*NAMES, *(f"{kind}-{name}" for kind in (PEERS, WEB) for name in NAMES))
HEAD = "| what | measured | wanted |\n| --- | --: | --: |"


@dataclass(frozen=True)
class Amounts:
    """How much of everything."""

    rounds: int = 9
    sessions: int = 100_000
    operations: int = 4_000
    ended: int = 500_000
    few: int = 10_000
    many: int = 1_000_000
    seconds: float = 2.0
    """Of a window on the event loop; a contestant among the peers has a tenth of it a round."""


QUICK = Amounts(
    rounds=2, sessions=2_000, operations=160, ended=5_000, few=500, many=3_000, seconds=0.2
)


def main() -> int:
    """Measure, print, draw. 1 if a figure is missed, unless it was a quick run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "sections", nargs="*", metavar="section",
        help=f"some of: {', '.join((*NAMES, PEERS, WEB, *SECTIONS[len(NAMES):]))}; default all",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="few rounds on few sessions")
    parser.add_argument("--charts", type=Path, help="draw the ratios into this directory")
    chosen = parser.parse_args()
    sections = list(dict.fromkeys(_expanded(parser, chosen.sections)))
    if len(sections) == 1:
        held = run(sections[0], QUICK if chosen.quick else Amounts(), chosen.charts)
        return 0 if chosen.quick or held else 1
    command = [sys.executable, __file__, *(["--quick"] if chosen.quick else [])]
    command += ["--charts", str(chosen.charts)] if chosen.charts else []
    ends = [subprocess.run([*command, each], check=False).returncode for each in sections]
    return 1 if any(ends) else 0


def _expanded(parser: argparse.ArgumentParser, given: list[str]) -> list[str]:
    found: list[str] = []
    for name in given or SECTIONS:
        if name not in {PEERS, WEB, *SECTIONS}:
            parser.error(f"no section {name!r}")
        found += [f"{name}-{each}" for each in NAMES] if name in {PEERS, WEB} else [name]
    return found


def run(section: str, amounts: Amounts, charts: Path | None) -> bool:
    """One section. False if a figure that the project wants was missed."""
    kind, _, name = section.rpartition("-")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    with open_site(name) as site:
        print(f"## {section}\n\n{python}, {site.version}, {amounts.rounds} rounds, "
              f"{amounts.sessions:,} sessions\n", flush=True)  # fmt: skip
        store = site.make(amounts.sessions)
        if kind == WEB:
            return serve_requests(store, site, amounts)
        if kind == PEERS:
            return race_peers(store, site, amounts)
        return measure(store, site, amounts, charts)


def race_peers(store: Store, site: Site, amounts: Amounts) -> bool:
    """Ours beside the others, on one server."""
    found = against.rows(store, site, rounds=amounts.rounds, seconds=amounts.seconds / 10)
    print(against.table(found), "\n", flush=True)
    return all(row.holds for row in found)


def serve_requests(store: Store, site: Site, amounts: Amounts) -> bool:
    """Ours in an endpoint, beside the raw driver and beside a peer."""
    import endpoints

    found, held = endpoints.figures(store, site, rounds=amounts.rounds, seconds=amounts.seconds)
    print(found, "\n", flush=True)
    return held


def measure(store: Store, site: Site, amounts: Amounts, charts: Path | None) -> bool:
    """Ours beside the raw driver, and what is no ratio to it."""
    rounds, operations = amounts.rounds, amounts.operations
    size = sizes.table(store)  # before the writes, which leave gaps
    figures = reads.figures(store, rounds=rounds, operations=operations)
    figures += writes.figures(store, rounds=rounds, operations=operations // 4)
    print(table(figures), "\n", flush=True)
    with store.manager() as manager:
        print(parts.table(store, manager, rounds=rounds, operations=operations), "\n", flush=True)
    print(size, "\n", flush=True)
    print(HEAD)
    if isinstance(store, SQLiteStore):
        _of_one_store(store, amounts)
    small, large = site.make(amounts.few), site.make(amounts.many)
    growth = limits.growth(small, large, rounds=rounds * 3, operations=operations // 4)
    print(growth, flush=True)
    print(beside.figure(store, ended=amounts.ended), "\n", flush=True)
    if charts is not None:
        draw(figures, store.name, charts / f"performance-{store.name}.svg")
    return all(figure.holds for figure in figures)


def _of_one_store(store: SQLiteStore, amounts: Amounts) -> None:
    """What is the same whatever the store, or is asked of this one alone."""
    with store.manager() as manager:
        refusals = limits.malformed(
            manager, store.tokens[0], rounds=amounts.rounds, operations=amounts.operations * 5
        )
    print(*refusals, sep="\n", flush=True)
    print(limits.imports(rounds=amounts.rounds), flush=True)
    print(limits.event_loop(store, windows=amounts.rounds, seconds=amounts.seconds), flush=True)


def draw(figures: list[Figure], name: str, path: Path) -> None:
    """Each case as a bar of its ratio, with its range and its limit."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(figures) + 1.2), layout="constrained")
    names = [figure.case for figure in figures]
    ratios = [figure.ratio for figure in figures]
    below = [figure.ratio - min(figure.ratios) for figure in figures]
    above = [max(figure.ratios) - figure.ratio for figure in figures]
    axes.barh(names, ratios, xerr=[below, above], color="#4c78a8", capsize=3)
    for place, each in enumerate(figures):
        if each.limit is not None:
            axes.plot([each.limit] * 2, [place - 0.4, place + 0.4], color="#e45756")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel(
        f"time on {name}, the raw driver = 1 (red: the limit; whiskers: lowest and highest round)"
    )
    figure.savefig(path)


if __name__ == "__main__":
    sys.exit(main())
