"""A whole recording at once: one identity, and expression, jaw, gaze and head pose per frame.

The calibrated model of the detector's points is inverted in closed form for all frames together: the identity rests on
every frame, a frame's motion on what differs from the person's own mean. `refinement` then fits all of it to the points
before the camera, `appearance` to the pictures where they are at hand, and a filter without lag takes what trembles out
of the sequence.
"""

from dataclasses import dataclass

import numpy as np
import torch

from reconstruction.calibration import Calibration, align, pose_features
from reconstruction.camera import camera_from_head, head_pose, spread_frames
from reconstruction.disk_rows import DiskRows
from reconstruction.motion import motion_to_pose
from reconstruction.pose import FOCAL_FRAMES, estimate_camera_matrix
from reconstruction.projection import PointModel
from reconstruction.refinement import fitted_points, refine
from reconstruction.smoothing import smooth
from reconstruction.template import Template

CORRELATION_S = 0.8  # seconds over which the detector's errors resemble themselves: closer frames are not independent
# evidence of the identity. Chosen on renders of people that no calibration has seen.
PERSISTING = 1.0  # independent frames that a recording counts as for the regressor: an expression, and what it makes
# points and image err by, may last as long as the recording does, as in somebody who laughs throughout, and must not
# pass for the shape. With one for every `CORRELATION_S` two halves of a real recording give shapes twice as far apart.
FLOOR = 1e-6  # of the variance within a person, which nothing observed goes below
AT_ONCE = 256  # frames aligned at once
_PENALTY = 0.1  # of leaving the box, in `into_box`; any gives the same answer, this one soonest


@dataclass(frozen=True)
class PointFit:
    """shape (S,) and motion (T, M) with the precision (inverse covariance) of their errors, (S, S) and (M, M)."""

    shape: np.ndarray
    shape_precision: np.ndarray
    motion: np.ndarray
    motion_precision: np.ndarray


class Regressor:
    """Points and features of one recording to shape and motion: the posterior mean of `calibration`'s model.

    With ȳ the weighted mean over frames and n the number of independent frames, all centred on the calibration's mean,

        shape  | ȳ       = A_s' (A_s A_s' + B + (A_x C A_x' + R)/n)^-1 ȳ
        motion | y_t, ȳ  = mean + C A_x' (A_x C A_x' + R)^-1 (y_t - ȳ)
                           + C/n A_x' (A_s A_s' + B + (A_x C A_x' + R)/n)^-1 ȳ

    where C is the covariance of motion, and motion's mean is that of the calibration. Where expressions
    lie between 0 and 1, the posterior's most probable point in that box is taken, which differs from cutting each
    coefficient by itself.
    """

    def __init__(self, calibration: Calibration):
        self.calibration = c = calibration
        # of two expressions that look the same the network says the same: what sets them apart is rounding
        within = c.within + FLOOR * np.diag(np.diag(c.within))
        self._moving = c.motion_effect @ c.motion_covariance @ c.motion_effect.T + within
        self._gain = np.linalg.solve(self._moving, c.motion_effect @ c.motion_covariance).T
        self._standing = c.shape_effect @ c.shape_effect.T + c.between
        left = c.motion_covariance - self._gain @ c.motion_effect @ c.motion_covariance
        self._precision = np.linalg.inv((left + left.T) / 2 + 1e-9 * np.eye(len(left)))

    def __call__(
        self,
        points: np.ndarray | DiskRows,
        features: np.ndarray,
        weight: np.ndarray,
        independent: float,
        frames: np.ndarray | None = None,
    ) -> PointFit:
        """points (T, 478, 3) pixels, in memory or on disk; features (U, F) of the image; weight (U,) quality
        independent : number of independent frames; frames : (U,) which are used, all unless given
        """
        c = self.calibration
        used = np.arange(len(weight)) if frames is None else frames
        parts = [slice(i, i + AT_ONCE) for i in range(0, len(used), AT_ONCE)]
        y = np.empty((len(used), len(c.motion_effect)), np.float32)
        for part in parts:
            y[part] = self._observed(points[used[part]], features[part])
        mean = weight @ y / weight.sum()
        total = self._standing + self._moving / independent
        whitened = np.linalg.solve(total, np.column_stack([mean, c.shape_effect]))
        shape = c.shape_effect.T @ whitened[:, 0]
        unsure = np.eye(len(shape)) - c.shape_effect.T @ whitened[:, 1:]
        baseline = c.motion_covariance @ c.motion_effect.T @ whitened[:, 0] / independent
        rest = c.motion_mean + baseline - mean @ self._gain.T
        motion = np.empty((len(used), len(rest)))
        for part in parts:
            motion[part] = into_box(rest + y[part] @ self._gain.T, self._precision, c.bounded)
        return PointFit(shape, np.linalg.inv((unsure + unsure.T) / 2), motion, self._precision)

    def _observed(self, points: np.ndarray, features: np.ndarray) -> np.ndarray:
        """(n, D) components of points (n, 478, 3) and features (n, F), without what the head's pose does to them."""
        c = self.calibration
        aligned, rotation = align(points, c.canonical, c.rigidity)
        components = (aligned.reshape(len(aligned), -1) - c.mean) @ c.basis
        return np.hstack([components, features - c.feature_mean]) - pose_features(rotation) @ c.pose_effect.T


