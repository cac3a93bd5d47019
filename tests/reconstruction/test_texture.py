"""Textures on the chart: evened, and shifted against one another."""

import cv2
import numpy as np
import pytest

from reconstruction.chart import HEIGHT, WIDTH
from reconstruction.texture import COLUMNS, ROWS, Texture, even_out

EVERYWHERE = np.ones((HEIGHT, WIDTH), bool)


def skin(seed=0):
    grey = cv2.GaussianBlur(np.random.default_rng(seed).uniform(60, 180, (HEIGHT, WIDTH)), (0, 0), 1.5)
    return grey.astype(np.float32)


def shifted(grey, right, down):
    matrix = np.float32([[1, 0, right], [0, 1, down]])
    return cv2.warpAffine(grey, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def test_evening_out_forgets_the_light():
    lit = skin() * np.linspace(0.7, 1.2, WIDTH)
    a, b = (even_out(x, EVERYWHERE) for x in (skin(), lit))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.95
    half = EVERYWHERE.copy()
    half[:, WIDTH // 2 :] = False
    assert not even_out(skin(), half)[:, WIDTH // 2 :].any()


@pytest.mark.parametrize(("right", "down"), [(0, 0), (0.5, -0.3), (-0.8, 0.6)])
def test_a_shift_is_found_in_every_window(right, down):
    offset, _, seen = Texture(skin(), EVERYWHERE).offset(shifted(skin(), right, down), EVERYWHERE)
    assert offset.shape == (ROWS, COLUMNS, 2)
    assert seen.all()
    inner = offset[2:-2, 2:-2].reshape(-1, 2)
    np.testing.assert_allclose(np.median(inner, axis=0), [right, down], atol=0.2)
    assert (inner.std(0) < 0.3).all()


def test_a_coarse_drawing_answers_in_cells_of_the_chart():
    def halved(x):
        return cv2.resize(x, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)

    grey = cv2.GaussianBlur(skin(), (0, 0), 2.0) * 4
    everywhere = np.ones((HEIGHT // 2, WIDTH // 2), bool)
    offset, _, _ = Texture(halved(grey), everywhere).offset(halved(shifted(grey, 1.6, 0)), everywhere)
    assert np.median(offset[..., 0]) == pytest.approx(1.6, abs=0.4)


def test_bare_skin_and_what_is_not_seen_say_nothing():
    bare = np.full((HEIGHT, WIDTH), 120, np.float32)
    offset, _, _ = Texture(bare, EVERYWHERE).offset(skin(1), EVERYWHERE)
    assert np.abs(offset).max() < 0.1
    left = EVERYWHERE.copy()
    left[:, WIDTH // 2 :] = False
    _, _, seen = Texture(skin(), EVERYWHERE).offset(skin(), left)
    assert seen[:, : COLUMNS // 2 - 1].all()
    assert not seen[:, COLUMNS // 2 + 1 :].any()


def test_an_edge_tells_of_what_crosses_it_alone():
    edges = 100 + 40 * np.sin(np.arange(WIDTH) * 0.8) * np.ones((HEIGHT, 1))
    _, unsure, _ = Texture(edges, EVERYWHERE).offset(shifted(edges, 0.5, 0), EVERYWHERE)
    across, _, along = np.median(unsure.reshape(-1, 3), axis=0)
    assert along > 10 * across
