"""The places of a surface that are closest to points."""

import numpy as np
import open3d as o3d

from reconstruction.template import Embedding


def closest_places(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> Embedding:
    """The places of the surface of `vertices` (V, 3) and `faces` (F, 3) closest to `points` (K, 3)."""
    closest = ray_scene(vertices, faces).compute_closest_points(o3d.core.Tensor(points.astype(np.float32)))
    inner = closest["primitive_uvs"].numpy()
    return Embedding(faces[closest["primitive_ids"].numpy().astype(int)], np.c_[1 - inner.sum(1), inner])


def ray_scene(vertices: np.ndarray, faces: np.ndarray) -> "o3d.t.geometry.RaycastingScene":
    """The triangles as open3d casts rays at them."""
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(faces.astype(np.uint32)))
    return scene
