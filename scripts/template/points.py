"""Landmarks on the template: the iBUG 68 from the source, the detector's 478 where it sees them on people who move."""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from reconstruction.camera import project
from reconstruction.closest import closest_places
from reconstruction.detector_points import follow_detector
from reconstruction.landmarks import IBUG68
from reconstruction.photographer import pose_people, render_people
from reconstruction.template import Embedding, Template


def embed_landmarks68(marks: np.ndarray, vertices: np.ndarray, skin_faces: np.ndarray) -> Embedding:
    """The places of the skin closest to the source's landmarks `marks` (68, 3)."""
    landmarks68 = closest_places(marks, vertices, skin_faces)
    apart = np.linalg.norm(landmarks68(vertices) - marks, axis=1)
    print(f"landmark distance from our surface: {1000 * apart.max():.2f} mm at most")
    return landmarks68


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
    settled = follow_convention(replace(template, landmarks478=Embedding(triangles, barycentric)))
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


def follow_convention(template: Template) -> Template:
    """The template with the iBUG contour and brows at the detector's points: where along a cheek or a brow such a point
    sits is a convention, and projected landmarks shall be comparable with the detector's.
    """
    return follow_detector(template, (np.arange(68) < 27) & template.visible478[IBUG68])
