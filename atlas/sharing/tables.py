"""Tables of a share: what a recording or a group is in statistics, and the .json that says what the columns are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from atlas.biomarkers.quantity import Quantity
from atlas.motion import MotionSpace
from atlas.sharing.people import FEWEST_ALIKE
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.storage import write_atomically, write_json

DIGITS = 6  # significant ones
DAYS = "days_since_first_session"
_LEADING = {
    "participant_id": "a pseudonym, drawn at random for this share alone",
    "group": "the group",
    "session": "number of the person's session, in order",
    "session_id": "number of the person's session, in order",
    "task": "the stimulus",
    "run": "number of the recording among the person's in that session before that stimulus",
    "quantity": "a biomarker",
    "people": "people that the row rests on",
    "unit": "unit of mean and sd",
    "mean": "mean over people",
    "sd": "standard deviation over people",
}


def days_column(step: int) -> dict[str, Any]:
    """What `DAYS` is, for the .json of a table that has it."""
    return {
        "Description": f"days since the person's first session, rounded to {step}; n/a where they are not known, or "
        f"fewer than {FEWEST_ALIKE} people of the group share them",
        "Units": "day",
    }


def coefficient_quantities(space: MotionSpace) -> tuple[Quantity, ...]:
    """Mean and spread of every motion coefficient as columns: ``mouthSmileLeft_mean``, ``jaw_x_sd``."""
    out = []
    for kind, words in (("mean", "mean over valid frames"), ("sd", "standard deviation over valid frames")):
        for place, name in enumerate(space.names):
            unit = "coefficient" if place < space.n_expression else "rad"
            column = f"{name.replace(' ', '_')}_{kind}"
            label = f"{name}, {words}"
            out.append(Quantity(column, "measure", unit, label, words, "the template", column, name, f"all_{kind}"))
    return tuple(out)


def coefficients(sequence: FaceSequence, space: MotionSpace) -> np.ndarray:
    """(2 M,) values of `coefficient_quantities`."""
    motion = space.vectors(sequence)[sequence.valid].astype(np.float64)
    return np.concatenate([motion.mean(0), motion.std(0)])


def write_table(
    path: Path, leading: Mapping[str, Sequence[str]], columns: Mapping[str, np.ndarray], about: Mapping[str, Any]
) -> None:
    """Tab-separated: texts of `leading`, then numbers, ``n/a`` where unknown; `about` the columns goes to the .json."""
    lines = ["\t".join([*leading, *columns])]
    rows = len(next(iter(leading.values())))
    for i in range(rows):
        lines.append("\t".join([*(texts[i] for texts in leading.values()), *(_number(c[i]) for c in columns.values())]))
    write_atomically(path, ("\n".join(lines) + "\n").encode())
    described = {name: {"Description": _LEADING[name]} for name in (*leading, *columns) if name in _LEADING}
    write_json(path.with_suffix(".json"), {**described, **about, "Statement": STATEMENT})


def described(quantity: Quantity) -> dict[str, Any]:
    return {"LongName": quantity.label, "Description": quantity.definition, "Units": quantity.unit}


def _number(value: float) -> str:
    return f"{value:.{DIGITS}g}" if np.isfinite(value) else "n/a"
