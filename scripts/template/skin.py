"""The skin's mesh: the source's right half coarsened where little happens, evened out, and mirrored."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pymeshlab
import scipy.sparse as sp
import trimesh
from scipy.spatial import cKDTree

from reconstruction.importers.ict import MOUTH, SOCKETS
from template.source import Source

HALF_FACES = 4200


@dataclass
class Skin:
    """ids (N,) nearest source vertex; corners and weights (N, 3), the point of the source that each vertex is;
    faces (F, 3); mirror (N,).
    """

    ids: np.ndarray
    corners: np.ndarray
    weights: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray


def make_skin(source: Source, n_source: int, flip: np.ndarray) -> Skin:
    """The skin of a source cut at the neck.

    n_source : vertices before the cut; those appended belong to the skin
    flip : the source vertex on the other side of the midline
    """
    half = source.triangles[(source.neutral[source.triangles, 0] > -1e-6).all(1)]
    quality = density(source.neutral, source)
    quality[slice(*MOUTH)] *= 0.25
    quality[slice(*SOCKETS)] *= 0.15
    skin = half[((half < SOCKETS[1]) | (half >= n_source)).all(1)]
    kept, faces = decimate(source.neutral, skin, quality, HALF_FACES)
    corners, weights = relax(source, kept, faces, quality)
    origin, faces, mirror = mirrored(source.neutral[kept], faces)
    flipped = np.arange(len(origin)) >= len(kept)
    ids = np.where(flipped, flip[kept[origin]], kept[origin])
    corners = np.where(flipped[:, None], flip[corners[origin]], corners[origin])
    return Skin(ids, corners, weights[origin], faces, mirror)


def density(points: np.ndarray, source: Source) -> np.ndarray:
    """How fine the mesh must be at `points`, 0 to 1: lids and lips first, brows and nose next, the nape last."""
    marks = source.neutral[source.landmarks68]

    def near(ids: list[int], reach: float) -> np.ndarray:
        line = np.concatenate([np.linspace(marks[a], marks[b], 12) for a, b in pairwise(ids)])
        return np.exp(-0.5 * (cKDTree(line).query(points)[0] / reach) ** 2)

    eyes = np.maximum(near([36, 37, 38, 39, 40, 41, 36], 0.006), near([42, 43, 44, 45, 46, 47, 42], 0.006))
    lips = np.maximum(near([48, 50, 51, 52, 54, 56, 57, 58, 48], 0.006), near([60, 62, 64, 66, 60], 0.005))
    brows = np.maximum(near([17, 18, 19, 20, 21], 0.010), near([22, 23, 24, 25, 26], 0.010))
    nose = near([31, 33, 35], 0.008)
    face = (points[:, 2] > 0.03) & (points[:, 1] > -0.10)
    return np.maximum.reduce([eyes, lips, 0.6 * brows, 0.35 * nose, np.where(face, 0.12, 0.02)])


def decimate(
    vertices: np.ndarray, triangles: np.ndarray, quality: np.ndarray, faces: int
) -> tuple[np.ndarray, np.ndarray]:
    """Edge collapses on to existing vertices; returns kept vertex ids and triangles. Boundaries stay where they are."""
    used, local = np.unique(triangles, return_inverse=True)
    mesh = pymeshlab.Mesh(vertices[used], local.reshape(-1, 3).astype(np.int32), v_scalar_array=quality[used])
    work = pymeshlab.MeshSet()
    work.add_mesh(mesh)
    work.meshing_decimation_quadric_edge_collapse(
        targetfacenum=faces, qualityweight=True, preserveboundary=True, boundaryweight=20.0,
        preservenormal=True, optimalplacement=False, planarquadric=True, planarweight=0.002, autoclean=True,
    )  # fmt: skip
    result = work.current_mesh()
    distance, kept = cKDTree(vertices[used]).query(result.vertex_matrix())
    assert distance.max() < 1e-9
    return used[kept], result.face_matrix().astype(np.int64)


def mirrored(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A half mesh (x >= 0, midline x = 0) completed. Returns each vertex's origin, triangles, each vertex's mirror."""
    middle = np.abs(vertices[:, 0]) < 1e-6
    n = len(vertices)
    other = np.where(middle, np.arange(n), n + np.cumsum(~middle) - 1)
    origin = np.concatenate([np.arange(n), np.flatnonzero(~middle)])
    mirror = np.empty(len(origin), int)
    mirror[:n] = other
    mirror[other] = np.arange(n)
    return origin, np.concatenate([triangles, other[triangles][:, ::-1]]), mirror


def relax(source: Source, ids: np.ndarray, triangles: np.ndarray, quality: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move kept vertices along the source's surface to even out our triangles.

    Returns, for every vertex, the source triangle's corners (N, 3) and barycentrics (N, 3). Midline, borders and the
    finest places stay put.
    """
    around: dict[int, set[int]] = {}
    for k, t in enumerate(source.triangles):
        for v in t:
            around.setdefault(int(v), set()).add(k)
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    key, count = np.unique(np.sort(edges, 1), axis=0, return_counts=True)
    fixed = np.zeros(len(ids), bool)
    fixed[key[count == 1].ravel()] = True
    fixed |= (np.abs(source.neutral[ids, 0]) < 1e-6) | (quality[ids] > 0.30)
    link = sp.coo_matrix((np.ones(len(key)), (key[:, 0], key[:, 1])), (len(ids), len(ids)))
    link = (link + link.T).tocsr()
    place = source.neutral[ids]
    target = 0.5 * place + 0.5 * (link @ place) / np.maximum(link.sum(1).A, 1)
    corners = np.tile(ids[:, None], (1, 3))
    weights = np.tile([1.0, 0.0, 0.0], (len(ids), 1))
    for i in np.flatnonzero(~fixed):
        ring = {int(ids[i])}
        for _ in range(2):
            ring |= {int(v) for r in ring for k in around[r] for v in source.triangles[k]}
        near = sorted({k for r in ring for k in around[r]})
        soup = source.neutral[source.triangles[near]]
        points = trimesh.triangles.closest_point(soup, np.tile(target[i], (len(near), 1)))
        best = int(np.linalg.norm(points - target[i], axis=1).argmin())
        corners[i] = source.triangles[near[best]]
        weights[i] = trimesh.triangles.points_to_barycentric(soup[best : best + 1], points[best : best + 1])[0]
    return corners, weights
