"""``face-atlas``: the commands put together, and the one place where errors become a sentence and an exit status.

Every command is a function, or a Typer of several, in the module of its name; what is slow to import it imports when
it runs.
"""

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from atlas.cli.console import make_console
from reconstruction import __version__
from reconstruction.errors import InputError, InputWarning, Refused

COMMANDS = (
    "reconstruct", "convert", "export", "simulate", "cohort", "build", "biomarkers", "statistics", "match", "validate",
    "monitor", "share", "forget", "evaluate", "template", "demo",
)  # fmt: skip
BAD_INPUT, REFUSED, INTERRUPTED = 2, 3, 130

app = typer.Typer(
    name="face-atlas",
    help="Face video to 3D face parameters, standard faces of groups, and matches. Research use; not a diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"face-atlas {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


def _answering(command: Callable[..., Any]) -> Callable[..., None]:
    """`command`, with bad input, refusal and interruption turned into a sentence on stderr and an exit status."""

    @wraps(command)
    def answer(*arguments: Any, **options: Any) -> None:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _note
                command(*arguments, **options)
        except InputError as error:
            _say(str(error))
            raise typer.Exit(BAD_INPUT) from None
        except Refused as error:
            _say(str(error))
            raise typer.Exit(REFUSED) from None
        except BrokenPipeError:  # whoever read the output has left
            raise
        except OSError as error:
            where = error.filename2 or error.filename or "a file"
            _say(f"expected to read or write {where}, but the system says: {error.strerror or error}; "
                 "check that it is there, that you may write there, and that the disk has room.")  # fmt: skip
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            _say("interrupted; what was finished is kept.")
            raise typer.Exit(INTERRUPTED) from None

    return answer


def _say(sentence: str) -> None:
    make_console().print(f"face-atlas: {sentence}")


def _note(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    """A warning as its reader wants it: what of a file was left out, as a note; others as Python shows them."""
    if issubclass(category, InputWarning):
        make_console().print(f"note: {message}")
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


def _add(name: str, command: Any) -> None:
    """Add a command, or a group of them."""
    if isinstance(command, typer.Typer):
        for member in command.registered_commands:
            assert member.callback is not None, "a command is a function"
            member.callback = _answering(member.callback)
        app.add_typer(command, name=name)
    else:
        app.command(name)(_answering(command))


for _name in COMMANDS:
    if importlib.util.find_spec(f"atlas.cli.{_name}"):
        _add(_name, getattr(importlib.import_module(f"atlas.cli.{_name}"), _name))


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process: 0 done, 2 bad input or usage, 3 refused, 130 interrupted."""
    # NumPy's second thread saves an eighth of the time on a machine with nothing else to do; on one that has, the two
    # wait for each other, and a share took over seven times as long. Read when NumPy is imported, in processes as well
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    app(arguments, prog_name="face-atlas")
