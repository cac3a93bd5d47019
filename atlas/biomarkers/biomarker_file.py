"""biomarkers.tsv and biomarkers.json: a table of biomarkers and what its columns mean, after BIDS.

The table is tab-separated, one row a person (or a recording), ``n/a`` where a quantity is not known. The sidecar
describes every column. Rows are people: both are personal files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable
from reconstruction import __version__
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically, write_json

DIGITS = 6  # significant ones
_RELIABILITY = (
    "correlation over simulated people between the true and the recovered quantity, by the calibration; null: unknown"
)
_LEADING = {
    "participant_id": "the person, as in participants.tsv; of a loose file its name",
    "group": "the person's group",
    "task": "the stimulus",
    "recording": "number of the recording among the person's, from 1",
}


def write_biomarkers(
    table: BiomarkerTable,
    path: str | Path,
    *,
    reliability: Mapping[str, float] | None = None,
    simulated: bool = False,
    origin: str = "",
) -> Path:
    """Write one row a person, each quantity as the mean over stimuli, and the sidecar beside it; returns the path.

    reliability : {quantity: r}, see `quantity_reliability`; derived columns have none
    simulated : the people do not exist
    origin : what the numbers come from: a template's name, another tool's
    """
    leading = {"participant_id": table.people, "group": table.groups}
    return write_rows(path, leading, table.quantities, table.values, reliability or {}, simulated, origin)


def write_rows(
    path: str | Path,
    leading: Mapping[str, Sequence[str]],
    quantities: Sequence[Quantity],
    values: np.ndarray,
    reliability: Mapping[str, float],
    simulated: bool,
    origin: str,
) -> Path:
    """Write rows (N, Q) of `values` behind the `leading` columns, and the sidecar of the same name."""
    path = Path(path)
    lines = ["\t".join([*leading, *(quantity.name for quantity in quantities)])]
    for i, row in enumerate(values):
        lines.append("\t".join([*(_text(column[i]) for column in leading.values()), *map(_number, row)]))
    about: dict[str, Any] = {name: {"Description": _LEADING[name]} for name in leading}
    about |= {quantity.name: _column(quantity, reliability) for quantity in quantities}
    about["ReliabilityDescription"] = _RELIABILITY
    about["Statement"] = STATEMENT
    about["Simulated"] = simulated
    about["Origin"] = origin
    about["GeneratedBy"] = {"Name": "face-atlas", "Version": __version__}
    write_json(path.with_suffix(".json"), about)
    write_atomically(path, ("\n".join(lines) + "\n").encode())
    return path


def _column(quantity: Quantity, reliability: Mapping[str, float]) -> dict[str, Any]:
    r = reliability.get(quantity.name, float("nan"))
    return {
        "LongName": quantity.label,
        "Description": quantity.definition,
        "Units": quantity.unit,
        "Level": quantity.level,
        "Source": quantity.source,
        "Reliability": round(r, 3) if np.isfinite(r) else None,
    }


def _number(value: float) -> str:
    return f"{value:.{DIGITS}g}" if np.isfinite(value) else "n/a"


def _text(value: str) -> str:
    """A cell: what would break the table becomes a blank."""
    return " ".join(str(value).split()) or "n/a"
