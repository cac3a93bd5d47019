"""How fast parts of the face move, from the motion coefficients' velocities: mean square speed as a quadratic form.

A point moves by D x for motion coefficients x, so the mean square speed of a part is tr(G C): C (M, M) the second
moment of the coefficients' velocity over a recording, G (M, M) the part's form, the weighted sum of D^T D over its
points or vertices. G is made once a template; a recording costs one product of its frames. Head pose and neck are left
out: it is the face that moves.
"""

from collections.abc import Mapping

import numpy as np

from atlas.biomarkers.face_parts import PartSet
from atlas.biomarkers.mirror import even_directions, landmark_weights
from atlas.motion import MotionSpace
from reconstruction.template import Template


def part_forms(sets: tuple[PartSet, ...], template: Template, space: MotionSpace) -> dict[str, np.ndarray]:
    """{set's name: (P, M, M) mm^2}: x^T G x is the mean square displacement of a part for coefficients x."""
    size = space.size
    even = even_directions(space.directions.astype(np.float64), template, space.names)
    by_point = 1000 * landmark_directions(template, space)
    points = np.einsum("kdm,kdn->kmn", by_point, by_point).reshape(68, -1)
    flat = np.ascontiguousarray(1000 * even).reshape(-1, size)
    out = {}
    for parts in sets:
        if parts.points is not None:
            out[parts.name] = (parts.points @ points).reshape(-1, size, size)
            continue
        forms = np.empty((len(parts), size, size))
        for form, weights in zip(forms, parts.weights.astype(np.float64), strict=True):
            here = np.repeat(weights > 0, 3)
            rows = flat[here]
            form[:] = rows.T @ (rows * np.repeat(weights, 3)[here, None])
        out[parts.name] = forms
    return out


def landmark_directions(template: Template, space: MotionSpace) -> np.ndarray:
    """(68, 3, M) float64, metres: how the key points move with the motion coefficients, alike on both sides."""
    even = even_directions(space.directions.astype(np.float64), template, space.names)
    return (landmark_weights(template) @ even.reshape(len(even), -1)).reshape(68, 3, -1)


def mean_square_speeds(forms: Mapping[str, np.ndarray], moment: np.ndarray) -> dict[str, np.ndarray]:
    """{set's name: (P,) (mm/s)^2} for the second moment (M, M) of the coefficients' velocity."""
    return {name: np.maximum(form.reshape(len(form), -1) @ moment.ravel(), 0) for name, form in forms.items()}


def shares(energy: np.ndarray, extent: np.ndarray) -> np.ndarray:
    """(P,) percent of the motion that each part of a set has, their sum 100; NaN where nothing moves.

    energy : (P,) mean square speeds; extent : (P,) see `PartSet`
    """
    amount = energy * extent
    total = amount.sum()
    return 100 * amount / total if total > 0 else np.full(len(amount), np.nan)
