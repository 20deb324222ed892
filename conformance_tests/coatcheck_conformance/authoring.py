"""`coatcheck backend new`: the beginning of a backend, as a distribution of its own.

What it writes stands in `template/`, as files to read: `package/` becomes the package, and
`$name`, `$title` and `$version` are filled in. An entry point brings the command to
`coatcheck`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from importlib.metadata import entry_points, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from coatcheck import ConfigError, InvalidInput

# No underscore, which no scheme of a URL has; short enough for the lines of the template.
NAME = re.compile("[a-z][a-z0-9]{0,19}")
SUFFIX = ".tmpl"

app = typer.Typer(help="Begin a backend of your own.")


@app.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The scheme of its URLs, such as `redis`.")
    ],
    *,
    into: Annotated[
        Path,
        typer.Option("--into", metavar="DIRECTORY", help="Where to write it; here, if absent."),
    ] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
) -> None:
    """Write the distribution coatcheck-NAME, with every required hook and the suite as its tests.

    Its tests fail until the hooks are written. A directory that exists is left as it is.

    With --json: `{"directory": "coatcheck-redis", "files": ["README.md", …]}`.
    """
    directory = into / f"coatcheck-{name}"
    texts = distribution(name)
    _write(directory, texts)
    if as_json:
        typer.echo(json.dumps({"directory": str(directory), "files": sorted(texts)}))
        return
    where = shlex.quote("".join(c if c.isprintable() else "?" for c in str(directory)))
    typer.echo(f"{where} is written. Go on with:")
    typer.echo(f"  cd {where}")
    typer.echo("  pip install -e '.[tests]'")
    typer.echo("  pytest                      # fails until the hooks are written")
    typer.echo(
        f"then write coatcheck_{name}/backend.py, hook by hook; README.md says in which order"
    )


def distribution(name: str) -> dict[str, str]:
    """The files of the distribution `coatcheck-NAME`: their paths in it, and their text.

    Raises `InvalidInput` for a name that cannot be a scheme, or is one already.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(
            "NAME is the scheme of the backend's URLs: a lower-case letter, "
            "and at most 19 lower-case letters and digits after it"
        )
    taken = [p for p in entry_points(group="coatcheck.backends") if p.name == name]
    if taken:
        raise InvalidInput(f"NAME: the scheme {name!r} is that of {taken[0].value} already")
    if find_spec(f"coatcheck_{name}") is not None:
        raise InvalidInput(f"NAME: there is a package coatcheck_{name} already")
    words = {"name": name, "title": name.capitalize(), "version": version("coatcheck")}
    return {
        path.removesuffix(SUFFIX).replace("package/", f"coatcheck_{name}/", 1): text
        for path, text in _rendered(files("coatcheck_conformance").joinpath("template"), words)
    }


def _rendered(
    directory: Traversable, words: dict[str, str], above: str = ""
) -> Iterator[tuple[str, str]]:
    for entry in directory.iterdir():
        if entry.is_dir():
            yield from _rendered(entry, words, f"{above}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield above + entry.name, Template(entry.read_text("utf-8")).substitute(words)


def _write(directory: Path, texts: dict[str, str]) -> None:
    """All of it into a directory that this makes. Raises `ConfigError`."""
    try:
        directory.mkdir()
        for path, text in texts.items():
            (directory / path).parent.mkdir(exist_ok=True)
            (directory / path).write_text(text, "utf-8")
    except FileExistsError:
        raise ConfigError(f"{directory} exists already, and is left as it is") from None
    except OSError as error:
        raise ConfigError(f"{directory} cannot be written: {error.strerror}") from error
