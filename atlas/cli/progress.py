"""The bar of commands that work on recordings for minutes: stage, count, time gone and time left."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def recording_bar(console: "Console") -> "Progress":
    """A progress bar, a context manager, that leaves nothing behind on the screen."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bars = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(TextColumn("{task.description}", markup=False), *bars, console=console, transient=True)
