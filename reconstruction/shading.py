"""Light on skin: low-order spherical harmonics, what of a face's fine contrast they explain, and the form behind it.

The log of the light that a texel p of skin sends in frame t is

    r_tp = albedo_p + log L_t(n_tp) + s_tp · ∇d_p,    s_tp = -∂L_t/∂n / L_t,

since a displacement d along the normal n turns it to n - ∇d, to first order. What changes slowly over the skin (light on
the coarse form, blushes, tan) is taken out of r. What is left is fine albedo, the same under every light and from every
side, and fine form, which s makes different as the head turns. Both are estimated together, by least squares
with priors: slopes are Gaussian, albedo heavy-tailed (Student's t), so that what is too dark for a slope, a mole, is albedo.
"""

from dataclasses import dataclass

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

SLOPE_SD = 0.3
BEND_SD = 0.25
HEIGHT_SD = 0.3
ALBEDO_SD = 0.05
NOISE_SD = 0.025
STUDENT = 4.0  # degrees of freedom of albedo and noise
MOST_FRAMES = 12.0
ROUNDS = 5  # of reweighting
_RIDGE = np.array([0, 1e-3, 1e-3, 1e-3, 1e-2, 1e-2, 1e-2, 1e-2, 1e-2])  # half the sphere is never seen


def harmonics(normal: np.ndarray) -> np.ndarray:
    """(N, 9) real spherical harmonics up to the second order, without their constants, at unit vectors (N, 3).

    Matt surfaces under any distant light hardly need more (Ramamoorthi and Hanrahan 2001; Basri and Jacobs 2003).
    """
    x, y, z = normal.T
    return np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, 3 * z * z - 1, x * x - y * y], 1)


def slope_of_light(normal: np.ndarray, light: np.ndarray) -> np.ndarray:
    """(N, 3) the derivative of ``harmonics(normal) @ light`` by the normal, along the surface."""
    x, y, z = normal.T
    _, a, b, c, xy, xz, yz, zz, xx = light
    by = np.stack(
        [a + xy * y + xz * z + 2 * xx * x, b + xy * x + yz * z - 2 * xx * y, c + xz * x + yz * y + 6 * zz * z], 1
    )
    return by - (by * normal).sum(1, keepdims=True) * normal


