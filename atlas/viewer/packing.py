"""Arrays in a page: quantised to whole numbers and written in base64, and motion in the few directions that are shown.

A packed array is ``{"type", "scale", "data"}``: its values are `scale` times the numbers, little-endian, row by row.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

NEAR_MM = 0.05  # how far a vertex of any face shown may lie from where all directions would put it
LOOKED_AT = 64  # of many faces, those are looked at whose vertices lie farthest off together
Packed = dict[str, Any]


def whole(values: np.ndarray) -> Packed:
    """Whole numbers of zero or more, in as few bytes as hold them."""
    largest = int(values.max(initial=0))
    kind, name = next(
        (kind, name) for kind, name in (("<u1", "uint8"), ("<u2", "uint16"), ("<u4", "uint32"))
        if largest <= np.iinfo(kind).max
    )  # fmt: skip
    return _packed(values.astype(kind), name, 1)


def signed(values: np.ndarray) -> Packed:
    """Real numbers in 16 bits of their largest size; what is not finite becomes zero."""
    known = np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    scale = float(np.abs(known).max(initial=0)) / 32767 or 1.0
    return _packed(np.round(known / scale).astype("<i2"), "int16", scale)


def shares(values: np.ndarray) -> Packed:
    """Numbers of 0 to 1, such as p values, in 16 bits; NaN becomes 1, which as a p value says nothing."""
    known = np.clip(np.nan_to_num(np.asarray(values, np.float64), nan=1.0), 0, 1)
    return _packed(np.round(65535 * known).astype("<u2"), "uint16", 1 / 65535)


def _packed(numbers: np.ndarray, kind: str, scale: float) -> Packed:
    data = base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode("ascii")
    return {"type": kind, "scale": float(f"{scale:.9g}"), "data": data}


@dataclass(frozen=True)
class MotionBasis:
    """R directions that hold all motion that a page shows.

    directions : (R, V, 3) float64, metres
    of_motion : (R, M) float64; coefficients of a motion vector are of_motion @ vector
    """

    directions: np.ndarray
    of_motion: np.ndarray


def motion_basis(directions: np.ndarray, motions: Sequence[np.ndarray]) -> MotionBasis:
    """The fewest principal directions that put every vertex of all `motions`, (n, M) each, within `NEAR_MM`.

    directions : (V, 3, M) metres

    Principal components in the metric of displacement (sums of squares over all vertices), uncentred, so that the
    face without motion stays where it is.
    """
    flat = directions.reshape(-1, directions.shape[2]).astype(np.float64)
    shown = np.concatenate([np.atleast_2d(m) for m in motions])
    values, vectors = np.linalg.eigh(flat.T @ flat)
    kept = values > values.max(initial=0) * 1e-10
    root = vectors[:, kept] * np.sqrt(values[kept])  # displacements have the lengths of x @ root
    back = vectors[:, kept] / np.sqrt(values[kept])
    _, _, axes = np.linalg.svd(shown @ root, full_matrices=False)
    axes *= np.where(axes[np.arange(len(axes)), np.abs(axes).argmax(1)] < 0, -1, 1)[:, None]
    low, high = 1, len(axes)
    while low < high:  # the error falls with every direction
        middle = (low + high) // 2
        rest = shown @ root
        rest -= rest @ axes[:middle].T @ axes[:middle]
        worst = np.argsort((rest**2).sum(1))[-LOOKED_AT:]
        moved = (flat @ (rest[worst] @ back.T).T).reshape(len(flat) // 3, 3, -1)
        if 1000 * np.linalg.norm(moved, axis=1).max() > NEAR_MM:
            low = middle + 1
        else:
            high = middle
    axes = axes[:low]
    basis = (flat @ back @ axes.T).T.reshape(low, -1, 3)
    return MotionBasis(basis, axes @ root.T)
