"""A table of biomarkers as a file: one row a person, one column a quantity, whoever measured it.

Tab-separated, ``participant_id`` and ``group`` first, ``n/a`` for missing, as ``face-atlas biomarkers`` writes it or as
any spreadsheet exports it. A column that is no quantity (age, sex, a score) says something about the person instead.
What the columns mean is told by the .json beside the table, where there is one, else by their names.
"""

import csv
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from atlas.biomarkers.catalogue import movement_quantities, unit_quantities
from atlas.biomarkers.quantity import LEVELS, Quantity
from atlas.biomarkers.table import BiomarkerTable
from atlas.participants import MISSING
from atlas.statistics.people import People
from reconstruction.errors import InputError

ABOUT_PEOPLE = re.compile(
    r"age|sex|gender|site|cent(er|re)|medication|education|(phq|bdi|ymrs|hamd|hdrs|madrs|qids|gad|cesd|panss)[-_\w]*"
)
_UNIT = re.compile(r"AU(\d\d)(_r)?")
_PART = re.compile(r"(organ|emoface16|muscles|keypoint)_(\w+?)_(share|speed)(_px)?")
_LEVELS = {"organ": "organ", "emoface16": "region", "muscles": "region", "keypoint": "keypoint"}
_UNKNOWN = "as measured by the table's author"


@dataclass(frozen=True)
class PlainTable:
    """table : values of one stimulus, ``all``
    people : what other columns say of them
    reliability : {quantity: correlation with the truth}, of those that the .json tells
    simulated : the .json says that the people do not exist
    """

    table: BiomarkerTable
    people: People
    reliability: Mapping[str, float]
    simulated: bool


def read_biomarkers(path: str | Path, about_people: Collection[str] = ()) -> PlainTable:
    """A table of biomarkers, whoever made it.

    about_people : further columns that are no quantities, beside those of the usual names in `ABOUT_PEOPLE`

    Raises
    ------
    InputError
        The file is missing, has no such columns, lists a person twice, or has no numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"expected a cohort folder or a table of biomarkers, but {path} does not exist; check the path."
        )
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"expected {path} as UTF-8 text, but it is not ({error.reason}); save it as UTF-8.") from error
    rows = list(csv.reader(lines, delimiter="\t"))
    names = [name.strip() for name in rows[0]] if rows else []
    if not {"participant_id", "group"} <= set(names):
        raise InputError(
            f"expected tab-separated columns participant_id, group and quantities in {path}, but found "
            f"{', '.join(names[:6]) or 'nothing'}; name them so, and separate columns by tabs."
        )
    ragged = next((i for i, row in enumerate(rows, start=1) if len(row) != len(names)), None)
    if ragged is not None or len(set(names)) < len(names):
        odd = "a column name twice" if ragged is None else f"{len(rows[ragged - 1])} columns in row {ragged}"
        raise InputError(
            f"expected {len(names)} different columns in every row of {path}, but found {odd}; correct it."
        )
    columns = {name: [row[i].strip() for row in rows[1:]] for i, name in enumerate(names)}
    ids = [one if one.startswith("sub-") else f"sub-{one}" for one in columns.pop("participant_id")]
    groups = columns.pop("group")
    if len(set(ids)) < len(ids):
        raise InputError(f"expected every participant_id once in {path}, but one is listed twice; remove a row.")
    people_columns = {name.lower() for name in about_people}
    values: dict[str, np.ndarray] = {}
    about: dict[str, tuple[str, ...]] = {}
    for name, texts in columns.items():
        personal = name.lower() in people_columns or ABOUT_PEOPLE.fullmatch(name.lower())
        numbers = None if personal else _numbers(texts)
        if numbers is None:
            about[name.lower()] = tuple(texts)
        else:
            values[name] = numbers
    if not values:
        raise InputError(f"expected columns of numbers in {path}, one a quantity, but found none; add some.")
    there = [i for i, group in enumerate(groups) if group.lower() not in MISSING]
    about_columns = _sidecar(path.with_suffix(".json"))
    table = BiomarkerTable(
        quantities=tuple(_described(quantity_of(name), about_columns.get(name)) for name in values),
        people=tuple(ids[i] for i in there),
        groups=tuple(groups[i] for i in there),
        stimuli=("all",),
        by_stimulus=np.stack(list(values.values()), 1)[there][:, None],
    )
    told = {name: column.get("Reliability") for name, column in about_columns.items() if isinstance(column, dict)}
    return PlainTable(
        table,
        People(tuple(ids), tuple(groups), about).take(there),
        {name: float(r) for name, r in told.items() if isinstance(r, int | float)},
        about_columns.get("Simulated") is True,
    )


def quantity_of(name: str) -> Quantity:
    """The quantity that a column's name tells: an action unit, a part's share or speed, a measure of ours, or any
    measure.
    """
    if unit := _UNIT.fullmatch(name):
        known = unit_quantities((f"AU{unit[1]}",))[0]
        return Quantity(name, "unit", known.unit, known.label, _UNKNOWN, _UNKNOWN, name, known.place, known.family)
    if part := _PART.fullmatch(name):
        kind = part[3] + (part[4] or "")
        unit_of = "%" if part[3] == "share" else ("px/s" if part[4] else "mm/s")
        family = f"{part[1]}_{kind}"
        return Quantity(name, _LEVELS[part[1]], unit_of, name, _UNKNOWN, _UNKNOWN, name, part[2], family)
    known_measures = movement_quantities((name,))
    return known_measures[0] if known_measures else _measure(name)


def _described(quantity: Quantity, column: Any) -> Quantity:
    """A quantity as the .json describes its column."""
    if not isinstance(column, dict):
        return quantity
    told = {"label": "LongName", "unit": "Units", "level": "Level", "definition": "Description", "source": "Source"}
    texts = {field: column[key] for field, key in told.items() if isinstance(column.get(key), str)}
    if texts.get("level") not in LEVELS:
        texts.pop("level", None)
    return replace(quantity, **texts)


def _sidecar(path: Path) -> dict[str, Any]:
    """What a .json says of every column; nothing where there is none that can be read."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _measure(name: str) -> Quantity:
    return Quantity(name, "measure", "", name, _UNKNOWN, _UNKNOWN, name, name, "measure")


def _numbers(texts: list[str]) -> np.ndarray | None:
    """A column as numbers, NaN where it is missing; None where it is none, or says nothing at all."""
    try:
        values = np.array([np.nan if text.lower() in MISSING else float(text) for text in texts])
    except ValueError:
        return None
    return values if np.isfinite(values).any() and not np.isinf(values).any() else None
