"""``statistics.tsv``: one row an effect, tab-separated, ``n/a`` where a number is unknown."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from atlas.statistics.comparison import Statistics
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


def to_json(statistics: Statistics) -> dict[str, Any]:
    """Statistics as plain JSON values, None for NaN."""
    effects = [{k: None if v != v else v for k, v in asdict(effect).items()} for effect in statistics.effects]
    return asdict(replace(statistics, effects=())) | {"effects": effects}


def from_json(document: Mapping[str, Any]) -> Statistics:
    """What `to_json` made."""
    rows: list[dict[str, Any]] = [
        {name: math.nan if value is None else value for name, value in row.items()} for row in document["effects"]
    ]
    several = {name: tuple(document[name]) for name in ("covariates", "warnings")}
    return Statistics(**{**document, **several, "effects": tuple(Effect(**row) for row in rows)})
