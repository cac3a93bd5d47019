"""Key points without head pose: every frame laid on the recording's mean by what hardly moves in a face.

Least squares rotation and translation, and of pixels scale as well (Umeyama 1991), by the points of nose and eye
corners. In pictures a head that turns away still changes its outline: of pixels, motion is that seen in the picture.
"""

import numpy as np

STEADY = (27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 39, 42, 45)
ROUNDS = 2  # the mean is made anew once


def without_head_pose(points: np.ndarray, valid: np.ndarray, *, scaled: bool) -> np.ndarray:
    """(T, 68, D) points laid on their mean, frames that are not `valid` (T,) or not finite as NaN.

    scaled : take out size too; that of the mean stays
    """
    use = valid & np.isfinite(points).reshape(len(points), -1).all(1)
    out = np.full_like(points, np.nan)
    if not use.any():
        return out
    moved = points[use]
    goal = moved[0]
    for _ in range(ROUNDS):
        moved = _laid_on(points[use], goal, scaled)
        goal = moved.mean(0)
        if scaled:  # the first frame's size is replaced by the recording's
            goal = goal * (_size(points[use]).mean() / max(float(_size(goal[None])[0]), 1e-12))
    out[use] = _laid_on(points[use], goal, scaled)
    return out


def _laid_on(points: np.ndarray, goal: np.ndarray, scaled: bool) -> np.ndarray:
    steady = list(STEADY)
    centre, middle = points[:, steady].mean(1, keepdims=True), goal[steady].mean(0)
    own, wanted = points[:, steady] - centre, goal[steady] - middle
    u, strength, v = np.linalg.svd(np.einsum("tki,kj->tij", own, wanted))
    sign = np.ones_like(strength)
    sign[:, -1] = np.sign(np.linalg.det(u @ v))
    turn = (u * sign[:, None]) @ v
    scale = np.ones(len(points))
    if scaled:
        scale = (strength * sign).sum(1) / np.maximum((own**2).sum((1, 2)), 1e-12)
    return scale[:, None, None] * (points - centre) @ turn + middle


def _size(points: np.ndarray) -> np.ndarray:
    """(T,) root mean square distance of the steady ones of points (T, 68, D) from their middle."""
    steady = points[:, list(STEADY)]
    return np.sqrt(((steady - steady.mean(1, keepdims=True)) ** 2).sum(2).mean(1))
