"""coatcheck on SQLite against the raw `sqlite3` module. Run it with `nox -s bench`.

Prints the tables of docs/performance.md and draws its chart with `--chart FILE`. The
database lies on tmpfs where there is one, so that a disk's caches say nothing. `--quick`
runs the same with few rounds on few sessions, to see that it works, not to quote it.
"""

from __future__ import annotations

import argparse
import platform
import sqlite3
import sys
import tempfile
from pathlib import Path

import limits
import parts
import reads
import writes
from rounds import Figure, table
from store import Store

TMPFS = Path("/dev/shm")


def main() -> int:
    """Measure, print, draw. 1 if a figure is missed, unless it was a quick run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds on few sessions")
    parser.add_argument("--rounds", type=int, default=9, help="alternating rounds, default 9")
    parser.add_argument("--sessions", type=int, default=100_000, help="sessions stored")
    parser.add_argument("--chart", type=Path, help="draw the ratios into this file")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.sessions = 2, 2_000
    operations = 200 if chosen.quick else 4_000
    sizes = (500, 2_000) if chosen.quick else (10_000, 1_000_000)

    with tempfile.TemporaryDirectory(dir=TMPFS if TMPFS.is_dir() else None) as directory:
        where = Path(directory)
        print(f"{platform.python_implementation()} {platform.python_version()}, "
              f"SQLite {sqlite3.sqlite_version}, {where.parent}, {chosen.rounds} rounds, "
              f"{chosen.sessions:,} sessions\n")  # fmt: skip
        store = Store(where / "sessions.db", chosen.sessions)
        figures = reads.figures(store, rounds=chosen.rounds, operations=operations)
        figures += writes.figures(store, rounds=chosen.rounds, operations=operations // 4)
        print(table(figures), "\n", flush=True)
        with store.manager() as manager:
            amounts = {"rounds": chosen.rounds, "operations": operations}
            print(parts.table(store, manager, **amounts), "\n", flush=True)
        print("| what | measured | wanted |\n| --- | --: | --: |")
        with store.manager() as manager:
            refusals = limits.malformed(
                manager, store.tokens[0], rounds=chosen.rounds, operations=operations * 5
            )
        print(*refusals, sep="\n", flush=True)
        print(limits.imports(rounds=chosen.rounds), flush=True)
        print(
            limits.event_loop(store, windows=chosen.rounds, seconds=0.2 if chosen.quick else 2),
            flush=True,
        )
        small, large = (Store(where / f"{size}.db", size) for size in sizes)
        print(limits.growth(small, large, rounds=chosen.rounds, operations=operations // 2))
    if chosen.chart is not None:
        draw(figures, chosen.chart)
    return 0 if chosen.quick or all(figure.holds for figure in figures) else 1


def draw(figures: list[Figure], path: Path) -> None:
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
    axes.set_xlabel("time, raw sqlite3 = 1 (red: the limit; whiskers: lowest and highest round)")
    figure.savefig(path)


if __name__ == "__main__":
    sys.exit(main())
