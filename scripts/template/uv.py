"""UV coordinates: the skin on one square, teeth and eyeballs on islands below it."""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl


def unwrap_all(vertices: np.ndarray, n_skin: int, face_list: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """UV (U, 2) in 0..1 and per-corner indices (F, 3); face_list : the skin's faces, then those of the other parts."""
    uv, uv_faces = unwrap(vertices[:n_skin], face_list[0])
    islands, island_faces = [0.02 + np.array([0.96, 0.80]) * uv + [0, 0.18]], [uv_faces]
    base = len(uv)
    for i, part_faces in enumerate(face_list[1:]):
        used, local = np.unique(part_faces, return_inverse=True)
        flat = vertices[used][:, :2]
        flat = (flat - flat.min(0)) / np.ptp(flat, axis=0).max()
        islands.append(flat * 0.15 + [0.05 + 0.24 * i, 0.01])
        island_faces.append(local.reshape(-1, 3) + base)
        base += len(used)
    return np.concatenate(islands), np.concatenate(island_faces)


def unwrap(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """UV of the head's skin: cut up the back midline, map on to the unit square without overlap.

    Tutte's embedding with Floater's mean value weights, which are positive, so the map is injective.
    Returns (U, 2) and per-corner indices (F, 3).
    """
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    key, count = np.unique(edges, axis=0, return_counts=True)
    border = set(key[count == 1].ravel().tolist())
    back = np.flatnonzero((np.abs(vertices[:, 0]) < 1e-6) & (vertices[:, 2] < 0))
    start = next(v for v in back if v in border)
    crown = back[vertices[back, 1].argmax()]
    midline = key[np.isin(key, back).all(1)]
    length = np.linalg.norm(vertices[midline[:, 0]] - vertices[midline[:, 1]], axis=1)
    graph = sp.coo_matrix((length, midline.T), (len(vertices),) * 2).tocsr()
    before = sp.csgraph.dijkstra(graph, directed=False, indices=start, return_predecessors=True)[1]
    path = [int(crown)]
    while path[-1] != start:
        path.append(int(before[path[-1]]))
    path = path[::-1]  # from the neck's border up to the crown
    # vertices of the path below the crown exist twice: the triangles on the subject's right use the copy
    copy = {v: len(vertices) + i for i, v in enumerate(path[:-1])}
    right = vertices[triangles, 0].mean(1) < 0
    corners = triangles.copy()
    for v, c in copy.items():
        corners[(triangles == v) & right[:, None]] = c
    full = np.concatenate([vertices, vertices[path[:-1]]])
    loop = _border_loop(corners)
    first = loop.index(int(crown))
    loop = loop[first:] + loop[:first]
    length = np.linalg.norm(np.diff(full[[*loop, loop[0]]], axis=0), axis=1)
    at = np.concatenate([[0], np.cumsum(length)[:-1]]) / length.sum() * 4
    # the crown is the middle of the upper side; the border runs round the square
    side = (at + 0.5) % 4
    one, zero = np.ones_like(side), np.zeros_like(side)
    square = np.select(
        [side[:, None] < 1, side[:, None] < 2, side[:, None] < 3],
        [np.c_[1 - side, one], np.c_[zero, 2 - side], np.c_[side - 2, zero]],
        np.c_[one, side - 3],
    )
    weights = _mean_value_weights(full, corners)
    inner = np.setdiff1d(np.arange(len(full)), loop)
    uv = np.zeros((len(full), 2))
    uv[loop] = square
    system = sp.eye(len(inner)) - weights[inner][:, inner]
    uv[inner] = spl.spsolve(system.tocsc(), weights[inner][:, loop] @ square)
    return uv, corners


def _mean_value_weights(full: np.ndarray, corners: np.ndarray) -> sp.csr_matrix:
    """(N, N) Floater's mean value weights of every vertex's neighbours; rows sum to 1."""
    row, col, value = [], [], []
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        p, q, r = full[corners[:, a]], full[corners[:, b]], full[corners[:, c]]
        e, f = q - p, r - p
        cosine = (e * f).sum(1) / (np.linalg.norm(e, axis=1) * np.linalg.norm(f, axis=1) + 1e-18)
        half = np.tan(np.arccos(np.clip(cosine, -1, 1)) / 2)
        for to, edge in ((b, e), (c, f)):
            row.append(corners[:, a])
            col.append(corners[:, to])
            value.append(half / (np.linalg.norm(edge, axis=1) + 1e-12))
    places = np.concatenate(row), np.concatenate(col)
    weights = sp.coo_matrix((np.concatenate(value), places), (len(full),) * 2).tocsr()
    return sp.diags(1 / np.maximum(weights.sum(1).A1, 1e-12)) @ weights


def _border_loop(triangles: np.ndarray) -> list[int]:
    """The one border of a mesh, in order."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    there = {tuple(e) for e in edges.tolist()}
    following = {a: b for a, b in there if (b, a) not in there}
    loop = [next(iter(sorted(following)))]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    assert len(loop) == len(following), "the skin must have one border"
    return loop
