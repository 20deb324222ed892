"""The commands by name, and what becomes of their errors."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.main import get_command

from .._errors import BackendError, CoatcheckError, SchemaMissing
from . import changing, peppers, reading, store
from .codes import HELP, Code
from .commands import Commands
from .output import answer, complain
from .text import visible, without_tokens

# The root of typer's own complaints about arguments, whether this version of typer takes
# it from click or has it itself.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="coatcheck",
    cls=Commands,
    add_completion=False,
    # A traceback with locals would show what is in our frames.
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog=HELP,
)
pepper_commands = typer.Typer(help="Make a pepper, and follow a rotation.")


@app.callback(invoke_without_command=True)
def coatcheck(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> Code:
    """Operate the session store of an application that uses coatcheck.

    Settings come from where the application has them: COATCHECK_URL,
    COATCHECK_PEPPER … in the environment or in .env, a secrets directory, and
    coatcheck.toml. None is an option here, because `ps` shows those to everybody.
    """
    if version:
        from importlib.metadata import version as version_of

        answer(version_of("coatcheck"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(Code.MISUSED)
    return Code.YES


app.command("issue")(reading.issue)
app.command("validate")(reading.validate)
app.command("show")(reading.show)
app.command("list")(reading.list_sessions)
app.command("count")(reading.count)
app.command("update")(changing.update)
app.command("revoke")(changing.revoke)
app.command("revoke-all")(changing.revoke_all)
app.command("purge")(changing.purge)
app.add_typer(pepper_commands, name="pepper")
pepper_commands.command("new")(peppers.new)
pepper_commands.command("status")(peppers.status)
app.command("prepare")(store.prepare)
app.command("ping")(store.ping)
command = get_command(app)


def run(words: Sequence[str]) -> int:
    """Run one command, given as the words after `coatcheck`; its exit code."""
    _tame_streams()
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return _run(words)
        except CoatcheckError as error:
            complain(_message(error))
            return Code.STORE_FAILED if isinstance(error, BackendError) else Code.MISUSED
        except _UsageError as error:
            complain(_usage_message(error))
            return Code.MISUSED
        except (KeyboardInterrupt, typer.Abort):
            return Code.INTERRUPTED
        except (SystemExit, BrokenPipeError):
            # Typer and rich exit by themselves for one reason only, that the reader has gone.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Code.READER_GONE
        except Exception as error:  # noqa: BLE001 - a defect must not look like the answer "no"
            complain(f"this is a defect of coatcheck ({type(error).__name__}); please report it:")
            for line in "".join(traceback.format_exception(error)).splitlines():
                complain(line)
            return Code.DEFECT


def _run(words: Sequence[str]) -> int:
    code = command(list(words), prog_name="coatcheck", standalone_mode=False)
    # Here, where a reader that has gone can still be noticed.
    sys.stdout.flush()
    return int(code or 0)


def _message(error: CoatcheckError) -> str:
    message = str(error)
    if isinstance(error, SchemaMissing) and "coatcheck prepare" not in message:
        message += "; run `coatcheck prepare`"
    return message


def _usage_message(error: Any) -> str:
    """Typer's message on one line, without the words that it quotes: one may be a secret."""
    message = " ".join(error.format_message().split())
    head, separator, _ = message.partition(" (")
    if separator and head.startswith("Got unexpected extra argument"):
        message = head
    path = "coatcheck" if error.ctx is None else error.ctx.command_path
    return f"{message.rstrip('.')}; see `{path} --help`"


def _tame_streams() -> None:
    """No stream that was closed and no character that an encoding lacks stops a command,
    and what is logged looks like the command's other remarks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - open until the end
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler()
    handler.setFormatter(_Remark("coatcheck: %(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


class _Remark(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return visible(without_tokens(super().format(record)))


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    complain(f"warning: {message}")
