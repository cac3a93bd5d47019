"""Learn the embedded template `atlas-head` from the ICT Face Model Light (MIT, University of Southern California).

usage: python scripts/train_template.py ICT_FACEKIT_LIGHT.npz [--out templates/atlas-head.template.safetensors]

The source's 26,719 vertices become our own mesh of about 5,000, symmetric to the bit, dense at eyes, brows and mouth, with
modelled eyeballs, teeth and a dark mouth; its 100 shape modes become 50 components of one standard deviation each; its 57
expression shapes become 44 named expressions and the correctives of the jaw and eye joints. Needs `pip install -e .[train]`.
"""

import argparse
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import open3d as o3d
import pymeshlab
import scipy.sparse as sp
import scipy.sparse.linalg as spl
import trimesh
from matplotlib.path import Path as Outline
from scipy.optimize import nnls
from scipy.spatial import cKDTree

from reconstruction.landmarks import FaceMesh
from reconstruction.rendering import Renderer, look_at_camera
from reconstruction.template import Embedding, Template, load_template, save_template

JOINTS = ("global", "neck", "jaw", "left_eye", "right_eye")
PARENTS = np.array([-1, 0, 1, 1, 1])
PARTS = ("skin", "lips", "brow", "lid", "socket", "mouth", "teeth", "sclera", "iris", "pupil")
N_SHAPE = 50
NECK_END = -0.118  # metres: the source's shoulders are left out
# vertex ranges of the source
FACE, MOUTH, SOCKETS, TEETH = (0, 9409), (11248, 13294), (13294, 14062), (17039, 21451)
LEFT_EYE, RIGHT_EYE = (21451, 23021), (23021, 24591)


@dataclass
class Source:
    """The source model in metres; triangles (F, 3); modes (100, V, 3); expressions by name (V, 3)."""

    neutral: np.ndarray
    triangles: np.ndarray
    modes: np.ndarray
    expressions: dict[str, np.ndarray]
    landmarks68: np.ndarray

    @staticmethod
    def read(path: Path) -> "Source":
        data = np.load(path, allow_pickle=False)
        polygons = data["polygons"]
        quads = polygons[:, 3] >= 0
        triangles = np.concatenate([polygons[:, :3], polygons[quads][:, [0, 2, 3]]]).astype(np.int64)
        names = [str(name) for name in data["expression_names"]]
        deltas = data["expression"].astype(np.float64) / 100
        return Source(
            data["neutral"].astype(np.float64) / 100,
            triangles,
            data["identity"].astype(np.float64) / 100,
            dict(zip(names, deltas, strict=True)),
            data["landmarks68"].astype(int),
        )

    def cut(self, height: float) -> "Source":
        """Without what lies below y = height; the vertices of the cut are appended, so that ids keep their meaning."""
        n = len(self.neutral)
        above = self.neutral[:, 1] > height
        crossing = {}  # edge to appended id
        triangles = []
        for t in self.triangles.tolist():
            if all(above[v] for v in t):
                triangles.append(t)
            elif any(above[v] for v in t):
                polygon = []
                for a, b in zip(t, t[1:] + t[:1], strict=True):
                    if above[a]:
                        polygon.append(a)
                    if above[a] != above[b]:
                        polygon.append(crossing.setdefault((min(a, b), max(a, b)), n + len(crossing)))
                triangles += [[polygon[0], polygon[i], polygon[i + 1]] for i in range(1, len(polygon) - 1)]
        a, b = np.array(list(crossing)).T
        part = ((self.neutral[a, 1] - height) / (self.neutral[a, 1] - self.neutral[b, 1]))[:, None]

        def extend(field: np.ndarray) -> np.ndarray:
            return np.concatenate([field, (1 - part) * field[..., a, :] + part * field[..., b, :]], axis=-2)

        expressions = {name: extend(delta) for name, delta in self.expressions.items()}
        return Source(extend(self.neutral), np.array(triangles), extend(self.modes), expressions, self.landmarks68)


