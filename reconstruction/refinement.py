"""The regressor's answer brought before the camera: identity, motion and head pose agree with the detector's points.

Gauss-Newton on the reprojection of the 478 points, with the regressor's own uncertainty as the prior: where it is sure
nothing moves, where it is not (the contour of a face, the height of brows) the picture decides. The identity is shared
by all frames, whose own parameters are eliminated from the normal equations (a Schur complement).
"""

import numpy as np
import torch
from torch import Tensor

from reconstruction.camera import spread_frames
from reconstruction.disk_rows import DiskRows
from reconstruction.pose import solve_poses
from reconstruction.projection import PointModel, View
from reconstruction.template import Template

POINTS_COUNT = 120  # what the 478 points together count as: their errors are not independent
SHAPE_STIFFNESS, MOTION_STIFFNESS = 1.5, 5.0  # the regressor knows the face better than reprojection does: its
# precision is taken times this. Chosen on renders of people that no calibration has seen: weaker priors fit the points
# better and the truth worse.
OUTLIER = 3.0  # a frame whose points lie so many times farther off than the median frame's is left out
STEPS = 2
ROUNDS = 2
SPREAD, LEAST, MOST = 4, 8, 48
THIN = 4  # one in so many of the points is used: neighbours err alike, and all of them say no more of renders
FRAMES_AT_ONCE = 32


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
    refiner = Refiner(template, shape_precision, motion_precision, point_sd, camera_matrix)
    s, m = torch.from_numpy(shape), torch.from_numpy(motion).float()
    parts = [slice(i, min(i + FRAMES_AT_ONCE, len(frames))) for i in range(0, len(frames), FRAMES_AT_ONCE)]
    starts = [refiner.start(s, m[part], points[frames[part]]) for part in parts]
    view = View(refiner.camera_matrix, *(torch.cat([getattr(v, n) for v, _ in starts]) for n in ("rotation", "translation")))
    error = torch.cat([e for _, e in starts])
    trusted = error <= OUTLIER * error.nanmedian()
    few = np.flatnonzero(trusted)
    few = few[spread_frames(len(few), int(np.clip(SPREAD * independent, LEAST, MOST)))]
    s, information = refiner.identity(s, m[few], view.frames(few), points[frames[few]], independent)
    refiner.information = information
    camera_from_head = np.tile(np.eye(4), (len(frames), 1, 1))
    for part in parts:
        m[part], here = refiner.follow(s, m[part], view.frames(part), points[frames[part]])
        camera_from_head[part, :3, :3], camera_from_head[part, :3, 3] = here.rotation.numpy(), here.translation.numpy()
    camera_from_head[~trusted.numpy()] = np.nan
    return s.numpy(), m.double().numpy(), camera_from_head


class Refiner:
    def __init__(self, template, shape_precision, motion_precision, point_sd, camera_matrix):
        self.seen = fitted_points(template)
        self.model = PointModel(template, template.landmarks478.of(self.seen)).float()
        self.camera_matrix = torch.from_numpy(camera_matrix).float()
        self.shape_precision = torch.from_numpy(shape_precision * SHAPE_STIFFNESS)
        self.motion_precision = torch.from_numpy(motion_precision * MOTION_STIFFNESS).float()
        self.root = torch.from_numpy(point_weight(point_sd[self.seen])).float()
        self.bounded = template.n_bounded

    def pixels(self, points):
        return torch.from_numpy(points[:, self.seen, :2].astype(np.float32))

    def start(self, shape, motion, points) -> tuple[View, Tensor]:
        pixels = self.pixels(points)
        with torch.no_grad():
            places = self.model.points(shape.float(), motion)
        view, solved = solve_poses(places, pixels, self.camera_matrix)
        error = view.residual(pixels, places).square().mean((1, 2)).sqrt()
        return view, torch.where(solved, error, torch.nan)

    def identity(self, s_prior, m_prior, view, points, independent):
        s, m = s_prior, m_prior
        pixels = self.pixels(points)
        share = min(1.0, independent / len(m))
        own = 6 + m.shape[1]
        for _ in range(STEPS):
            total, right = self.shape_precision.clone(), self.shape_precision @ (s_prior - s)
            place, by_motion, by_shape = self.model.derivatives(s.float(), m)
            about = place.mean(1)
            columns = [view.derivative_by_pose(place, about), view.derivative(place, torch.cat([by_motion, by_shape], 3))]
            derivative = torch.cat(columns, 3) * self.root[:, None, None]
            derivative = derivative.flatten(1, 2)
            rest = (view.residual(pixels, place) * self.root[:, None]).flatten(1)[..., None]
            matrix, vector = derivative.mT @ derivative, (derivative.mT @ rest)[..., 0]
            matrix[:, 6:own, 6:own] += self.motion_precision
            vector[:, 6:own] += (m_prior - m) @ self.motion_precision
            cross = matrix[:, :own, own:]
            answer = torch.linalg.solve(matrix[:, :own, :own], torch.cat([cross, vector[:, :own, None]], 2))
            reduced = torch.cat([matrix[:, own:, own:], vector[:, own:, None]], 2) - cross.mT @ answer
            reduced = share * reduced.sum(0).double()
            total, right = total + reduced[:, :-1], right + reduced[:, -1]
            view = view.moved(about, answer[:, :6, -1])
            m = m + answer[:, 6:, -1]
            m[:, : self.bounded] = m[:, : self.bounded].clamp(0, 1)
            s = s + torch.linalg.solve(total, right)
        by_pose, between = matrix[:, :6, :6], matrix[:, :6, 6:own]
        information = (matrix[:, 6:own, 6:own] - between.mT @ torch.linalg.solve(by_pose, between)).mean(0)
        return s, information

    def follow(self, shape, m_prior, view, points):
        pixels, m = self.pixels(points), m_prior
        weight = self.root**2
        inverse = torch.linalg.inv(self.information)
        for _ in range(ROUNDS):
            m = m.detach().requires_grad_()
            place = self.model.points(shape.float(), m)
            with torch.no_grad():
                view = view.closer(place, pixels, weight)
                force = view.pull(place, weight[:, None] * view.residual(pixels, place))
                (gradient,) = torch.autograd.grad(place, m, force)
                m = m + (gradient + (m_prior - m) @ self.motion_precision) @ inverse
                m[:, : self.bounded] = m[:, : self.bounded].clamp(0, 1)
        with torch.no_grad():
            return m, view.closer(self.model.points(shape.float(), m), pixels, weight)


def fitted_points(template: Template) -> np.ndarray:
    """(478,) bool, the detector's points that the fit rests on."""
    visible = template.visible478
    return np.isin(np.arange(len(visible)), np.flatnonzero(visible)[::THIN])


def point_weight(point_sd: np.ndarray) -> np.ndarray:
    """What residuals of K points, metres, are multiplied by, (K,)."""
    return np.sqrt(POINTS_COUNT / len(point_sd)) / point_sd

