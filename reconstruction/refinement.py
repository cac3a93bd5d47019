"""The regressor's answer brought before the camera: identity, motion and head pose agree with the detector's points.

Gauss-Newton on the reprojection of the 478 points, with the regressor's own uncertainty as the prior: where it is sure
nothing moves, where it is not (the contour of a face, the height of brows) the picture decides. The identity is shared
by all frames, whose own parameters are eliminated from the normal equations (a Schur complement).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from reconstruction.camera import FACING, solve_pose
from reconstruction.disk_rows import DiskRows
from reconstruction.projection import PointModel, View
from reconstruction.template import Template

POINTS_COUNT = 120  # what the 478 points together count as: their errors are not independent
SHAPE_STIFFNESS, MOTION_STIFFNESS = 1.5, 5.0  # the regressor knows the face better than reprojection does: its
# precision is taken times this. Chosen on renders of people that no calibration has seen: weaker priors fit the points
# better and the truth worse.
OUTLIER = 3.0  # a frame whose points lie so many times farther off than the median frame's is left out
STEPS = 2
THIN = 4  # one in so many of the points is used: neighbours err alike, and all of them say no more of renders
FRAMES_AT_ONCE = 32
_UNSOLVED = np.block([[FACING, np.c_[[0.0, 0.0, 0.6]]], [np.zeros((1, 3)), np.ones((1, 1))]])


def refine(
    template: Template,
    shape: np.ndarray,
    shape_precision: np.ndarray,
    motion: np.ndarray,
    motion_precision: np.ndarray,
    points: np.ndarray | DiskRows,
    frames: np.ndarray,
    point_sd: np.ndarray,
    camera_matrix: np.ndarray,
    independent: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shape (S,), motion (U, M) and camera from head (U, 4, 4) that fit the points best; NaN where points fit no pose.

    Memory holds `FRAMES_AT_ONCE` frames of points and derivatives, however long the recording is.

    shape, shape_precision : the regressor's (S,), (S, S); motion, motion_precision : its (U, M), (M, M)
    points : (T, 478, 2 or more) pixels, in memory or on disk; frames : (U,) which of them are used
    point_sd : (478,) metres, how far each lies from the true one; camera_matrix : (3, 3)
    independent : number of independent frames
    """
    seen = fitted_points(template)
    model = PointModel(template, template.landmarks478.of(seen)).float()
    s_prior, s_precision = torch.from_numpy(shape), torch.from_numpy(shape_precision * SHAPE_STIFFNESS)
    m_prior = torch.from_numpy(motion).float()
    m_precision = torch.from_numpy(motion_precision * MOTION_STIFFNESS).float()
    root = torch.from_numpy(point_weight(point_sd[seen])).float()[:, None]
    share = min(1.0, independent / len(motion))  # what a frame counts as evidence of the identity
    parts = [slice(i, min(i + FRAMES_AT_ONCE, len(frames))) for i in range(0, len(frames), FRAMES_AT_ONCE)]

    def target(part: slice) -> Tensor:
        return torch.from_numpy(points[frames[part]][:, seen, :2].astype(np.float32))

    s, m = s_prior.clone(), m_prior.clone()
    view, error = _start(model, s, m, target, parts, camera_matrix)
    trusted = (error <= OUTLIER * error.median()) & (view.translation[:, 2] > 0)
    own = 6 + motion.shape[1]
    for step in range(STEPS + 1):
        together = step < STEPS  # the last time the frames' own parameters alone follow the shape that was found
        total, right = s_precision.clone(), s_precision @ (s_prior - s)
        for part in parts:
            here = view.frames(part)
            place, by_motion, by_shape = model.derivatives(s.float(), m[part], by_shape=together)
            columns = [here.derivative_by_pose(place, place.mean(1)), here.derivative(place, by_motion)]
            derivative = torch.cat([*columns, here.derivative(place, by_shape)], 3) * root[..., None]
            derivative = derivative.flatten(1, 2)
            rest = (here.residual(target(part), place) * root).flatten(1)[..., None]
            matrix, vector = derivative.mT @ derivative, (derivative.mT @ rest)[..., 0]
            matrix[:, 6:own, 6:own] += m_precision
            vector[:, 6:own] += (m_prior[part] - m[part]) @ m_precision
            cross = matrix[:, :own, own:]
            answer = torch.linalg.solve(matrix[:, :own, :own], torch.cat([cross, vector[:, :own, None]], 2))
            if together:
                evidence = share * trusted[part].float()
                reduced = torch.cat([matrix[:, own:, own:], vector[:, own:, None]], 2) - cross.mT @ answer
                reduced = torch.einsum("t,tij->ij", evidence, reduced).double()
                total, right = total + reduced[:, :-1], right + reduced[:, -1]
            moved = here.moved(place.mean(1), answer[:, :6, -1])
            view.rotation[part], view.translation[part] = moved.rotation, moved.translation
            m[part] += answer[:, 6:, -1]
            m[part, : template.n_bounded] = m[part, : template.n_bounded].clamp(0, 1)
        if together:
            s = s + torch.linalg.solve(total, right)
    camera_from_head = np.tile(np.eye(4), (len(motion), 1, 1))
    camera_from_head[:, :3, :3], camera_from_head[:, :3, 3] = view.rotation.numpy(), view.translation.numpy()
    camera_from_head[~trusted.numpy()] = np.nan
    return s.numpy(), m.double().numpy(), camera_from_head


def fitted_points(template: Template) -> np.ndarray:
    """(478,) bool, the detector's points that the fit rests on."""
    visible = template.visible478
    return np.isin(np.arange(len(visible)), np.flatnonzero(visible)[::THIN])


def point_weight(point_sd: np.ndarray) -> np.ndarray:
    """What residuals of K points, metres, are multiplied by, (K,)."""
    return np.sqrt(POINTS_COUNT / len(point_sd)) / point_sd


def _start(
    model: PointModel,
    shape: Tensor,
    motion: Tensor,
    target: Callable[[slice], Tensor],
    parts: list[slice],
    camera_matrix: np.ndarray,
) -> tuple[View, Tensor]:
    """Head poses of the regressor's points alone, and how far off (U,), metres, the points then are.

    A frame that cannot be solved starts from the one before.
    """
    poses: list[np.ndarray] = []
    matrix = torch.tensor(camera_matrix, dtype=torch.float32)
    errors = []
    for part in parts:
        with torch.no_grad():
            places, there = model.points(shape.float(), motion[part]), target(part)
        for place, pixels in zip(places.numpy(), there.numpy(), strict=True):
            before = poses[-1] if poses else None
            pose = solve_pose(place, pixels, camera_matrix, before)
            if pose is None and before is not None:
                pose = solve_pose(place, pixels, camera_matrix)
            poses.append(pose if pose is not None else before if before is not None else _UNSOLVED)
        here = torch.from_numpy(np.array(poses[part])).float()
        view = View(matrix, here[:, :3, :3], here[:, :3, 3])
        errors.append(view.residual(there, places).square().mean((1, 2)).sqrt())
    stacked = torch.from_numpy(np.array(poses)).float()
    return View(matrix, stacked[:, :3, :3].clone(), stacked[:, :3, 3].clone()), torch.cat(errors)
