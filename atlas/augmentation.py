"""Altered copies of people for training: what may vary without anyone becoming another person.

All in the space of features, where a recording is a few hundred numbers: the face mirrored, the recording played faster
or slower, stimuli dropped, and noise as large as the reconstruction's. Which of them is worth its time is measured by
``scripts/measure_matcher.py``; none is on unless asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import LOG_OFFSET
from atlas.biomarkers import ReliabilityTable
from atlas.features import FeatureTable, block

_SIDES = {"Left": "Right", "Right": "Left"}
_EYES = {"left_eye": "right_eye", "right_eye": "left_eye"}
_TURNED = {"AU61": "AU62", "AU62": "AU61"}  # eyes to the left and to the right
_FASTER = {"blink_rate": 1, "blink_duration": -1, "head_speed": 1, "expression_speed": 1}  # power of the speed


@dataclass(frozen=True)
class Augmentation:
    """copies : altered copies of everyone; 0 for none
    mirror : a copy is mirrored at even odds
    warp : standard deviation of the logarithm of a copy's speed
    drop : probability of each stimulus to be dropped; one always stays
    noise : standard deviation of noise, in scaled features; `noise_of` gives it from reliabilities
    """

    copies: int = 0
    mirror: bool = False
    warp: float = 0.0
    drop: float = 0.0
    noise: float | tuple[float, ...] = 0.0


def augmented(table: FeatureTable, augmentation: Augmentation, rng: np.random.Generator) -> FeatureTable:
    """One altered copy of everyone; noise is added later, to scaled features."""
    out = table
    if augmentation.mirror:
        turned = rng.uniform(size=len(table)) < 0.5
        values = np.where(turned[:, None, None], mirrored(table).values, table.values)
        out = FeatureTable(table.names, table.stimuli, values)
    if augmentation.warp:
        out = warped(out, np.exp(augmentation.warp * rng.normal(size=len(table))))
    return without_stimuli(out, augmentation.drop, rng) if augmentation.drop else out


def mirrored(table: FeatureTable) -> FeatureTable:
    """Everyone mirrored, left and right: sided coefficients and eyes change places, turns about y and z their sign."""
    column = {name: i for i, name in enumerate(table.names)}
    source = [column.get(_mirror_name(name), i) for i, name in enumerate(table.names)]
    sign = [-1 if _turns(name) else 1 for name in table.names]
    return FeatureTable(table.names, table.stimuli, table.values[..., source] * sign)


def warped(table: FeatureTable, speed: np.ndarray) -> FeatureTable:
    """Everyone's recordings played at `speed` (P,), 1 as they are: what is per second changes with it."""
    factor = speed[:, None, None]
    values = table.values.copy()
    logs = [i for i, name in enumerate(table.names) if block(name) == "speed"]
    moved = np.maximum(np.exp(values[..., logs]) - LOG_OFFSET, 0)
    values[..., logs] = np.log(moved * factor + LOG_OFFSET)
    for name, power in _FASTER.items():
        if name in table.names:
            values[..., table.names.index(name)] *= speed[:, None] ** power
    return FeatureTable(table.names, table.stimuli, values)


def without_stimuli(table: FeatureTable, share: float, rng: np.random.Generator) -> FeatureTable:
    """Everyone without some of their stimuli, each dropped with probability `share`; everyone keeps one."""
    there = np.isfinite(table.values).any(2)
    order = np.where(there, rng.uniform(size=there.shape), 2)
    dropped = (order < share) & (order < order.max(1, where=there, initial=-1)[:, None])
    return FeatureTable(table.names, table.stimuli, np.where(dropped[..., None], np.nan, table.values))


def noise_of(names: Sequence[str], reliability: ReliabilityTable) -> tuple[float, ...]:
    """Standard deviation of the reconstruction's noise in every scaled feature: sqrt(1 - r^2), r the reliability.

    r is the correlation of a person's mean with the truth over people, as the template's calibration measured it, so
    that 1 - r^2 of a feature's variance is noise. Where none was measured, none is added.
    """
    known = [reliability.of(name.split(" ", 1)[-1]) for name in names]
    r = [1.0 if found is None or found["between"] is None else float(found["between"]) for found in known]
    return tuple(float(x) for x in np.sqrt(1 - np.clip(r, 0, 1) ** 2))


def _mirror_name(name: str) -> str:
    kind, _, rest = name.rpartition(" ") if block(name) == "named" else name.partition(" ")
    for side, other in _SIDES.items():
        if rest.endswith(side):
            return f"{kind} {rest.removesuffix(side)}{other}"
    for eye, other in _EYES.items():
        if rest.startswith(eye):
            return f"{kind} {other}{rest.removeprefix(eye)}"
    return _TURNED.get(name, name)


def _turns(name: str) -> bool:
    """Whether a feature changes its sign in a mirror: a mean rotation about y or z does."""
    return block(name) == "level" and name.endswith((" y", " z"))
