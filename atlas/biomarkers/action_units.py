"""Facial action units (FACS) read from expression coefficients and joint rotations, on OpenFace's scale of 0 to 5.

The table of shapes is ICT-FaceKit's own mapping of its expressions to action units. An intensity here is an amount of
shape, not a trained coder's judgement: 5 is the template's full expression. AU25 (parted lips) is an opening and no
single shape, and AU23 has no shape of its own: neither is in the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from reconstruction.sequence import FaceSequence

FULL = 5.0  # OpenFace's highest intensity
JAW_WIDE = 0.35  # radians about +x, mouth wide open
GAZE_FULL = np.deg2rad(30.0)  # radians, about as far as the eyes turn without the head


@dataclass(frozen=True)
class ActionUnit:
    """What moves in an action unit.

    code : two digits, ``AU04``
    name : FACS's name
    expressions : names without side, or as they are where there is none
    joints, axis, full : of a unit that is a rotation: whose, about which signed axis, and the radians that count as 5
    """

    code: str
    name: str
    expressions: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()
    axis: tuple[float, float, float] = (0.0, 0.0, 0.0)
    full: float = 1.0


_EYES = ("left_eye", "right_eye")
_UNITS = (
    ActionUnit("AU01", "inner brow raiser", ("browInnerUp",)),
    ActionUnit("AU02", "outer brow raiser", ("browOuterUp",)),
    ActionUnit("AU04", "brow lowerer", ("browDown",)),
    ActionUnit("AU05", "upper lid raiser", ("eyeWide",)),
    ActionUnit("AU06", "cheek raiser", ("cheekSquint", "cheekRaiser")),
    ActionUnit("AU07", "lid tightener", ("eyeSquint",)),
    ActionUnit("AU09", "nose wrinkler", ("noseSneer",)),
    ActionUnit("AU10", "upper lip raiser", ("mouthShrugUpper",)),
    ActionUnit("AU11", "nasolabial deepener", ("mouthUpperUp",)),
    ActionUnit("AU12", "lip corner puller", ("mouthSmile",)),
    ActionUnit("AU14", "dimpler", ("mouthDimple",)),
    ActionUnit("AU15", "lip corner depressor", ("mouthFrown",)),
    ActionUnit("AU16", "lower lip depressor", ("mouthLowerDown",)),
    ActionUnit("AU17", "chin raiser", ("mouthShrugLower",)),
    ActionUnit("AU18", "lip pucker", ("mouthPucker",)),
    ActionUnit("AU20", "lip stretcher", ("mouthStretch",)),
    ActionUnit("AU22", "lip funneler", ("mouthFunnel",)),
    ActionUnit("AU24", "lip pressor", ("mouthPress",)),
    ActionUnit("AU26", "jaw drop", joints=("jaw",), axis=(1, 0, 0), full=JAW_WIDE),
    ActionUnit("AU28", "lip suck", ("mouthRollLower", "mouthRollUpper")),
    ActionUnit("AU29", "jaw thrust", ("jawForward",)),
    ActionUnit("AU33", "cheek blow", ("cheekPuff",)),
    ActionUnit("AU45", "blink", ("eyeBlink",)),
    ActionUnit("AU61", "eyes turn left", joints=_EYES, axis=(0, 1, 0), full=GAZE_FULL),
    ActionUnit("AU62", "eyes turn right", joints=_EYES, axis=(0, -1, 0), full=GAZE_FULL),
    ActionUnit("AU63", "eyes up", joints=_EYES, axis=(-1, 0, 0), full=GAZE_FULL),
    ActionUnit("AU64", "eyes down", joints=_EYES, axis=(1, 0, 0), full=GAZE_FULL),
)
ACTION_UNITS: dict[str, ActionUnit] = {unit.code: unit for unit in _UNITS}


def sided(name: str, expression_names: Sequence[str]) -> tuple[int, ...]:
    """Indices of an expression in a template: its left and right shape, or the one that has no side, or none."""
    wanted = (name, f"{name}Left", f"{name}Right")
    return tuple(i for i, known in enumerate(expression_names) if known in wanted)


def action_units(sequence: FaceSequence) -> dict[str, np.ndarray]:
    """Intensity of every action unit the sequence's template can show, frame by frame.

    The intensity is 5 times the mean coefficient over the unit's shapes and sides, each clipped to 0..1; the mean keeps
    it linear, so that the mean face has the mean intensities.

    Returns {code: (T,) float32, 0 to 5}, by code; frames that are not valid are NaN. Units whose shapes the template
    lacks are left out.
    """
    out: dict[str, np.ndarray] = {}
    for unit in _UNITS:
        if unit.joints:
            joints = [sequence.joint_names.index(name) for name in unit.joints if name in sequence.joint_names]
            if not joints:
                continue
            amount = sequence.pose[:, joints] @ np.asarray(unit.axis, np.float32) / unit.full
        else:
            columns = _columns(unit.expressions, tuple(sequence.expression_names))
            if not columns:
                continue
            amount = sequence.expression[:, columns]
        intensity = (FULL * np.clip(amount, 0, 1).mean(1)).astype(np.float32)
        out[unit.code] = np.where(sequence.valid, intensity, np.float32(np.nan))
    return out


@lru_cache(maxsize=256)  # the same in every recording
def _columns(expressions: tuple[str, ...], expression_names: tuple[str, ...]) -> list[int]:
    return [i for name in expressions for i in sided(name, expression_names)]


def mean_action_units(sequence: FaceSequence, units: Mapping[str, np.ndarray] | None = None) -> dict[str, float]:
    """Mean intensity over the valid frames, 0 to 5, by code; NaN where no frame is valid.

    units : `action_units` of the sequence, where they are known already
    """
    units = action_units(sequence) if units is None else units
    if not sequence.valid.any():
        return dict.fromkeys(units, float("nan"))
    return {code: float(np.nanmean(intensity, dtype=np.float64)) for code, intensity in units.items()}
