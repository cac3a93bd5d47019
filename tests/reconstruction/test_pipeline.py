"""A whole reconstruction: simulated film with its truth, and real recordings."""

import numpy as np
import pytest

from reconstruction.calibration import load_calibration
from reconstruction.camera import project
from reconstruction.errors import InputError
from reconstruction.landmarks import FaceMesh
from reconstruction.pipeline import reconstruct
from reconstruction.sequence import save
from reconstruction.template import load_template
from reconstruction.video import open_video


def numbers(sequence):
    return {
        name: getattr(sequence, name)
        for name in ("shape", "shape_sd", "expression", "expression_sd", "pose", "translation", "quality")
    }


def test_a_rendered_person_is_found_again(face_video, sequence, template):
    steps = []
    result = reconstruct(face_video, simulated=True, progress=lambda *step: steps.append(step))
    assert steps[5] == ("detecting", 6, 6)
    stages = list(dict.fromkeys(stage for stage, _, _ in steps))
    assert stages == ["detecting", "fitting", "following the skin"]
    for stage in stages:
        mine = [i for i, step in enumerate(steps) if step[0] == stage]
        assert mine == list(range(mine[0], mine[-1] + 1)), "a stage is over before the next begins"
        assert steps[mine[-1]][1] == steps[mine[-1]][2]
    assert result.simulated
    assert result.template_sha256 == template.sha256
    np.testing.assert_array_equal(result.valid, sequence.valid)
    assert result.reason_names[result.reason[3]] == "no face"
    assert all(np.isfinite(values).all() for values in numbers(result).values())
    used = sequence.valid
    turn = np.degrees(np.abs(result.pose[used, 0] - sequence.pose[used, 0]))
    assert np.median(turn) < 5
    smile = result.expression[:, result.expression_names.index("mouthSmileLeft")]
    assert smile[5] > smile[0] + 0.2
    assert result.stage == "full"
    assert result.provenance["expression_sd"] == "measured on simulated people"
    measured = load_calibration(template).measured
    np.testing.assert_allclose(result.expression_sd, measured.error_sd("full")[: template.n_expression], rtol=1e-6)
    # the focal length is estimated, to a factor; distance over focal length, the size in the picture, is exact
    focal = result.camera_matrix[0, 0] / sequence.camera_matrix[0, 0]
    assert 0.6 < focal < 1.7
    assert np.abs(result.translation[used, 2] / sequence.translation[used, 2] / focal - 1).max() < 0.1


def test_the_same_twice_is_the_same_bytes(face_video, tmp_path):
    paths = [save(reconstruct(face_video), tmp_path / f"{name}.face.safetensors") for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    for path in paths:
        assert str(face_video).encode() not in path.read_bytes(), "no path of the recording is stored"


def test_a_given_camera_is_used_and_noted(face_video, sequence):
    focal = float(sequence.camera_matrix[0, 0])
    result = reconstruct(face_video, focal_px=focal, quality="fast")
    np.testing.assert_allclose(result.camera_matrix, sequence.camera_matrix, rtol=1e-6)
    assert result.provenance["camera"] == "given"
    used = sequence.valid
    np.testing.assert_allclose(result.translation[used, 2], sequence.translation[used, 2], rtol=0.1)


def test_fewer_frames_on_request(face_video):
    result = reconstruct(face_video, fps=5)
    assert len(result) == 3
    assert result.frame_rate == 5


def test_a_recording_without_a_face_is_refused_with_counts(grey_video, shared_data):
    with pytest.raises(InputError, match=r"none of its 20 frames shows a trustworthy one \(no face: 20\)"):
        reconstruct(grey_video)
    with pytest.raises(InputError, match=r"expected a face in no_face\.mp4, but none of its 95 frames"):
        reconstruct(shared_data("video/no_face.mp4"))


def test_a_real_face_fits_its_points(shared_data):
    path = shared_data("video/single_face.mp4")
    result = reconstruct(path)
    assert len(result) == 72
    assert result.valid.all()
    assert all(np.isfinite(values).all() for values in numbers(result).values())
    assert result.expression.min() >= 0
    assert result.expression.max() <= 1
    assert np.abs(result.shape).max() < 5
    template = load_template()
    points = template.landmarks68(result.vertices(template))
    errors = []
    with FaceMesh(tracking=True) as detector:
        for t, (_, _, rgb) in enumerate(open_video(path)):
            (face,) = detector.detect(rgb)
            drawn = project(points[t], result.camera_matrix, result.camera_from_head[t])
            errors.append(np.linalg.norm(drawn - face.points68[:, :2], axis=1) / face.interocular)
    assert np.median(errors) < 0.035


def test_frames_without_a_face_are_masked_and_counted(shared_data):
    result = reconstruct(shared_data("video/face_noface.mov"))
    assert result.summary()["frames_left_out"] == {"no face": 97}
    assert result.summary()["frames_used"] == 72
    for values in (result.expression, result.pose, result.translation, result.quality):
        assert not values[~result.valid].any()
