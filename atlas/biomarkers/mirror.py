"""The face in a mirror: which motion, vertex and landmark becomes which, so that both sides are measured alike.

A template's own two sides differ by fractions of a millimetre, where a scan was not quite symmetric. Directions are
evened out over both sides before anything is measured with them, so that equal motion of both sides is no asymmetry and
a mirrored recording has mirrored biomarkers.
"""

from collections.abc import Sequence

import numpy as np

from reconstruction.template import Embedding, Template

FLIP = np.array([-1.0, 1.0, 1.0])  # the mirror plane is x = 0 of the head frame

# iBUG 68: the partner of every point on the other side, points of the midline their own
LANDMARK_PARTNERS = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36]
    + [41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)


def other_side(name: str) -> str:
    """The name on the other side: ``eyeBlinkLeft``, ``left_eye x``, ``frontalis_left``; itself where it has none."""
    for one, other in (("Left", "Right"), ("left", "right")):
        for a, b in ((one, other), (other, one)):
            if name.endswith(a):
                return name.removesuffix(a) + b
            if name.startswith(f"{a}_"):
                return b + name.removeprefix(a)
    return name


def mirrored_motion(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Motion x (M,) is ``sign * x[order]`` in a mirror; None where no expression tells its side by its name.

    names : of `atlas.motion.MotionSpace`: expressions, then the joints' rotations about x, y and z
    """
    if not any(name.endswith("Left") and other_side(name) in names for name in names):
        return None
    order = np.array([names.index(other_side(name)) if other_side(name) in names else i for i, name in enumerate(names)])
    sign = np.array([-1.0 if name.endswith((" y", " z")) else 1.0 for name in names])
    return order, sign


def even_directions(directions: np.ndarray, partner: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Directions (N, 3, M) of points, each the mean of its own and its partner's (N,) mirrored one; as they are where
    expressions do not tell their side.
    """
    found = mirrored_motion(names)
    if found is None:
        return directions
    order, sign = found
    return (directions + sign * FLIP[:, None] * directions[partner][:, :, order]) / 2


def even_vertices(template: Template) -> np.ndarray:
    """(V, 3) float64, metres: the mean head, each vertex the mean of its own and its partner's mirrored place."""
    vertices = template.v_template.astype(np.float64)
    return (vertices + vertices[template.mirror] * FLIP) / 2


def landmark_rows(embedding: Embedding, field: np.ndarray) -> np.ndarray:
    """(K, ...) a field (V, ...) of the vertices at embedded points, float64."""
    return np.einsum("kc,kc...->k...", embedding.barycentric.astype(np.float64), field[embedding.triangles])
