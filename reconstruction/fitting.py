"""A whole recording at once: one identity, and expression, jaw, gaze and head pose per frame.

First the linear Gaussian model of `calibration` is inverted in closed form for all frames together, so that the identity
rests on every frame and a frame's expression on what differs from the person's own mean. Then the head pose of every
frame is refined by robust Gauss-Newton on the reprojection of the fitted mesh's landmarks.
"""

from dataclasses import dataclass

import numpy as np

from reconstruction.calibration import Calibration, align, pose_features

CORRELATION_S = 0.4  # seconds over which an expression resembles itself: frames closer are not independent evidence


@dataclass(frozen=True)
class Parameters:
    """shape (S,), shape_sd (S,), motion (T, M), motion_sd (M,): posterior means and standard deviations."""

    shape: np.ndarray
    shape_sd: np.ndarray
    motion: np.ndarray
    motion_sd: np.ndarray


class LinearFit:
    """Aligned detector points of one recording to shape and motion, by the posterior mean of the calibrated model.

    With ȳ the weighted mean over frames and n the number of independent frames, all centred on the calibration's mean,

        shape  | ȳ       = A_s' (A_s A_s' + B + (A_x C A_x' + R)/n)^-1 ȳ
        motion | y_t, ȳ  = mean + C A_x' (A_x C A_x' + R)^-1 (y_t - ȳ) + C/n A_x' (A_s A_s' + B + (A_x C A_x' + R)/n)^-1 ȳ
    """

    def __init__(self, calibration: Calibration):
        self.calibration = c = calibration
        self._moving = c.motion_effect @ c.motion_covariance @ c.motion_effect.T + c.within
        self._gain = np.linalg.solve(self._moving, c.motion_effect @ c.motion_covariance).T
        self._standing = c.shape_effect @ c.shape_effect.T + c.between

    def components(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(T, 478, 3) pixels to (T, D) centred components without the head pose's influence, and (T, 3, 3) rotations."""
        c = self.calibration
        aligned, rotation = align(points, c.canonical, c.rigidity)
        y = (aligned.reshape(len(aligned), -1) - c.mean) @ c.basis
        return y - pose_features(rotation) @ c.pose_effect.T, rotation

    def __call__(self, points: np.ndarray, weight: np.ndarray, frames_apart: float) -> Parameters:
        """Fit one recording.

        points : (T, 478, 3) pixels of the valid frames; weight : (T,) quality; frames_apart : seconds between frames
        """
        c = self.calibration
        y, _ = self.components(points)
        share = weight / weight.sum()
        mean = share @ y
        effective = 1 / (share**2).sum()
        n = max(1.0, effective * min(1.0, frames_apart / CORRELATION_S))
        total = self._standing + self._moving / n
        whitened = np.linalg.solve(total, np.column_stack([mean, c.shape_effect, c.motion_effect]))
        n_shape = c.shape_effect.shape[1]
        shape = c.shape_effect.T @ whitened[:, 0]
        shape_sd = np.sqrt(np.clip(1 - np.einsum("ds,ds->s", c.shape_effect, whitened[:, 1 : 1 + n_shape]), 0, 1))
        baseline = c.motion_covariance @ c.motion_effect.T @ whitened[:, 0] / n
        motion = c.motion_mean + baseline + (y - mean) @ self._gain.T
        left = c.motion_covariance - self._gain @ c.motion_effect @ c.motion_covariance
        return Parameters(shape, shape_sd, motion, np.sqrt(np.clip(np.diag(left), 0, None)))
