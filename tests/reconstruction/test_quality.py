"""Frames to trust and frames not to."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from reconstruction.landmarks import Detection, FaceMesh
from reconstruction.quality import REASONS, count_reasons, head_angles, judge, sharpness
from reconstruction.video import open_video


@pytest.fixture(scope="module")
def real(shared_data):
    """A sharp frontal face: frame and detection."""
    rgb = next(iter(open_video(shared_data("video/single_face.jpg"))))[2]
    with FaceMesh(tracking=False) as detector:
        return rgb, detector.detect(rgb)[0]


def moved(detection: Detection, scale=1.0, shift=(0, 0)) -> Detection:
    points = detection.points * np.float32(scale)
    points[:, :2] += shift
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    return replace(detection, points=points, box=(*map(float, low), *map(float, high)))


def test_a_good_frame_has_full_weight(real):
    verdict = judge(*real)
    assert verdict.valid
    assert verdict.code == 0
    assert verdict.quality > 0.95


def test_every_reason_is_found(real):
    rgb, face = real
    turned = face.points.copy()
    turned[:, [0, 2]] = turned[:, [0, 2]] @ np.array([[0.3, -0.95], [0.95, 0.3]], np.float32)
    turned[:, 0] += 300 - turned[:, 0].mean()
    small = cv2.resize(rgb, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    cases = {
        "no face": (rgb, None),
        "low confidence": (rgb, replace(face, confidence=0.4)),
        "too small": (small, moved(face, 0.2)),
        "cut off": (rgb[:, 260:], moved(face, shift=(-260, 0))),
        "extreme pose": (rgb, moved(replace(face, points=turned))),
        "too dark": ((rgb * 0.08).astype(np.uint8), face),
        "too bright": (np.clip(rgb.astype(int) + 150, 0, 255).astype(np.uint8), face),
        "blurred": (cv2.GaussianBlur(rgb, (0, 0), 6), face),
    }
    given_later = {"pose not solved", "other face", "occluded"}
    assert set(cases) == set(REASONS) - {"ok"} - given_later
    for reason, (frame, detection) in cases.items():
        verdict = judge(frame, detection)
        assert (verdict.reason, verdict.quality, verdict.valid) == (reason, 0.0, False)


def test_weight_falls_with_blur_and_never_rises(real):
    rgb, face = real
    weights = [judge(cv2.GaussianBlur(rgb, (0, 0), s), face).quality for s in (0.5, 1.5, 2.5, 4)]
    assert all(a >= b for a, b in pairwise(weights))
    assert weights[0] > 0.9 > weights[-1]


def test_head_angles_of_a_turned_template(template, sequence):
    from reconstruction.camera import camera_from_head, project

    points = template.landmarks478(template.v_template)

    def seen(pose):
        transform = camera_from_head(np.array(pose), np.array([0, 0, 2.0]))
        pixels = project(points, sequence.camera_matrix, transform)
        depth = (points @ transform[:3, :3].T)[:, 2] * sequence.camera_matrix[0, 0] / 2
        return head_angles(np.column_stack([pixels, depth]))

    straight, left, down = seen([0, 0, 0]), seen([0, 0.4, 0]), seen([0.3, 0, 0])
    assert straight[0] == pytest.approx(0, abs=0.05)
    assert left[0] - straight[0] == pytest.approx(0.4, abs=0.06)
    assert down[1] - straight[1] == pytest.approx(0.3, abs=0.06)


def test_sharpness_of_a_checkerboard_is_one():
    board = np.indices((64, 64)).sum(0) % 2 * 200
    assert sharpness(board.astype(np.uint8)) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(
    ("name", "share"),
    [("WolfgangLanger_Pexels.mp4", (0.97, 1)), ("face_noface.mov", (0.35, 0.5)), ("no_face.mp4", (0, 0))],
)
def test_real_recordings(shared_data, name, share):
    codes = []
    with FaceMesh() as detector:
        for _, _, rgb in open_video(shared_data(f"video/{name}"), 6):
            faces = detector.detect(rgb)
            codes.append(judge(rgb, faces[0] if faces else None).code)
    counts = count_reasons(np.array(codes))
    assert sum(counts.values()) == len(codes)
    assert share[0] <= counts.get("ok", 0) / len(codes) <= share[1]


def test_burnt_out_skin_weighs_less_before_it_is_left_out(real):
    rgb, face = real
    shine = rgb.copy()
    x0, y0, x1, y1 = map(int, face.box)
    shine[y0 : y0 + (y1 - y0) // 4, x0:x1] = 255
    verdict = judge(shine, face)
    assert verdict.valid
    assert verdict.measures["clipped"] == pytest.approx(0.25, abs=0.03)
    assert verdict.quality < 0.7 * judge(rgb, face).quality
