"""Where heads are before the camera, many frames at once, and which camera it was.

Arrays are torch: T frames, K points.
"""

import numpy as np
import torch
from torch import Tensor

from reconstruction.camera import default_camera_matrix, spread_frames
from reconstruction.projection import View

STEPS = 4
FOCAL_RANGE = (0.7, 3.5)  # of the longer side: 71 to 16 degrees of view; a longer lens cannot be told from 3.5
_FOCAL_STEPS, FOCAL_FRAMES = 9, 12
_FARTHEST = 0.1  # of the face's height, an error in the picture beyond which a point speaks no more against a camera


def solve_poses(points: Tensor, pixels: Tensor, camera_matrix: Tensor) -> tuple[View, Tensor]:
    """The poses of known points before the camera, robust to some that are wrong: a start by scaled orthography
    (DeMenthon and Davis 1995), then Gauss-Newton on the points within three robust standard deviations.

    points : (T, K, 3) metres, head frame, K at least 6; pixels : (T, K, 2); camera_matrix : (3, 3)

    Returns the view, and which frames have a pose that puts all points before the camera (T,) bool. The others' poses
    may be anything, NaN too.
    """
    view = _far_away(points, (pixels - camera_matrix[:2, 2]) / camera_matrix[0, 0], camera_matrix)
    keep = torch.ones_like(points[..., 0])
    for step in range(STEPS):
        if step >= 2:
            error = view.residual(pixels, points).norm(dim=2)
            keep = (error <= 3 * 1.4826 * error.median(1, keepdim=True)[0] + 1e-6).to(points)
        view = view.closer(points, pixels, keep)
    depth = (points @ view.rotation.mT)[..., 2] + view.translation[:, 2:]
    return view, view.translation.isfinite().all(1) & (depth > 0).all(1)


def _far_away(points: Tensor, rays: Tensor, camera_matrix: Tensor) -> View:
    """The view that fits `rays` (T, K, 2), pixels on a camera of focal length 1, best where all points are equally far:
    an affine map by least squares, and the rotation and distance nearest to it.
    """
    middle, target = points.mean(1), rays.mean(1)
    apart, across = points - middle[:, None], rays - target[:, None]
    affine = torch.linalg.solve_ex(apart.mT @ apart, apart.mT @ across)[0].mT.nan_to_num(0, 0, 0)
    u, scale, vt = torch.linalg.svd(affine, full_matrices=False)
    rows = u @ vt
    rotation = torch.cat([rows, torch.linalg.cross(rows[:, :1], rows[:, 1:])], 1)
    place = torch.cat([target, torch.ones_like(target[:, :1])], 1) / scale.mean(1, keepdim=True)
    return View(camera_matrix, rotation, place - (rotation @ middle[..., None])[..., 0])


def estimate_camera_matrix(points: np.ndarray, pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """(3, 3) the camera whose focal length explains best how depth shrinks in the picture.

    points : (T, N, 3) metres, head frame, as fitted without a camera; pixels : (T, N, 2)

    A dozen frames, spread over the recording, are posed with focal lengths from `FOCAL_RANGE`; the lowest mean error,
    each point's capped, wins, between grid points by a parabola. The default camera where no frame can be posed.
    """
    chosen = spread_frames(len(points), FOCAL_FRAMES)
    grid = np.geomspace(*FOCAL_RANGE, _FOCAL_STEPS)
    places, seen = (torch.from_numpy(a[chosen].astype(np.float32)) for a in (points, pixels))
    centred = seen - torch.from_numpy(default_camera_matrix(width, height)[:2, 2]).float()
    focal = torch.from_numpy(grid * max(width, height)).float()[:, None, None, None]
    rays, repeated = (centred / focal).flatten(0, 1), places.repeat(len(grid), 1, 1)
    view, solved = solve_poses(repeated, rays, torch.eye(3))
    camera = repeated @ view.rotation.mT + view.translation[:, None]
    apart = (camera[..., :2] / camera[..., 2:] - rays).unflatten(0, (len(grid), -1)) * focal
    error = apart.norm(dim=3) / (seen[..., 1].amax(1) - seen[..., 1].amin(1))[:, None]
    losses = error.clamp(max=_FARTHEST).square().double().mean((1, 2)).numpy()
    losses[~solved.unflatten(0, (len(grid), -1)).all(1).numpy() | ~np.isfinite(losses)] = np.inf
    best = int(np.argmin(losses))
    if not np.isfinite(losses[best]):
        return default_camera_matrix(width, height)
    at = np.log(grid[best])
    if 0 < best < len(grid) - 1 and np.isfinite(losses[best - 1] + losses[best + 1]):
        left, middle, right = losses[best - 1 : best + 2]
        at += 0.5 * (left - right) / (left - 2 * middle + right + 1e-18) * (np.log(grid[1]) - np.log(grid[0]))
    return default_camera_matrix(width, height, float(np.exp(at)) * max(width, height))
