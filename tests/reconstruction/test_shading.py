"""Light and form from shading, on surfaces whose light and form are known."""

import numpy as np
import pytest

from reconstruction.shading import fit_light, harmonics, make_lattice, sensitivity, slope_of_light, solve_form

SIDE = 40
STEP = 0.8  # millimetres a texel


def half_sphere(n: int, seed: int = 0) -> np.ndarray:
    normal = np.random.default_rng(seed).normal(size=(n, 3))
    normal[:, 2] = -np.abs(normal[:, 2])
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)


def test_slope_of_light_is_the_derivative_along_the_sphere():
    rng = np.random.default_rng(1)
    normal, light = half_sphere(50), rng.normal(size=9)
    tangent = np.cross(normal, rng.normal(size=(50, 3)))
    step = 1e-5 * tangent / np.linalg.norm(tangent, axis=1, keepdims=True)
    ends = [(normal + s) / np.linalg.norm(normal + s, axis=1, keepdims=True) for s in (step, -step)]
    difference = (harmonics(ends[0]) - harmonics(ends[1])) @ light / 2
    np.testing.assert_allclose((slope_of_light(normal, light) * step).sum(1), difference, rtol=1e-4, atol=1e-9)


def test_light_is_found_in_spite_of_shadows():
    normal = half_sphere(2000)
    light = np.array([0.6, -0.2, -0.3, -0.3, 0.05, 0, 0.02, 0.02, 0])
    albedo = np.linspace(0.5, 1, 2000)
    brightness = albedo * (harmonics(normal) @ light)
    brightness[::5] *= 0.3
    found = fit_light(normal, brightness, albedo)
    np.testing.assert_allclose(harmonics(normal) @ found, harmonics(normal) @ light, atol=0.03)


def test_dark_light_gives_no_boundless_slopes():
    shade, slope = sensitivity(half_sphere(500), np.array([0.1, -0.9, 0, 0, 0, 0, 0, 0, 0]))
    assert shade.min() > 0
    assert np.linalg.norm(slope, axis=1).max() <= 2.5 + 1e-9


def ridges() -> np.ndarray:
    """(SIDE, SIDE) millimetres."""
    x = np.arange(SIDE) * STEP
    return 0.2 * np.sin(2 * np.pi * x / 6.4)[None, :] * np.hanning(SIDE)[:, None]


def solve(contrast: np.ndarray, across: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    metric = np.tile(np.eye(2) / STEP**2, (SIDE * SIDE, 1, 1))
    lattice = make_lattice(np.ones((SIDE, SIDE), bool), metric)
    return solve_form(contrast, across, down, np.ones_like(contrast), lattice, lambda x: np.full_like(x, x.mean()))


def frames(turns: np.ndarray, albedo: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """contrast, across and down of frames whose light comes from the angles `turns`, radians."""
    height = ridges()
    du, dv = np.gradient(height, axis=1).ravel(), np.gradient(height, axis=0).ravel()
    across, down = (np.repeat(0.6 * f(turns)[:, None] / STEP, SIDE * SIDE, 1) for f in (np.cos, np.sin))
    noise = np.random.default_rng(2).normal(0, 0.02, (len(turns), SIDE * SIDE))
    return albedo.ravel() + across * du + down * dv + noise, across, down


def test_form_comes_back_and_spots_do_not():
    albedo = np.zeros((SIDE, SIDE))
    rows, columns = np.random.default_rng(3).integers(3, SIDE - 3, (2, 12))
    albedo[rows, columns] = -0.8
    found, confidence = solve(*frames(np.linspace(0, 1, 8), albedo))
    clean, _ = solve(*frames(np.linspace(0, 1, 8), np.zeros_like(albedo)))
    assert np.corrcoef(found, ridges().ravel())[0, 1] > 0.9
    assert np.abs(found - clean).reshape(SIDE, SIDE)[rows, columns].max() < 0.05
    assert confidence.min() >= 0
    assert confidence.max() <= 1


@pytest.mark.parametrize("turns", [np.zeros(8), np.linspace(0, np.pi, 8)])
def test_confidence_tells_one_light_from_many(turns):
    _, confidence = solve(*frames(turns, np.zeros((SIDE, SIDE))))
    assert (np.median(confidence) > 0.6) == (np.ptp(turns) > 0)


def test_what_never_changes_under_changing_light_is_albedo():
    """The same picture of ridges in every frame, while the light goes round: no form."""
    _, across, down = frames(np.linspace(0, 2 * np.pi, 8, endpoint=False), np.zeros((SIDE, SIDE)))
    painted = 0.6 * np.gradient(ridges(), axis=1).ravel() / STEP
    found, _ = solve(painted + np.random.default_rng(4).normal(0, 0.02, across.shape), across, down)
    truth = ridges().ravel()
    assert abs(found @ truth) < 0.05 * (truth @ truth)
