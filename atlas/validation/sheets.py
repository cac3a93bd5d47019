"""Reporting sheets: what a guideline asks, what the software knows of it, and what is the author's to write."""

from collections.abc import Sequence
from dataclasses import dataclass

from atlas.validation.validation import Validation
from reconstruction.sequence import STATEMENT

AUTHOR = "The author's to write."


@dataclass(frozen=True)
class Item:
    """number, section, topic, asks : of the guideline, in this project's words
    known : what the software can say, None where it knows nothing
    left : what the author still has to write, None where nothing is left
    """

    number: str
    section: str
    topic: str
    asks: str
    known: str | None = None
    left: str | None = AUTHOR


@dataclass(frozen=True)
class Sheet:
    """name : of its files; source : where the guideline itself is found."""

    name: str
    title: str
    source: str
    items: tuple[Item, ...]

    @property
    def filled(self) -> int:
        return sum(item.known is not None for item in self.items)

    def count(self) -> str:
        whole = sum(item.left is None for item in self.items)
        return (
            f"{self.filled} of {len(self.items)} entries filled in by the software, {whole} of them wholly; the others "
            "are the author's."
        )


def as_markdown(sheet: Sheet, found: Validation) -> str:
    """The sheet as Markdown, to be copied into a manuscript and completed."""
    lines = [f"# {sheet.title}", "", f"{about(found)} {sheet.count()}", "", f"*{sheet.source}*", ""]
    section = ""
    for item in sheet.items:
        if item.section != section:
            section = item.section
            lines += [f"## {section}", "", "| Item | Topic | Asks | Answer |", "|---|---|---|---|"]
        lines.append(f"| {item.number} | {item.topic} | {item.asks} | {' '.join(_answer(item))} |")
        if _last_of_section(sheet.items, item):
            lines.append("")
    return "\n".join([*lines, f"{STATEMENT.capitalize()}.", ""])


def about(found: Validation) -> str:
    """Who a sheet is about."""
    sizes = ", ".join(f"{name} {n}" for name, n in found.sizes.items())
    return f"{len(found.people)} {'simulated ' if found.simulated else ''}people ({sizes})."


def _answer(item: Item) -> list[str]:
    parts = [item.known] if item.known else []
    parts += [f"**Author:** {item.left}"] if item.left else []
    return [" ".join(part.split()).replace("|", "\\|") for part in parts]


def _last_of_section(items: Sequence[Item], item: Item) -> bool:
    after = items[items.index(item) + 1 :]
    return not after or after[0].section != item.section
