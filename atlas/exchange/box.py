"""Many small least-squares problems within bounds at once."""

import torch
from torch import Tensor

SWEEPS, ENOUGH = 200, 1e-7


def box_least_squares(left: Tensor, right: Tensor, start: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """(B, M) the x within `low` and `high` (M,) that make x^T left x / 2 - right^T x least, for left (B, M, M) positive
    definite and right (B, M): coordinate descent (Hildreth 1957), which ends at the one solution.

    start : (B, M), a guess. Where no bound is met the solution is that of the linear system.
    """
    free = torch.linalg.solve(left, right[..., None])[..., 0]
    inside = ((free >= low) & (free <= high)).all(1)
    x = torch.where(inside[:, None], free, start.clamp(low, high))
    todo = torch.nonzero(~inside)[:, 0]
    if not len(todo):
        return x
    h, b, y = left[todo], right[todo], x[todo]
    gradient = (h @ y[..., None])[..., 0] - b
    diagonal = h.diagonal(dim1=1, dim2=2)
    for _ in range(SWEEPS):
        largest = 0.0
        for k in range(y.shape[1]):
            step = (y[:, k] - gradient[:, k] / diagonal[:, k]).clamp(low[k], high[k]) - y[:, k]
            y[:, k] += step
            gradient += step[:, None] * h[:, :, k]
            largest = max(largest, float(step.abs().max()))
        if largest < ENOUGH:
            break
    x[todo] = y
    return x
