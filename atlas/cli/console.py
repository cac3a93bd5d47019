"""Where commands speak to their user: standard error, every sentence as it is."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def make_console() -> "Console":
    """A console on stderr that breaks no line and reads no markup: a file may be called ``[bold].mp4``."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