def fit_light(normal: np.ndarray, brightness: np.ndarray, albedo: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(9,) light on M texels of known normal (M, 3), linear brightness (M,) and albedo (M,), where `seen` (M,) bool.

    Robust by reweighting (Huber): shadows, gloss and hair are no light.
    """
    basis = harmonics(normal[seen]) * albedo[seen, None]
    target = brightness[seen]
    weight = np.ones(len(target))
    for _ in range(6):
        matrix = basis.T @ (basis * weight[:, None])
        light = np.linalg.solve(matrix + np.diag(_RIDGE) * matrix[0, 0], basis.T @ (target * weight))
        rest = np.abs(target - basis @ light)
        weight = 1 / np.maximum(rest / (1.5 * np.median(rest) + 1e-9), 1)
    return light


@dataclass(frozen=True)
class Lattice:
    """Differences between the M texels inside a grid.

    to_next_column, to_next_row : (M, M) sparse, central where both neighbours are inside
    bends : (K, M) sparse, second differences, per millimetre
    size : (M, 2) millimetres of a texel; area : (M,) square millimetres
    """

    to_next_column: sparse.csr_matrix
    to_next_row: sparse.csr_matrix
    bends: sparse.csr_matrix
    size: np.ndarray
    area: np.ndarray


def make_lattice(inside: np.ndarray, size: np.ndarray, area: np.ndarray) -> Lattice:
    """inside : (H, W) bool; size : (M, 2) and area : (M,) of a texel, millimetres."""
    number = np.full(np.add(inside.shape, 2), -1)
    number[1:-1, 1:-1][inside] = np.arange(inside.sum())
    own = number[1:-1, 1:-1][inside]
    m = len(own)
    slopes, bends = [], []
    for axis in (1, 0):
        before, after = (np.roll(number, shift, axis)[1:-1, 1:-1][inside] for shift in (1, -1))
        left, right = np.where(before < 0, own, before), np.where(after < 0, own, after)
        span = 1 / np.maximum((before >= 0).astype(float) + (after >= 0), 1)
        slopes.append(_matrix(m, [(own, right, span), (own, left, -span)]))
        both = (before >= 0) & (after >= 0)
        scale = np.sqrt(area[both]) / size[both, 1 - axis] ** 2
        row = own[both]
        bends.append(_matrix(m, [(row, before[both], scale), (row, own[both], -2 * scale), (row, after[both], scale)]))
    return Lattice(slopes[0], slopes[1], sparse.vstack(bends).tocsr(), size, area)


def _matrix(m: int, entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> sparse.csr_matrix:
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    return sparse.csr_matrix((value, (row, column)), (m, m))


def solve_form(
    contrast: np.ndarray, across: np.ndarray, down: np.ndarray, weight: np.ndarray, lattice: Lattice, metric: np.ndarray,
    around: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Displacement, millimetres, albedo and confidence, each (M,), from T frames' fine contrast.

    contrast : (T, M) log, what changes slowly taken out
    across, down : (T, M) by how much contrast rises where the next column, the next row is a millimetre higher
    weight : (T, M) 0 unseen to 1
    metric : (M, 2, 2) per square millimetre, squared slope from those differences

    Confidence is the share of the prior's slope variance that the frames take away, 0 to 1: half where one direction of
    light lights one direction of slopes.
    """
    weight = weight * np.minimum(1, MOST_FRAMES / np.maximum(weight.sum(0), 1e-9)) / NOISE_SD**2
    of_slope = metric / SLOPE_SD**2
    area = lattice.area
    columns, rows = lattice.to_next_column, lattice.to_next_row
    rest_of = lattice.bends.T @ lattice.bends / BEND_SD**2 + sparse.diags(area / HEIGHT_SD**2)
    albedo, height = np.zeros(contrast.shape[1]), np.zeros(contrast.shape[1])
    robust = np.ones_like(contrast)
    by_albedo = np.full(len(albedo), ALBEDO_SD**-2)
    for _ in range(ROUNDS):
        w = weight * robust
        # albedo eliminated: weighted means over frames are taken out of contrast and slopes
        total = w.sum(0) + by_albedo
        mean = [(w * x).sum(0) / total for x in (contrast, across, down)]
        uu, uv, vv = (
            (w * x * y).sum(0) - total * a * b
            for x, y, a, b in ((across, across, mean[1], mean[1]), (across, down, mean[1], mean[2]), (down, down, mean[2], mean[2]))
        )
        bu, bv = ((w * x * contrast).sum(0) - total * a * mean[0] for x, a in ((across, mean[1]), (down, mean[2])))
        pu, puv, pv = uu + of_slope[:, 0, 0], uv + of_slope[:, 0, 1], vv + of_slope[:, 1, 1]
        cross = columns.T @ sparse.diags(area * puv) @ rows
        matrix = (
            columns.T @ sparse.diags(area * pu) @ columns + rows.T @ sparse.diags(area * pv) @ rows + cross + cross.T + rest_of
        )
        right = columns.T @ (area * bu) + rows.T @ (area * bv)
        matrix = matrix.tocsr()
        import time; a=time.time()
        its=[0]
        def cb(x): its[0]+=1
        height, _ = cg(matrix, right, height, rtol=1e-4, maxiter=1000, M=sparse.diags(1 / matrix.diagonal()), callback=cb)
        du, dv = columns @ height, rows @ height
        albedo = mean[0] - mean[1] * du - mean[2] * dv
        left = contrast - albedo - across * du - down * dv
        robust = (STUDENT + 1) / (STUDENT + (left / NOISE_SD) ** 2)
        by_albedo = (STUDENT + 1) / (STUDENT * np.maximum(ALBEDO_SD**2, around(albedo**2)) + albedo**2)
    determinant = np.maximum(pu * pv - puv**2, 1e-12)
    known = (uu * pv + vv * pu - 2 * uv * puv) / determinant
    return height, albedo, np.clip(known / 2, 0, 1)
