"""Velocities of a recording over a fixed lag, so that recordings of different frame rates compare.

A difference of successive frames is mostly the fit's noise at 60 frames a second and mostly motion at 5. Every velocity
here is therefore the change over `LAG_S` (0.2 s: one frame at Emoface's 5 frames a second, the slowest cohort known,
and shorter than most movements of a face) by the time that passed. Nothing is differentiated across a gap.
"""

from dataclasses import dataclass

import numpy as np

LAG_S = 0.2  # seconds


@dataclass(frozen=True)
class Steps:
    """N pairs of frames `LAG_S` apart with valid frames all the way.

    first, last : (N,) frames; seconds : (N,) between them
    """

    first: np.ndarray
    last: np.ndarray
    seconds: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def velocity(self, course: np.ndarray) -> np.ndarray:
        """(N, ...) change per second of a course (T, ...)."""
        seconds = self.seconds.reshape(-1, *[1] * (course.ndim - 1))
        return (course[self.last] - course[self.first]) / seconds

    def second_moment(self, course: np.ndarray) -> np.ndarray:
        """(M, M) mean of v v^T over the velocities v of a course (T, M); NaN without steps."""
        if not len(self):
            return np.full((course.shape[1], course.shape[1]), np.nan)
        velocity = self.velocity(course)
        return velocity.T @ velocity / len(self)


def lagged_steps(time_s: np.ndarray, valid: np.ndarray, frame_rate: float, lag_s: float = LAG_S) -> Steps:
    """Pairs of frames about `lag_s` apart, every frame from the first to the last valid.

    frame_rate : frames per second; NaN where no time is known: then `time_s` counts frames, steps are from frame to
        frame, and their seconds NaN. Below 3.3 frames a second there are no steps: frames lie more than
        one and a half lags apart.
    """
    known = np.isfinite(frame_rate)
    lag = max(1, round(lag_s * frame_rate)) if known else 1
    if len(time_s) <= lag:
        none = np.zeros(0, int)
        return Steps(none, none, np.zeros(0))
    broken = np.concatenate([[0], np.cumsum(~valid)])
    whole = broken[lag + 1 :] == broken[: -lag - 1]
    elapsed, wanted = time_s[lag:] - time_s[:-lag], lag_s if known else 1.0
    whole &= (elapsed > 0.5 * wanted) & (elapsed < 1.5 * wanted)
    first = np.flatnonzero(whole)
    return Steps(first, first + lag, elapsed[first] if known else np.full(len(first), np.nan))
