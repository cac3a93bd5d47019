"""Filmed people, and what they tell about the offsets of skin."""

import numpy as np
import pytest
import torch

from reconstruction.appearance import Follower, key_frames
from reconstruction.calibration import load_calibration
from reconstruction.camera import project
from reconstruction.films import film_people, moving, turning
from reconstruction.skin_noise import UNSEEN, skin_distances, skin_sd

FRAMES = 24


@pytest.fixture(scope="module")
def film(template):
    return next(film_people(template, 1, FRAMES, seed=8))


def test_a_film_shows_one_person_in_one_place(film):
    assert film.found.all()
    assert len(film.greys) == FRAMES
    corner = np.array([grey[:20, :20].mean() for grey in film.greys])
    assert np.ptp(corner) < 3, "background and exposure stay"
    assert film.camera_matrix.shape == (3, 3)
    assert np.ptp(film.motion, axis=0).max() > 0.2
    assert np.ptp(film.points[:, 1, 0]) > 3, "the head moves, in pixels"


def test_films_are_the_same_for_a_seed(template, film):
    again = next(film_people(template, 1, 2, seed=8))
    np.testing.assert_array_equal(again.shape, film.shape)
    other = next(film_people(template, 1, 2, seed=9))
    assert np.abs(other.shape - film.shape).max() > 0.5


def test_movement_is_smooth_within_bounds_and_both_sides_keep_time(template):
    rng = np.random.default_rng(0)
    motion = moving(template, 200, rng)
    expression = motion[:, : template.n_expression]
    assert expression.min() >= 0
    assert expression.max() <= 1
    assert np.abs(np.diff(motion, axis=0)).max() < 0.2
    names = template.expression_names
    left, right = (expression[:, names.index(f"mouthSmile{side}")] for side in ("Left", "Right"))
    if np.ptp(left) and np.ptp(right):
        assert abs(int(left.argmax()) - int(right.argmax())) <= 20
    _, poses = turning(template, 200, rng)
    steps = poses[1:, :3, :3] @ poses[:-1, :3, :3].transpose(0, 2, 1)
    angle = np.arccos(((np.trace(steps, axis1=1, axis2=2) - 1) / 2).clip(-1, 1))
    assert np.degrees(angle).max() < 3


def test_the_noise_put_into_the_offsets_is_learnt(template, film, monkeypatch):
    """Offsets that are right but for known noise, wild at some places: that comes out, a constant slip does not."""
    metres, slip = 0.0005, 0.002

    def offsets(self, look, skin):
        rng = np.random.default_rng(1)
        frames = np.arange(FRAMES) if len(look.pixels) == FRAMES else key_frames(FRAMES)
        motion = torch.tensor(film.motion[frames]).float()
        with torch.no_grad():
            true = self.points.points(torch.tensor(film.shape).float(), motion).numpy()
        pixels = []
        for points, pose in zip(true, film.camera_from_head[frames], strict=True):
            to_pixels = film.camera_matrix[0, 0] / pose[2, 3]
            noise = rng.normal(0, metres, (len(points), 2)) + slip
            wild = rng.uniform(size=len(points)) < 0.1
            pixels.append(project(points, film.camera_matrix, pose) + (noise + wild[:, None] * 0.01) * to_pixels)
        offset = np.array(pixels) - look.pixels.reshape(len(frames), -1, 2)[:, self.samples]
        seen = torch.ones(offset.shape[:2], dtype=torch.bool)
        return torch.from_numpy(offset).float(), torch.zeros(*offset.shape, 2), seen

    monkeypatch.setattr(Follower, "offsets", offsets)
    sd = skin_sd(skin_distances(template, load_calibration(template), [film]))
    known = sd < UNSEEN
    assert known.sum() > 300
    assert np.median(sd[known]) == pytest.approx(metres, rel=0.25)


def test_without_films_nothing_is_trusted(template):
    assert (skin_sd(skin_distances(template, load_calibration(template), [])) == UNSEEN).all()
