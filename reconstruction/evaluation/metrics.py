"""Distances, motion and expressions of a reconstruction against the truth, and intervals over people.

Lengths are in whatever unit the truth has, millimetres here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import open3d as o3d
from scipy.spatial.transform import Rotation

INNER = slice(17, 68)  # iBUG 68 without the jaw line
RESAMPLES = 1000
_MOVES = 0.03  # standard deviation of a true expression below which there is nothing to correlate with
_STILL = 1e-9


class Surface:
    """A triangle mesh to measure distances to; vertices (V, 3), faces (F, 3)."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray):
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            o3d.core.Tensor(np.ascontiguousarray(vertices, np.float32)),
            o3d.core.Tensor(np.ascontiguousarray(faces, np.uint32)),
        )

    def closest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For points (N, 3): the closest places of the surface (N, 3) and the normals of their triangles (N, 3)."""
        found = self._scene.compute_closest_points(o3d.core.Tensor(np.ascontiguousarray(points, np.float32)))
        return found["points"].numpy().astype(float), found["primitive_normals"].numpy().astype(float)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """(N,) from points (N, 3) to the surface, without sign."""
        return np.linalg.norm(self.closest(points)[0] - points, axis=1)


@dataclass(frozen=True)
class Similarity:
    """x to scale · rotation x + translation."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return self.scale * points @ self.rotation.T + self.translation


def similarity(source: np.ndarray, target: np.ndarray, scaled: bool = True) -> Similarity:
    """The similarity that brings `source` (K, 3) closest to `target` (K, 3) by least squares (Umeyama 1991).

    scaled : False for a rigid motion, scale 1
    """
    from_, to = source.mean(0), target.mean(0)
    a, b = source - from_, target - to
    u, stretch, vt = np.linalg.svd(b.T @ a)
    mirror = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u * mirror @ vt
    scale = float((stretch * mirror).sum() / (a**2).sum()) if scaled else 1.0
    return Similarity(scale, rotation, to - scale * rotation @ from_)


def scan_to_mesh(
    points: np.ndarray,
    landmarks: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    mesh_landmarks: np.ndarray,
    iterations: int = 30,
) -> np.ndarray:
    """(N,) distances from true points to a mesh after similarity alignment by landmarks, then by closest points (ICP)
    of which those farther than three medians do not count.

    points : (N, 3) true; landmarks, mesh_landmarks : (K, 3) corresponding; vertices, faces : (V, 3) and (F, 3)
    """
    aligned = similarity(mesh_landmarks, landmarks)(vertices)
    for _ in range(iterations):
        closest, _ = Surface(aligned, faces).closest(points)
        distance = np.linalg.norm(closest - points, axis=1)
        near = distance < max(3 * np.median(distance), 1e-6)
        aligned = similarity(closest[near], points[near])(aligned)
    return Surface(aligned, faces).distance(points)


