"""The detector on real faces and on none."""

import cv2
import numpy as np
import pytest

from reconstruction.landmarks import IBUG68, N_POINTS, FaceMesh
from reconstruction.video import open_video


def picture(path):
    return next(iter(open_video(path)))[2]


def test_one_real_face(shared_data):
    rgb = picture(shared_data("video/single_face.jpg"))
    with FaceMesh(tracking=False) as detector:
        (face,) = detector.detect(rgb)
    assert face.points.shape == (N_POINTS, 3)
    assert face.confidence > 0.9
    x0, y0, x1, y1 = face.box
    assert 0 < x0 < x1 < rgb.shape[1]
    assert 0 < y0 < y1 < rgb.shape[0]
    points = face.points68[:, :2]
    assert points[45, 0] > points[42, 0] > points[27, 0] > points[39, 0] > points[36, 0], "eyes right to left"
    assert points[19, 1] < points[37, 1] < points[30, 1] < points[51, 1] < points[57, 1] < points[8, 1], "top to bottom"
    assert (points[17:22, 0] < points[27, 0]).all(), "17-21 is the subject's right brow, left in the picture"
    assert face.points[1, 2] < face.points[234, 2], "the nose is nearer than the ear"


def test_several_faces_largest_first(shared_data):
    face = picture(shared_data("video/single_face.jpg"))[120:440, 130:430]
    rgb = np.full((400, 800, 3), 128, np.uint8)
    rgb[40:360, 20:320] = face
    rgb[80:320, 500:725] = cv2.resize(face, (225, 240))
    with FaceMesh(tracking=False, max_faces=4) as detector:
        found = detector.detect(rgb)
    assert len(found) == 2
    assert found[0].box[0] < 320 < 500 < found[1].box[0]
    assert found[0].interocular > found[1].interocular


@pytest.mark.parametrize("value", [0, 128])
def test_no_face(value):
    with FaceMesh() as detector:
        assert detector.detect(np.full((120, 160, 3), value, np.uint8)) == []


def test_a_fresh_detector_gives_the_same_numbers(shared_data):
    frames = [rgb for i, _, rgb in open_video(shared_data("video/single_face.mp4")) if i < 12]

    def run():
        with FaceMesh() as detector:
            return [detector.detect(rgb)[0] for rgb in frames]

    for a, b in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(a.points, b.points)
        assert a.confidence == b.confidence


def test_a_rendered_template_is_a_face_to_the_detector(face_video, template, sequence):
    from reconstruction.camera import project

    with FaceMesh() as detector:
        found = [detector.detect(rgb) for _, _, rgb in open_video(face_video)]
    assert [bool(faces) for faces in found] == sequence.valid.tolist()
    points = template.landmarks68(sequence.vertices(template))
    inner = np.arange(17, 68)
    for i in np.flatnonzero(sequence.valid):
        true = project(points[i], sequence.camera_matrix, sequence.camera_from_head[i])
        error = np.linalg.norm(found[i][0].points68[:, :2] - true, axis=1)[inner]
        assert np.median(error) < 0.08 * found[i][0].interocular


def test_the_68_are_mirrored_in_pairs():
    assert len(set(IBUG68.tolist())) == 68
