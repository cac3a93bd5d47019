"""Movement measures of a recording: how often, how fast, how far. All per second or minute, never per frame.

Only valid frames count, and nothing is differentiated across a gap: a step counts when both of its frames are valid and
lie at most one and a half frame intervals apart.
"""

from collections.abc import Mapping

import numpy as np

from atlas.biomarkers.action_units import action_units, sided
from reconstruction.camera import rotation_from_axis_angle
from reconstruction.sequence import FaceSequence

MEASURES: dict[str, str] = {  # name: what it is, with its unit
    "blink_rate": "blinks per minute of valid frames",
    "blink_duration": "mean seconds the eyes stay more than half closed in a blink",
    "head_speed": "mean angular speed of the head, radians per second",
    "gaze_dispersion": "RMS angle between the eyes' direction and its mean, radians, against the head",
    "expressivity": "mean intensity over the face's action units, 0 to 5",
    "expression_speed": "mean absolute change of the face's action units, intensity per second",
}
CLOSED, OPENED = 0.5, 0.3  # eyeBlink coefficients: a blink starts above the first and ends below the second
LONGEST_BLINK_S = 1.0  # eyes closed for longer are closed, not blinking
_NOT_FACE = ("AU45", "AU61", "AU62", "AU63", "AU64")  # blinks and gaze have measures of their own


def measures(sequence: FaceSequence, units: Mapping[str, np.ndarray] | None = None) -> dict[str, float]:
    """Every measure in `MEASURES`; NaN where the recording has too few valid frames to tell.

    units : `action_units` of the sequence, where they are known already
    """
    steps, intervals = successive(sequence.time_s, sequence.valid, sequence.frame_rate)
    durations, seconds = _blinks(sequence)
    units = action_units(sequence) if units is None else units
    faces = [intensity for code, intensity in units.items() if code not in _NOT_FACE]
    intensities = np.stack(faces, 1) if faces else np.full((len(sequence), 1), np.nan, np.float32)
    changes = np.abs(np.diff(intensities, axis=0))[steps].mean(1) if len(steps) else np.zeros(0)
    return {
        "blink_rate": _ratio(60.0 * len(durations), seconds),
        "blink_duration": float(durations.mean()) if len(durations) else float("nan"),
        "head_speed": _ratio(float(head_steps(sequence)[steps].sum()), float(intervals.sum())),
        "gaze_dispersion": _gaze_dispersion(sequence),
        "expressivity": float(intensities[sequence.valid].mean()) if sequence.valid.any() else float("nan"),
        "expression_speed": _ratio(float(changes.sum()), float(intervals.sum())),
    }


def head_steps(sequence: FaceSequence) -> np.ndarray:
    """(T-1,) radians, the angle of the head's rotation from each frame to the next, valid or not."""
    return turns(sequence.pose[:, 0])


def turns(axis_angle: np.ndarray) -> np.ndarray:
    """(T-1,) radians between successive rotations (T, 3)."""
    rotation = rotation_from_axis_angle(axis_angle)
    # |A - B| = 2*sqrt(2)*sin(angle/2) for rotations: exact where arccos of a trace loses small angles
    chord = np.linalg.norm((rotation[1:] - rotation[:-1]).reshape(-1, 9), axis=1)
    return 2 * np.arcsin(np.clip(chord / np.sqrt(8.0), 0, 1))


def successive(time_s: np.ndarray, valid: np.ndarray, frame_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Frames i whose step to i+1 counts, and the steps' seconds."""
    gaps = np.diff(time_s)
    near = (gaps > 0) & (gaps <= 1.5 / frame_rate)
    steps = np.flatnonzero(near & valid[1:] & valid[:-1])
    return steps, gaps[steps]


def _ratio(amount: float, seconds: float) -> float:
    return float(amount / seconds) if seconds > 0 else float("nan")


def _blinks(sequence: FaceSequence) -> tuple[np.ndarray, float]:
    """Durations of whole blinks in seconds, and the seconds looked at.

    Hysteresis on the mean of both eyes' closure; a blink that touches a gap or an end of the recording still counts
    once, because its start or its end was seen.
    """
    columns = sided("eyeBlink", sequence.expression_names)
    seconds = float(sequence.valid.sum() / sequence.frame_rate)
    frames = np.flatnonzero(sequence.valid)
    if not columns or not len(frames):
        return np.zeros(0), seconds if columns else 0.0
    closure = sequence.expression[:, columns].mean(1)[frames]
    time, near = sequence.time_s[frames], 1.5 / sequence.frame_rate
    after_gap = np.concatenate([[True], np.diff(time) > near])
    closed = closure > CLOSED
    # a frame between the two thresholds goes on with what was before, unless that lies behind a gap
    decided = np.where(closed | (closure < OPENED) | after_gap, np.arange(len(frames)), 0)
    blinking = closed[np.maximum.accumulate(decided)]
    first = np.flatnonzero(blinking & (after_gap | ~np.concatenate([[False], blinking[:-1]])))
    # a blink's last closed frame is the last one before the next blink starts
    last_closed = np.maximum.accumulate(np.where(closed, np.arange(len(frames)), 0))
    last = last_closed[np.append(first[1:], len(frames)) - 1]
    blinks = time[last] - time[first]
    for inside, step in ((first, -1), (last, 1)):  # linear between the frames before and after the threshold
        outside = np.clip(inside + step, 0, len(frames) - 1)
        gap = np.abs(time[outside] - time[inside])
        fall = closure[inside] - closure[outside]
        seen = (outside != inside) & (gap <= near)
        share = np.divide(closure[inside] - CLOSED, fall, out=np.zeros(len(fall), fall.dtype), where=seen & (fall > 0))
        blinks = blinks + np.where(seen, gap * share, 0.5 / sequence.frame_rate)
    return blinks[blinks <= LONGEST_BLINK_S], seconds


def _gaze_dispersion(sequence: FaceSequence) -> float:
    eyes = [sequence.joint_names.index(name) for name in ("left_eye", "right_eye") if name in sequence.joint_names]
    if not eyes or not sequence.valid.any():
        return float("nan")
    direction = sequence.pose[sequence.valid][:, eyes, :2].mean(1, dtype=np.float64)
    return float(np.sqrt(((direction - direction.mean(0)) ** 2).sum(1).mean()))
