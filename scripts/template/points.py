"""Landmarks on the template: the iBUG 68 from the source, the detector's 478 from a rendered face."""

from dataclasses import replace

import numpy as np
import open3d as o3d
from scipy.spatial import cKDTree

from reconstruction.camera import project
from reconstruction.landmarks import IBUG68, FaceMesh
from reconstruction.photographer import pose_people, render_people
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
    return _follow_convention(replace(template, landmarks478=landmarks478, visible478=seen))


def settle_detector_points(template: Template, people: int = 240, frames: int = 4) -> Template:
    """Move the 478 points to where the detector puts them on average, on random people who move.

    The one neutral face of `embed_detector_points` says nothing of how a point rides on a jaw that opens, and little of
    how deep it lies. Every point and its mirror image are placed together, at most `_REACH` from where they were.
    """
    print(f"settling the detector's points on {people} people of {frames} frames", flush=True)
    renders = render_people(template, people, frames, seed=1)
    vertices = pose_people(template, renders.shape, renders.motion)
    vertices = np.stack(
        [project(*frame) for frame in zip(vertices, renders.camera_matrix, renders.camera_from_head, strict=True)]
    )
    seen = renders.points[..., :2]
    before = np.stack([template.landmarks478(frame) for frame in vertices])
    size = np.linalg.norm(seen[:, 33] - seen[:, 263], axis=1)[:, None, None]
    visible = template.visible478
    # what the picture as a whole is shifted by belongs to the head's pose, not to a point
    seen = (seen - np.median((seen - before)[:, visible], axis=1)[:, None]) / size
    vertices = vertices / size
    places = template.landmarks478(template.v_template)
    partner = cKDTree(places).query(places * [-1, 1, 1])[1]
    outside = template.skin | template.part("iris", "pupil", "sclera")
    faces = template.faces[outside[template.faces].all(1)]
    triangles, barycentric = template.landmarks478.triangles.copy(), template.landmarks478.barycentric.copy()
    paired = partner[partner] == np.arange(478)
    for k in np.flatnonzero(paired & visible & visible[partner] & (np.arange(478) <= partner)):
        near = outside & (np.linalg.norm(template.v_template - places[k], axis=1) < _REACH)
        if near.any():
            both = np.concatenate([seen[:, k], seen[:, partner[k]]])
            triangles[k], barycentric[k] = _best_place(both, vertices, template.mirror, np.flatnonzero(near), faces)
            if k != partner[k]:
                triangles[partner[k]], barycentric[partner[k]] = template.mirror[triangles[k]], barycentric[k]
    settled = _follow_convention(replace(template, landmarks478=Embedding(triangles, barycentric)))
    moved = 1000 * np.linalg.norm(settled.landmarks478(settled.v_template) - places, axis=1)[visible]
    print(f"moved by {np.median(moved):.1f} mm (median), {np.percentile(moved, 95):.1f} mm (95 %)")
    return settled


_REACH = 0.012  # metres
_WRONG = 0.06  # of the inter-ocular distance: detections farther off count less and less


def _best_place(
    seen: np.ndarray, vertices: np.ndarray, mirror: np.ndarray, near: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Triangle (3,) and barycentric weights (3,) of the place that stays closest to a point and its mirror image.

    seen : (2N, 2) the point in N frames, then its mirror image; vertices : (N, V, 2) in the same picture
    near : (K,) vertices to look at; faces : (F, 3) to look in
    """

    def cost(places: np.ndarray) -> np.ndarray:
        apart = ((places - seen[:, None]) ** 2).sum(2)
        return (apart / (_WRONG**2 + apart)).mean(0)

    def follow(ids: np.ndarray) -> np.ndarray:
        return np.concatenate([vertices[:, ids], vertices[:, mirror[ids]]])

    best = near[np.argsort(cost(follow(near)))[:3]]
    found: tuple[float, np.ndarray, np.ndarray] | None = None
    for triangle in faces[np.isin(faces, best).any(1)]:
        corners = follow(triangle)
        edges, rest = corners[:, 1:] - corners[:, :1], seen - corners[:, 0]
        weight = 1 / (1 + (rest**2).sum(1) / _WRONG**2)
        matrix = np.einsum("nci,ndi,n->cd", edges, edges, weight) + 1e-9 * np.eye(2)
        inner = np.linalg.solve(matrix, np.einsum("nci,ni,n->c", edges, rest, weight))
        weights = np.clip([1 - inner.sum(), *inner], 0, None)
        weights /= weights.sum()
        price = float(cost((corners * weights[:, None]).sum(1)[:, None])[0])
        if found is None or price < found[0]:
            found = price, triangle, weights
    assert found is not None, "every vertex lies in a face"
    return found[1], found[2]


def _follow_convention(template: Template) -> Template:
    """The template with the iBUG contour and brows at the detector's points."""
    moved = (np.arange(68) < 27) & template.visible478[IBUG68]
    there = template.landmarks478.of(IBUG68)
    landmarks68 = Embedding(
        np.where(moved[:, None], there.triangles, template.landmarks68.triangles),
        np.where(moved[:, None], there.barycentric, template.landmarks68.barycentric),
    )
    return replace(template, landmarks68=landmarks68)
