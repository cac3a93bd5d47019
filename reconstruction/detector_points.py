"""Where the landmark detector's points lie on a template: its neutral face is drawn from the front and looked at."""

from dataclasses import replace

import cv2
import numpy as np
import open3d as o3d
from scipy.spatial import cKDTree

from reconstruction.camera import project
from reconstruction.closest import closest_places, ray_scene
from reconstruction.errors import InputError
from reconstruction.landmarks import IBUG68, FaceMesh
from reconstruction.rendering import Renderer, look_at_camera
from reconstruction.template import Embedding, Template

SIZE = 768  # pixels, side of a render
LOOKS = 8  # renders under different lights
# fmt: off
OUTER_LIPS = np.array([61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146])
INNER_LIPS = np.array([78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95])
# fmt: on
BEHIND_LIPS = 0.004  # metres behind the lips' rims where there is no lip any more
_POINT, _MARK = (30, 90, 220), (255, 214, 0)  # sRGB, in `picture`


def embed_detector_points(template: Template) -> Template:
    """The template with the detector's 478 points: render the neutral face, detect, cast rays through them.

    Raises
    ------
    InputError
        The detector does not find the template's face.
    """
    camera_matrix, camera_from_head = _camera(template)
    renderer = Renderer(SIZE, SIZE)
    found = []
    rng = np.random.default_rng(0)
    with FaceMesh(tracking=False) as detector:
        for _ in range(LOOKS):
            light = np.array([rng.uniform(-0.6, 0.6), -0.5, -1.0])
            tint = rng.uniform(0.7, 1.05)
            colours = np.clip(template.colours * tint, 0, 255).astype(np.uint8)
            rgb, _ = renderer.render(
                template.v_template, template.faces, colours, camera_matrix, camera_from_head,
                background=(120, 128, 136), light=light,
            )  # fmt: skip
            found += [d.points[:, :2] for d in detector.detect(rgb)[:1]]
    if 2 * len(found) < LOOKS:
        raise InputError(
            f"expected the landmark detector to find the face of {template.name}, but it did in only {len(found)} of "
            f"{LOOKS} renders; check that the head looks along z, y up, in the unit its publisher uses."
        )
    pixels = np.median(found, axis=0)
    # symmetric face, symmetric points: pair every point with its mirror image and average
    mirrored_pixels = pixels * [-1, 1] + [SIZE - 1, 0]
    partner = cKDTree(pixels).query(mirrored_pixels)[1]
    pixels = (pixels + mirrored_pixels[partner]) / 2
    rays = np.c_[pixels, np.ones(len(pixels))] @ np.linalg.inv(camera_matrix).T
    head_from_camera = np.linalg.inv(camera_from_head)
    direction = rays @ head_from_camera[:3, :3].T
    origin = np.tile(head_from_camera[:3, 3], (len(rays), 1))
    scene = ray_scene(template.v_template, template.faces)
    hit = scene.cast_rays(o3d.core.Tensor(np.c_[origin, direction].astype(np.float32)))
    seen = np.isfinite(hit["t_hit"].numpy())
    uv = hit["primitive_uvs"].numpy()
    triangles = template.faces[np.where(seen, hit["primitive_ids"].numpy().astype(np.int64), 0)]
    barycentric = np.where(seen[:, None], np.c_[1 - uv.sum(1), uv], [1, 0, 0]).astype(np.float32)
    # a point of the outline whose ray just misses belongs to the vertex of the face that the ray passes nearest
    depths = Embedding(triangles, barycentric)(template.v_template)[seen, 2]
    nose, rim = float(depths.max()), float(depths.min())
    drawn = np.unique(template.faces)
    drawn = drawn[template.v_template[drawn, 2] > rim - 0.2 * (nose - rim)]
    flat = cKDTree(project(template.v_template[drawn], camera_matrix, camera_from_head))
    triangles[~seen] = drawn[flat.query(pixels[~seen])[1]][:, None]
    landmarks478 = Embedding(triangles, barycentric)
    # rays between the parted lips hit teeth, or the nape: such points belong to the nearest lip
    places = landmarks478(template.v_template)
    beside = np.abs(places[INNER_LIPS, None, 0] - places[OUTER_LIPS, 0]).argsort(1)[:, :2]  # above and below
    depth = places[OUTER_LIPS, 2][beside].mean(1)
    behind = places[INNER_LIPS, 2] < depth - BEHIND_LIPS
    inside, depth = INNER_LIPS[behind], depth[behind]
    along = (depth - origin[inside, 2]) / direction[inside, 2]
    wanted = origin[inside] + along[:, None] * direction[inside]
    nearest = closest_places(wanted, template.v_template, template.faces)
    landmarks478.triangles[inside], landmarks478.barycentric[inside] = nearest.triangles, nearest.barycentric
    return replace(template, landmarks478=landmarks478, visible478=seen)


def follow_detector(template: Template, which: np.ndarray) -> Template:
    """The template with those of the iBUG 68 that `which` (68,) bool selects at the detector's points."""
    there = template.landmarks478.of(IBUG68)
    landmarks68 = Embedding(
        np.where(which[:, None], there.triangles, template.landmarks68.triangles),
        np.where(which[:, None], there.barycentric, template.landmarks68.barycentric),
    )
    return replace(template, landmarks68=landmarks68)


def no_points(count: int) -> Embedding:
    """`count` points on the first vertex: what a template holds before its points are found."""
    return Embedding(np.zeros((count, 3), np.int64), np.tile(np.array([1, 0, 0], np.float32), (count, 1)))


def picture(template: Template, size: int = SIZE) -> np.ndarray:
    """(size, 2 size, 3) uint8: the neutral head, and again with the detector's points (blue) and the 68 (yellow)."""
    camera_matrix, camera_from_head = _camera(template, size)
    plain, _ = Renderer(size, size).render(
        template.v_template, template.faces, template.colours, camera_matrix, camera_from_head
    )
    marked = plain.copy()
    seen = template.landmarks478.of(template.visible478)
    for embedding, colour, radius in ((seen, _POINT, size / 500), (template.landmarks68, _MARK, size / 350)):
        for x, y in project(embedding(template.v_template), camera_matrix, camera_from_head).tolist():
            cv2.circle(marked, (round(x * 16), round(y * 16)), round(radius * 16), colour, -1, cv2.LINE_AA, shift=4)
    return np.concatenate([plain, marked], 1)


def _camera(template: Template, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """From the front; what no triangle uses is not looked at."""
    drawn = template.v_template[np.unique(template.faces)]
    return look_at_camera(drawn, size, size)
