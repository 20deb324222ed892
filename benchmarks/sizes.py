"""How many bytes a session takes, with its share of every index."""

from __future__ import annotations

from databases import Store


def table(store: Store) -> str:
    """The table and each index, as the store itself counts them."""
    found = store.sizes()
    found["together"] = sum(found.values())
    lines = [
        f"| at {store.sessions:,} sessions | MB | bytes a session |",
        "| --- | --: | --: |",
    ]
    lines += [
        f"| {name} | {size / 1e6:.1f} | {size / store.sessions:.0f} |"
        for name, size in found.items()
    ]
    return "\n".join(lines)
