"""The mesh drawn over its own recording."""

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.camera import camera_from_head, default_camera_matrix, project
from reconstruction.errors import InputError
from reconstruction.overlay_video import MeshOverlay, write_overlay
from reconstruction.rendering import Renderer
from reconstruction.video import open_video


def test_overlay_covers_the_face_and_says_why_frames_are_left_out(face_video, sequence, template, tmp_path):
    seen = []
    out = write_overlay(face_video, sequence, template, tmp_path / "a.webm", progress=lambda *step: seen.append(step))
    assert seen[-1] == ("overlay", 6, 6)
    frames = [rgb.astype(int) for _, _, rgb in open_video(out)]
    before = [rgb.astype(int) for _, _, rgb in open_video(face_video)]
    assert len(frames) == 6
    changed = [np.abs(a - b).max(2) > 12 for a, b in zip(frames, before, strict=True)]
    assert changed[0][100:140, 140:180].mean() > 0.8, "the middle of the face is drawn over"
    assert changed[0][:60, :40].mean() < 0.05, "the background is not"
    assert changed[3][100:140, 140:180].mean() < 0.05, "a frame left out has no mesh"
    assert changed[3][5:25, :200].mean() > 0.05, "but says why"
    again = write_overlay(face_video, sequence, template, tmp_path / "b.webm")
    assert out.read_bytes() == again.read_bytes()


def test_another_recording_is_refused_and_nothing_written(face_video, grey_video, sequence, template, tmp_path):
    with pytest.raises(InputError, match="made from"):
        write_overlay(grey_video, sequence, template, tmp_path / "a.webm")
    shifted = replace(sequence, time_s=sequence.time_s + 1)
    with pytest.raises(InputError, match="same fps"):
        write_overlay(face_video, shifted, template, tmp_path / "a.webm")
    assert not list(tmp_path.iterdir())


def test_the_mask_is_open_where_the_fit_opens_eyes_and_mouth(template):
    frame = np.full((480, 640, 3), 90, np.uint8)
    camera_matrix = default_camera_matrix(640, 480)
    middle = template.landmarks68(template.v_template).mean(0)
    pose = camera_from_head(np.zeros(3), np.array([-middle[0], middle[1], 0.5]))
    closed = template.v_template
    opened = closed.copy()
    lower = template.v_template[:, 1] < template.landmarks68(template.v_template)[60:68, 1].mean()
    opened[lower, 1] -= 0.02
    overlay = MeshOverlay(template, Renderer(640, 480))
    x, y = np.round(project(template.landmarks68(opened)[60:68], camera_matrix, pose).mean(0)).astype(int)
    inside = np.s_[y - 2 : y + 3, x - 3 : x + 4]
    assert (overlay.draw(frame, opened, camera_matrix, pose)[inside] == 90).all()
    assert (overlay.draw(frame, closed, camera_matrix, pose)[inside] != 90).any()
    eye = np.round(project(template.landmarks68(closed)[36:42], camera_matrix, pose).mean(0)).astype(int)
    around = overlay.draw(frame, closed, camera_matrix, pose)[eye[1] - 1 : eye[1] + 2, eye[0] - 1 : eye[0] + 2]
    assert (around == 90).mean() > 0.5


def test_a_face_outside_the_picture_is_not_drawn(template):
    frame = np.full((48, 64, 3), 90, np.uint8)
    pose = camera_from_head(np.zeros(3), np.array([5.0, 0, 0.5]))
    drawn = MeshOverlay(template, Renderer(64, 48)).draw(
        frame, template.v_template, default_camera_matrix(64, 48), pose
    )
    np.testing.assert_array_equal(drawn, frame)
