"""The command `coatcheck`. Its parts are imported once it is known that they can be."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import NoReturn


def main() -> NoReturn:
    """The entry point: run the command that `sys.argv` names, and exit with its code."""
    if find_spec("typer") is None or find_spec("rich") is None:
        sys.stderr.write('the command line needs: pip install "coatcheck[cli]"\n')
        sys.exit(2)
    try:
        from .app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # Pressed while modules were being imported; later ones are seen by `run`.
        code = 130
    sys.exit(code)
