"""Threshold-free cluster enhancement of maps on a mesh (Smith & Nichols 2009), extent in mm^2.

``TFCE(v) = sum over thresholds h of e(h)^E * h^H * STEP``, e(h) being the area of the connected vertices at h or above
that v belongs to. H = 2 and E = 0.5 are the authors' own and the default of every package. On surfaces E = 1 is also in
use; it favours wide effects, and a face's are narrow: a lip corner is a hundredth of it. Extent is area, not a number
of vertices, because the template is denser at eyes, brows and mouth. Positive and negative values are enhanced apart.

Components only merge as the threshold falls, so each edge is looked at once, at the threshold at which its lower end
appears, in a graph of the components there are; many maps go side by side as one graph without edges between them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from atlas.motion import face_mask, vertex_areas
from reconstruction.template import Template

HEIGHT, EXTENT = 2.0, 0.5
STEP = 0.1  # of a t statistic: thresholds STEP, 2 STEP, ... as long as a vertex reaches them
BATCH = 32  # maps side by side: what belongs to them stays within a processor's cache


@dataclass(frozen=True)
class Surface:
    """A part of a mesh.

    vertices : (F,) int, which of the mesh's V vertices they are
    edges : (K, 2) int, neighbours, each pair once, by their place in `vertices`
    area : (F,) mm^2, a third of every vertex's triangles
    """

    vertices: np.ndarray
    edges: np.ndarray
    area: np.ndarray

    def components(self, wanted: np.ndarray) -> list[np.ndarray]:
        """Places in `vertices` of every set of connected vertices among `wanted` (F,) bool, by falling area."""
        kept = self.edges[wanted[self.edges].all(1)]
        labels = _labels(kept, len(wanted))
        parts = [np.flatnonzero(wanted & (labels == label)) for label in np.unique(labels[wanted])]
        return sorted(parts, key=lambda part: (-self.area[part].sum(), part[0]))


def face_surface(template: Template) -> Surface:
    """The template's face proper, see `atlas.motion.face_mask`; areas are those of its mean head."""
    vertices = np.flatnonzero(face_mask(template))
    place = np.full(len(template.v_template), -1)
    place[vertices] = np.arange(len(vertices))
    sides = place[np.concatenate([template.faces[:, [0, 1]], template.faces[:, [1, 2]], template.faces[:, [2, 0]]])]
    edges = np.unique(np.sort(sides[(sides >= 0).all(1)], axis=1), axis=0)
    return Surface(vertices, edges, 1e6 * vertex_areas(template.v_template, template.faces)[vertices])


def tfce(maps: np.ndarray, surface: Surface, step: float = STEP) -> np.ndarray:
    """(N, F) float64 enhanced maps with the sign of `maps` (N, F); a map without vertices over `step` is zero."""
    out = np.empty(maps.shape)
    for start in range(0, len(maps), BATCH):
        part = maps[start : start + BATCH]
        out[start : start + BATCH] = np.sign(part) * _enhance(part, surface, step)
    return out


def _enhance(maps: np.ndarray, surface: Surface, step: float) -> np.ndarray:
    """(N, F) sizes of the enhanced maps."""
    count, size = maps.shape
    levels = np.floor(np.abs(maps) / step + 1e-9).astype(np.int16)  # the last threshold that a vertex reaches
    a, b = surface.edges.T
    same = np.sign(maps[:, a]) == np.sign(maps[:, b])
    edge_levels = np.where(same, np.minimum(levels[:, a], levels[:, b]), np.int16(0))
    vertex_order, vertex_starts = _falling(levels.ravel())
    edge_order, edge_starts = _falling(edge_levels.ravel())
    row, edge = np.divmod(edge_order, len(a))
    one, other = row * size + a[edge], row * size + b[edge]

    areas = np.tile(surface.area, count)[vertex_order]  # vertices by falling level: those of a threshold are a prefix
    place = np.empty(count * size, np.int64)
    place[vertex_order] = np.arange(len(vertex_order))
    one, other = place[one], place[other]
    component = np.empty(len(vertex_order), np.int64)  # of every vertex that has appeared
    total = np.zeros(len(vertex_order))
    known = components = 0
    for level in range(len(vertex_starts) - 1, 0, -1):
        now = vertex_starts[level]
        component[known:now] = components + np.arange(now - known)
        components += now - known
        known = now
        first = edge_starts[level + 1] if level + 1 < len(edge_starts) else 0
        last = edge_starts[level] if level < len(edge_starts) else 0
        if last > first:
            pairs = np.stack([component[one[first:last]], component[other[first:last]]], 1)
            merged = _labels(pairs, components)
            component[:known] = merged[component[:known]]
            components = int(merged.max()) + 1
        extent = np.bincount(component[:known], areas[:known], components) ** EXTENT
        total[:known] += (step * (level * step) ** HEIGHT) * extent[component[:known]]
    return total[place].reshape(count, size)


def _falling(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places by falling level, and how many reach each level 0, 1, 2, ..."""
    order = np.argsort(-levels, kind="stable")
    return order, len(levels) - np.concatenate([[0], np.cumsum(np.bincount(levels))])[:-1]


def _labels(pairs: np.ndarray, count: int) -> np.ndarray:
    """(count,) label of the component of each of `count` nodes joined by `pairs` (K, 2)."""
    graph = csr_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (count, count))
    return connected_components(graph, directed=False)[1]