def arkit(name: str) -> str:
    """`browDown_L` to ARKit's `browDownLeft`."""
    return name[:-2] + {"_L": "Left", "_R": "Right"}[name[-2:]] if name[-2:] in ("_L", "_R") else name


def density(points: np.ndarray, source: Source) -> np.ndarray:
    """How fine the mesh must be at `points`, 0 to 1: lids and lips first, brows and nose next, the back of the head last."""
    marks = source.neutral[source.landmarks68]

    def near(ids: list[int], reach: float) -> np.ndarray:
        line = np.concatenate([np.linspace(marks[a], marks[b], 12) for a, b in zip(ids[:-1], ids[1:], strict=True)])
        return np.exp(-0.5 * (cKDTree(line).query(points)[0] / reach) ** 2)

    eyes = np.maximum(near([36, 37, 38, 39, 40, 41, 36], 0.006), near([42, 43, 44, 45, 46, 47, 42], 0.006))
    lips = np.maximum(near([48, 50, 51, 52, 54, 56, 57, 58, 48], 0.006), near([60, 62, 64, 66, 60], 0.005))
    brows = np.maximum(near([17, 18, 19, 20, 21], 0.010), near([22, 23, 24, 25, 26], 0.010))
    nose = near([31, 33, 35], 0.008)
    face = (points[:, 2] > 0.03) & (points[:, 1] > -0.10)
    return np.maximum.reduce([eyes, lips, 0.6 * brows, 0.35 * nose, np.where(face, 0.12, 0.02)])


def decimate(vertices: np.ndarray, triangles: np.ndarray, quality: np.ndarray, faces: int) -> tuple[np.ndarray, np.ndarray]:
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
    """A half mesh (x >= 0, midline x = 0) completed. Returns (source of each vertex, triangles, mirror of each vertex)."""
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

    Returns, for every vertex, the source triangle's corners (N, 3) and barycentrics (N, 3). Midline, borders and the finest
    places stay put.
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


