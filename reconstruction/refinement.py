"""The regressor's answer brought before the camera: identity, motion and head pose agree with the detector's points.

Gauss-Newton on the reprojection of the 478 points, with the regressor's own uncertainty as the prior: where it is sure
nothing moves, where it is not (the contour of a face, the height of brows) the picture decides. The identity is shared
by all frames, whose own parameters are eliminated from the normal equations (a Schur complement).
"""

import numpy as np
import torch
from torch import Tensor

from reconstruction.camera import FACING, solve_pose
from reconstruction.projection import PointModel, View
from reconstruction.template import Template

POINTS_COUNT = 120  # what the 478 points together count as: their errors are not independent
SHAPE_STIFFNESS, MOTION_STIFFNESS = 1.5, 5.0  # the regressor knows the face better than reprojection does: its
# precision is taken times this. Chosen on renders of people that no calibration has seen: weaker priors fit the points
# better and the truth worse.
OUTLIER = 3.0  # a frame whose points lie so many times farther off than the median frame's is left out
STEPS = 2
FRAMES_AT_ONCE = 32
_UNSOLVED = np.block([[FACING, np.c_[[0.0, 0.0, 0.6]]], [np.zeros((1, 3)), np.ones((1, 1))]])


def refine(
    template: Template,
    shape: np.ndarray,
    shape_precision: np.ndarray,
    motion: np.ndarray,
    motion_precision: np.ndarray,
    pixels: np.ndarray,
    point_sd: np.ndarray,
    camera_matrix: np.ndarray,
    independent: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shape (S,), motion (T, M) and camera from head (T, 4, 4) that fit the points best; NaN where points fit no pose.

    shape, shape_precision : the regressor's (S,), (S, S); motion, motion_precision : its (T, M), (M, M)
    pixels : (T, 478, 2); point_sd : (478,) metres, how far each lies from the true one; camera_matrix : (3, 3)
    independent : number of independent frames
    """
    seen = template.visible478
    model = PointModel(template, template.landmarks478.of(seen))
    target = torch.from_numpy(pixels[:, seen].astype(np.float64))
    s_prior, s_precision = torch.from_numpy(shape), torch.from_numpy(shape_precision * SHAPE_STIFFNESS)
    m_prior, m_precision = torch.from_numpy(motion), torch.from_numpy(motion_precision * MOTION_STIFFNESS)
    root = torch.from_numpy(point_weight(point_sd[seen]))[:, None]
    share = min(1.0, independent / len(motion))  # what a frame counts as evidence of the identity

    s, m = s_prior.clone(), m_prior.clone()
    places = model.points(s, m)
    view = _start(places.numpy(), target.numpy(), camera_matrix)
    error = view.residual(target, places).square().mean((1, 2)).sqrt()
    trusted = (error <= OUTLIER * error.median()) & (view.translation[:, 2] > 0)
    own = 6 + motion.shape[1]
    for _ in range(STEPS):
        total, right = s_precision.clone(), s_precision @ (s_prior - s)
        solved: list[tuple[Tensor, Tensor]] = []
        for i in range(0, len(m), FRAMES_AT_ONCE):
            part = slice(i, i + FRAMES_AT_ONCE)
            here = view.frames(part)
            points, by_motion, by_shape = model.derivatives(s, m[part])
            columns = [here.derivative_by_pose(points, points.mean(1)), here.derivative(points, by_motion)]
            derivative = torch.cat([*columns, here.derivative(points, by_shape)], 3) * root[..., None]
            derivative = derivative.flatten(1, 2)
            rest = (here.residual(target[part], points) * root).flatten(1)[..., None]
            matrix, vector = derivative.mT @ derivative, (derivative.mT @ rest)[..., 0]
            matrix[:, 6:own, 6:own] += m_precision
            vector[:, 6:own] += (m_prior[part] - m[part]) @ m_precision
            cross = matrix[:, :own, own:]
            answer = torch.linalg.solve(matrix[:, :own, :own], torch.cat([cross, vector[:, :own, None]], 2))
            evidence = share * trusted[part].double()
            total += torch.einsum("t,tij->ij", evidence, matrix[:, own:, own:] - cross.mT @ answer[..., :-1])
            right = right + evidence @ (vector[:, own:] - (cross.mT @ answer[..., -1:])[..., 0])
            solved.append((points, answer))
        shape_step = torch.linalg.solve(total, right)
        steps = torch.cat([answer[..., -1] - answer[..., :-1] @ shape_step for _, answer in solved])
        view = view.moved(torch.cat([points.mean(1) for points, _ in solved]), steps[:, :6])
        s, m = s + shape_step, m + steps[:, 6:]
        m[:, : template.n_bounded] = m[:, : template.n_bounded].clamp(0, 1)
    camera_from_head = np.tile(np.eye(4), (len(motion), 1, 1))
    camera_from_head[:, :3, :3], camera_from_head[:, :3, 3] = view.rotation.numpy(), view.translation.numpy()
    camera_from_head[~trusted.numpy()] = np.nan
    return s.numpy(), m.numpy(), camera_from_head


def point_weight(point_sd: np.ndarray) -> np.ndarray:
    """What residuals of K points, metres, are multiplied by, (K,)."""
    return np.sqrt(POINTS_COUNT / len(point_sd)) / point_sd


def _start(places: np.ndarray, pixels: np.ndarray, camera_matrix: np.ndarray) -> View:
    """Head poses of the regressor's points alone; a frame that cannot be solved starts from the one before."""
    poses: list[np.ndarray] = []
    for here, there in zip(places, pixels, strict=True):
        before = poses[-1] if poses else None
        pose = solve_pose(here, there, camera_matrix, before)
        if pose is None and before is not None:
            pose = solve_pose(here, there, camera_matrix)
        poses.append(pose if pose is not None else before if before is not None else _UNSOLVED)
    stacked = torch.from_numpy(np.array(poses))
    return View(torch.from_numpy(np.asarray(camera_matrix, np.float64)), stacked[:, :3, :3], stacked[:, :3, 3])
