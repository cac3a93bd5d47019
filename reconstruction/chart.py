"""The skin of a template unrolled onto a grid, where pictures of different frames can be compared point by point."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, Delaunay

from reconstruction.template import Embedding, Template

WIDTH, HEIGHT = 160, 176  # cells; 1.2 mm each on a grown face
SPREAD = 1.35  # radians to either side of the midline
ABOVE_BROWS = 0.035  # metres of forehead


@dataclass(frozen=True)
class Chart:
    """A cylinder around the face: rows from the forehead down, columns from the subject's right to the left.

    embedding : Embedding of the places, row by row
    inside : (rows, columns) bool, places on the skin of the face: no eyes, no mouth, nothing beyond the jaw
    """

    embedding: Embedding
    inside: np.ndarray


def make_chart(template: Template, every: int = 1) -> Chart:
    """Cast rays at the neutral mean face from a cylinder whose axis stands between the ears.

    One place for every `every` x `every` cells, in their middle: HEIGHT / every rows, WIDTH / every columns.
    """
    import open3d as o3d  # slow to load, and not needed by who never follows skin

    vertices = template.v_template
    marks = template.landmarks68(vertices)
    top, bottom = marks[17:27, 1].max() + ABOVE_BROWS, marks[:17, 1].min()
    angles = _middles(-SPREAD, SPREAD, WIDTH, every)
    heights = _middles(top, bottom, HEIGHT, every)
    outwards = np.stack([np.sin(angles), np.zeros_like(angles), np.cos(angles)], 1)
    axis = np.zeros((len(heights), len(angles), 3))
    axis[..., 1] = heights[:, None]
    axis[..., 2] = marks[[0, 16], 2].mean()
    far = float(np.ptp(vertices, axis=0).max())
    rays = np.concatenate([axis + far * outwards, np.broadcast_to(-outwards, axis.shape)], 2).astype(np.float32)
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(vertices), o3d.core.Tensor(template.faces.astype(np.uint32)))
    answer = scene.cast_rays(o3d.core.Tensor(rays))
    triangle, second = answer["primitive_ids"].numpy().astype(np.int64), answer["primitive_uvs"].numpy()
    hit = triangle < len(template.faces)
    corners = template.faces[np.where(hit, triangle, 0)]
    barycentric = np.concatenate([1 - second.sum(2, keepdims=True), second], 2).astype(np.float32)
    embedding = Embedding(corners.reshape(-1, 3), barycentric.reshape(-1, 3))
    skin = template.skin[corners].all(2)
    return Chart(embedding, hit & skin & on_face(template, embedding(vertices)).reshape(hit.shape))


def front(template: Template) -> np.ndarray:
    """(V,) bool: vertices of skin on the face's front half, between jaw and hairline."""
    v, skin = template.v_template, template.skin
    return skin & on_face(template, v) & (v[:, 2] > np.median(v[skin, 2]))


def on_face(template: Template, points: np.ndarray) -> np.ndarray:
    """(N,) bool: which `points` (N, 3) on the neutral mean face lie, seen from the front, between jaw and hairline."""
    marks = template.landmarks68(template.v_template)
    outline = np.concatenate([marks[:17], marks[17:27] + np.array([0, ABOVE_BROWS, 0])])[:, :2]
    return Delaunay(outline[ConvexHull(outline).vertices]).find_simplex(points[:, :2]) >= 0


def _middles(first: float, last: float, count: int, every: int) -> np.ndarray:
    """Of `count` numbers evenly from first to last, the means of every `every`."""
    return np.linspace(first, last, count).reshape(-1, every).mean(1)