def eyeball(rings: int = 9, segments: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A unit sphere looking along +z, rings placed at pupil and iris rims. Vertices, triangles, parts, mirror in x."""
    polar = np.concatenate([[0.13, 0.26, 0.40, 0.455], np.linspace(0.65, 2.5, rings - 4)])
    turn = np.arange(segments) * 2 * np.pi / segments + np.pi / segments
    vertices = [[0.0, 0.0, 1.0]]
    for angle in polar:
        vertices += [[np.sin(angle) * np.cos(t), np.sin(angle) * np.sin(t), np.cos(angle)] for t in turn]
    vertices.append([0.0, 0.0, -1.0])
    ring = lambda r, s: 1 + r * segments + s % segments  # noqa: E731
    triangles = [[0, ring(0, s), ring(0, s + 1)] for s in range(segments)]
    for r in range(rings - 1):
        for s in range(segments):
            triangles += [[ring(r, s), ring(r + 1, s), ring(r + 1, s + 1)], [ring(r, s), ring(r + 1, s + 1), ring(r, s + 1)]]
    triangles += [[ring(rings - 1, s + 1), ring(rings - 1, s), len(vertices) - 1] for s in range(segments)]
    points = np.array(vertices)
    angle = np.arccos(np.clip(points[:, 2], -1, 1))
    part = np.where(angle < 0.2, PARTS.index("pupil"), np.where(angle < 0.43, PARTS.index("iris"), PARTS.index("sclera")))
    mirror = cKDTree(points).query(points * [-1, 1, 1])[1]
    return points, np.array(triangles), part, mirror


def rotation(source: Source, name: str, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rigid motion x -> R x + t that the expression `name` gives the vertices `ids`, by Procrustes."""
    a, b = source.neutral[ids], source.neutral[ids] + source.expressions[name][ids]
    ca, cb = a.mean(0), b.mean(0)
    u, _, vt = np.linalg.svd((b - cb).T @ (a - ca))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return turn, cb - turn @ ca


def about(axis: int, angle: float) -> np.ndarray:
    """(3, 3) rotation about a head axis."""
    return trimesh.transformations.rotation_matrix(angle, np.eye(3)[axis])[:3, :3]


def correctives(pairs: list[tuple[np.ndarray, np.ndarray]], columns: list[int]) -> np.ndarray:
    """Pose correctives (V, 3, 9) of one joint so that every (rotation, wanted offset) is met, least squares in `columns`."""
    features = np.stack([(turn - np.eye(3)).ravel()[columns] for turn, _ in pairs])
    offsets = np.stack([offset for _, offset in pairs])
    solved = np.linalg.lstsq(features, offsets.reshape(len(pairs), -1), rcond=None)[0]
    out = np.zeros((*offsets.shape[1:], 9))
    out[..., columns] = np.moveaxis(solved.reshape(len(columns), *offsets.shape[1:]), 0, -1)
    return out


def unwrap(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """UV of the head's skin: cut up the back midline, map on to the unit square without overlap.

    Tutte's embedding with Floater's mean value weights, which are positive, so the map is injective.
    Returns (U, 2) and per-corner indices (F, 3).
    """
    key, count = np.unique(
        np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1), axis=0, return_counts=True
    )
    border = set(key[count == 1].ravel().tolist())
    back = np.flatnonzero((np.abs(vertices[:, 0]) < 1e-6) & (vertices[:, 2] < 0))
    start = [v for v in back if v in border][0]
    crown = back[vertices[back, 1].argmax()]
    graph = sp.coo_matrix((np.linalg.norm(vertices[key[:, 0]] - vertices[key[:, 1]], axis=1), (key[:, 0], key[:, 1])), (len(vertices),) * 2).tolil()
    allowed = set(back.tolist())
    graph = sp.coo_matrix(graph)
    keep = np.array([a in allowed and b in allowed for a, b in zip(graph.row, graph.col, strict=True)])
    graph = sp.coo_matrix((graph.data[keep], (graph.row[keep], graph.col[keep])), graph.shape).tocsr()
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
    square = np.select(
        [side[:, None] < 1, side[:, None] < 2, side[:, None] < 3],
        [np.c_[1 - side, np.ones_like(side)], np.c_[np.zeros_like(side), 2 - side], np.c_[side - 2, np.zeros_like(side)]],
        np.c_[np.ones_like(side), side - 3],
    )
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
    weights = sp.coo_matrix((np.concatenate(value), (np.concatenate(row), np.concatenate(col))), (len(full),) * 2).tocsr()
    weights = sp.diags(1 / np.maximum(weights.sum(1).A1, 1e-12)) @ weights
    inner = np.setdiff1d(np.arange(len(full)), loop)
    uv = np.zeros((len(full), 2))
    uv[loop] = square
    system = sp.eye(len(inner)) - weights[inner][:, inner]
    uv[inner] = spl.spsolve(system.tocsc(), weights[inner][:, loop] @ square)
    return uv, corners


def _border_loop(triangles: np.ndarray) -> list[int]:
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    there = {tuple(e) for e in edges.tolist()}
    following = {a: b for a, b in there if (b, a) not in there}
    loop = [next(iter(sorted(following)))]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    assert len(loop) == len(following), "the skin must have one border"
    return loop


def build(source: Source, source_sha256: str) -> Template:
    """Everything but the 478 detector points, which need a rendered face."""
    n_source = len(source.neutral)
    source = source.cut(NECK_END)
    half = source.triangles[(source.neutral[source.triangles, 0] > -1e-6).all(1)]
    quality = density(source.neutral, source)
    quality[slice(*MOUTH)] *= 0.25
    quality[slice(*SOCKETS)] *= 0.15
    skin = half[((half < SOCKETS[1]) | (half >= n_source)).all(1)]
    kept, skin_faces = decimate(source.neutral, skin, quality, 4200)
    corners, weights = relax(source, kept, skin_faces, quality)
    origin, skin_faces, skin_mirror = mirrored(source.neutral[kept], skin_faces)
    flip = cKDTree(source.neutral).query(source.neutral * [-1, 1, 1])[1]
    flipped = np.arange(len(origin)) >= len(kept)
    skin_ids = np.where(flipped, flip[kept[origin]], kept[origin])
    corners = np.where(flipped[:, None], flip[corners[origin]], corners[origin])
    n_skin = len(skin_ids)
    teeth, tooth_corners, tooth_faces, tooth_mirror = teeth_arches(source, flip)
    offset = n_skin + len(teeth)
    corners = np.concatenate([corners, tooth_corners])
    weights = np.concatenate([weights[origin], np.full((len(teeth), 3), 1 / 3)])
    faces = [skin_faces, tooth_faces + n_skin]
    mirror = [skin_mirror, tooth_mirror + n_skin]
    transfer = sp.coo_matrix((weights.ravel(), (np.repeat(np.arange(offset), 3), corners.ravel())), (offset, len(source.neutral))).tocsr()

    ball, ball_faces, ball_parts, ball_mirror = eyeball()
    n_ball = len(ball)
    eye_ids = [np.arange(*LEFT_EYE), np.arange(*RIGHT_EYE)]
    centres, radii = [], []
    for e in eye_ids:
        # the sclera's sphere, without the cornea's bulge
        points = source.neutral[e]
        keep = points[:, 2] < points[:, 2].max() - 0.004
        a = np.c_[2 * points[keep], np.ones(keep.sum())]
        solution = np.linalg.lstsq(a, (points[keep] ** 2).sum(1), rcond=None)[0]
        centres.append(solution[:3])
        radii.append(float(np.sqrt(solution[3] + solution[:3] @ solution[:3])))
    centres[1] = centres[0] * [-1, 1, 1]
    radius = 0.975 * radii[0]  # closed lids must not be pierced
    print(f"eyeball radius {radius * 1000:.2f} mm")

    def move(delta: np.ndarray) -> np.ndarray:
        """A source delta (V, 3) on our mesh; an eyeball follows as a sphere: shift and growth."""
        out = [transfer @ delta]
        for e, centre in zip(eye_ids, centres, strict=True):
            arm = source.neutral[e] - centre
            shift = delta[e].mean(0)
            growth = ((delta[e] - shift) * (arm - arm.mean(0))).sum() / ((arm - arm.mean(0)) ** 2).sum()
            out.append(shift + growth * (radius * ball - arm.mean(0)))
        return np.concatenate(out)

    v_template = np.concatenate([(transfer @ source.neutral)[:n_skin], teeth, *(c + radius * ball for c in centres)])
    n = len(v_template)
    face_list = [*faces, ball_faces + offset, ball_faces + offset + n_ball]
    all_faces = np.concatenate(face_list)
    all_mirror = np.concatenate([*mirror, ball_mirror + offset + n_ball, ball_mirror + offset])
    v_template = (v_template + v_template[all_mirror] * [-1, 1, 1]) / 2

    # shape: principal components of the source's modes on our mesh, the face counting most
    modes = np.stack([move(mode) for mode in source.modes])
    importance = np.sqrt(0.15 + 0.85 * ((v_template[:, 2] > 0.03) & (v_template[:, 1] > -0.11)) + density(v_template, source))
    importance[n_skin:offset] = 0.1
    _, scale, right = np.linalg.svd((modes * importance[:, None]).reshape(len(modes), -1).T, full_matrices=False)
    print(f"{N_SHAPE} of {len(modes)} components keep {100 * (scale[:N_SHAPE] ** 2).sum() / (scale**2).sum():.2f} % of the weighted variance")
    right *= np.sign(np.einsum("sk,kvd->svd", right, modes)[:, :, 1].sum(1))[:, None]  # a deterministic sign
    shapedirs = np.einsum("sk,kvd->vds", right[:N_SHAPE], modes)

    # joints
    tooth_ids = np.arange(*TEETH)
    moved = np.linalg.norm(source.expressions["jawOpen"][tooth_ids], axis=1)
    lower_teeth = tooth_ids[moved > 0.5 * moved.max()]
    jaw_turn, jaw_shift = rotation(source, "jawOpen", lower_teeth)
    jaw_angle = float(np.arctan2(jaw_turn[2, 1], jaw_turn[2, 2]))
    jaw_centre = np.r_[0, np.linalg.lstsq((np.eye(3) - about(0, jaw_angle))[1:, 1:], jaw_shift[1:], rcond=None)[0]]
    print(f"jaw opens {np.degrees(jaw_angle):.1f} degrees about y, z = {jaw_centre[1:]}")
    neck_centre = np.array([0.0, -0.080, -0.010])
    root_centre = np.array([0.0, -0.112, -0.015])
    joints = np.stack([root_centre, neck_centre, jaw_centre, *centres])
    regressor = np.zeros((5, n))
    for j, centre in enumerate(joints[:3]):
        regressor[j] = _regress(v_template[:offset], centre, n)
    regressor[3, offset : offset + n_ball] = regressor[4, offset + n_ball :] = 1 / n_ball

    # skinning: the jaw's share is how far a vertex follows the rigid opening; the rest is left to correctives
    delta = {name: move(d) for name, d in source.expressions.items()}
    rigid = (v_template - jaw_centre) @ (about(0, jaw_angle) - np.eye(3)).T
    follow = np.clip((delta["jawOpen"] * rigid).sum(1) / np.maximum((rigid**2).sum(1), 1e-9), 0, 1)
    follow[offset:] = 0
    follow = (follow + follow[all_mirror]) / 2
    link = trimesh.graph.edges_to_coo(np.concatenate([all_faces[:, [0, 1]], all_faces[:, [1, 2]], all_faces[:, [2, 0]]]), n).astype(float)
    head = 1 / (1 + np.exp(-(v_template[:, 1] + 0.088 + 0.35 * np.clip(v_template[:, 2] - 0.02, -1, 0.05)) / 0.010))
    head[v_template[:, 2] > 0.055] = 1
    for _ in range(8):
        head = 0.5 * head + 0.5 * (link @ head) / np.maximum(link.sum(1).A1 if hasattr(link.sum(1), "A1") else np.asarray(link.sum(1)).ravel(), 1)
    head[n_skin:] = 1
    head = np.maximum(head, follow)
    skinning = np.zeros((n, 5))
    skinning[:, 2] = follow
    skinning[:, 1] = head - follow
    skinning[:, 0] = 1 - head
    skinning[offset:] = 0
    skinning[offset : offset + n_ball, 3] = skinning[offset + n_ball :, 4] = 1

    posedirs = np.zeros((n, 3, 36))

    def offset_for(joint: int, turn: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """What must be added at rest so that skinning with `turn` at `joint` gives v_template + wanted."""
        w = skinning[:, joint, None, None]
        blend = (1 - w) * np.eye(3) + w * turn
        shift = skinning[:, joint, None] * (joints[joint] - turn @ joints[joint])
        return np.linalg.solve(blend, (v_template + wanted - shift)[..., None])[..., 0] - v_template

    jaw_pairs = [(about(0, jaw_angle), delta["jawOpen"])]
    for name in ("jawLeft", "jawRight"):
        angle = float(np.arctan2(source.expressions[name][lower_teeth, 0].mean(), (source.neutral[lower_teeth] - jaw_centre)[:, 2].mean()))
        jaw_pairs.append((about(1, angle), delta[name]))
        print(f"{name} {np.degrees(angle):.1f} degrees")
    # entries of R - I: 7 is sin about x, 4 its cosine - 1; 2 is sin about y, 0 its cosine - 1
    posedirs[:, :, 9:18] = correctives([(turn, offset_for(2, turn, d)) for turn, d in jaw_pairs], [7, 2, 0])
    # The source's gaze shapes move the lids and leave the eyeballs to the animator: the angles of full gaze are ours.
    up, down, sideways = -0.44, 0.52, 0.56
    for joint, side, outward in ((3, "L", sideways), (4, "R", -sideways)):
        gazes = {"Up": about(0, up), "Down": about(0, down), "In": about(1, -outward), "Out": about(1, outward)}
        pairs = []
        for name, turn in gazes.items():
            lids = delta[f"eyeLook{name}_{side}"].copy()
            lids[offset:] = 0
            pairs.append((turn, lids))
        posedirs[:, :, 9 * (joint - 1) : 9 * joint] = correctives(pairs, [7, 4, 2, 0])

    named = [name for name in source.expressions if not name.startswith(("eyeLook", "Pupil")) and name not in ("jawOpen", "jawLeft", "jawRight")]
    expressiondirs = np.stack([delta[name] for name in named], 2)
    for i, name in enumerate(named):
        if name.startswith("eyeBlink"):
            expressiondirs[:, :, i] *= 1.12  # the source leaves a slit that its lashes hide
    expressiondirs[offset:] = 0  # a lid moves over the eyeball, it does not drag it along

    uv, uv_faces = unwrap(v_template[:n_skin], skin_faces)
    islands, island_faces = [0.02 + np.array([0.96, 0.80]) * uv + [0, 0.18]], [uv_faces]
    base = len(uv)
    for i, part_faces in enumerate(face_list[1:]):
        used, local = np.unique(part_faces, return_inverse=True)
        flat = v_template[used][:, :2]
        flat = (flat - flat.min(0)) / np.ptp(flat, axis=0).max()
        islands.append(flat * 0.15 + [0.05 + 0.24 * i, 0.01])
        island_faces.append(local.reshape(-1, 3) + base)
        base += len(used)

    marks = source.neutral[source.landmarks68]
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(v_template.astype(np.float32)), o3d.core.Tensor(faces[0].astype(np.uint32)))
    closest = scene.compute_closest_points(o3d.core.Tensor(marks.astype(np.float32)))
    inner = closest["primitive_uvs"].numpy()
    landmarks68 = Embedding(faces[0][closest["primitive_ids"].numpy().astype(int)], np.c_[1 - inner.sum(1), inner])
    apart = np.linalg.norm(landmarks68(v_template) - marks, axis=1)
    print(f"landmark distance from our surface: {1000 * apart.max():.2f} mm at most")

    parts, colours = label(source, v_template, skin_ids, np.concatenate([ball_parts, ball_parts]))
    template = Template(
        name="atlas-head", v_template=v_template, shapedirs=shapedirs, expressiondirs=expressiondirs, posedirs=posedirs,
        joint_regressor=regressor, parents=PARENTS, skinning_weights=skinning, faces=all_faces,
        uv=np.concatenate(islands).astype(np.float32), uv_faces=np.concatenate(island_faces), colours=colours,
        parts=parts, mirror=all_mirror, landmarks68=landmarks68,
        landmarks478=Embedding(np.zeros((478, 3), int), np.tile([1.0, 0, 0], (478, 1))), visible478=np.zeros(478, bool),
        part_names=PARTS, expression_names=tuple(arkit(name) for name in named), joint_names=JOINTS,
        licence="MIT; learnt from the ICT Face Model Light, (c) 2020 USC Institute for Creative Technologies",
        source="ICT-VGL/ICT-FaceKit, ICT Face Model Light", source_sha256=source_sha256,
    )  # fmt: skip
    print(f"{n} vertices, {len(all_faces)} faces")
    return replace(template, **{k: np.asarray(getattr(template, k), np.float32) for k in ("v_template", "shapedirs", "expressiondirs", "posedirs", "skinning_weights", "joint_regressor")})


def _regress(vertices: np.ndarray, centre: np.ndarray, n: int) -> np.ndarray:
    """Non-negative weights, summing to 1, of vertices around `centre` that reproduce it: the head is not convex everywhere,
    but around a joint it is."""
    distance = np.linalg.norm(vertices - centre, axis=1)
    ring = np.argsort(distance)[:: len(vertices) // 600][:400]
    far = np.diag(distance[ring] / distance[ring].mean())
    system = np.vstack([vertices[ring].T * 1000, np.full(len(ring), 1000.0), far])
    solution = nnls(system, np.r_[centre * 1000, 1000.0, np.zeros(len(ring))])[0]
    out = np.zeros(n)
    out[ring] = solution / solution.sum()
    assert np.linalg.norm(out[: len(vertices)] @ vertices - centre) < 0.004, np.linalg.norm(out[: len(vertices)] @ vertices - centre)
    return out


def teeth_arches(source: Source, flip: np.ndarray, columns: int = 14) -> tuple[np.ndarray, ...]:
    """Upper and lower teeth as one strip each, from the gum over the biting edge to the inside.

    Returns (N, 3) positions, metres; (N, 3) the source vertices whose mean motion each follows; triangles; mirror.
    """
    teeth = np.arange(*TEETH)
    opened = np.linalg.norm(source.expressions["jawOpen"][teeth], axis=1)
    places, ids, faces, mirror = [], [], [], []
    for lower in (False, True):
        arch = teeth[(opened > 0.5 * opened.max()) == lower]
        arch = arch[source.neutral[arch, 0] >= -1e-4]
        points = source.neutral[arch]
        middle = points[:, 2].min() + 0.35 * np.ptp(points[:, 2])
        around = np.arctan2(points[:, 0], points[:, 2] - middle)
        away = np.hypot(points[:, 0], points[:, 2] - middle)
        steps = np.linspace(0.02, around.max() * 0.98, columns)
        # a smooth arch: per window the biting edge, the gum, the front and the back of the teeth
        profile = []
        for step in steps:
            near = np.abs(around - step) < 0.16
            edge, gum = np.quantile(points[near, 1], [0.97, 0.1] if lower else [0.03, 0.9])
            profile.append([edge, gum, *np.quantile(away[near], [0.85, 0.25])])
        smooth = np.array(profile)
        for _ in range(3):
            smooth[1:-1] = (smooth[:-2] + 2 * smooth[1:-1] + smooth[2:]) / 4
        edge, gum, front, back = smooth.T
        strip = np.stack(
            [
                np.stack([r * np.sin(steps), y, middle + r * np.cos(steps)], 1)
                for r, y in ((front, gum), (front, 0.35 * gum + 0.65 * edge), ((front + back) / 2, edge), (back, gum))
            ],
            1,
        )
        rows = strip.shape[1]
        nearest = arch[cKDTree(points).query(strip, k=3)[1]]
        base = sum(map(len, ids))
        at = lambda c, r: base + c * rows + r  # noqa: B023, E731
        for c in range(2 * columns - 1):
            for r in range(rows - 1):
                quad = [at(c, r), at(c + 1, r), at(c + 1, r + 1), at(c, r + 1)]
                quad = quad[::-1] if lower else quad
                faces += [[quad[0], quad[1], quad[2]], [quad[0], quad[2], quad[3]]]
        mirror.append(base + (np.arange(2 * columns)[::-1, None] * rows + np.arange(rows)).ravel())
        ids.append(np.concatenate([flip[nearest[::-1]], nearest]).reshape(-1, 3))  # right to left along the arch
        places.append(np.concatenate([strip[::-1] * [-1, 1, 1], strip]).reshape(-1, 3))
    return np.concatenate(places), np.concatenate(ids), np.array(faces), np.concatenate(mirror)


PALETTE = {
    "skin": (222, 184, 160), "lips": (196, 132, 122), "brow": (104, 78, 62), "lid": (128, 88, 76), "socket": (150, 90, 84),
    "mouth": (84, 34, 36), "teeth": (238, 233, 220), "sclera": (240, 238, 234), "iris": (92, 112, 122), "pupil": (18, 16, 16),
}  # fmt: skip


def label(source: Source, vertices: np.ndarray, ids: np.ndarray, ball: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V,) part of every vertex and (V, 3) sRGB colours, a plain teaching colouring with soft edges.

    ids : the source vertex of every skin vertex; ball : parts of the eyeballs' vertices, the last ones
    """
    marks = source.neutral[source.landmarks68]
    parts = np.full(len(vertices), PARTS.index("teeth"), np.uint8)
    parts[: len(ids)] = PARTS.index("skin")
    parts[len(vertices) - len(ball) :] = ball
    parts[: len(ids)][(ids >= MOUTH[0]) & (ids < MOUTH[1])] = PARTS.index("mouth")
    parts[: len(ids)][(ids >= SOCKETS[0]) & (ids < SOCKETS[1])] = PARTS.index("socket")
    face = np.flatnonzero((ids < FACE[1]))
    points = vertices[face]

    def distance(line: list[int]) -> np.ndarray:
        dense = np.concatenate([np.linspace(marks[a], marks[b], 30) for a, b in zip(line[:-1], line[1:], strict=True)])
        return cKDTree(dense).query(points)[0]

    outline = [*range(48, 60), 48]
    front = points[:, 2] > marks[57, 2] - 0.025
    inside = Outline(marks[outline][:, :2]).contains_points(points[:, :2]) & front
    edge = np.where(inside, distance(outline), -distance(outline))
    brow = np.minimum(distance([17, 18, 19, 20, 21]), distance([22, 23, 24, 25, 26]))
    lid = np.minimum(distance([*range(36, 42), 36]), distance([*range(42, 48), 42]))
    soft = {
        "lips": np.where(front, np.clip((edge + 0.0012) / 0.0024, 0, 1), 0),
        "brow": np.clip((0.0052 - brow) / 0.0030, 0, 1),
        "lid": np.clip((0.0022 - lid) / 0.0016, 0, 1),
    }
    colours = np.array([PALETTE[name] for name in PARTS], float)[parts]
    for name, share in soft.items():
        parts[face[share > 0.5]] = PARTS.index(name)
        colours[face] += share[:, None] * (np.array(PALETTE[name]) - colours[face])
    return parts, np.round(colours).astype(np.uint8)


def embed_detector_points(template: Template) -> Template:
    """Where the detector's 478 points lie on the template: render the neutral face, detect, cast rays through the points."""
    size = 768
    camera_matrix, camera_from_head = look_at_camera(template.v_template, size, size)
    renderer = Renderer(size, size)
    found = []
    rng = np.random.default_rng(0)
    with FaceMesh(tracking=False) as detector:
        for _ in range(8):
            light = np.array([rng.uniform(-0.6, 0.6), -0.5, -1.0])
            tint = rng.uniform(0.7, 1.05)
            colours = np.clip(template.colours * tint, 0, 255).astype(np.uint8)
            rgb, _ = renderer.render(template.v_template, template.faces, colours, camera_matrix, camera_from_head, background=(120, 128, 136), light=light)
            found += [d.points[:, :2] for d in detector.detect(rgb)[:1]]
    assert len(found) >= 4, "the detector must find the template's face"
    pixels = np.median(found, axis=0)
    # symmetric face, symmetric points: pair every point with its mirror image and average
    mirrored_pixels = pixels * [-1, 1] + [size - 1, 0]
    partner = cKDTree(pixels).query(mirrored_pixels)[1]
    pixels = (pixels + mirrored_pixels[partner]) / 2
    rays = np.c_[pixels, np.ones(len(pixels))] @ np.linalg.inv(camera_matrix).T
    head_from_camera = np.linalg.inv(camera_from_head)
    direction = rays @ head_from_camera[:3, :3].T
    origin = np.tile(head_from_camera[:3, 3], (len(rays), 1))
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(template.v_template), o3d.core.Tensor(template.faces.astype(np.uint32)))
    hit = scene.cast_rays(o3d.core.Tensor(np.c_[origin, direction].astype(np.float32)))
    seen = np.isfinite(hit["t_hit"].numpy())
    uv = hit["primitive_uvs"].numpy()
    triangles = template.faces[np.where(seen, hit["primitive_ids"].numpy().astype(np.int64), 0)]
    barycentric = np.where(seen[:, None], np.c_[1 - uv.sum(1), uv], [1, 0, 0]).astype(np.float32)
    print(f"{seen.sum()} of 478 detector points lie on the template")
    return replace(template, landmarks478=Embedding(triangles, barycentric), visible478=seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, default=Path("templates/atlas-head.template.safetensors"))
    arguments = parser.parse_args()
    source_sha256 = hashlib.sha256(arguments.source.read_bytes()).hexdigest()
    template = embed_detector_points(build(Source.read(arguments.source), source_sha256))
    save_template(template, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB, {load_template(arguments.out).sha256[:12]}")


if __name__ == "__main__":
    main()
