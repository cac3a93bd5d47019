"""The mesh drawn over its own recording."""

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.overlay_video import write_overlay
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
