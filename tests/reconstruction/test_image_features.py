"""The face crop, and what the network says of it."""

import cv2
import numpy as np
import pytest

from reconstruction.calibration import load_calibration, save_calibration
from reconstruction.errors import InputError
from reconstruction.films import film_people
from reconstruction.image_features import SIDE, crop, image_features, network_name
from reconstruction.motion import motion_names
from reconstruction.photographer import render_people

EYES = {33: (-45, 0), 133: (-16, 0), 362: (16, 0), 263: (45, 0)}  # corners, pixels of an upright face


@pytest.fixture(scope="module")
def drawing():
    """(400, 400, 3) uint8 and points (478, 3) of something whose eyes lie at (200, 180)."""
    picture = np.full((400, 400, 3), 120, np.uint8)
    for x, y, radius, grey in ((200, 180, 20, 250), (170, 260, 15, 20), (240, 240, 25, 60), (200, 130, 10, 0)):
        cv2.circle(picture, (x, y), radius, (grey,) * 3, -1)
    points = np.zeros((478, 3), np.float32)
    for i, place in EYES.items():
        points[i, :2] = np.add((200, 180), place)
    return picture, points


@pytest.mark.parametrize(("degrees", "scale"), [(0, 0.5), (0, 2.0), (25, 1.0), (-40, 1.3), (15, 3.0)])
def test_a_crop_is_upright_and_of_one_size(drawing, degrees, scale):
    picture, points = drawing
    matrix = cv2.getRotationMatrix2D((200, 180), degrees, scale)
    matrix[:, 2] += np.array([600, 600]) - (200, 180)
    moved = cv2.warpAffine(picture, matrix, (1200, 1200), borderValue=(120,) * 3, flags=cv2.INTER_AREA)
    there = points.copy()
    for i in EYES:
        there[i, :2] = matrix @ [*points[i, :2], 1]
    straight, turned = crop(picture, points).astype(float), crop(moved, there).astype(float)
    assert straight.shape == (SIDE, SIDE)
    assert np.corrcoef(straight.ravel(), turned.ravel())[0, 1] > 0.97
    assert np.abs(straight - turned).mean() < 6


def test_a_head_that_turns_keeps_its_size(drawing):
    picture, points = drawing
    turned = points.copy()
    for i, (x, _) in EYES.items():
        turned[i, 0], turned[i, 2] = 200 + x * np.cos(0.7), x * np.sin(0.7)
    np.testing.assert_array_equal(crop(picture, points), crop(picture, turned))


def test_a_face_beyond_the_picture_gives_an_empty_crop(drawing):
    picture, points = drawing
    assert (crop(picture, points + np.array([2000, 0, 0])) == 0).all()
    assert crop(picture, points - np.array([150, 150, 0])).shape == (SIDE, SIDE), "half of it is there"


def test_features_are_the_same_alone_and_together_and_in_other_light():
    crops = np.random.default_rng(0).integers(60, 190, (40, SIDE, SIDE)).astype(np.uint8)
    crops = np.array([cv2.GaussianBlur(one, (0, 0), 4) for one in crops])
    together = image_features(crops)
    assert together.dtype == np.float32
    np.testing.assert_allclose(image_features(crops, np.array([3, 39])), together[[3, 39]], atol=1e-4)
    brighter = (crops.astype(float) * 1.3 + 10).clip(0, 255).astype(np.uint8)
    assert np.corrcoef(image_features(brighter).ravel(), together.ravel())[0, 1] > 0.95


def test_two_looks_tell_of_a_mirror_image_what_a_mirror_does_to_one_and_err_less(template):
    film = next(film_people(template, people=1, frames=40, seed=78))
    crops, names = film.crops[film.found], motion_names(template)
    straight, flipped = (image_features(np.ascontiguousarray(c), looks=2) for c in (crops, crops[:, :, ::-1]))
    for name, there in (("eyeBlinkLeft", "eyeBlinkRight"), ("mouthLeft", "mouthRight"), ("jaw_x", "jaw_x")):
        i, j = template.n_shape + names.index(name), template.n_shape + names.index(there)
        np.testing.assert_allclose(flipped[:, i], straight[:, j], atol=0.02)
    renders = render_people(template, people=12, frames=5, seed=79)
    r = [
        np.mean([np.corrcoef(x[:, template.n_shape + i], renders.motion[:, i])[0, 1] for i in range(len(names))])
        for x in (renders.features, renders.features_twice)
    ]
    assert r[1] > r[0]


def test_features_tell_open_mouths_and_closed_eyes(template):
    renders = render_people(template, people=12, frames=5, seed=77)
    said = renders.features[:, template.n_shape :]
    for name in ("jaw_x", "eyeBlinkLeft", "eyeBlinkRight"):
        i = motion_names(template).index(name)
        assert np.corrcoef(said[:, i], renders.motion[:, i])[0, 1] > 0.6, name


def test_a_calibration_learnt_with_another_network_is_refused(template, tmp_path):
    calibration = load_calibration(template)
    assert calibration.provenance["image_features"] == network_name()
    calibration.provenance["image_features"] = "0123456789abcdef"
    path = tmp_path / "other.calibration.safetensors"
    save_calibration(calibration, path)
    with pytest.raises(InputError, match="0123456789abcdef; calibrate template atlas-head anew"):
        load_calibration(template, path)
