"""A whole recording at once: one identity, and expression, jaw, gaze and head pose per frame.

The calibrated model of the detector's points is inverted in closed form for all frames together: the identity rests on
every frame, a frame's motion on what differs from the person's own mean. The fitted points then give the head pose of
every frame, and a filter without lag takes the detector's tremble out of the sequence.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import savgol_filter

from reconstruction.calibration import Calibration, align, pose_features
from reconstruction.camera import head_pose, solve_pose
from reconstruction.face_model import FaceModel
from reconstruction.motion import ANGLES, motion_to_pose
from reconstruction.template import Template

CORRELATION_S = 1.6  # seconds over which a face and the detector's errors resemble themselves: closer frames are not
# independent evidence of the identity. Chosen on renders of people that no calibration has seen.
SMOOTH_S = 0.28  # seconds, see `smooth`
STABLE = 0.3  # share of the points, those that expressions move most, which the head pose is not solved on


@dataclass(frozen=True)
class PointFit:
    """shape (S,) and motion (T, M), posterior means, with their standard deviations (S,) and (M,)."""

    shape: np.ndarray
    shape_sd: np.ndarray
    motion: np.ndarray
    motion_sd: np.ndarray


class Regressor:
    """Detector points of one recording to shape and motion: the posterior mean of `calibration`'s model.

    With ȳ the weighted mean over frames and n the number of independent frames, all centred on the calibration's mean,

        shape  | ȳ       = A_s' (A_s A_s' + B + (A_x C A_x' + R)/n)^-1 ȳ
        motion | y_t, ȳ  = mean + C A_x' (A_x C A_x' + R)^-1 (y_t - ȳ) + C/n A_x' (A_s A_s' + B + (A_x C A_x' + R)/n)^-1 ȳ

    where C is the covariance of motion, and motion's mean is that of the calibration. Expressions lie between 0 and 1:
    the posterior's most probable point in that box is taken, which differs from cutting each coefficient by itself.
    """

    def __init__(self, calibration: Calibration):
        self.calibration = c = calibration
        self._moving = c.motion_effect @ c.motion_covariance @ c.motion_effect.T + c.within
        self._gain = np.linalg.solve(self._moving, c.motion_effect @ c.motion_covariance).T
        self._standing = c.shape_effect @ c.shape_effect.T + c.between
        left = c.motion_covariance - self._gain @ c.motion_effect @ c.motion_covariance
        self._motion_sd = np.sqrt(np.diag(left).clip(min=0))
        self._precision = np.linalg.inv((left + left.T) / 2 + 1e-9 * np.eye(len(left)))

    def __call__(self, points: np.ndarray, weight: np.ndarray, independent: float) -> PointFit:
        """points (T, 478, 3) pixels; weight (T,) quality; independent : number of independent frames."""
        c = self.calibration
        aligned, rotation = align(points, c.canonical, c.rigidity)
        y = (aligned.reshape(len(aligned), -1) - c.mean) @ c.basis - pose_features(rotation) @ c.pose_effect.T
        mean = weight @ y / weight.sum()
        total = self._standing + self._moving / independent
        whitened = np.linalg.solve(total, np.column_stack([mean, c.shape_effect]))
        shape = c.shape_effect.T @ whitened[:, 0]
        known = np.einsum("ds,ds->s", c.shape_effect, whitened[:, 1:])
        baseline = c.motion_covariance @ c.motion_effect.T @ whitened[:, 0] / independent
        motion = c.motion_mean + baseline + (y - mean) @ self._gain.T
        motion = _into_box(motion, self._precision, motion.shape[1] - len(ANGLES))
        return PointFit(shape, np.sqrt((1 - known).clip(0, 1)), motion, self._motion_sd)


def _into_box(motion: np.ndarray, precision: np.ndarray, bounded: int, sweeps: int = 60) -> np.ndarray:
    """The points nearest to `motion` (T, M) by `precision` (M, M) whose first `bounded` entries lie in 0..1: coordinate
    descent, which converges because the problem is convex and the box separable.
    """
    pull, out = motion @ precision, motion.copy()
    out[:, :bounded] = out[:, :bounded].clip(0, 1)
    for _ in range(sweeps):
        before = out.copy()
        for i in range(motion.shape[1]):
            value = out[:, i] + (pull[:, i] - out @ precision[:, i]) / precision[i, i]
            out[:, i] = value.clip(0, 1) if i < bounded else value
        if np.abs(out - before).max() < 1e-4:
            break
    return out


@dataclass(frozen=True)
class SequenceFit:
    """Parameters of all T frames as in `FaceSequence`, zero where a frame is not valid; `valid` without the frames whose
    head pose cannot be solved.
    """

    shape: np.ndarray
    shape_sd: np.ndarray
    expression: np.ndarray
    expression_sd: np.ndarray
    pose: np.ndarray
    translation: np.ndarray
    valid: np.ndarray


def fit_sequence(
    template: Template,
    calibration: Calibration,
    points: np.ndarray,
    valid: np.ndarray,
    quality: np.ndarray,
    time_s: np.ndarray,
    frame_rate: float,
    camera_matrix: np.ndarray,
) -> SequenceFit:
    """Fit a recording.

    points : (T, 478, 3) pixels; valid : (T,) bool, at least one; quality : (T,) weights; time_s : (T,) seconds
    camera_matrix : (3, 3) pixels
    """
    used = np.flatnonzero(valid)
    weight = quality[used].astype(np.float64)
    independent = max(1.0, weight.sum() ** 2 / (weight**2).sum() * min(1.0, 1 / frame_rate / CORRELATION_S))
    fit = Regressor(calibration)(points[used], weight, independent)
    motion = smooth(fit.motion, time_s[used], frame_rate)
    n = template.n_expression
    motion[:, :n] = motion[:, :n].clip(0, 1)
    pose = motion_to_pose(template, motion)

    # head poses of the fitted points; a frame that cannot be solved is left out
    model = FaceModel(template, embedding=template.landmarks478)
    with torch.no_grad():
        shape = torch.tensor(fit.shape, dtype=torch.float32).expand(len(used), -1)
        places = model(shape, torch.tensor(motion[:, :n], dtype=torch.float32), torch.from_numpy(pose)).numpy()
    stable = template.visible478 & (calibration.rigidity >= np.quantile(calibration.rigidity, STABLE))
    solved, translation = np.zeros(len(used), bool), np.zeros((len(used), 3))
    start = None
    for t in range(len(used)):
        pixels = points[used[t]][stable, :2]
        start = solve_pose(places[t][stable], pixels, camera_matrix, start)
        if start is None:
            start = solve_pose(places[t][stable], pixels, camera_matrix)
        if start is not None:
            pose[t, 0], translation[t] = head_pose(start)
            solved[t] = True
    kept = used[solved]
    heads = smooth(np.concatenate([pose[solved, 0], translation[solved]], 1), time_s[kept], frame_rate)
    pose[solved, 0], translation[solved] = heads[:, :3], heads[:, 3:]

    def scatter(values: np.ndarray) -> np.ndarray:
        out = np.zeros((len(valid), *values.shape[1:]))
        out[kept] = values[solved]
        return out

    left = np.zeros(len(valid), bool)
    left[kept] = True
    return SequenceFit(
        fit.shape, fit.shape_sd, scatter(motion[:, :n]), fit.motion_sd[:n], scatter(pose), scatter(translation), left
    )


def smooth(tracks: np.ndarray, time_s: np.ndarray, frame_rate: float) -> np.ndarray:
    """Tracks (T, N) without the detector's tremble: a local quadratic over `SMOOTH_S` seconds, which has no lag (Savitzky
    and Golay 1964) and keeps a blink's peak; runs of frames are smoothed each by itself.
    """
    out = tracks.copy()
    width = 2 * int(SMOOTH_S * frame_rate / 2) + 1
    if width < 5:
        return out
    for run in np.split(np.arange(len(tracks)), np.flatnonzero(np.diff(time_s) > 1.5 / frame_rate) + 1):
        if len(run) >= width:
            out[run] = savgol_filter(tracks[run], width, 2, axis=0)
    return out
