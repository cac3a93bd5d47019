"""Finer triangles where a mesh is to carry finer form: conforming splits at the middles of edges, on a smooth surface."""

import numpy as np

from reconstruction.rendering import vertex_normals

_BULGE = 0.75  # share of the way to the tangent planes; Boubekeur and Alexa 2008 recommend it
# what becomes of a triangle: by which of its edges ab, bc, ca are split (bits 1, 2, 4); 0 1 2 a b c, 3 4 5 ab bc ca
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
    count : vertices there are

    Returns edges (N, 2), whose middles are the new vertices `count` to `count + N`, and faces (F', 3); the order of both
    depends on `faces` and `long` alone.
    """
    sides = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    chosen = long.ravel()
    edges, place = np.unique(sides[chosen], axis=0, return_inverse=True)
    middle = np.full(len(sides), -1)
    middle[chosen] = count + place.ravel()
    corners = np.concatenate([faces, middle.reshape(-1, 3)], 1)
    kind = long @ np.array([1, 2, 4])
    parts = [corners[kind == k][:, pattern].reshape(-1, 3) for k, pattern in enumerate(_PATTERNS)]
    origin = np.concatenate([np.repeat(np.flatnonzero(kind == k), len(p)) for k, p in enumerate(_PATTERNS)])
    return edges, np.concatenate(parts)[np.argsort(origin, kind="stable")]


def refine(
    vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, uv_faces: np.ndarray, where: np.ndarray, longest: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
    """The mesh with no edge longer than `longest`, metres, in the triangles that `where` (F,) bool selects.

    New vertices lie on the smooth surface that the vertex normals tell of (Phong tessellation), not on flat triangles.

    Returns vertices (V', 3) float64 of which the first V are the old ones, faces (F', 3), the UV of each vertex (V', 2),
    one of them at a seam, and for every round of splits the edges (N, 2) whose middles were added, for other fields:
    see `carry`.
    """
    vertices, uv, rounds = vertices.astype(float), uv.astype(float), []
    while True:
        length = np.linalg.norm(vertices[faces] - vertices[np.roll(faces, -1, 1)], axis=2)
        marked = np.unique(np.sort(np.stack([faces, np.roll(faces, -1, 1)], 2), 2)[(length > longest) & where[:, None]], axis=0)
        if not len(marked):
            break
        key = np.sort(np.stack([faces, np.roll(faces, -1, 1)], 2), 2) @ np.array([len(vertices), 1])
        long = np.isin(key, marked @ np.array([len(vertices), 1]))
        normals = vertex_normals(vertices, faces)
        uv_edges, uv_faces = split(uv_faces, long, len(uv))
        origin = np.repeat(np.arange(len(faces)), 1 + long.sum(1))
        edges, faces = split(faces, long, len(vertices))
        a, b = edges.T
        flat = (vertices[a] + vertices[b]) / 2
        bulge = sum(((vertices[i] - flat) * normals[i]).sum(1, keepdims=True) * normals[i] for i in (a, b)) / 2
        vertices = np.concatenate([vertices, flat + _BULGE * bulge])
        uv = np.concatenate([uv, uv[uv_edges].mean(1)])
        where = where[origin]
        rounds.append(edges)
    own = np.zeros((len(vertices), 2))
    own[faces.ravel()] = uv[uv_faces.ravel()]
    return vertices, faces, own, rounds


def carry(field: np.ndarray, rounds: list[np.ndarray]) -> np.ndarray:
    """A field (V, ...) on the vertices of a refined mesh, (V', ...) float64: halfway between the ends of a split edge."""
    field = field.astype(float)
    for edges in rounds:
        field = np.concatenate([field, field[edges].mean(1)])
    return field
