"""``statistics.tsv``: one row an effect, tab-separated, ``n/a`` where a number is unknown."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from atlas.statistics.effect import COLUMNS, Effect
from reconstruction.storage import write_atomically

FILE = "statistics.tsv"


def write_statistics(effects: Sequence[Effect], path: str | Path) -> Path:
    """Write effects to `path`, whole or not at all; numbers to six significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(effect, name)) for name in COLUMNS] for effect in effects)
    write_atomically(path, text.getvalue().encode())
    return Path(path)


def _cell(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "n/a"
    return str(value)
