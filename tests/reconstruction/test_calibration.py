"""The calibration file, and the alignment it rests on."""

from dataclasses import fields, replace

import numpy as np
import pytest

from reconstruction.calibration import LOOKED, align, load_calibration, pose_features, save_calibration
from reconstruction.camera import FACING, rotation_from_axis_angle
from reconstruction.errors import InputError
from reconstruction.motion import motion_names
from reconstruction.reliability import Reliability
from reconstruction.storage import read_arrays, write_arrays


def test_the_embedded_one_belongs_to_the_embedded_template_and_is_sound(template):
    calibration = load_calibration(template)
    names = motion_names(template)
    assert calibration.template_sha256 == template.sha256
    assert calibration.motion_effect.shape[1] == len(names) == len(calibration.reliability)
    assert calibration.shape_effect.shape[1] == template.n_shape
    assert {"detector", "people", "seed"} <= calibration.provenance.keys()
    for name in ("between", "within", "motion_covariance"):
        matrix = getattr(calibration, name)
        scale = np.abs(matrix).max()
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-5 * scale)
        assert np.linalg.eigvalsh((matrix + matrix.T) / 2).min() > -1e-5 * scale
    reliable = dict(zip(names, calibration.reliability, strict=True))
    assert min(reliable[name] for name in ("eyeBlinkLeft", "eyeBlinkRight", "jaw_x", "mouthSmileLeft")) > 0.6
    assert np.abs(calibration.reliability).max() <= 1
    assert calibration.measured is not None
    assert calibration.measured.people >= 40
    for weaker, stronger in zip(*(calibration.measured.every(stage) for stage in ("fast", "full")), strict=True):
        assert weaker.low < stronger.high, "pictures never tell less than landmarks, but for chance"


def test_saved_and_loaded_it_is_the_same_and_the_bytes_are(template, ideal_calibration, tmp_path):
    paths = [tmp_path / name for name in ("a.calibration.safetensors", "b.calibration.safetensors")]
    for path in paths:
        save_calibration(ideal_calibration, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    again = load_calibration(template, paths[0])
    assert again.provenance == ideal_calibration.provenance
    for f in fields(again):
        if f.name not in ("template_sha256", "provenance", "measured", "twice"):
            before = getattr(ideal_calibration, f.name)
            tolerance = 1e-3 if f.name == "basis" else 1e-6
            np.testing.assert_allclose(getattr(again, f.name), before, atol=tolerance * np.abs(before).max(initial=0))


def test_full_looks_twice_where_that_was_learnt(template, ideal_calibration, tmp_path):
    assert ideal_calibration.at("full") is ideal_calibration, "files before version 3"
    twice = {name: 2 * getattr(ideal_calibration, name) for name in LOOKED}
    path = tmp_path / "a.calibration.safetensors"
    save_calibration(replace(ideal_calibration, twice=twice), path)
    again = load_calibration(template, path)
    assert again.at("fast") is again
    full = again.at("full")
    assert (again.looks, full.looks) == (1, 2)
    assert full.at("full") is full
    np.testing.assert_allclose(full.between, 2 * again.between)
    np.testing.assert_array_equal(full.basis, again.basis)
    arrays, header = read_arrays(path, "face-calibration", 3)
    arrays["twice/within"] = arrays["twice/within"][:-1]
    write_arrays(path, "face-calibration", 3, arrays, {k: header[k] for k in ("template_sha256", "provenance")})
    with pytest.raises(InputError, match="twice/within"):
        load_calibration(template, path)


def test_what_the_embedded_one_learnt_of_two_looks_errs_less(template):
    calibration = load_calibration(template)
    once, twice = calibration.reliability, calibration.at("full").reliability
    assert np.mean(twice) > np.mean(once)


def test_what_films_told_is_kept(template, ideal_calibration, tmp_path):
    rng = np.random.default_rng(0)
    size = len(motion_names(template))
    told = Reliability(*rng.uniform(0, 1, (3, 30, size)), np.repeat([0, 2, 7], 10))
    save_calibration(replace(ideal_calibration, measured=told), tmp_path / "a.calibration.safetensors")
    again = load_calibration(template, tmp_path / "a.calibration.safetensors").measured
    np.testing.assert_array_equal(again.person, told.person)
    for name in ("true", "fast", "full"):
        np.testing.assert_allclose(getattr(again, name), getattr(told, name), atol=5e-4)
    np.testing.assert_allclose(again.error_sd("full"), told.error_sd("full"), rtol=1e-3)


def test_a_file_of_version_1_still_reads(template, ideal_calibration, tmp_path):
    """It knew the reliability of landmarks alone."""
    save_calibration(ideal_calibration, tmp_path / "new.calibration.safetensors")
    arrays, header = read_arrays(tmp_path / "new.calibration.safetensors", "face-calibration", 3)
    assert not [name for name in arrays if name.startswith("measured")]
    assert header.pop("version") == 3
    header.pop("kind")
    old = tmp_path / "old.calibration.safetensors"
    write_arrays(old, "face-calibration", 1, arrays, header)
    calibration = load_calibration(template, old)
    assert calibration.measured is None
    np.testing.assert_allclose(calibration.reliability, ideal_calibration.reliability, atol=1e-6)


def test_films_of_another_number_of_parameters_are_refused(template, ideal_calibration, tmp_path):
    odd = Reliability(*np.zeros((3, 4, 7)), np.zeros(4, int))
    save_calibration(replace(ideal_calibration, measured=odd), tmp_path / "a.calibration.safetensors")
    with pytest.raises(InputError, match="'measured/true' of shape \\(4, 50\\)"):
        load_calibration(template, tmp_path / "a.calibration.safetensors")


def test_another_templates_is_refused(template, ideal_calibration, tmp_path):
    path = tmp_path / "a.calibration.safetensors"
    save_calibration(replace(ideal_calibration, template_sha256="0" * 64), path)
    with pytest.raises(InputError, match="it belongs to 00000000; calibrate this template anew"):
        load_calibration(template, path)
    with pytest.raises(InputError, match="none is shipped"):
        load_calibration(replace(template, name="somebody-elses"))


def test_alignment_undoes_place_size_and_turn(template):
    canonical = template.landmarks478(template.v_template).astype(float)
    weights = np.random.default_rng(0).uniform(0.5, 1, 478)
    turns = np.stack([rotation_from_axis_angle(a) for a in ([0.3, -0.5, 0.2], [0, 0.6, 0], [-0.2, 0.1, 3.0])])
    seen = 1500 * canonical @ np.swapaxes(FACING @ turns, 1, 2) + np.array([320, 200, 0])
    aligned, rotation = align(seen, canonical, weights)
    np.testing.assert_allclose(aligned, np.tile(canonical, (3, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(rotation, turns, atol=1e-9)


def test_pose_features_tell_left_from_right_and_nothing_of_roll():
    turns = np.stack([rotation_from_axis_angle(a) for a in ([0, 0.4, 0], [0, -0.4, 0], [0, 0, 1.0], [0.3, 0, 0])])
    left, right, rolled, down = pose_features(turns)
    np.testing.assert_allclose(left * [-1, 1, -1, 1, 1, 1], right, atol=1e-12)
    np.testing.assert_allclose(rolled, 0, atol=1e-12)
    assert down[1] == pytest.approx(0.3)
