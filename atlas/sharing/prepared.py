"""A share that is ready: what the audit says of it, and how it is written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from atlas.sharing.audit import Audit

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Prepared:
    """write : called with the folder, writes the data
    notes : paragraphs for the README
    finish : called when the share is written
    """

    audit: Audit
    write: Callable[[Path], None]
    notes: tuple[str, ...] = ()
    finish: Callable[[], None] = lambda: None
