"""Filmed people reconstructed as a recording is."""

import numpy as np
import pytest

from reconstruction.calibration import load_calibration
from reconstruction.film_trial import try_films
from reconstruction.films import Film
from reconstruction.image_features import crop
from reconstruction.motion import motion_names
from reconstruction.reliability import Reliability
from reconstruction.rendering import Renderer


@pytest.fixture(scope="module")
def film(template, sequence, detect_ideally):
    """`sequence` filmed, its points seen by a detector without fault; the frame left out shows nobody."""
    n = len(sequence)
    motion = np.zeros((n, len(motion_names(template))))
    motion[:, : template.n_expression] = sequence.expression
    motion[:, template.n_expression] = sequence.pose[:, template.joint("jaw"), 0]
    poses, camera_matrix = sequence.camera_from_head.astype(float), sequence.camera_matrix.astype(float)
    poses[~sequence.valid] = poses[0]
    renderer, vertices = Renderer(*sequence.image_size), sequence.vertices(template)
    points = detect_ideally(sequence.shape.astype(float), motion, camera_matrix, poses)
    greys, crops = [], []
    for t in range(n):
        rgb, _ = renderer.render(vertices[t], template.faces, template.colours, camera_matrix, poses[t])
        greys.append(rgb[..., 1].copy())
        crops.append(crop(rgb, points[t]))
    return Film(greys, points, np.array(crops), sequence.valid.copy(), sequence.shape, motion, camera_matrix, poses)


def test_both_stages_recover_what_was_filmed(template, film):
    tried = try_films(template, load_calibration(template), [film], first=7)
    assert (tried.person == 7).all()
    assert len(tried.person) == film.found.sum(), "the frame without a face is left out"
    np.testing.assert_array_equal(tried.true, film.motion[film.found])
    names = motion_names(template)
    smile = np.isin(names, ["mouthSmileLeft", "mouthSmileRight"])
    for course in (tried.fast, tried.full):
        assert np.corrcoef(course @ smile, tried.true @ smile)[0, 1] > 0.7
    assert np.abs(tried.fast - tried.full).max() > 1e-3, "the stages differ"


def test_a_film_in_which_nobody_is_found_is_left_out(template, film):
    nobody = Film(**{**vars(film), "found": np.zeros(len(film.greys), bool)})
    tried = try_films(template, load_calibration(template), [nobody])
    assert tried.true.shape == (0, len(motion_names(template)))
    assert Reliability.join([tried, tried]).people == 0


def test_a_film_is_iterated_as_a_recording_is(film):
    for _ in range(2):
        assert [(i, grey is film.greys[i]) for i, _, grey in film] == [(i, True) for i in range(len(film.greys))]
