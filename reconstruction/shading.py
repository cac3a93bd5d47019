"""Light on skin: spherical harmonics of low order, and the form behind what fine contrast they do not explain.

Skin at a texel p sends in frame t light whose log is

    log albedo_p + log L_t(n_tp) + s_tp · ∇d_p,    s_tp = -(∂L_t/∂n) / L_t,

since a displacement d along the normal n turns it to n - ∇d, to first order. The light on the coarse form is known,
and what changes slowly over the skin (blushes, tan, errors of the light) is taken out. What is left is fine albedo, the
same under every light and from every side, and fine form, which s makes different as the head turns. Both are estimated
together, by linear least squares with priors: slopes are Gaussian, albedo has a heavy tail (Student's t), so that what
is darker than a slope would be, a mole, is albedo. One height for both slopes of a texel makes the form integrable.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

SLOPE_SD = 0.4  # of skin at wrinkle scale
BEND_SD = 0.3  # per millimetre: how fast slopes change
HEIGHT_SD = 0.25  # millimetres: keeps out form that is coarser than wrinkles
ALBEDO_SD = 0.04  # of its log; more where more of it is found around
NOISE_SD = 0.025  # of one frame's log
STUDENT = 4.0  # degrees of freedom of albedo and noise
MOST_FRAMES = 12.0  # what all frames together count as at most, since their errors are alike
ROUNDS = 5  # of reweighting
DARKEST = 0.25  # of the usual light; less is shadow, where shading says little
STEEPEST = 2.5  # the most that s is believed
_RIDGE = 1e-3 * np.array([0, 1, 1, 1, 10, 10, 10, 10, 10])  # half of the sphere is never seen


def harmonics(normal: np.ndarray) -> np.ndarray:
    """(N, 9) real spherical harmonics up to the second order, without their constants, at unit vectors (N, 3).

    Matt surfaces under any distant light hardly need more (Ramamoorthi and Hanrahan 2001; Basri and Jacobs 2003).
    """
    x, y, z = normal.T
    return np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, 3 * z * z - 1, x * x - y * y], 1)


def slope_of_light(normal: np.ndarray, light: np.ndarray) -> np.ndarray:
    """(N, 3) the derivative of ``harmonics(normal) @ light`` by the normal, along the surface."""
    x, y, z = normal.T
    _, lx, ly, lz, xy, xz, yz, zz, xx = light
    by = np.stack(
        [lx + xy * y + xz * z + 2 * xx * x, ly + xy * x + yz * z - 2 * xx * y, lz + xz * x + yz * y + 6 * zz * z], 1
    )
    return by - (by * normal).sum(1, keepdims=True) * normal


def fit_light(normal: np.ndarray, brightness: np.ndarray, albedo: np.ndarray) -> np.ndarray:
    """(9,) the light on N texels of known normal (N, 3), linear brightness (N,) and albedo (N,).

    Robust by reweighting (Huber): shadows, gloss and hair are no light.
    """
    basis = harmonics(normal) * albedo[:, None]
    weight = np.ones(len(brightness))
    for _ in range(6):
        matrix = basis.T @ (basis * weight[:, None])
        light = np.linalg.solve(matrix + np.diag(_RIDGE) * matrix[0, 0], basis.T @ (brightness * weight))
        rest = np.abs(brightness - basis @ light)
        weight = 1 / np.maximum(rest / (1.5 * np.median(rest) + 1e-9), 1)
    return light


def sensitivity(normal: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The light L (N,), kept from the darkness of shadows, and s (N, 3): what a slope adds to its log."""
    shade = harmonics(normal) @ light
    shade = np.maximum(shade, max(DARKEST * float(np.median(shade)), 1e-3))
    s = -slope_of_light(normal, light) / shade[:, None]
    return shade, s * np.minimum(1, STEEPEST / np.maximum(np.linalg.norm(s, axis=1), 1e-6))[:, None]


@dataclass(frozen=True)
class Lattice:
    """Differences between the M texels inside a grid.

    to_next_column, to_next_row : (M, M) sparse, per texel, central where both neighbours are inside
    bends : (K, M) sparse, second differences per square millimetre, times the root of the texel's area
    metric : (M, 2, 2) per square millimetre; those differences to the squared slope of a height in millimetres
    area : (M,) square millimetres
    """

    to_next_column: sparse.csr_matrix
    to_next_row: sparse.csr_matrix
    bends: sparse.csr_matrix
    metric: np.ndarray
    area: np.ndarray


