"""Many small least-squares problems within bounds at once."""

import torch
from torch import Tensor

GUESSES = 40  # of which bounds are met
SWEEPS, ENOUGH = 300, 1e-7


def box_least_squares(left: Tensor, right: Tensor, start: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """(B, M) the x within `low` and `high` (M,) that make x^T left x / 2 - right^T x least, for left (B, M, M) positive
    definite and right (B, M): by the primal-dual active set strategy (Hintermueller, Ito and Kunisch 2002); where that
    has not ended, by coordinate descent (Hildreth 1957), which always ends at the one solution.

    start : (B, M), a guess
    """
    x, scale = start.clamp(low, high), left.diagonal(dim1=1, dim2=2)
    met = torch.zeros_like(x, dtype=torch.int8)
    done = torch.zeros(len(x), dtype=torch.bool)
    for _ in range(GUESSES):
        todo = ~done
        pull = right[todo] - (left[todo] @ x[todo][..., None])[..., 0]
        above = pull + scale[todo] * (x[todo] - high) > 0
        below = pull + scale[todo] * (x[todo] - low) < 0
        now = above.to(torch.int8) - below.to(torch.int8)
        same = (now == met[todo]).all(1)
        x[todo] = _with_bounds(left[todo], right[todo], above, below, low, high)
        met[todo] = now
        done[todo] = same & ((x[todo] >= low - ENOUGH) & (x[todo] <= high + ENOUGH)).all(1)
        if done.all():
            return x.clamp(low, high)
    x[~done] = _descent(left[~done], right[~done], x[~done].clamp(low, high), low, high)
    return x.clamp(low, high)


def _with_bounds(left: Tensor, right: Tensor, above: Tensor, below: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The solution with those coefficients at their bounds, the others free."""
    bound = above | below
    fixed = torch.where(above, high, torch.where(below, low, torch.zeros_like(low)))
    free = (~bound).to(left)
    matrix = left * free[:, :, None] * free[:, None] + torch.diag_embed(bound.to(left))
    goal = torch.where(bound, fixed, right - (left @ fixed[..., None])[..., 0])
    return torch.linalg.solve(matrix, goal)


def _descent(left: Tensor, right: Tensor, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    gradient, scale = (left @ x[..., None])[..., 0] - right, left.diagonal(dim1=1, dim2=2)
    for _ in range(SWEEPS):
        largest = 0.0
        for k in range(x.shape[1]):
            step = (x[:, k] - gradient[:, k] / scale[:, k]).clamp(low[k], high[k]) - x[:, k]
            x[:, k] += step
            gradient += step[:, None] * left[:, :, k]
            largest = max(largest, float(step.abs().max()))
        if largest < ENOUGH:
            break
    return x
