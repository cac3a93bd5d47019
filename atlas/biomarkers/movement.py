"""Movement measures of any tool's courses: faces' sides, eyes, gaze, head, expressivity, tremor.

Means over valid frames, speeds over the lag of `velocity`. What a tool does not give is left out. The definitions,
units and sources are in `catalogue`.
"""

import numpy as np

from atlas.biomarkers.courses import Courses
from atlas.biomarkers.expressivity import expressivity
from atlas.biomarkers.face_geometry import EYES, SLOWEST_BLINK_RATE, asymmetry, blinks, eye_aspect_ratio
from atlas.biomarkers.tremor import tremor_mm
from atlas.biomarkers.velocity import Steps, lagged_steps

CHIN, LIPS = slice(7, 10), slice(48, 68)


def movement(courses: Courses) -> dict[str, float]:
    """{quantity: value}; NaN where the recording cannot tell."""
    steps = lagged_steps(courses.time_s, courses.valid, courses.frame_rate)
    out = {f"expressivity_{name}": value for name, value in _expressivity(courses).items()}
    if courses.points is not None:
        out |= _eyes(courses, courses.points)
        if courses.in_mm:
            seen = courses.points[courses.valid]
            out |= {f"asymmetry_{name}": _mean(distance) for name, distance in asymmetry(seen).items()}
            out |= {f"tremor_{name}": _tremor(courses, courses.points[:, p]) for name, p in _TREMBLING}
    if courses.gaze is not None:
        out["gaze_speed"] = _mean(gaze_speeds(courses.gaze, steps))
    if courses.head_mm is not None:
        out["head_velocity"] = _mean(np.linalg.norm(steps.velocity(courses.head_mm), axis=1))
    if courses.bridge_mm is not None:  # across the line of sight: along it, places are hardly seen
        out["tremor_head"] = _tremor(courses, courses.bridge_mm[:, None, :2])
    return out


_TREMBLING = (("jaw", CHIN), ("lips", LIPS))


def gaze_speeds(gaze: np.ndarray, steps: Steps) -> np.ndarray:
    """(N,) radians per second that unit vectors (T, eyes, 3) turn, mean of the eyes."""
    chord = np.linalg.norm(gaze[steps.last] - gaze[steps.first], axis=2)
    return 2 * np.arcsin(np.clip(chord / 2, 0, 1)).mean(1) / steps.seconds


def _expressivity(courses: Courses) -> dict[str, float]:
    return expressivity(courses.units, courses.present, courses.valid)


def _eyes(courses: Courses, points: np.ndarray) -> dict[str, float]:
    opening = {side: eye_aspect_ratio(points, side) for side in EYES}
    both = (opening["left"] + opening["right"]) / 2
    out = {f"eye_opening_{side}": _mean(course[courses.valid]) for side, course in opening.items()}
    out["eye_opening"] = _mean(both[courses.valid])
    if courses.frame_rate >= SLOWEST_BLINK_RATE:
        seconds = blinks(both, courses.time_s, courses.valid, courses.frame_rate)
        looked = courses.valid.sum() / courses.frame_rate
        out["ear_blink_rate"] = 60 * len(seconds) / looked if looked else float("nan")
        out["ear_blink_duration"] = _mean(seconds)
    return out


def _tremor(courses: Courses, points: np.ndarray) -> float:
    return tremor_mm(points, courses.time_s, courses.valid, courses.frame_rate)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
