"""Muscle-like patches of the face: `muscles`, soft regions along the course of the muscles of expression.

A patch weighs the face's vertices by their distance from a line along the muscle, ``exp(-d^2 / 2 s^2)``, and by their
area. The lines run between key points of the template's mean head and points placed between or beside them in units of
the distance of the outer eye corners, after the muscles' origins and insertions as anatomy describes them (Gray's
Anatomy; the muscular basis of FACS, Ekman and Friesen 1978). Skin over a muscle moves with its neighbours too: a patch
says where the skin moves, and not that the muscle contracts.
"""

from collections.abc import Sequence

import numpy as np

from atlas.biomarkers.face_parts import PartSet, face_geometry, region_set, side_share
from atlas.biomarkers.mirror import other_side
from reconstruction.template import Template

WIDTH = 0.06  # s, in distances of the outer eye corners (about 5 mm), where a muscle has no width of its own
REACH = 2.5  # standard deviations beyond which a patch weighs nothing

# a point of a line: key points whose mean it is, then (sideways, up) in distances of the outer eye corners
Point = tuple[tuple[int, ...], tuple[float, float]]
_AT = (0.0, 0.0)
# name: (label, line on the subject's right, s); sideways is away from the midline
_SIDED: dict[str, tuple[str, tuple[Point, ...], float]] = {
    "frontalis_medial": ("medial frontalis", (((21,), (-0.03, 0.09)), ((20, 21), (0.0, 0.14))), 0.07),
    "frontalis_lateral": ("lateral frontalis", (((18,), (0.0, 0.08)), ((19,), (0.0, 0.11))), 0.07),
    "corrugator": ("corrugator supercilii", (((21,), (-0.05, -0.04)), ((20,), (0.0, 0.0))), 0.05),
    "orbicularis_oculi": (
        "orbicularis oculi",
        (
            *(((36,), (0.06, 0.0)), ((37,), (0.02, 0.05)), ((38,), (-0.01, 0.05)), ((39,), (-0.03, 0.02))),
            *(((40,), (0.0, -0.08)), ((41,), (0.03, -0.08)), ((36,), (0.06, 0.0))),
        ),
        0.05,
    ),
    "nasalis": ("nasalis and levator labii alaeque nasi", (((28, 39), (0.0, 0.0)), ((31,), (0.03, 0.03))), 0.05),
    "levator_labii": ("levator labii superioris", (((40, 41), (0.0, -0.14)), ((49,), (0.05, 0.06))), 0.05),
    "zygomaticus": ("zygomaticus", (((36,), (0.08, -0.28)), ((48,), (0.06, 0.04))), 0.06),
    "buccinator": ("buccinator and risorius", (((48,), (0.08, -0.01)), ((48,), (0.28, 0.02))), 0.07),
    "orbicularis_oris_upper": ("upper orbicularis oris", (((48,), _AT), ((49, 61), _AT), ((51, 62), _AT)), 0.05),
    "orbicularis_oris_lower": ("lower orbicularis oris", (((48,), _AT), ((59, 67), _AT), ((57, 66), _AT)), 0.05),
    "depressor_anguli_oris": ("depressor anguli oris", (((48,), (0.04, -0.06)), ((48,), (0.08, -0.26))), 0.05),
    "depressor_labii": ("depressor labii inferioris", (((58, 59), (0.0, -0.05)), ((59,), (0.03, -0.20))), 0.05),
    "mentalis": ("mentalis", (((8, 57), (0.06, 0.06)), ((8, 57), (0.07, -0.06))), 0.06),
}  # fmt: skip
_MIDLINE: dict[str, tuple[str, tuple[Point, ...], float]] = {
    "procerus": ("procerus", (((27,), (0.0, 0.0)), ((21, 22), (0.0, 0.05))), 0.05)
}


def muscles(template: Template) -> PartSet:
    """The patches, right and left; those of the midline have no side."""
    vertices, points, area = face_geometry(template)
    unit = float(np.linalg.norm(points[45] - points[36]))
    places: list[str] = []
    labels: list[str] = []
    weights: list[np.ndarray] = []
    for name, (label, line, width) in {**_MIDLINE, **_SIDED}.items():
        away = _distances(vertices, _course(line, points, unit)) / (width * unit)
        soft = area * np.exp(-0.5 * away**2) * (away < REACH)
        if name in _MIDLINE:
            places, labels, weights = [*places, name], [*labels, label], [*weights, (soft + soft[template.mirror]) / 2]
            continue
        right = soft * side_share(vertices, right=True)
        places += [f"{name}_right", f"{name}_left"]
        labels += [f"{label}, right", f"{label}, left"]
        weights += [right, right[template.mirror]]
    return region_set(
        "muscles", tuple(places), tuple(labels), tuple(other_side(place) for place in places), np.array(weights),
        "a soft patch of skin along a muscle", "placed here along the muscles' course (Gray's Anatomy; FACS)",
    )  # fmt: skip


def _course(line: Sequence[Point], points: np.ndarray, unit: float) -> np.ndarray:
    """(K, 3) metres: the line's points on the subject's right."""
    return np.array([points[list(marks)].mean(0) + unit * np.array([-side, up, 0]) for marks, (side, up) in line])


def _distances(vertices: np.ndarray, course: np.ndarray) -> np.ndarray:
    """(V,) metres from a polyline (K, 3), seen from the front: depth does not count, so that a line may pass under the
    skin.
    """
    flat, line = vertices[:, None, :2], course[:, :2]
    start, step = line[:-1], np.diff(line, axis=0)
    along = ((flat - start) * step).sum(2) / (step**2).sum(1)
    nearest = start + np.clip(along, 0, 1)[..., None] * step
    return np.linalg.norm(flat - nearest, axis=2).min(1)
