"""Pictures drawn onto the chart."""

import numpy as np
import pytest
import torch

from reconstruction.camera import camera_from_head, default_camera_matrix
from reconstruction.chart import HEIGHT, WIDTH
from reconstruction.drawing import Canvas
from reconstruction.motion import motion_names
from reconstruction.projection import View
from reconstruction.texture import COLUMNS, ROWS

SIZE = 1024
CAMERA = torch.from_numpy(default_camera_matrix(SIZE, SIZE, 1500)).float()


@pytest.fixture(scope="module")
def canvas(template):
    return Canvas(template, (2, 1), torch.zeros(template.n_shape), CAMERA, 0.6)


def placed(template, yaw=0.0, aside=0.0):
    """A neutral face, turned and to the side, metres."""
    pose = torch.from_numpy(camera_from_head(np.array([0, yaw, 0]), np.array([aside, 0, 0.6]))).float()[None]
    return torch.zeros(1, len(motion_names(template))), View(CAMERA, pose[:, :3, :3], pose[:, :3, 3])


@pytest.mark.parametrize("cells", [2, 1])
def test_a_drawing_shows_what_the_picture_shows_there(template, canvas, cells):
    ramp = np.broadcast_to(np.linspace(0, 255, SIZE), (SIZE, SIZE)).round().astype(np.uint8)
    pictures = canvas.pictures([ramp])
    assert pictures.shrunk[cells][0].shape[0] < SIZE, "a cell is several pixels wide"
    look = canvas.look(pictures, *placed(template), cells)
    assert look.drawings.shape == look.seen.shape == (1, HEIGHT // cells, WIDTH // cells)
    every = 4 // cells
    drawn = look.drawings[0].reshape(ROWS, every, COLUMNS, every).astype(float).mean((1, 3))
    seen = look.seen[0].reshape(ROWS, every, COLUMNS, every).all((1, 3))
    assert seen.sum() > 500
    np.testing.assert_allclose(drawn[seen], look.pixels[0, ..., 0][seen] * 255 / (SIZE - 1), atol=2)


def test_skin_turned_away_or_outside_the_picture_is_not_seen(template, canvas):
    pictures = canvas.pictures([np.full((SIZE, SIZE), 120, np.uint8)])
    front, turned, aside = (
        canvas.look(pictures, *placed(template, **where), 1).seen[0] for where in ({}, {"yaw": 0.8}, {"aside": 0.2})
    )
    assert not (front & ~canvas.inside[1]).any()
    right, left = (front & ~turned)[:, : WIDTH // 2].sum(), (front & ~turned)[:, WIDTH // 2 :].sum()
    assert max(right, left) > 10 * min(right, left)
    assert 0 < aside.sum() < 0.7 * front.sum()
