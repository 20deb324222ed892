"""How often the suite rejects a correct backend: it must never.

    PYTHONPATH=tests/support python tests/mutants/false_alarms.py memory --times 20

Runs the whole suite, quickly, on one of our own backends, each time with another seed, and
prints every rejection with the seed that shows it again.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from contextlib import closing
from time import monotonic

from coatcheck_conformance import PROFILES, run
from coatcheck_conformance.report import told
from harnesses import OURS, faces_of

HARNESSES = {harness.name: harness for harness in OURS}


def main() -> int:
    """0 if there was none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backend", choices=HARNESSES)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--profile", choices=PROFILES, default="quick")
    options = parser.parse_args()
    kind, alarms = HARNESSES[options.backend], 0
    with closing(kind()) as harness:
        for number in range(1, options.times + 1):
            seed, began = secrets.randbits(32), monotonic()
            profile = PROFILES[options.profile]
            report = run(harness, profile=profile, faces=faces_of(kind), seed=seed)
            alarms += not report.ok
            for outcome in report.failures:
                _say("\n".join(told(outcome, f"seed {seed}")))
            _say(
                f"{options.backend} {number}/{options.times}, seed {seed}: "
                f"{'no rejection' if report.ok else 'REJECTED'}, {monotonic() - began:.0f} s"
            )
    return 1 if alarms else 0


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
