"""Measures of the key points' places: how open the eyes are, when they blink, how unlike both sides of the face are.

Definitions after OpenDBM, derived anew. Blinks by the eye aspect ratio are
Soukupová and Čech's (2016).
"""

import numpy as np
from scipy.signal import find_peaks, peak_widths

EYES = {"right": 36, "left": 42}  # first of six points, round the eye
PROMINENCE = 0.1  # of a blink, in the eye aspect ratio
LONGEST_BLINK_S = 1.0  # eyes closed for longer are closed, not blinking
SLOWEST_BLINK_RATE = 10.0  # frames per second below which whole blinks fall between frames
PLANE = (30, 27, 8)  # tip of the nose, its root, chin: the mirror plane
PAIRS = {  # (left, right) points
    "mouth": ((54, 48), (53, 49), (52, 50), (55, 59), (56, 58), (64, 60), (63, 61), (65, 67)),
    "brow": ((26, 17), (25, 18), (24, 19), (23, 20), (22, 21)),
    "eye": ((45, 36), (44, 37), (43, 38), (42, 39), (47, 40), (46, 41)),
}


def eye_aspect_ratio(points: np.ndarray, side: str) -> np.ndarray:
    """(T,) height by width of an eye: (|p1 p5| + |p2 p4|) / (2 |p0 p3|) of its six points.

    points : (T, 68, D) the key points, any unit
    side : ``left`` or ``right``
    """
    p = np.moveaxis(points[:, EYES[side] : EYES[side] + 6], 1, 0)
    height = np.linalg.norm(p[1] - p[5], axis=1) + np.linalg.norm(p[2] - p[4], axis=1)
    width = np.linalg.norm(p[0] - p[3], axis=1)
    return np.divide(height, 2 * width, out=np.full(len(width), np.nan), where=width > 0)


def blinks(opening: np.ndarray, time_s: np.ndarray, valid: np.ndarray, frame_rate: float) -> np.ndarray:
    """(B,) seconds every blink lasts, at half its depth: dips of the eye aspect ratio (T,) of `PROMINENCE`, within
    stretches of valid frames, no longer than `LONGEST_BLINK_S`.
    """
    out = [np.zeros(0)]
    for stretch in stretches(time_s, valid, frame_rate):
        if len(stretch) < 3:
            continue
        closure = -opening[stretch]
        peaks, found = find_peaks(closure, prominence=PROMINENCE)
        if len(peaks):
            known = (found["prominences"], found["left_bases"], found["right_bases"])
            out.append(peak_widths(closure, peaks, rel_height=0.5, prominence_data=known)[0] / frame_rate)
    seconds = np.concatenate(out)
    return seconds[seconds <= LONGEST_BLINK_S]


def stretches(time_s: np.ndarray, valid: np.ndarray, frame_rate: float) -> list[np.ndarray]:
    """Frames of every stretch of valid frames, no two farther apart than one and a half frame intervals."""
    frames = np.flatnonzero(valid)
    apart = (np.diff(frames) > 1) | (np.diff(time_s[frames]) > 1.5 / frame_rate)
    return np.split(frames, np.flatnonzero(apart) + 1) if len(frames) else []


def asymmetry(points: np.ndarray) -> dict[str, np.ndarray]:
    """{mouth, brow, eye: (T,)}: mean distance of the left points, mirrored, from their right partners.

    The mirror is the plane through the tip and the root of the nose and the chin (`PLANE`), frame by frame.

    points : (T, 68, 3), whose unit the distances have
    """
    tip, root, chin = (points[:, i] for i in PLANE)
    normal = np.cross(root - tip, chin - tip)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    out = {}
    for name, pairs in PAIRS.items():
        left, right = (points[:, list(side)] for side in zip(*pairs, strict=True))
        beyond = ((left - tip[:, None]) * normal[:, None]).sum(2, keepdims=True)
        out[name] = np.linalg.norm(left - 2 * beyond * normal[:, None] - right, axis=2).mean(1)
    return out
