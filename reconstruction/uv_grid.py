"""The skin of the face on a square grid of texels in the template's UV, for maps of fine form."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import open3d as o3d

from reconstruction.chart import on_face
from reconstruction.rendering import vertex_normals
from reconstruction.template import Embedding, Template

SIZE = 256  # texels a side
BROW = 0.007  # metres around the line of the brows that are hair, whatever the template calls them
LARGEST = 3.0  # millimetres a side; texels stretched further, inside the nostrils, show nothing fine


@dataclass(frozen=True)
class Surface:
    """The M texels of a grid on one mesh, in the frame of its vertices.

    place, normal : (M, 3) metres, unit vectors
    across, down : (M, 3) per metre, the dual tangents: a function's gradient along the surface is its difference to
        the next column times `across` plus that to the next row times `down`
    """

    place: np.ndarray
    normal: np.ndarray
    across: np.ndarray
    down: np.ndarray


@dataclass(frozen=True)
class UvGrid:
    """SIZE x SIZE texels over the part of a template's UV that the face takes up; the first row is the highest v.

    window : (4,) float64, lowest u and v, highest u and v
    inside : (SIZE, SIZE) bool, skin of the face without lips, lids and brows
    embedding : Embedding of the M texels inside, row by row
    triangle : (M,) which face each lies in
    texel : (2, 2) its columns are the steps in uv to the next column and to the next row
    faces, uv_corners : (F, 3), (F, 3, 2) the template's
    """

    window: np.ndarray
    inside: np.ndarray
    embedding: Embedding
    triangle: np.ndarray
    texel: np.ndarray
    faces: np.ndarray
    uv_corners: np.ndarray

    def on(self, vertices: np.ndarray) -> Surface:
        """The texels on `vertices` (V, 3)."""
        vertices = np.asarray(vertices, float)
        normal = self.embedding(vertex_normals(vertices, self.faces))
        corner, uv = vertices[self.faces[self.triangle]], self.uv_corners[self.triangle]
        sides = np.stack([corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]], 2)
        uv_sides = np.stack([uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]], 2)
        tangents = sides @ np.linalg.inv(uv_sides) @ self.texel
        dual = tangents @ np.linalg.inv(np.swapaxes(tangents, 1, 2) @ tangents)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        return Surface(self.embedding(vertices), normal, dual[:, :, 0], dual[:, :, 1])


def face_triangles(template: Template) -> np.ndarray:
    """(F,) bool: skin between jaw, ears and hairline."""
    vertices = template.v_template
    before_ears = vertices[:, 2] > template.landmarks68(vertices)[[0, 16], 2].mean() - 0.01
    return (on_face(template, vertices) & before_ears & template.skin)[template.faces].all(1)


def make_grid(template: Template) -> UvGrid:
    """Lay the grid over the face of `template`."""
    vertices = template.v_template.astype(float)
    corners = template.uv[template.uv_faces].astype(float)
    marks = template.landmarks68(vertices)
    area = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))
    chosen = face_triangles(template) & (area > 1e-12)
    points = corners[chosen].reshape(-1, 2)
    low, high = points.min(0), points.max(0)
    texel = np.diag((high - low) / SIZE) * [1, -1]
    middle = (np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1) + 0.5) @ texel + [low[0], high[1]]
    flat = np.concatenate([points, np.zeros((len(points), 1))], 1).astype(np.float32)
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(flat), o3d.core.Tensor(np.arange(len(flat), dtype=np.uint32).reshape(-1, 3)))
    rays = np.zeros((SIZE, SIZE, 6), np.float32)
    rays[..., :2], rays[..., 2], rays[..., 5] = middle, 1, -1
    answer = scene.cast_rays(o3d.core.Tensor(rays))
    hit = np.isfinite(answer["t_hit"].numpy())
    triangle = np.flatnonzero(chosen)[answer["primitive_ids"].numpy()[hit].astype(np.int64)]
    second = answer["primitive_uvs"].numpy()[hit]
    weights = np.concatenate([1 - second.sum(1, keepdims=True), second], 1).astype(np.float32)
    embedding = Embedding(template.faces[triangle], weights)
    whole = UvGrid(np.concatenate([low, high]), hit, embedding, triangle, texel, template.faces, corners)
    known = [name for name in ("lips", "lid", "brow") if name in template.part_names]
    bare = ~template.part(*known) if known else np.ones(len(vertices), bool)
    surface = whole.on(vertices)
    keep = bare[embedding.triangles].all(1)
    keep &= np.minimum(_distance(surface.place, marks[17:22]), _distance(surface.place, marks[22:27])) > BROW
    keep &= texel_size(surface).max(1) < LARGEST / 1000
    inside = hit.copy()
    inside[hit] = keep
    return replace(whole, inside=inside, embedding=embedding.of(keep), triangle=triangle[keep])


def texel_size(surface: Surface) -> np.ndarray:
    """(M, 2) metres from one column and one row to the next."""
    dual = np.stack([surface.across, surface.down], 1)
    return np.sqrt(np.diagonal(np.linalg.inv(dual @ np.swapaxes(dual, 1, 2)), axis1=1, axis2=2))


def _distance(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """(N,) of points (N, 3) to a polyline (K, 3)."""
    out = np.full(len(points), np.inf)
    for a, b in pairwise(line):
        along = np.clip(((points - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)[:, None]
        out = np.minimum(out, np.linalg.norm(points - (a + along * (b - a)), axis=1))
    return out
