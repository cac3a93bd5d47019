"""A template's expression and jaw fitted to places of its face, many frames at once."""

import numpy as np
import torch
from torch import Tensor

from atlas.exchange.box import box_least_squares
from atlas.exchange.correspondence import INDEPENDENT, Correspondence
from reconstruction.projection import PointModel
from reconstruction.template import Template

NOISE = 0.0002  # metres that a place is unsure
EXPRESSION_SD, JAW_SD = 0.3, 0.2  # prior of a bounded expression, and of the jaw's angles in radians
STEPS = 3  # of Gauss-Newton


class MotionFit:
    """Fits motion (T, M), of `reconstruction.motion`: expressions and the jaw's angles; the eyes' stay as they start.

    shape : (S,) float64, the person's
    neutral : (K, 3) the places at rest, metres, head frame
    """

    def __init__(self, template: Template, places: Correspondence, shape: np.ndarray):
        self.model = PointModel(template, places.target)
        self.shape, self.weights = torch.from_numpy(shape), torch.from_numpy(places.weights)
        n = template.n_expression
        jaw = [n + i for i, (joint, _) in enumerate(self.model.angles) if template.joint_names[joint] == "jaw"]
        self.columns = torch.tensor([*range(n), *jaw])
        limits = (0.0, 1.0, EXPRESSION_SD) if template.bounded else (-np.inf, np.inf, 1.0)
        low, high, sd = (
            torch.tensor([limit] * n + [free] * len(jaw)).double()
            for limit, free in zip(limits, (-np.inf, np.inf, JAW_SD), strict=True)
        )
        self.low, self.high, self.prior = low, high, (sd**-2).diag()
        self.rest = torch.zeros(1, n + len(self.model.angles)).double()
        self.neutral = self.model.points(self.shape, self.rest)[0]

    def __call__(self, goal: Tensor, start: Tensor) -> Tensor:
        """(T, M) the motion whose places are nearest to `goal` (T, K, 3)."""
        motion = start.clone()
        for _ in range(STEPS):
            now, by, _ = self.model.derivatives(self.shape, motion, by_shape=False)
            rows = by[..., self.columns].flatten(1, 2)
            wanted = (goal - now).flatten(1) + (rows @ motion[:, self.columns, None])[..., 0]
            motion[:, self.columns] = self._solve(rows, wanted, motion[:, self.columns])
        return motion

    def squares(self, goal: Tensor, motion: Tensor | None = None) -> Tensor:
        """(T,) square metres between places and `goal`, weighted mean; of places at rest where no motion is given."""
        here = self.neutral if motion is None else self.model.points(self.shape, motion)
        return (goal - here).square().sum(2) @ self.weights

    def reach(self, moved: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How much of other expressions the template can express, and how unsure that makes its own.

        moved : (K, 3, C) how the others' move the places, metres; sd : (C,) their standard errors
        Returns (C,) the share of squared movement, and (E,) standard errors of expressions.
        """
        rows = self.model.derivatives(self.shape, self.rest, by_shape=False)[1][..., self.columns].flatten(1, 2)
        wanted = torch.from_numpy(moved.reshape(-1, moved.shape[2]).T.astype(np.float64))
        every = rows.expand(len(wanted), -1, -1)
        lost = (
            wanted
            - (every @ self._solve(every, wanted, wanted.new_zeros(len(wanted), len(self.columns)))[..., None])[..., 0]
        )
        weights = self.weights.repeat_interleave(3)
        square, rest = wanted.square() @ weights, lost.square() @ weights
        left, weighted = self._system(rows)
        carried = torch.linalg.solve(left[0], weighted[0].mT @ wanted.mT) * torch.from_numpy(sd.astype(np.float64))
        spread = (left[0].inverse().diagonal() + carried.square().sum(1)).sqrt()
        return (1 - rest / square.clamp_min(1e-14)).numpy(), spread[: self.model.n_expression].numpy()

    def _solve(self, rows: Tensor, wanted: Tensor, start: Tensor) -> Tensor:
        left, weighted = self._system(rows)
        return box_least_squares(left, (weighted.mT @ wanted[..., None])[..., 0], start, self.low, self.high)

    def _system(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Normal matrix (T, C, C) and weighted rows (T, 3 K, C)."""
        weighted = rows * (self.weights.repeat_interleave(3) * INDEPENDENT / NOISE**2)[:, None]
        return weighted.mT @ rows + self.prior, weighted
