"""Where commands speak to their user, every sentence as it is."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def make_console(stderr: bool = True) -> "Console":
    """A console that breaks no line and reads no markup: a file may be called ``[bold].mp4``. On stdout where a command
    answers, else on stderr.
    """
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)


def tell_notes(console: "Console", notes: Iterable[str]) -> None:
    """What is to be said besides, a line each."""
    for note in notes:
        console.print(f"note: {note}")
