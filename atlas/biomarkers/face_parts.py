"""Parts of the face: the 68 key points, 9 organs made of them, and sets of regions that weigh the face's vertices.

The organs are iBUG's groups of points. The 16 regions `emoface16` are a grid of 4 x 4, row by row from the subject's
right to the left and from the brow to the chin: vertical lines through the pupils' centres and the midline; horizontal
lines between brow and eye, between eye and nostril, and at the subnasale. Emoface publishes neither its groups nor its
regions: both are inferred from the names and numbers in its paper, and fit all of them. A part's motion is measured in
`motion_energy`.
"""

from dataclasses import dataclass

import numpy as np

from atlas.biomarkers.mirror import LANDMARK_PARTNERS, even_vertices, landmark_weights
from atlas.motion import face_mask, vertex_areas
from reconstruction.errors import InputError
from reconstruction.template import Template

SUBJECT, IMAGE = SIDES = ("subject", "image")
EMOFACE = "grid inferred from Emoface's paper"
IBUG = "iBUG 68 (Sagonas et al. 2013)"

# place: (first, last point, label), right before left; REyC, LEyC, OLC and ILC are names of the Emoface paper
_ORGANS = {
    "contour": (0, 16, "face contour"),
    "REyC": (17, 21, "right eyebrow"),
    "LEyC": (22, 26, "left eyebrow"),
    "bridge": (27, 30, "nose bridge"),
    "nostrils": (31, 35, "nostrils"),
    "right_eye": (36, 41, "right eye"),
    "left_eye": (42, 47, "left eye"),
    "OLC": (48, 59, "outer lip contour"),
    "ILC": (60, 67, "inner lip contour"),
}
_OTHER_ORGAN = {"REyC": "LEyC", "LEyC": "REyC", "right_eye": "left_eye", "left_eye": "right_eye"}
_COLUMNS = ("right outer", "right inner", "left inner", "left outer")
_ROWS = ("brow and forehead", "eye", "cheek and nose", "mouth and chin")


@dataclass(frozen=True)
class PartSet:
    """P parts that share what moves between them.

    name, level : ``organ``; a level of `quantity.LEVELS`
    places, labels, mirrors : P each, the last the place that a part becomes in a mirror
    points : (P, 68) weights of the key points, each row's sum 1; None for a set of regions
    weights : (P, V) float32 of the vertices, each row's sum 1
    extent : (P,) a part's share is extent times its mean energy by the sum of that
    definition, source : what a part is, and after whom
    """

    name: str
    level: str
    places: tuple[str, ...]
    labels: tuple[str, ...]
    mirrors: tuple[str, ...]
    points: np.ndarray | None
    weights: np.ndarray
    extent: np.ndarray
    definition: str
    source: str

    def __len__(self) -> int:
        return len(self.places)


def keypoints(template: Template | None = None) -> PartSet:
    """The 68 key points, ``00`` to ``67``; `weights` are empty without a template."""
    places = tuple(f"{i:02d}" for i in range(68))
    names = [next(label for first, last, label in _ORGANS.values() if first <= i <= last) for i in range(68)]
    labels = tuple(f"point {i}, {name}" for i, name in enumerate(names))
    mirrors = tuple(places[i] for i in LANDMARK_PARTNERS)
    points = np.eye(68)
    return PartSet(
        "keypoint", "keypoint", places, labels, mirrors, points, _at_vertices(points, template), np.ones(68),
        "one of 68 points", IBUG,
    )  # fmt: skip


