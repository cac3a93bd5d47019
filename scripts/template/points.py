"""Landmarks on the template: the iBUG 68 from the source, the detector's 478 from a rendered face."""

from dataclasses import replace

import numpy as np
import open3d as o3d
from scipy.spatial import cKDTree

from reconstruction.landmarks import IBUG68, FaceMesh
from reconstruction.rendering import Renderer, look_at_camera
from reconstruction.template import Embedding, Template


def closest_places(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> Embedding:
    """The places of the surface closest to `points` (K, 3)."""
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(faces.astype(np.uint32)))
    closest = scene.compute_closest_points(o3d.core.Tensor(points.astype(np.float32)))
    inner = closest["primitive_uvs"].numpy()
    return Embedding(faces[closest["primitive_ids"].numpy().astype(int)], np.c_[1 - inner.sum(1), inner])


def embed_landmarks68(marks: np.ndarray, vertices: np.ndarray, skin_faces: np.ndarray) -> Embedding:
    """The places of the skin closest to the source's landmarks `marks` (68, 3)."""
    landmarks68 = closest_places(marks, vertices, skin_faces)
    apart = np.linalg.norm(landmarks68(vertices) - marks, axis=1)
    print(f"landmark distance from our surface: {1000 * apart.max():.2f} mm at most")
    return landmarks68


def embed_detector_points(template: Template) -> Template:
    """Where the detector's 478 points lie on the template: render the neutral face, detect, cast rays through them.

    The iBUG contour and brows move to the detector's points of the usual correspondence: where along a cheek or a brow
    such a point sits is a convention, and projected landmarks shall be comparable with the detector's.
    """
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
            rgb, _ = renderer.render(
                template.v_template, template.faces, colours, camera_matrix, camera_from_head,
                background=(120, 128, 136), light=light,
            )  # fmt: skip
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
    landmarks478 = Embedding(triangles, barycentric)
    # rays between the parted lips hit the teeth: such points belong to the nearest lip
    lips = template.faces[template.part("lips")[template.faces].all(1)]
    inside = template.part("teeth", "mouth")[triangles].any(1) & seen
    nearest = closest_places(landmarks478(template.v_template)[inside], template.v_template, lips)
    landmarks478.triangles[inside], landmarks478.barycentric[inside] = nearest.triangles, nearest.barycentric
    print(f"{inside.sum()} of them moved from teeth and mouth to the lips")
    convention = (np.arange(68) < 27) & seen[IBUG68]
    landmarks68 = Embedding(
        np.where(convention[:, None], landmarks478.triangles[IBUG68], template.landmarks68.triangles),
        np.where(convention[:, None], landmarks478.barycentric[IBUG68], template.landmarks68.barycentric),
    )
    return replace(template, landmarks68=landmarks68, landmarks478=landmarks478, visible478=seen)
