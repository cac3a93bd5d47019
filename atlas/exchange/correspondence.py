"""Which places of two templates' faces correspond: on their mean heads, aligned by their landmarks, the target takes
the source's form as far as it can, and its vertices' closest places on the source are theirs.
"""

from dataclasses import dataclass

import numpy as np
import torch

from atlas.motion import face_mask, vertex_areas
from reconstruction.errors import InputError
from reconstruction.projection import PointModel
from reconstruction.template import Embedding, Template

POINTS = 700  # places of the face that are fitted
ROUNDS = 12  # of finding closest places and fitting the form
FARTHEST = 0.006  # metres between corresponding places of the mean heads
INDEPENDENT = 300  # places that count as independent
LOOSE = 0.001  # metres that a place is unsure while the form is fitted
MARKS_NOISE = 0.003  # metres that a landmark of one template lies beside the other's


@dataclass(frozen=True)
class Correspondence:
    """Places of two templates.

    source : (K,) places on the source; target : (K,) the target's vertices; weights : (K,) sum to 1
    turn, shift : (3, 3), (3,) metres: target's head frame from the source's
    apart_mm : between the mean heads' places, root mean square
    """

    source: Embedding
    target: Embedding
    weights: np.ndarray
    turn: np.ndarray
    shift: np.ndarray
    apart_mm: float


def correspond(source: Template, target: Template) -> Correspondence:
    """Which places of the target's face are which of the source's.

    Raises
    ------
    InputError
        The templates' faces do not lie upon one another.
    """
    # open3d takes a second to import
    from reconstruction.closest import closest_places

    both = source.visible478 & target.visible478
    if both.sum() >= 100:
        marks = source.landmarks478.of(both), target.landmarks478.of(both)
    else:
        marks = source.landmarks68, target.landmarks68
    model = PointModel(target, marks[1])
    there = marks[0](source.v_template.astype(np.float64))
    turn, shift = rigid(there, marks[1](target.v_template.astype(np.float64)))
    chosen, areas = _chosen(target)
    vertices, zero = PointModel(target, _vertices(chosen)), torch.zeros(1, len(model.angles) + target.n_expression)
    shape = torch.zeros(target.n_shape).double()
    skin = source.faces[source.skin[source.faces].all(1)]
    with torch.no_grad():
        for _ in range(ROUNDS):
            now = vertices.points(shape, zero.double())[0].numpy()
            moved = source.v_template @ turn.T + shift
            places = closest_places(now, moved, skin)(moved)
            own = model.points(shape, zero.double())[0].numpy()
            near = np.linalg.norm(places - now, axis=1) < 3 * FARTHEST
            if not near.any():
                raise _apart(source, target)
            weights = areas * near / LOOSE**2 * INDEPENDENT / (areas * near).sum()
            on_marks = np.full(len(own), INDEPENDENT / len(own) / MARKS_NOISE**2)
            directions = np.concatenate([target.shapedirs[chosen], at_places(marks[1], target.shapedirs)]).astype(
                np.float64
            )
            goal = np.concatenate([places - now, there @ turn.T + shift - own])
            every = np.concatenate([weights, on_marks])
            shape = shape + torch.from_numpy(ridge(directions, goal, every, shape.numpy()))
            now = vertices.points(shape, zero.double())[0].numpy()
            before = (places - shift) @ turn
            turn, shift = rigid(before, now, weights)
    moved = source.v_template @ turn.T + shift
    found = closest_places(now, moved, skin)
    apart = np.linalg.norm(found(moved) - now, axis=1)
    kept = apart < FARTHEST
    if kept.sum() < len(kept) / 2:
        raise _apart(source, target)
    weights = areas[kept] / areas[kept].sum()
    rms = 1000 * float(np.sqrt(weights @ apart[kept] ** 2))
    return Correspondence(found.of(kept), _vertices(chosen[kept]), weights, turn, shift, rms)


def _apart(source: Template, target: Template) -> InputError:
    return InputError(
        f"expected faces that lie upon one another, but half of {target.name} is more than {1000 * FARTHEST:g} mm from "
        f"{source.name}; look at both with face-atlas template info --picture."
    )


def _chosen(target: Template) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of the target's face, about `POINTS` at most, evenly chosen, and the area that each stands for."""
    areas = vertex_areas(target.v_template, target.faces)
    face = np.flatnonzero(face_mask(target) & (areas > 0))
    chosen = face[:: max(1, round(len(face) / POINTS))]
    return chosen, areas[chosen]


def _vertices(ids: np.ndarray) -> Embedding:
    corner = np.zeros((len(ids), 3), np.float32)
    corner[:, 0] = 1
    return Embedding(np.repeat(ids[:, None], 3, 1), corner)


def at_places(places: Embedding, directions: np.ndarray) -> np.ndarray:
    """(K, 3, C) of directions (V, 3, C) at places."""
    return np.einsum("kcds,kc->kds", directions[places.triangles], places.barycentric)


def ridge(directions: np.ndarray, goal: np.ndarray, weights: np.ndarray, here: np.ndarray) -> np.ndarray:
    """(S,) the step of coefficients, standard normal and now `here`, that brings points nearest to `goal` (K, 3)."""
    flat = directions.reshape(-1, directions.shape[2])
    weighted = flat * np.repeat(weights, 3)[:, None]
    return np.linalg.solve(flat.T @ weighted + np.eye(flat.shape[1]), weighted.T @ goal.ravel() - here)


def rigid(points: np.ndarray, onto: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3), (3,) the turn and shift that lay `points` (K, 3) upon `onto` (Kabsch 1976)."""
    share = np.full(len(points), 1 / len(points)) if weights is None else weights / weights.sum()
    here, there = share @ points, share @ onto
    u, _, vt = np.linalg.svd((onto - there).T @ (share[:, None] * (points - here)))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return turn, there - turn @ here
