"""Movement measures of a recording: how often, how fast, how far. All per second or minute, never per frame.

Only valid frames count, and nothing is differentiated across a gap: a step counts when both of its frames are valid and
lie at most one and a half frame intervals apart.
"""

import numpy as np
import torch

from atlas.biomarkers.action_units import action_units, sided
from reconstruction.face_model import rotation_matrix
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


def measures(sequence: FaceSequence) -> dict[str, float]:
    """Every measure in `MEASURES`; NaN where the recording has too few valid frames to tell."""
    steps, intervals = _steps(sequence)
    durations, seconds = _blinks(sequence)
    faces = [intensity for code, intensity in action_units(sequence).items() if code not in _NOT_FACE]
    intensities = np.stack(faces, 1) if faces else np.full((len(sequence), 1), np.nan, np.float32)
    changes = np.abs(np.diff(intensities, axis=0))[steps].mean(1) if len(steps) else np.zeros(0)
    return {
        "blink_rate": _ratio(60.0 * len(durations), seconds),
        "blink_duration": float(durations.mean()) if len(durations) else float("nan"),
        "head_speed": _ratio(head_steps(sequence)[steps].sum(), intervals.sum()) if len(steps) else float("nan"),
        "gaze_dispersion": _gaze_dispersion(sequence),
        "expressivity": float(intensities[sequence.valid].mean()) if sequence.valid.any() else float("nan"),
        "expression_speed": _ratio(float(changes.sum()), float(intervals.sum())),
    }


def head_steps(sequence: FaceSequence) -> np.ndarray:
    """(T-1,) radians, the angle of the head's rotation from each frame to the next, valid or not."""
    rotation = rotation_matrix(torch.from_numpy(sequence.pose[:, 0]).double())
    # |A - B| = 2*sqrt(2)*sin(angle/2) for rotations: exact where arccos of a trace loses small angles
    chord = (rotation[1:] - rotation[:-1]).flatten(1).norm(dim=1).numpy()
    return 2 * np.arcsin(np.clip(chord / np.sqrt(8.0), 0, 1))


def _steps(sequence: FaceSequence) -> tuple[np.ndarray, np.ndarray]:
    """Frames i whose step to i+1 counts, and the steps' seconds."""
    gaps = np.diff(sequence.time_s)
    near = (gaps > 0) & (gaps <= 1.5 / sequence.frame_rate)
    steps = np.flatnonzero(near & sequence.valid[1:] & sequence.valid[:-1])
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
    if not columns:
        return np.zeros(0), 0.0
    closure = sequence.expression[:, columns].mean(1)
    durations: list[float] = []
    start: int | None = None
    last = -2
    for i in np.flatnonzero(sequence.valid):
        gap = last < 0 or sequence.time_s[i] - sequence.time_s[last] > 1.5 / sequence.frame_rate
        if start is not None and (gap or closure[i] < OPENED):
            durations.append(_closed_seconds(sequence, closure, start, last))
            start = None
        if start is None and closure[i] > CLOSED:
            start = int(i)
        last = int(i)
    if start is not None:
        durations.append(_closed_seconds(sequence, closure, start, last))
    blinks = np.asarray(durations)
    return blinks[blinks <= LONGEST_BLINK_S], seconds


def _closed_seconds(sequence: FaceSequence, closure: np.ndarray, first: int, last: int) -> float:
    """Seconds above `CLOSED` in frames first..last; closure is taken as linear between neighbouring frames."""
    above = np.flatnonzero(closure[first : last + 1] > CLOSED) + first
    begin, end = int(above[0]), int(above[-1])
    seconds = float(sequence.time_s[end] - sequence.time_s[begin])
    for inside, outside in ((begin, begin - 1), (end, end + 1)):
        seen = 0 <= outside < len(closure) and sequence.valid[outside]
        gap = abs(sequence.time_s[outside] - sequence.time_s[inside]) if seen else np.inf
        if gap <= 1.5 / sequence.frame_rate:
            seconds += gap * float((closure[inside] - CLOSED) / (closure[inside] - closure[outside]))
        else:
            seconds += 0.5 / sequence.frame_rate
    return seconds


def _gaze_dispersion(sequence: FaceSequence) -> float:
    eyes = [sequence.joint_names.index(name) for name in ("left_eye", "right_eye") if name in sequence.joint_names]
    if not eyes or not sequence.valid.any():
        return float("nan")
    direction = sequence.pose[sequence.valid][:, eyes, :2].mean(1, dtype=np.float64)
    return float(np.sqrt(((direction - direction.mean(0)) ** 2).sum(1).mean()))