def make_lattice(inside: np.ndarray, metric: np.ndarray) -> Lattice:
    """inside : (H, W) bool, its M texels row by row; metric : (M, 2, 2), see `Lattice`."""
    number = np.full(np.add(inside.shape, 2), -1)
    number[1:-1, 1:-1][inside] = own = np.arange(inside.sum())
    area = 1 / np.sqrt(np.linalg.det(metric))
    size = np.sqrt(np.diagonal(np.linalg.inv(metric), axis1=1, axis2=2))
    slopes, bends = [], []
    for way, axis in enumerate((1, 0)):
        before, after = (np.roll(number, shift, axis)[1:-1, 1:-1][inside] for shift in (1, -1))
        left, right = np.where(before < 0, own, before), np.where(after < 0, own, after)
        span = 1.0 / np.maximum((before >= 0).astype(int) + (after >= 0), 1)
        slopes.append(_matrix(len(own), [(own, right, span), (own, left, -span)]))
        row = own[(before >= 0) & (after >= 0)]
        scale = np.sqrt(area[row]) / size[row, way] ** 2
        bends.append(_matrix(len(own), [(row, before[row], scale), (row, row, -2 * scale), (row, after[row], scale)]))
    return Lattice(slopes[0], slopes[1], sparse.vstack(bends).tocsr(), metric, area)


def _matrix(m: int, entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> sparse.csr_matrix:
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    return sparse.csr_matrix((value, (row, column)), (m, m))


def solve_form(
    contrast: np.ndarray,
    across: np.ndarray,
    down: np.ndarray,
    weight: np.ndarray,
    lattice: Lattice,
    around: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Displacement, millimetres, and confidence, each (M,), from the fine contrast of T frames.

    contrast : (T, M) of the log
    across, down : (T, M) by how much contrast rises where the next column, the next row is a millimetre higher
    weight : (T, M) 0 unseen to 1
    around : the mean round every texel of values (M,)

    Confidence is the share of the prior's variance of slopes that the frames take away, 0 to 1: at most half where one
    light that never changes shows slopes in one direction only.
    """
    weight = weight * np.minimum(1, MOST_FRAMES / np.maximum(weight.sum(0), 1e-9)) / NOISE_SD**2
    columns, rows, area = lattice.to_next_column, lattice.to_next_row, lattice.area
    prior_uu, prior_uv, prior_vv = (lattice.metric[:, i, j] / SLOPE_SD**2 for i, j in ((0, 0), (0, 1), (1, 1)))
    prior = lattice.bends.T @ lattice.bends / BEND_SD**2 + sparse.diags(area / HEIGHT_SD**2)
    height, robust = np.zeros(contrast.shape[1]), np.ones_like(contrast)
    albedo = (weight * contrast).sum(0) / np.maximum(weight.sum(0), 1e-9)  # first guess: all of it
    for _ in range(ROUNDS):
        usual = np.maximum(ALBEDO_SD**2, around(albedo**2))  # among stubble and freckles the next spot is albedo too
        by_albedo = (STUDENT + 1) / (STUDENT * usual + albedo**2)
        w = weight * robust
        total = w.sum(0) + by_albedo
        c, u, v = ((w * x).sum(0) / total for x in (contrast, across, down))
        # albedo eliminated: what the means over frames can explain is its own
        uu, uv, vv, uc, vc = (
            (w * x * y).sum(0) - total * a * b
            for x, y, a, b in (
                (across, across, u, u), (across, down, u, v), (down, down, v, v),
                (across, contrast, u, c), (down, contrast, v, c),
            )
        )  # fmt: skip
        mixed = columns.T @ sparse.diags(area * (uv + prior_uv)) @ rows
        matrix = (
            columns.T @ sparse.diags(area * (uu + prior_uu)) @ columns
            + rows.T @ sparse.diags(area * (vv + prior_vv)) @ rows
            + mixed + mixed.T + prior
        ).tocsr()  # fmt: skip
        right = columns.T @ (area * uc) + rows.T @ (area * vc)
        height, _ = cg(matrix, right, height, rtol=1e-4, maxiter=1000, M=sparse.diags(1 / matrix.diagonal()))
        du, dv = columns @ height, rows @ height
        albedo = c - u * du - v * dv
        left = contrast - albedo - across * du - down * dv
        robust = (STUDENT + 1) / (STUDENT + (left / NOISE_SD) ** 2)
    pu, pv, puv = uu + prior_uu, vv + prior_vv, uv + prior_uv
    known = (uu * pv + vv * pu - 2 * uv * puv) / np.maximum(pu * pv - puv**2, 1e-12)  # trace of data / (data + prior)
    return height, np.clip(known / 2, 0, 1)
