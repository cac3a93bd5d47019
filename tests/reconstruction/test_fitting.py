"""From a detector's points to parameters, where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.calibration import load_calibration
from reconstruction.camera import axis_angle_from_rotation, camera_from_head, default_camera_matrix
from reconstruction.fitting import Regressor, fit_points, into_box, to_tracks
from reconstruction.motion import motion_names

T, RATE = 50, 25.0
NO_IMAGE = np.zeros((T, 0))
CAMERA = default_camera_matrix(640, 480)


@pytest.fixture(scope="module")
def truth(template, detect_ideally):
    """A person who turns the head, smiles, opens the mouth and blinks once."""
    rng = np.random.default_rng(1)
    names, time = motion_names(template), np.arange(T) / RATE
    motion = np.zeros((T, len(names)))
    for side in ("Left", "Right"):
        motion[:, names.index(f"mouthSmile{side}")] = 0.8 * np.clip(np.sin(3 * time), 0, 1)
        motion[:, names.index(f"eyeBlink{side}")] = np.exp(-0.5 * ((time - 1) / 0.06) ** 2)
    motion[:, names.index("jaw_x")] = 0.12 + 0.12 * np.sin(5 * time)
    heads = np.stack([0.1 * np.sin(2 * time), 0.3 * np.sin(3 * time), 0.05 * np.cos(time)], 1)
    poses = np.stack([camera_from_head(head, [0.02, 0.01, 0.7]) for head in heads])
    shape = rng.normal(size=template.n_shape)
    return {
        "points": detect_ideally(shape, motion, CAMERA, poses), "shape": shape, "motion": motion, "poses": poses,
        "time": time,
    }  # fmt: skip


def fit(template, calibration, truth, valid=None, quality=None):
    ones = np.ones(T, bool)
    valid = ones if valid is None else valid
    quality = valid.astype(float) if quality is None else quality
    found = fit_points(
        template, calibration, truth["points"], NO_IMAGE[valid], valid, quality, RATE, (640, 480), CAMERA
    )
    return found, to_tracks(template, found, truth["time"], RATE)


def angle_between(a, b):
    """Degrees between two (4, 4)."""
    return np.degrees(np.linalg.norm(axis_angle_from_rotation(a[:3, :3] @ b[:3, :3].T)))


def test_a_person_seen_without_fault_is_recovered(template, ideal_calibration, truth):
    found, result = fit(template, ideal_calibration, truth)
    names = motion_names(template)
    assert result.valid.all()
    for pose, translation, true in zip(result.pose[:, 0], result.translation, truth["poses"], strict=True):
        assert angle_between(camera_from_head(pose, translation), true) < 2
        assert np.linalg.norm(translation - true[:3, 3]) < 0.02 * 0.7
    for name, least in (("mouthSmileLeft", 0.98), ("eyeBlinkRight", 0.9)):
        i = names.index(name)
        assert np.corrcoef(result.expression[:, i], truth["motion"][:, i])[0, 1] > least
        assert result.expression[:, i].max() == pytest.approx(truth["motion"][:, i].max(), abs=0.25)
    jaw = result.pose[:, template.joint("jaw"), 0]
    assert np.abs(jaw - truth["motion"][:, names.index("jaw_x")]).max() < 0.06
    assert np.corrcoef(found.shape[:20], truth["shape"][:20])[0, 1] > 0.95
    sd = np.sqrt(np.diag(np.linalg.inv(found.shape_precision)))
    assert (np.abs(found.shape - truth["shape"]) < 4 * sd + 0.3).mean() > 0.8


def test_frames_left_out_are_zero_and_change_nothing_else(template, ideal_calibration, truth):
    valid = np.ones(T, bool)
    valid[20:25] = False
    spoilt = {**truth, "points": truth["points"].copy()}
    spoilt["points"][20:25] = np.random.default_rng(0).uniform(0, 400, (5, 478, 3))
    (found, result), (found_clean, clean) = (fit(template, ideal_calibration, t, valid) for t in (spoilt, truth))
    np.testing.assert_array_equal(result.valid, valid)
    for name in ("expression", "pose", "translation"):
        values = getattr(result, name)
        assert not values[~valid].any()
        np.testing.assert_array_equal(values, getattr(clean, name))
    np.testing.assert_array_equal(found.shape, found_clean.shape)


def test_weights_are_relative_and_bad_frames_count_less(template, ideal_calibration, truth):
    whole, _ = fit(template, ideal_calibration, truth)
    half, _ = fit(template, ideal_calibration, truth, quality=np.full(T, 0.5))
    np.testing.assert_allclose(half.shape, whole.shape, atol=1e-9)
    spoilt = {**truth, "points": truth["points"].copy()}
    spoilt["points"][:10, 200:] += 15
    quality = np.where(np.arange(T) < 10, 0.02, 1.0)
    errors = [
        np.abs(fit(template, ideal_calibration, spoilt, quality=q)[0].shape - truth["shape"])[:20].mean()
        for q in (quality, None)
    ]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("which", ["embedded", "ideal"])
def test_expressions_lie_between_0_and_1_whatever_the_points(template, ideal_calibration, truth, which):
    calibration = ideal_calibration if which == "ideal" else load_calibration(template)
    wild = truth["points"] + np.random.default_rng(0).normal(0, 8, truth["points"].shape)
    features = np.random.default_rng(1).normal(0, 3, (T, len(calibration.feature_mean)))
    result = Regressor(calibration)(wild, features, np.ones(T), 5.0)
    expression = result.motion[:, : template.n_expression]
    assert expression.min() >= 0
    assert expression.max() <= 1
    assert np.isfinite(result.shape).all()
    assert np.linalg.eigvalsh(result.shape_precision).min() >= 1 - 1e-6, "the prior's precision is 1; points only add"
    assert np.linalg.eigvalsh(result.motion_precision).min() > 0


def test_the_box_is_reached_at_its_nearest_point():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(4, 6, 6))
    precision, motion = root @ root.transpose(0, 2, 1) + np.eye(6), rng.normal(0.5, 1, (4, 6))
    boxed = into_box(motion, precision, 4)

    def far(x):
        return np.einsum("ti,tij,tj->t", x - motion, precision, x - motion)

    assert boxed[:, :4].min() >= 0
    assert boxed[:, :4].max() <= 1
    for _ in range(300):
        other = boxed + rng.normal(0, 0.05, boxed.shape)
        other[:, :4] = other[:, :4].clip(0, 1)
        assert (far(other) >= far(boxed) - 1e-3).all()
    alike = into_box(motion, precision[:1].repeat(4, 0), 4)
    np.testing.assert_allclose(alike, into_box(motion, precision[0], 4))


def test_more_frames_say_more_of_the_shape(ideal_calibration, truth):
    regress = Regressor(ideal_calibration)
    one, many = (regress(truth["points"], NO_IMAGE, np.ones(T), n) for n in (1.0, 30.0))
    few, more = (np.diag(np.linalg.inv(f.shape_precision)) for f in (one, many))
    assert (more <= few + 1e-12).all()
    assert more.mean() < few.mean()


def test_place_and_size_in_the_picture_do_not_matter(ideal_calibration, truth):
    regress = Regressor(ideal_calibration)
    moved = truth["points"] * 0.5 + np.array([40, 10, 3])
    a, b = (regress(points, NO_IMAGE, np.ones(T), 5.0) for points in (truth["points"], moved))
    np.testing.assert_allclose(a.shape, b.shape, atol=1e-3)
    np.testing.assert_allclose(a.motion, b.motion, atol=1e-3)


def test_a_calibration_that_knows_nothing_gives_the_mean(template, ideal_calibration, truth):
    blind = replace(
        ideal_calibration,
        shape_effect=0 * ideal_calibration.shape_effect, motion_effect=0 * ideal_calibration.motion_effect,
    )  # fmt: skip
    result = Regressor(blind)(truth["points"], NO_IMAGE, np.ones(T), 5.0)
    np.testing.assert_allclose(result.shape, 0, atol=1e-9)
    np.testing.assert_allclose(result.shape_precision, np.eye(template.n_shape), atol=1e-9)
    expected = np.tile(ideal_calibration.motion_mean, (T, 1))
    expected[:, : template.n_expression] = expected[:, : template.n_expression].clip(0, 1)
    np.testing.assert_allclose(result.motion, expected, atol=1e-3)