def into_box(motion: np.ndarray, precision: np.ndarray, bounded: int, rounds: int = 200) -> np.ndarray:
    """The points nearest to `motion` (T, M) by `precision`, (M, M) or one a frame (T, M, M), whose first `bounded`
    entries lie in 0..1: the alternating direction method of multipliers with over-relaxation (Boyd et al. 2011), in
    units in which the precision's diagonal is 1.
    """
    unit = 1 / np.sqrt(np.diagonal(precision, axis1=-2, axis2=-1))
    scaled = precision * unit[..., None] * unit[..., None, :]
    solve = np.linalg.inv(scaled + _PENALTY * np.eye(motion.shape[1]))
    low, high = np.full((2, motion.shape[1]), [[-np.inf], [np.inf]])
    low[:bounded], high[:bounded] = 0, 1
    low, high = low / unit, high / unit

    def times(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        return rows @ matrix if matrix.ndim == 2 else (rows[:, None] @ matrix)[:, 0]

    pull = times(motion / unit, scaled)
    inside = (motion / unit).clip(low, high)
    push = np.zeros_like(inside)
    for _ in range(rounds):
        free = times(pull + _PENALTY * (inside - push), solve)
        beyond = 1.7 * free - 0.7 * inside + push
        before, inside = inside, beyond.clip(low, high)
        push = beyond - inside
        if max(np.abs(inside - before).max(), np.abs(free - inside).max()) < 1e-3:
            break
    return inside * unit


@dataclass(frozen=True)
class Fit:
    """U used frames of a recording, fitted and not yet smoothed.

    frames : (U,) which of the recording's frames
    shape : (S,); motion : (U, M); camera_from_head : (U, 4, 4); camera_matrix : (3, 3)
    shape_precision, motion_precision : (S, S) and (M, M), of the errors that the regressor expects
    points : (T, 478, 2 or more) the detector's, pixels, of all frames, in memory or on disk
    point_sd : (478,) metres, how far they lie from the true ones
    skin_sd : how far to trust the skin's offsets, as in `Calibration`
    """

    frames: np.ndarray
    shape: np.ndarray
    shape_precision: np.ndarray
    motion: np.ndarray
    motion_precision: np.ndarray
    camera_from_head: np.ndarray
    camera_matrix: np.ndarray
    points: np.ndarray | DiskRows
    point_sd: np.ndarray
    skin_sd: np.ndarray


def fit_points(
    template: Template,
    calibration: Calibration,
    points: np.ndarray | DiskRows,
    features: np.ndarray,
    valid: np.ndarray,
    quality: np.ndarray,
    frame_rate: float,
    image_size: tuple[int, int],
    camera_matrix: np.ndarray | None = None,
) -> Fit:
    """Fit a recording to the detector's points and the image's features; frames whose head pose cannot be solved are
    left out.

    points : (T, 478, 3) pixels, in memory or on disk; features : (U, F) of the valid frames, see `image_features`
    valid : (T,) bool, at least one; quality : (T,) weights
    image_size : (width, height) pixels
    camera_matrix : (3, 3) pixels; estimated from the points where it is not given
    """
    used = np.flatnonzero(valid)
    weight = quality[used].astype(np.float64)
    independent = max(1.0, weight.sum() ** 2 / (weight**2).sum() * min(1.0, 1 / frame_rate / CORRELATION_S))
    start = Regressor(calibration)(points, features, weight, PERSISTING, used)
    if camera_matrix is None:
        seen = fitted_points(template)
        some = spread_frames(len(used), FOCAL_FRAMES)
        with torch.no_grad():
            places = PointModel(template, template.landmarks478.of(seen)).points(
                torch.from_numpy(start.shape), torch.from_numpy(start.motion[some])
            )
        camera_matrix = estimate_camera_matrix(places.numpy(), points[used[some]][:, seen, :2], *image_size)
    shape, motion, camera_from_head = refine(
        template, start.shape, start.shape_precision, start.motion, start.motion_precision,
        points, used, calibration.point_sd, camera_matrix, independent,
    )  # fmt: skip
    solved = np.isfinite(camera_from_head).all((1, 2)) & (camera_from_head[:, 2, 3] > 0)
    return Fit(
        used[solved], shape, start.shape_precision, motion[solved], start.motion_precision, camera_from_head[solved],
        camera_matrix, points, calibration.point_sd, calibration.skin_sd,
    )  # fmt: skip


@dataclass(frozen=True)
class Tracks:
    """Parameters of all T frames as in `FaceSequence`, zero where a frame is not `valid`."""

    expression: np.ndarray
    expression_sd: np.ndarray
    pose: np.ndarray
    translation: np.ndarray
    valid: np.ndarray


def to_tracks(template: Template, fit: Fit, time_s: np.ndarray, frame_rate: float) -> Tracks:
    """The fit smoothed and laid out on the recording's frames, time_s (T,) seconds.

    Of the head's place, the direction and the logarithm of the distance of its middle are smoothed: one camera sees the
    one far better than the other, and a turn about the middle hardly moves the picture.
    """
    middle = template.landmarks478(template.v_template[None])[0, template.visible478].mean(0)
    rotation = fit.camera_from_head[:, :3, :3]
    turn, place = head_pose(fit.camera_from_head)
    x, y, depth = (rotation @ middle + place).T[..., None]
    smoothed = smooth(
        np.concatenate([fit.motion, turn, x / depth, y / depth, np.log(depth)], 1), time_s[fit.frames], frame_rate,
        head=slice(-6, -1),
    )  # fmt: skip
    motion, turn, across, depth = np.split(smoothed, [-6, -3, -1], 1)
    depth = np.exp(depth)
    rotation = camera_from_head(turn, place)[:, :3, :3]
    place = np.concatenate([across * depth, depth], 1) - rotation @ middle
    n = template.n_expression
    pose = motion_to_pose(template, motion)
    pose[:, 0] = turn

    def scatter(values: np.ndarray) -> np.ndarray:
        out = np.zeros((len(time_s), *values.shape[1:]))
        out[fit.frames] = values
        return out

    return Tracks(
        expression=scatter(motion[:, :n].clip(0, 1) if template.bounded else motion[:, :n]),
        expression_sd=np.sqrt(np.diag(np.linalg.inv(fit.motion_precision)))[:n],
        pose=scatter(pose),
        translation=scatter(place),
        valid=np.isin(np.arange(len(time_s)), fit.frames),
    )
