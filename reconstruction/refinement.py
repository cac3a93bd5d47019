"""The regressor's answer brought before the camera: identity, motion and head pose agree with the detector's points.

Least squares on the reprojection of the 478 points, with the regressor's own uncertainty as the prior: where it is sure
nothing moves, where it is not (the contour of a face, the height of brows) the picture decides.

The identity is found on frames spread over the recording by one step of Gauss-Newton, from which the frames' own
parameters are eliminated (a Schur complement). The points say less about motion than the prior does, and much the same
in every frame; so every frame's motion then descends along its gradient by one matrix for the whole recording, while
the pose, of which points say almost everything, follows by steps of its own. Their fixed point is the minimum itself.
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
SHAPE_STIFFNESS, MOTION_STIFFNESS = 6.0, 5.0  # the regressor knows the face better than reprojection does: its
# precision is taken times this. Chosen on renders of people that no calibration has seen: weaker priors fit the points
# better and the truth worse.
OUTLIER = 3.0  # a frame whose points lie so many times farther off than the median frame's is left out
THIN = 4  # one in so many of the points is used: neighbours err alike, and all of them say no more of renders
PER_INDEPENDENT, FEWEST, MOST = 8, 16, 48  # frames that the identity rests on: of each independent one, and in all
ROUNDS = 2  # of motion and pose; leave a tenth of motion's standard deviation at most, and a hundredth mostly
FRAMES_AT_ONCE = 256


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

    Memory holds `FRAMES_AT_ONCE` frames of points, however long the recording is.

    shape, shape_precision : the regressor's (S,), (S, S); motion, motion_precision : its (U, M), (M, M)
    points : (T, 478, 2 or more) pixels, in memory or on disk; frames : (U,) which of them are used
    point_sd : (478,) metres, how far each lies from the true one; camera_matrix : (3, 3)
    independent : number of independent frames
    """
    points_fit = _PointsFit(template, shape_precision, motion_precision, point_sd, camera_matrix)
    s, m = torch.from_numpy(shape), torch.from_numpy(motion).float()
    view, error = View.empty(points_fit.camera_matrix, len(frames)), torch.empty(len(frames))
    parts = [slice(i, i + FRAMES_AT_ONCE) for i in range(0, len(frames), FRAMES_AT_ONCE)]
    for part in parts:
        view[part], error[part] = points_fit.pose(s, m[part], points[frames[part]])
    trusted = (error <= OUTLIER * error.nanmedian()).numpy()
    some = np.flatnonzero(trusted)
    camera_from_head = np.full((len(frames), 4, 4), np.nan)
    if len(some):
        some = some[spread_frames(len(some), int(np.clip(PER_INDEPENDENT * independent, FEWEST, MOST)))]
        s, descent = points_fit.identity(s, m[some], view[some], points[frames[some]], independent)
        for part in parts:
            m[part], view[part] = points_fit.follow(s, m[part], view[part], points[frames[part]], descent)
        camera_from_head[trusted] = view[trusted].camera_from_head()
    return s.numpy(), m.double().numpy(), camera_from_head


class _PointsFit:
    """Least squares on the detector's points (T, 478, 2 or more), pixels, of T frames at a time.

    Shape (S,) is float64, motion (T, M) float32.
    """

    def __init__(
        self,
        template: Template,
        shape_precision: np.ndarray,
        motion_precision: np.ndarray,
        point_sd: np.ndarray,
        camera_matrix: np.ndarray,
    ):
        self.seen = fitted_points(template)
        self.model = PointModel(template, template.landmarks478.of(self.seen)).float()
        self.root = torch.from_numpy(point_weight(point_sd[self.seen])).float()
        self.shape_precision = torch.from_numpy(shape_precision * SHAPE_STIFFNESS)
        self.motion_precision = torch.from_numpy(motion_precision * MOTION_STIFFNESS).float()
        self.camera_matrix = torch.from_numpy(camera_matrix).float()
        self.bounded = template.n_bounded

    def pose(self, shape: Tensor, motion: Tensor, points: np.ndarray) -> tuple[View, Tensor]:
        """Where the head is, by the regressor's points alone, and how far off (T,), metres, the points then are, NaN
        where they fit no pose.
        """
        pixels = self._pixels(points)
        with torch.no_grad():
            places = self.model.points(shape.float(), motion)
        view, solved = solve_poses(places, pixels, self.camera_matrix)
        error = view.residual(pixels, places).square().mean((1, 2)).sqrt()
        return view, error.where(solved, torch.nan)

    def identity(
        self, prior: Tensor, motion: Tensor, view: View, points: np.ndarray, independent: float
    ) -> tuple[Tensor, Tensor]:
        """The shape after a step from `prior`, and the inverse (M, M) of what points and prior say of a frame's motion
        when its pose may follow, on average.
        """
        own = 6 + motion.shape[1]
        places, *by_face = self.model.derivatives(prior.float(), motion)
        by_pose = view.derivative_by_pose(places, places.mean(1))
        derivative = torch.cat([by_pose, *(view.derivative(places, by) for by in by_face)], 3)
        derivative = (derivative * self.root[:, None, None]).flatten(1, 2)
        rest = (view.residual(self._pixels(points), places) * self.root[:, None]).flatten(1)[..., None]
        equations = derivative.mT @ torch.cat([derivative, rest], 2)
        equations[:, 6:own, 6:own] += self.motion_precision
        eliminated = _without(own, equations).sum(0).double() * min(1.0, independent / len(motion))
        shape = prior + torch.linalg.solve(self.shape_precision + eliminated[:, :-1], eliminated[:, -1])
        return shape, torch.linalg.inv(_without(6, equations[:, :own, :own]).mean(0))

    def follow(
        self, shape: Tensor, prior: Tensor, view: View, points: np.ndarray, descent: Tensor
    ) -> tuple[Tensor, View]:
        """Motion (T, M) from `prior`, and the view, that fit a known shape; descent : (M, M) as `identity` returns."""
        pixels, weight = self._pixels(points), self.root**2
        motion = prior
        for _ in range(ROUNDS):
            motion = motion.detach().requires_grad_()
            places = self.model.points(shape.float(), motion)
            with torch.no_grad():
                view = view.closer(places, pixels, weight)
                force = view.pull(places, view.residual(pixels, places) * weight[:, None])
                (gradient,) = torch.autograd.grad(places, motion, force)
                motion = motion + (gradient + (prior - motion) @ self.motion_precision) @ descent
                motion[:, : self.bounded] = motion[:, : self.bounded].clamp(0, 1)
        with torch.no_grad():
            return motion, view.closer(self.model.points(shape.float(), motion), pixels, weight)

    def _pixels(self, points: np.ndarray) -> Tensor:
        return torch.from_numpy(points[:, self.seen, :2].astype(np.float32))


def _without(count: int, equations: Tensor) -> Tensor:
    """Normal equations (T, N, N or more columns) from which the first `count` unknowns are eliminated."""
    known, cross = equations[:, :count, :count], equations[:, :count, count:]
    return equations[:, count:, count:] - equations[:, count:, :count] @ torch.linalg.solve(known, cross)


def fitted_points(template: Template) -> np.ndarray:
    """(478,) bool, the detector's points that the fit rests on."""
    visible = template.visible478
    return np.isin(np.arange(len(visible)), np.flatnonzero(visible)[::THIN])


def point_weight(point_sd: np.ndarray) -> np.ndarray:
    """What residuals of K points, metres, are multiplied by, (K,)."""
    return np.sqrt(POINTS_COUNT / len(point_sd)) / point_sd
