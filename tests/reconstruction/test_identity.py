"""Two halves of a clip against other people."""

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.evaluation import identity
from reconstruction.evaluation.identity import compare, score, shape_distance
from reconstruction.video import open_video


def test_distance_ignores_place_and_turn_but_not_size():
    points = np.random.default_rng(0).normal(size=(50, 3))
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    assert shape_distance(points, points @ turn.T + 5) == pytest.approx(0, abs=1e-9)
    assert shape_distance(points, 1.1 * points) > 0.1
    apart = points.copy()
    apart[:2] += [[1, 0, 0], [-1, 0, 0]]
    assert 0.05 < shape_distance(points, apart) <= np.sqrt(2 / 50)


def test_halves_against_people(template):
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(3, 1, template.n_shape)) + 0.1 * rng.normal(size=(3, 2, template.n_shape))
    shapes = template.v_template + np.einsum("vds,chs->chvd", template.shapedirs, coefficients)
    scores = compare(["a", "b", "c"], shapes, template)
    assert scores.between_people.shape == (3,)
    assert scores.ratio == pytest.approx(10, rel=0.5), "people differ ten times as much as their halves"
    skin = 1000 * shapes[:, :, template.part("skin", "lips", "brow", "lid")]
    assert scores.halves[1] == pytest.approx(shape_distance(skin[1, 0], skin[1, 1]))
    assert scores.ratio_of(0) == pytest.approx(np.median(scores.others[0, 1:]) / scores.halves[0])


def test_every_half_is_reconstructed_by_itself(face_video, sequence, template, tmp_path, monkeypatch):
    seen = []

    def stand_in(path, **_):
        seen.append(sum(1 for _ in open_video(path)))
        return replace(sequence, shape=np.float32(len(seen) // 2) + 0.1 * sequence.shape)

    monkeypatch.setattr(identity, "reconstruct", stand_in)
    other = tmp_path / "other.mp4"
    other.write_bytes(face_video.read_bytes())
    scores = score([face_video, other], template, "fast", 0)
    assert seen == [3, 3, 3, 3]
    assert scores.clips == [face_video.name, "other.mp4"]
    assert scores.halves[0] > 0


def test_clips_that_cannot_be_compared(face_video, grey_video, template, tmp_path):
    with pytest.raises(InputError, match="expected clips of two or more people, got 1"):
        score([face_video], template, "fast", 0)
    with pytest.raises(InputError, match=r"grey\.mp4: expected a face"):
        score([grey_video, face_video], template, "fast", 0)
