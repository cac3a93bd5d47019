"""The second detector, and calibrations kept for the detector they were learnt with."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from reconstruction.calibration import load_calibration
from reconstruction.detectors import BUNDLED, choose_detector
from reconstruction.errors import InputError
from reconstruction.photographer import render_people
from reconstruction.pipeline import reconstruct
from reconstruction.training import calibrate
from reconstruction.video import open_video

NAMES = ("face_detector.tflite", "face_landmarks_detector.tflite")


@pytest.fixture
def landmarker(shared_data):
    return choose_detector(shared_data("mediapipe/face_landmarker.task"))


def bundle(path, contents, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in contents:
            archive.writestr(name, np.random.default_rng(0).bytes(5000))
    return path


def test_both_detectors_agree_to_a_few_pixels(landmarker, shared_data):
    frames = [rgb for i, _, rgb in open_video(shared_data("video/single_face.mp4")) if i < 8]
    assert landmarker.name == "mediapipe-face-landmarker"
    assert landmarker.sha256.startswith("64184e22")
    with BUNDLED.open() as bundled, landmarker.open() as second:
        for rgb in frames:
            (ours,), (theirs,) = bundled.detect(rgb), second.detect(rgb)
            assert theirs.points.shape == (478, 3)
            assert np.median(np.abs(ours.points - theirs.points)) < 0.03 * ours.interocular
        assert second.detect(np.zeros_like(frames[0])) == []
    with landmarker.open(tracking=False) as second:
        assert len(second.detect(frames[0])) == 1


def test_what_is_no_landmarker_says_so_in_one_sentence(tmp_path, capfd):
    (tmp_path / "text.task").write_text("no network\n" * 99)
    (tmp_path / "empty.task").touch()
    bundle(tmp_path / "other.task", ["hand_detector.tflite"])
    bundle(tmp_path / "bomb.task", NAMES, zipfile.ZIP_DEFLATED)
    bundle(tmp_path / "hostile.task", NAMES)
    cases = {
        "missing": "does not exist", "text": "it is no archive", "empty": "it is no archive",
        "other": "it lacks face_detector", "bomb": "it is compressed", "hostile": "none",
    }  # fmt: skip
    for name, why in cases.items():
        with (
            pytest.raises(InputError, match=why) as error,
            choose_detector(tmp_path / f"{name}.task").open() as detector,
        ):
            detector.detect(np.zeros((64, 64, 3), np.uint8))
        assert "expected a Face Landmarker file" in str(error.value)
        assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_a_calibration_of_the_other_detector_is_refused(template, landmarker, shared_data):
    remedy = r"run 'face-atlas template calibrate atlas-head --detector .*\.task --out FILE'"
    with pytest.raises(InputError, match=remedy):
        load_calibration(template, detector=landmarker)
    with pytest.raises(InputError, match=r"learnt with mediapipe-0\.10\.21-facemesh"):
        reconstruct(shared_data("video/single_face.mp4"), detector=landmarker)
    own = load_calibration(template, detector=BUNDLED)
    other = replace(own, provenance=own.provenance | {"detector": landmarker.name, "detector_sha256": "0" * 64})
    with pytest.raises(InputError, match=r"for the detector mediapipe-face-landmarker \(64184e22\).*\(00000000\)"):
        landmarker.check(other.provenance, template.name)


def test_people_are_rendered_for_the_detector_asked_for(template, landmarker):
    ours, theirs = (render_people(template, 1, 2, seed=1, detector=choice) for choice in (BUNDLED, landmarker))
    np.testing.assert_array_equal(ours.motion, theirs.motion)
    apart = np.abs(ours.points - theirs.points)
    assert 0.1 < np.median(apart) < 10


@pytest.mark.slow
def test_calibrated_with_the_second_detector_a_face_is_reconstructed(template, landmarker, shared_data):
    calibration = calibrate(template, people=100, frames=4, seed=1, jobs=2, detector=landmarker, trial=0)
    assert calibration.provenance["detector_sha256"] == landmarker.sha256
    result = reconstruct(
        shared_data("video/single_face.mp4"), calibration=calibration, detector=landmarker, fps=5, quality="fast"
    )
    assert result.valid.mean() > 0.7
    assert result.provenance["detector"] == landmarker.name
    assert np.isfinite(result.expression).all()
