"""What commands that measure leave behind: a JSON file, a picture, tables on the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.cli.console import make_console
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WIDEST = 200  # characters of a table's row


@contextmanager
def stage_bar() -> "Iterator[Callable[[str, int, int], None]]":
    """A progress bar, a context manager that gives a function of (stage, done, total)."""
    with recording_bar(make_console()) as bar:
        task = bar.add_task("", total=None)
        yield lambda stage, done, total: bar.update(task, description=stage, completed=done, total=total)


def write_results(out: Path, stem: str, document: dict[str, Any], picture: bytes | None) -> None:
    """OUT/stem.json, its numbers to six digits, and OUT/stem.png."""
    import json

    from reconstruction.sequence import STATEMENT
    from reconstruction.storage import write_atomically

    content = json.dumps(_rounded({"statement": STATEMENT, **document}), indent=2, ensure_ascii=False, allow_nan=False)
    if picture is not None:
        write_atomically(out / f"{stem}.png", picture)
    write_atomically(out / f"{stem}.json", (content + "\n").encode())


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if value == value else None
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def print_table(headings: tuple[str, ...], rows: "Iterable[tuple[Any, ...]]") -> None:
    """A table on stdout, no cell folded; numbers to three digits, None as nothing."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left")
    for row in rows:
        table.add_row(*("" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for v in row))
    console = make_console(stderr=False)
    console.width = max(console.width, WIDEST)
    console.print(table)