def refine_alignment(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, iterations: int = 60) -> Similarity:
    """The similarity of a mesh that makes the squared distances of `points` (N, 3) to its surface smallest; every point
    counts. From where `vertices` (V, 3) lie, by Levenberg's damped Gauss-Newton.

    A distance d = |p - c| to the closest place c changes with the mesh as u · dc, u = (c - p)/d: that c slides on the
    surface does not matter to first order. It is measured in the mesh's frame, where the surface need not be moved.
    """
    surface, middle = Surface(vertices, faces), points.mean(0)
    size = float(np.linalg.norm(points - middle, axis=1).mean())
    scale, rotation, shift = 1.0, np.eye(3), np.zeros(3)  # of the mesh about `middle`

    def measure(s: float, r: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        closest, normal = surface.closest((points - middle - t) @ r / s + middle)
        places = s * (closest - middle) @ r.T + middle + t
        away = places - points
        distance = np.linalg.norm(away, axis=1)
        touching = distance < 1e-6 * size  # no direction of its own: the surface's
        return distance, places, np.where(touching[:, None], normal @ r.T, away / np.fmax(distance, 1e-30)[:, None])

    distance, places, direction = measure(scale, rotation, shift)
    damping = 1e-6
    for _ in range(iterations):
        arm = (places - middle - shift) / size  # so that all seven unknowns are lengths
        jacobian = np.column_stack([(direction * arm).sum(1), np.cross(arm, direction), direction])
        normal_matrix, gradient = jacobian.T @ jacobian, jacobian.T @ distance
        step = -np.linalg.solve(normal_matrix + damping * len(points) * np.eye(7), gradient)
        tried = (
            scale * float(np.exp(step[0] / size)),
            Rotation.from_rotvec(step[1:4] / size).as_matrix() @ rotation,
            shift + step[4:],
        )
        measured = measure(*tried)
        gain = 1 - (measured[0] ** 2).sum() / max((distance**2).sum(), 1e-30)
        if gain > 0:
            (scale, rotation, shift), (distance, places, direction) = tried, measured
        damping = max(damping / 10, 1e-9) if gain > 0 else damping * 10
        if 0 < gain < 1e-7 or damping > 1e3 or np.linalg.norm(step) < 1e-6 * size:
            break
    return Similarity(scale, rotation, middle + shift - scale * rotation @ middle)


def motion_sums(truth: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """How much the inner landmarks move about their temporal mean, squared and summed, and how much of it is missed.

    truth, found : (T, 68, 3), head frame; `found` at any scale and rotation. The share recovered, `motion_r2`, is
    1 - missed / moved, with both summed over people.
    """
    true, mine = truth[:, INNER], found[:, INNER]
    middle, own = true.mean(0), mine.mean(0)
    onto = similarity(own, middle)
    moves, moved = true - middle, onto.scale * (mine - own) @ onto.rotation.T
    return float((moves**2).sum()), float(((moves - moved) ** 2).sum())


def track_sums(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """What a person's tracks (T, K) contribute to `correlations`: frames, and sums of squares and products about the
    person's own means, (4, K). Sums of several people add up.
    """
    true, mine = truth - truth.mean(0), found - found.mean(0)
    frames = np.full(true.shape[1], float(len(true)))
    return np.stack([frames, (true**2).sum(0), (mine**2).sum(0), (true * mine).sum(0)])


def correlations(sums: np.ndarray) -> np.ndarray:
    """(..., K) within-person correlations of `track_sums` (..., 4, K) added over people.

    NaN where the truth does not move, 0 where only the reconstruction does not.
    """
    frames, true, mine, both = np.moveaxis(sums, -2, 0)
    r = both / np.sqrt(np.fmax(true * mine, 1e-300))
    r = np.where(mine < _STILL**2 * frames, 0.0, r)
    return np.where(true > _MOVES**2 * frames, r, np.nan)


def jitter(points: np.ndarray) -> tuple[float, float]:
    """Root mean square of points (T, K, 3) about their temporal means: in space, and in the first two axes alone.

    Nothing is removed first, no drift and no common motion.
    """
    moved = points - points.mean(0)
    squares = (moved**2).mean((0, 1))
    return float(np.sqrt(squares.sum())), float(np.sqrt(squares[:2].sum()))


def recovered(distance: np.ndarray, baseline: np.ndarray) -> float:
    """Share of the squared distance of a baseline, the mean face, that a reconstruction removes; negative: it adds."""
    return float(1 - (distance.astype(float) ** 2).sum() / (baseline.astype(float) ** 2).sum())


def interval_over_people(
    statistic: Callable[[np.ndarray], np.ndarray | float], people: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """95 % percentile bootstrap interval; `statistic` takes indices of people, drawn with replacement."""
    draws = np.random.default_rng(seed).integers(0, people, (RESAMPLES, people))
    values = np.array([statistic(draw) for draw in draws], float)
    bounds = np.full((2, *values.shape[1:]), np.nan)
    known = np.isfinite(values).any(0)
    bounds[:, known] = np.nanquantile(values[:, known], [0.025, 0.975], axis=0)
    return bounds[0], bounds[1]
