"""Joints for heads that come without: where they turn, and how shapes of a jaw or of lids become pose."""

import numpy as np
from scipy.optimize import nnls

JOINTS = ("global", "neck", "jaw", "left_eye", "right_eye")
PARENTS = np.array([-1, 0, 1, 1, 1])
# ICT's gaze shapes move the lids and leave the eyeballs to the animator: the angles of full gaze, radians, are ours
GAZE_UP, GAZE_DOWN, GAZE_SIDEWAYS = -0.44, 0.52, 0.56


def about(axis: int, angle: float) -> np.ndarray:
    """(3, 3) rotation about a head axis, radians."""
    sine, cosine = np.sin(angle), np.cos(angle)
    out = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[i, i] = out[j, j] = cosine
    out[i, j], out[j, i] = -sine, sine
    return out


def rotation(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rigid motion x -> R x + t that takes points a (N, 3) nearest to b (N, 3), by Procrustes."""
    ca, cb = a.mean(0), b.mean(0)
    u, _, vt = np.linalg.svd((b - cb).T @ (a - ca))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return turn, cb - turn @ ca


def gaze_turns(outward: float) -> dict[str, np.ndarray]:
    """Rotation (3, 3) of an eyeball at full gaze up, down, in and out; outward : to GAZE_SIDEWAYS, or minus it."""
    return {
        "Up": about(0, GAZE_UP), "Down": about(0, GAZE_DOWN), "In": about(1, -outward), "Out": about(1, outward),
    }  # fmt: skip


def correctives(pairs: list[tuple[np.ndarray, np.ndarray]], columns: list[int]) -> np.ndarray:
    """Pose correctives (V, 3, 9) of one joint that meet every (rotation, wanted offset), least squares in `columns`.

    columns : entries of R - I, row by row: 7 is the sine about x, 4 its cosine - 1; 2 and 0 the same about y
    """
    features = np.stack([(turn - np.eye(3)).ravel()[columns] for turn, _ in pairs])
    offsets = np.stack([offset for _, offset in pairs])
    solved = np.linalg.lstsq(features, offsets.reshape(len(pairs), -1), rcond=None)[0]
    out = np.zeros((*offsets.shape[1:], 9))
    out[..., columns] = np.moveaxis(solved.reshape(len(columns), *offsets.shape[1:]), 0, -1)
    return out


def regress(vertices: np.ndarray, centre: np.ndarray, n: int) -> np.ndarray:
    """(n,) non-negative weights, summing to 1, of `vertices`, the first of n, around `centre` that reproduce it: a head
    is not convex everywhere, but around a joint it is.
    """
    distance = np.linalg.norm(vertices - centre, axis=1)
    ring = np.argsort(distance)[:: max(1, len(vertices) // 600)][:400]
    far = np.diag(distance[ring] / distance[ring].mean())
    system = np.vstack([vertices[ring].T * 1000, np.full(len(ring), 1000.0), far])
    solution = nnls(system, np.r_[centre * 1000, 1000.0, np.zeros(len(ring))])[0]
    out = np.zeros(n)
    out[ring] = solution / solution.sum()
    apart = np.linalg.norm(out[: len(vertices)] @ vertices - centre)
    assert apart < 0.004, apart
    return out


def sphere_centre(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (3,) and radius of the sphere nearest to points (N, 3), least squares."""
    solution = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))
