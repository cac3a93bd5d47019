"""Biomarkers of another tool's table, under the same names as those from parameters where they mean the same.

Units, key points and organs, eyes, gaze, head, asymmetry: by the code that measures parameters. What is not there:
regions and muscle-like patches, which need a surface. Fex's probabilities are no intensities and have names of their
own, and so have speeds in pixels.
"""

from dataclasses import replace

import numpy as np

from atlas.biomarkers.catalogue import (
    movement_quantities,
    part_quantities,
    presence_quantity,
    unit_name,
    unit_quantities,
)
from atlas.biomarkers.courses import PRESENT, Courses
from atlas.biomarkers.face_parts import SUBJECT, PartSet, keypoints, organs
from atlas.biomarkers.measures import successive, turns
from atlas.biomarkers.motion_energy import shares
from atlas.biomarkers.movement import movement
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.tool_table import LIKELY, OPENFACE, ToolTable
from atlas.biomarkers.velocity import lagged_steps


def tool_biomarkers(
    table: ToolTable, *, sides: str = SUBJECT, organ_sums: bool = False
) -> tuple[tuple[Quantity, ...], np.ndarray]:
    """Quantities and their values (Q,) float64, NaN where the recording cannot tell.

    sides, organ_sums : how organs are named and shared, see `face_parts.organs`
    """
    courses, valid = table.courses, table.courses.valid
    found = movement(courses)
    if table.head_turns is not None:
        steps, seconds = successive(courses.time_s, valid, courses.frame_rate)
        total = seconds.sum()
        found["head_speed"] = float(turns(table.head_turns)[steps].sum() / total) if total > 0 else float("nan")
    quantities = [*_unit_quantities(table), *movement_quantities(tuple(found))]
    for code, intensity in courses.units.items():
        found[code] = _known_mean(intensity[valid])
    for code in {*courses.units, *courses.present}:
        shown = courses.present[code] if code in courses.present else courses.units[code] >= PRESENT
        found[f"{code}_presence"] = 100 * float(shown[valid].mean())
    for code, p in table.probabilities.items():
        found |= {
            f"{code}_probability": _known_mean(p[valid]),
            f"{code}_presence": 100 * float((p[valid] >= LIKELY).mean()),
        }
    if courses.points is not None:
        sets = (organs(sides=sides, sums=organ_sums), keypoints())
        quantities += _part_quantities(sets, courses.in_mm)
        found |= _part_motion(courses, courses.points, sets)
    return tuple(quantities), np.array([found.get(quantity.name, np.nan) for quantity in quantities])


def _unit_quantities(table: ToolTable) -> list[Quantity]:
    if table.tool == OPENFACE:
        present = f"share of valid frames in which OpenFace calls it present, else of intensity {PRESENT:g} or more"
        known = unit_quantities(sorted({*table.courses.units, *table.courses.present}))
        no_intensity = set(table.courses.present) - set(table.courses.units)
        return [
            replace(quantity, definition=present) if quantity.family == "unit_presence" else quantity
            for quantity in known
            if quantity.name not in no_intensity
        ]
    out = []
    for code in sorted(table.probabilities):
        name, label = f"{code}_probability", f"{unit_name(code)}, probability"
        definition, source = "mean over valid frames of Py-Feat's probability", "Py-Feat (Cheong et al. 2023)"
        out.append(
            Quantity(name, "unit", "probability 0 to 1", label, definition, source, name, code, "unit_probability")
        )
    likely = f"share of valid frames of a probability of {LIKELY:g} or more"
    return out + [presence_quantity(code, f"{code}_presence", likely, source) for code in sorted(table.probabilities)]


def _part_quantities(sets: tuple[PartSet, ...], in_mm: bool) -> list[Quantity]:
    plane = "" if in_mm else "; in the picture's plane"
    return [
        replace(quantity, definition=quantity.definition + plane)
        for parts in sets
        for quantity in part_quantities(parts, "mm/s" if in_mm else "px/s")
    ]


def _part_motion(courses: Courses, points: np.ndarray, sets: tuple[PartSet, ...]) -> dict[str, float]:
    """Shares and speeds of organs and key points; shares need no time, and are of successive frames without it."""
    steps = lagged_steps(courses.time_s, courses.valid, courses.frame_rate)
    if not len(steps):
        return {}
    square = ((points[steps.last] - points[steps.first]) ** 2).sum(2)
    timed = np.isfinite(courses.frame_rate)
    energy = (square / steps.seconds[:, None] ** 2 if timed else square).mean(0)
    kind = "speed" if courses.in_mm else "speed_px"
    out: dict[str, float] = {}
    for parts in sets:
        own = np.zeros(len(parts)) if parts.points is None else parts.points @ energy
        speed = np.sqrt(own) if timed else np.full(len(own), np.nan)
        for place, share, rate in zip(parts.places, shares(own, parts.extent), speed, strict=True):
            out |= {f"{parts.name}_{place}_share": share, f"{parts.name}_{place}_{kind}": rate}
    return out


def _known_mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
