"""Finer triangles where a mesh is to carry finer form: edges split in the middle, on a smooth surface."""

from dataclasses import dataclass

import numpy as np

from reconstruction.rendering import vertex_normals

_BULGE = 0.5  # share of the way from the flat edge to the tangent planes at its ends: exact on spheres
# what a triangle becomes where edges ab, bc, ca are split (1 + 2 + 4); corners a b c are 0 1 2, middles 3 4 5
_PATTERNS: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((0, 1, 2),),
    ((0, 3, 2), (3, 1, 2)),
    ((0, 1, 4), (0, 4, 2)),
    ((3, 1, 4), (0, 3, 4), (0, 4, 2)),
    ((0, 1, 5), (5, 1, 2)),
    ((0, 3, 5), (3, 1, 2), (3, 2, 5)),
    ((5, 4, 2), (0, 1, 4), (0, 4, 5)),
    ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
)


def split(faces: np.ndarray, long: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Split edges in the middle, and the triangles at them into two, three or four.

    faces : (F, 3); long : (F, 3) bool, which of the edges ab, bc, ca to split, the same seen from both sides
    count : how many vertices there are

    Returns edges (N, 2), whose middles are the new vertices `count` to `count + N`, and faces (F', 3), the parts of a
    triangle in its place.
    """
    chosen = long.ravel()
    keys, place = np.unique(_keys(faces, count).ravel()[chosen], return_inverse=True)
    edges = np.stack(np.divmod(keys, count), 1)
    middle = np.full(len(chosen), -1)
    middle[chosen] = count + place
    corners = np.concatenate([faces, middle.reshape(-1, 3)], 1)
    kind = long @ np.array([1, 2, 4])
    parts = [corners[kind == k][:, pattern].reshape(-1, 3) for k, pattern in enumerate(_PATTERNS)]
    origin = np.concatenate([np.repeat(np.flatnonzero(kind == k), len(p)) for k, p in enumerate(_PATTERNS)])
    return edges, np.concatenate(parts)[np.argsort(origin, kind="stable")]


@dataclass(frozen=True)
class Subdivision:
    """How a mesh of V vertices became one of V' vertices, of which the first V are the old ones.

    rounds : for every round of splits the faces before it and the edges (N, 2) whose middles were added
    faces : (F', 3); uv : (V', 2), one of a vertex's places where it has several, at a seam
    """

    rounds: tuple[tuple[np.ndarray, np.ndarray], ...]
    faces: np.ndarray
    uv: np.ndarray

    def carry(self, field: np.ndarray) -> np.ndarray:
        """A field (V, ...) on all V' vertices, float64: in the middle of an edge the mean of its ends."""
        field = np.asarray(field, float)
        for _, edges in self.rounds:
            field = np.concatenate([field, field[edges].mean(1)])
        return field

    def smooth(self, vertices: np.ndarray) -> np.ndarray:
        """(V', 3) float64: vertices (V, 3) of any face on this topology, and new ones not on the flat triangles but on
        the curved surface that the vertex normals tell of (Phong tessellation, Boubekeur and Alexa 2008)."""
        vertices = np.asarray(vertices, float)
        for faces, edges in self.rounds:
            normals = vertex_normals(vertices, faces)[edges]
            ends = vertices[edges]
            flat = ends.mean(1)
            off = ((ends - flat[:, None]) * normals).sum(2, keepdims=True) * normals
            vertices = np.concatenate([vertices, flat + _BULGE * off.mean(1)])
        return vertices


def subdivide(
    vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, uv_faces: np.ndarray, where: np.ndarray, longest: float
) -> Subdivision:
    """Split until no triangle that `where` (F,) bool selects has an edge above `longest`, metres, on `vertices` (V, 3).

    uv, uv_faces : (U, 2), (F, 3), as a template's
    """
    vertices, uv, rounds = np.asarray(vertices, float), np.asarray(uv, float), []
    while True:
        length = np.linalg.norm(vertices[faces] - vertices[np.roll(faces, -1, 1)], axis=2)
        keys = _keys(faces, len(vertices))
        long = np.isin(keys, keys[(length > longest) & where[:, None]])
        if not long.any():
            break
        uv_edges, uv_faces = split(uv_faces, long, len(uv))
        uv = np.concatenate([uv, uv[uv_edges].mean(1)])
        where = np.repeat(where, 1 + long.sum(1))
        edges, finer = split(faces, long, len(vertices))
        rounds.append((faces, edges))
        vertices, faces = np.concatenate([vertices, vertices[edges].mean(1)]), finer
    own = np.zeros((len(vertices), 2))
    own[faces.ravel()] = uv[uv_faces.ravel()]
    return Subdivision(tuple(rounds), faces, own)


def _keys(faces: np.ndarray, count: int) -> np.ndarray:
    """(F, 3) a number for each of the edges ab, bc, ca, the same from both sides; in the order of the lower end."""
    after = np.roll(faces, -1, 1)
    return np.minimum(faces, after) * count + np.maximum(faces, after)