def organs(template: Template | None = None, *, sides: str = SUBJECT, sums: bool = False) -> PartSet:
    """The 9 organs.

    sides : ``subject`` where REyC is the subject's right brow; ``image`` where it is that on the picture's right, and
        likewise the eyes. Which of them the Emoface paper means is not known.
    sums : an organ's share is that of the sum over its points instead of the mean; with the sum the contour's 17 points
        weigh more than the nose's 4
    """
    points = np.zeros((len(_ORGANS), 68))
    for row, (first, last, _) in zip(points, _ORGANS.values(), strict=True):
        row[first : last + 1] = 1 / (last + 1 - first)
    if sides not in SIDES:
        raise InputError(f"expected sides as seen by {' or '.join(SIDES)}, got {sides!r}; choose one of them.")
    swapped = _OTHER_ORGAN if sides == IMAGE else {}
    places = tuple(swapped.get(place, place) for place in _ORGANS)
    labels = tuple(_ORGANS[place][2] + (" in the picture" if place in swapped else "") for place in places)
    mirrors = tuple(_OTHER_ORGAN.get(place, place) for place in places)
    extent = 1 / points.max(1) if sums else np.ones(len(places))
    return PartSet(
        "organ", "organ", places, labels, mirrors, points, _at_vertices(points, template), extent,
        f"{'sum' if sums else 'mean'} over the points of an organ", f"{IBUG}; groups inferred from Emoface's paper",
    )  # fmt: skip


def emoface16(template: Template) -> PartSet:
    """The 16 regions, ``01`` to ``16``: 5 and 8 hold the outer, 6 and 7 the inner eye corners, 14 and 15 the mouth."""
    vertices, points, area = face_geometry(template)
    pupil = (np.abs(points[36:42, 0].mean()) + np.abs(points[42:48, 0].mean())) / 2
    eyes, brows, nostrils = (points[i:j, 1].mean() for i, j in ((36, 48), (17, 27), (31, 36)))
    row = np.searchsorted(-np.array([(brows + eyes) / 2, (eyes + nostrils) / 2, points[33, 1]]), -vertices[:, 1])
    inner = np.abs(vertices[:, 0]) < pupil
    weights = np.zeros((16, len(vertices)))
    for column, (right, within) in enumerate(((True, False), (True, True), (False, True), (False, False))):
        here = area * side_share(vertices, right) * (inner == within)
        for line in range(4):
            weights[4 * line + column] = here * (row == line)
    places = tuple(f"{i:02d}" for i in range(1, 17))
    labels = tuple(f"{line}, {column}" for line in _ROWS for column in _COLUMNS)
    mirrors = tuple(places[4 * (i // 4) + 3 - i % 4] for i in range(16))
    return region_set("emoface16", places, labels, mirrors, weights, "one of 16 cells of a grid over the face", EMOFACE)


def region_set(
    name: str,
    places: tuple[str, ...],
    labels: tuple[str, ...],
    mirrors: tuple[str, ...],
    weights: np.ndarray,
    definition: str,
    source: str,
) -> PartSet:
    """A set of regions of vertex weights (P, V), whose rows are made to sum to 1."""
    total = weights.sum(1, keepdims=True)
    even = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0).astype(np.float32)
    return PartSet(name, "region", places, labels, mirrors, None, even, np.ones(len(places)), definition, source)


def face_geometry(template: Template) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean head evened out over both sides: vertices (V, 3) and key points (68, 3), metres; areas (V,) of the
    face's vertices, zero elsewhere.
    """
    vertices = even_vertices(template)
    points = landmark_weights(template) @ vertices
    mask = face_mask(template)
    area = vertex_areas(vertices, template.faces) * (mask | mask[template.mirror])
    return vertices, points, (area + area[template.mirror]) / 2


def side_share(vertices: np.ndarray, right: bool) -> np.ndarray:
    """(V,) 1 on the subject's right (or left), 0 on the other side, one half on the midline."""
    return (1 + (-1 if right else 1) * np.sign(vertices[:, 0])) / 2


def _at_vertices(points: np.ndarray, template: Template | None) -> np.ndarray:
    """(P, V) float32 vertex weights of weights (P, 68) of key points, alike on both sides."""
    if template is None:
        return np.zeros((len(points), 0), np.float32)
    return (points @ landmark_weights(template)).astype(np.float32)
