"""Py-Feat's Fex tables, read as parameters: the 52 blendshapes that its newer versions write, which have ARKit's names.

``Identity*`` columns identify the person. They are never read; how many there were is said, and the sequence's
provenance says it too. Action units of Fex are probabilities and no amounts of movement; they are left out.
"""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from atlas.biomarkers.action_units import GAZE_FULL, JAW_WIDE, sided
from atlas.biomarkers.tool_table import FEX, MOST_HEADER, read_tool_table
from atlas.exchange.openface import check_named, table_sequence
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

IDENTITY = "Identity"
_JAW, _METHOD = "jawOpen", "blendshapes"
_EYES = {  # joint: {blendshape: (axis, sign)} about the head's axes; an eye turned in looks to the nose
    "left_eye": {
        "eyeLookUpLeft": (0, -1), "eyeLookDownLeft": (0, 1), "eyeLookOutLeft": (1, 1), "eyeLookInLeft": (1, -1),
    },
    "right_eye": {
        "eyeLookUpRight": (0, -1), "eyeLookDownRight": (0, 1), "eyeLookOutRight": (1, -1), "eyeLookInRight": (1, 1),
    },
}  # fmt: skip


def read_fex(path: str | Path, template: Template, fps: float | None = None) -> tuple[FaceSequence, list[str]]:
    """Parameters from the blendshapes of a table; the identity is the template's mean face, the head faces the camera.

    template : one with named expressions

    Raises
    ------
    InputError
        The table is none of Fex or cannot be used, has no blendshapes, or its frame rate is unknown.
    """
    path = Path(path)
    check_named(template)
    table = read_tool_table(path, fps)
    if table.tool != FEX:
        raise InputError(f"expected a table of Py-Feat, but {path} is one of {table.tool}; pass --from openface.")
    names = _names(path)
    shapes = [
        name for name in names if _columns(name, template) or name == _JAW or any(name in e for e in _EYES.values())
    ]
    if len(shapes) < 10:
        raise InputError(
            f"expected Py-Feat's blendshapes (browDownLeft ...) in {path}, but there are none, and its action units "
            "are probabilities; measure those with face-atlas biomarkers."
        )
    amounts = _numbers(path, shapes)
    valid = table.courses.valid & np.isfinite(amounts.to_numpy()).all(1)
    amounts = amounts.fillna(0).clip(0, 1)
    expression = np.zeros((len(valid), template.n_expression), np.float32)
    pose = np.zeros((len(valid), template.n_joints, 3), np.float32)
    for name in shapes:
        expression[:, list(_columns(name, template))] = amounts[name].to_numpy(np.float32)[:, None]
    if _JAW in amounts:
        pose[:, template.joint("jaw"), 0] = JAW_WIDE * amounts[_JAW]
    for joint, looks in _EYES.items():
        for name, (axis, sign) in looks.items():
            if name in amounts:
                pose[:, template.joint(joint), axis] += sign * GAZE_FULL * amounts[name]
    identity = sum(name.startswith(IDENTITY) for name in names)
    notes = []
    if identity:
        notes.append(f"{identity} {IDENTITY} column{'s' * (identity != 1)}, which identify the person, dropped unread")
    notes.append("the table tells no identity: the template's mean face")
    notes.append(
        "head pose left out: its unit and order differ between Py-Feat's versions; action units are probabilities"
    )
    lost = sorted(set(_blendshapes(names)) - set(shapes))
    notes += [f"no shape for {', '.join(lost)}: left out"] if lost else []
    return table_sequence(table, template, expression, pose, valid, _METHOD, notes), [*table.warnings, *notes]


def _columns(name: str, template: Template) -> tuple[int, ...]:
    """The template's expressions of a blendshape: that of its name, or both sides of it."""
    return sided(name, template.expression_names)


def _blendshapes(names: list[str]) -> list[str]:
    parts = ("brow", "cheek", "eye", "jaw", "mouth", "nose", "tongue")
    return [name for name in names if name.startswith(parts) and name[-1:].isalpha() and not name.islower()]


def _names(path: Path) -> list[str]:
    with path.open("rb") as file:
        return [name.strip() for name in next(csv.reader([file.readline(MOST_HEADER).decode("utf-8-sig")]), [])]


def _numbers(path: Path, names: list[str]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, usecols=lambda name: name.strip() in names, dtype=np.float64, encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError, OverflowError, pd.errors.ParserError) as error:
        raise InputError(
            f"expected numbers as blendshapes of {path}, but that failed ({str(error).splitlines()[0][:80]}); export "
            "it anew."
        ) from None
    frame.columns = frame.columns.str.strip()
    return frame.replace([np.inf, -np.inf], np.nan)
