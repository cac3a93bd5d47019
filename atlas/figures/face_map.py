"""The face as a map: a pale face from the front with key points, organs and regions at their places.

Regions that are cells of a grid are drawn as its cells, cut off where the face ends; other regions by the line where
their weight falls to half of its largest; organs as the lines of their key points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
from contourpy import LineType, contour_generator
from matplotlib.axes import Axes
from scipy import ndimage
from scipy.spatial import ConvexHull
from sklearn.isotonic import IsotonicRegression

from atlas.figures.heads import HeadPainter
from atlas.figures.page import INK, SMALL
from atlas.motion import face_mask, vertex_areas
from reconstruction.template import Template

_PALE = 226  # grey of the skin
_GRID = 4  # rows and columns of a grid of regions
_CLOSED = ((36, 41), (42, 47), (48, 59), (60, 67))  # first and last iBUG point of those organs that are rings
_FEATURES = ((17, 21), (22, 26), (27, 30), (31, 35), *_CLOSED)
_SIDE = 92  # pixels beside the face for values
_HALF = 0.5  # of its largest density: where a soft region's line is drawn
_TOUCHING = 0.002  # metres by which neighbouring cells of a grid may overlap: heads are not quite even
PAPER = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0}  # behind words


class Parts(Protocol):
    """Parts of the face, as `atlas.biomarkers.face_parts.PartSet`: `points` (P, 68) weights of the key points or None,
    `weights` (P, V) of the vertices.
    """

    @property
    def name(self) -> str: ...
    @property
    def places(self) -> tuple[str, ...]: ...
    @property
    def points(self) -> np.ndarray | None: ...
    @property
    def weights(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Shape:
    """Where a part is drawn: lines (K, 2) in pixels, closed or not; `filled` where the area within is meant."""

    lines: list[np.ndarray]
    closed: bool
    filled: bool

    @property
    def centre(self) -> np.ndarray:
        """(2,) of its largest line: the area's centre of mass if closed, else the middle point."""
        line = max(self.lines, key=len)
        if not self.closed:
            return line[len(line) // 2]
        after = np.roll(line, -1, 0)
        parts = line[:, 0] * after[:, 1] - after[:, 0] * line[:, 1]  # the shoelace formula
        return ((line + after) * parts[:, None]).sum(0) / (3 * parts.sum())


class FaceMap:
    """The mean head of a template, down to the chin; its face is `height` pixels high, `features` are lines on it."""

    def __init__(self, template: Template, height: int = 400):
        self.template, vertices = template, template.v_template
        self.face = face_mask(template)
        whole = HeadPainter(template, 400)
        rows = whole.place(vertices[self.face], vertices)[:, 1]
        self._painter = HeadPainter(template, round(400 * height / np.ptp(rows)))
        placed = self._painter.place(vertices[self.face], vertices)
        pad = 0.06 * height
        crown = self._painter.place(vertices, vertices)[:, 1].min()
        self._corner = np.floor([placed[:, 0].min() - _SIDE, crown - 6]).astype(int)
        right, low = placed.max(0)
        self._size = np.ceil([right + _SIDE, low + pad]).astype(int) - self._corner
        pale = np.where(template.skin[:, None], np.uint8(_PALE), template.colours // 3 + 150).astype(np.uint8)
        self.picture = self._cut(self._painter.draw(vertices, pale), 255)

    @cached_property
    def points(self) -> np.ndarray:
        """(68, 2) pixels of the key points."""
        return self.place(self.template.landmarks68(self.template.v_template))

    def place(self, points: np.ndarray) -> np.ndarray:
        """(K, 2) pixels of points (K, 3), metres, on the mean face."""
        return self._painter.place(points, self.template.v_template) - self._corner

    @property
    def features(self) -> list[np.ndarray]:
        """Lines (K, 2) of brows, nose, eyes and mouth, pixels."""
        return [self.points[[*range(a, b + 1), *([a] if (a, b) in _CLOSED else [])]] for a, b in _FEATURES]

    @cached_property
    def outline(self) -> np.ndarray:
        """(K, 2) pixels: the convex line round the face."""
        placed = self.place(self.template.v_template[self.face])
        return placed[ConvexHull(placed).vertices]

    def shapes(self, parts: Parts) -> dict[str, Shape]:
        """{place: where it is drawn}; organs and key points by their points, regions by their vertices."""
        if parts.points is not None:
            return {place: self._chain(row) for place, row in zip(parts.places, parts.points, strict=True)}
        cells = self._cells(parts.weights)
        if cells is not None:
            return dict(zip(parts.places, cells, strict=True))
        return dict(zip(parts.places, self._patches(parts.weights), strict=True))

    def _chain(self, weights: np.ndarray) -> Shape:
        own = np.flatnonzero(weights)
        closed = (own[0], own[-1]) in _CLOSED
        return Shape([self.points[own]], closed, False)

    def _cells(self, weights: np.ndarray) -> list[Shape] | None:
        """Cells of a grid of 4 x 4, row by row from the picture's left; None where these are none.

        Their lines lie midway between the outermost vertices of neighbouring rows and columns.
        """
        if len(weights) != _GRID**2:
            return None
        x, y = self.template.v_template[:, 0], self.template.v_template[:, 1]
        owned = (weights > 0).reshape(_GRID, _GRID, -1)
        rows = _limits([-y[owned[i].any(0)] for i in range(_GRID)])
        columns = _limits([x[owned[:, i].any(0)] for i in range(_GRID)])
        if rows is None or columns is None:
            return None
        eyes = self.template.landmarks68(self.template.v_template)[36:48, 2].mean()
        out = []
        for top, bottom in pairwise(rows):
            for left, right in pairwise(columns):
                corners = [(left, -top), (right, -top), (right, -bottom), (left, -bottom)]
                placed = self.place(np.array([(*corner, eyes) for corner in corners]))
                out.append(Shape([_cut_to(self.outline, placed.min(0), placed.max(0))], True, True))
        return out

    def _patches(self, weights: np.ndarray) -> list[Shape]:
        vertices = self.template.v_template
        density = weights / np.maximum(vertex_areas(vertices, self.template.faces), 1e-12)
        density /= np.maximum(density.max(1, keepdims=True), 1e-12)
        fields = self._cut(self._painter.fields(vertices, density.T), 0.0)
        out = []
        for field in np.moveaxis(fields, 2, 0):
            lines = contour_generator(z=ndimage.gaussian_filter(field, 2.0), line_type=LineType.Separate).lines(_HALF)
            out.append(Shape([np.asarray(line) for line in lines], True, True))
        return out

    def _cut(self, picture: np.ndarray, paper: float) -> np.ndarray:
        """The map's part of a picture of the head (H, W, ...), `paper` where it reaches beyond."""
        (x, y), (width, height) = self._corner, self._size
        out = np.full((height, width, *picture.shape[2:]), paper, picture.dtype)
        shown = picture[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
        top, left = max(-y, 0), max(-x, 0)
        out[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
        return out


def label_beside(axes: Axes, anchors: np.ndarray, texts: Sequence[str], size: float = SMALL) -> None:
    """Words left and right of a picture, a thin line from each to its anchor (K, 2): by height, none over another.

    Anchors near the middle go to the side that has fewer.
    """
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    middle, near = (left + right) / 2, 0.04 * (right - left)
    sides: dict[bool, list[int]] = {True: [], False: []}
    for i in sorted(range(len(texts)), key=lambda i: -abs(anchors[i, 0] - middle)):
        central = abs(anchors[i, 0] - middle) < near
        sides[len(sides[True]) <= len(sides[False]) if central else bool(anchors[i, 0] < middle)].append(i)
    for on_left, own in sides.items():
        own.sort(key=lambda i: (anchors[i, 1], i))
        heights = _apart(anchors[own, 1], size * 2.1, top + size, bottom - size)
        for i, height in zip(own, heights, strict=True):
            x = left + 4 if on_left else right - 4
            axes.annotate(
                texts[i], anchors[i], (x, height), fontsize=size, color=INK, va="center",
                ha="left" if on_left else "right", annotation_clip=False, bbox=PAPER,
                arrowprops={"arrowstyle": "-", "color": "#555555", "linewidth": 0.8, "shrinkA": 1, "shrinkB": 0},
            )  # fmt: skip


def _apart(wanted: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Ascending places near the `wanted` ascending ones, at least `gap` apart where they fit between the ends."""
    if not len(wanted):
        return wanted
    steps = min(gap, (high - low) / max(1, len(wanted) - 1)) * np.arange(len(wanted))
    free = IsotonicRegression().fit_transform(np.arange(len(wanted)), wanted - steps)
    return np.clip(free, low, max(low, high - steps[-1])) + steps


def _cut_to(polygon: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The part of a convex polygon (K, 2) within a box (Sutherland and Hodgman 1974)."""
    for axis, sign, end in ((0, 1, low), (1, 1, low), (0, -1, high), (1, -1, high)):
        depth = sign * (polygon[:, axis] - end[axis])
        kept = []
        for a, b, here, there in zip(polygon, np.roll(polygon, -1, 0), depth, np.roll(depth, -1), strict=True):
            if here >= 0:
                kept.append(a)
            if here * there < 0:
                kept.append(a + (b - a) * here / (here - there))
        polygon = np.array(kept).reshape(-1, 2)
    return polygon


def _limits(bands: Sequence[np.ndarray]) -> list[float] | None:
    """Ends and middles between neighbouring bands of ascending coordinates; None where bands overlap."""
    if any(len(band) == 0 for band in bands):
        return None
    middles = []
    for before, after in pairwise(bands):
        if before.max() > after.min() + _TOUCHING:
            return None
        middles.append(float(before.max() + after.min()) / 2)
    return [float(bands[0].min()), *middles, float(bands[-1].max())]
