"""The face in a mirror: which motion, vertex and landmark becomes which, so that both sides are measured alike.

A template's own two sides differ by fractions of a millimetre, where a scan was not quite symmetric. Directions are
evened out over both sides before anything is measured with them, so that equal motion of both sides is no asymmetry and
a mirrored recording has mirrored biomarkers.
"""

from collections.abc import Sequence

import numpy as np

from reconstruction.template import Template

UNEVEN = 0.5  # the shape basis was learnt from scans that are not quite symmetric
FLIP = np.array([-1.0, 1.0, 1.0])  # the mirror plane is x = 0 of the head frame

# iBUG 68: the partner of every point on the other side, points of the midline their own
LANDMARK_PARTNERS = np.array(
    [
        *(*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
    ]
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
    order = np.array(
        [names.index(other_side(name)) if other_side(name) in names else i for i, name in enumerate(names)]
    )
    sign = np.array([-1.0 if name.endswith((" y", " z")) else 1.0 for name in names])
    return order, sign


def even_directions(directions: np.ndarray, template: Template, names: Sequence[str]) -> np.ndarray:
    """Directions (V, 3, M) of the vertices, each the mean of its own and its partner's mirrored one; as they are where
    expressions do not tell their side.
    """
    found = mirrored_motion(names)
    if found is None:
        return directions
    order, sign = found
    return (directions + sign * FLIP[:, None] * directions[template.mirror][:, :, order]) / 2


def mirrored_shape(template: Template) -> np.ndarray:
    """(S,) what a shape component is in a mirror but for `UNEVEN` of its size: 1 itself, -1 its opposite, 0 neither."""
    own = template.shapedirs.astype(np.float64)
    other = own[template.mirror] * FLIP[:, None]
    size = np.sqrt((own**2).sum((0, 1)))
    alike, opposite = (np.sqrt(((other - sign * own) ** 2).sum((0, 1))) <= UNEVEN * size for sign in (1, -1))
    return np.where(alike, 1.0, np.where(opposite, -1.0, 0.0))


def even_shapes(template: Template) -> np.ndarray:
    """(V, 3, S) metres, the shape directions, evened out where a component has a partner in the mirror."""
    own, sign = template.shapedirs.astype(np.float64), mirrored_shape(template)
    even = (own + sign * own[template.mirror] * FLIP[:, None]) / 2
    return np.where(sign == 0, own, even)


def even_vertices(template: Template) -> np.ndarray:
    """(V, 3) float64, metres: the mean head, each vertex the mean of its own and its partner's mirrored place."""
    vertices = template.v_template.astype(np.float64)
    return (vertices + vertices[template.mirror] * FLIP) / 2


def landmark_weights(template: Template) -> np.ndarray:
    """(68, V) float64: the key points as weighted means of vertices, each of its own place and its partner's mirrored
    one, which lie some millimetres apart along the contour.
    """
    embedding = template.landmarks68
    rows = np.zeros((68, len(template.v_template)))
    np.add.at(rows, (np.arange(68)[:, None], embedding.triangles), embedding.barycentric)
    return (rows + rows[LANDMARK_PARTNERS][:, template.mirror]) / 2
