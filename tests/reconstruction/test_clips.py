"""Clips made from clips."""

import cv2
import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.evaluation.clips import split, write_still
from reconstruction.video import open_video


def test_halves_hold_every_frame_once_and_unchanged(face_video, tmp_path):
    whole = [rgb for _, _, rgb in open_video(face_video)]
    halves = [[rgb for _, _, rgb in open_video(path)] for path in split(face_video, tmp_path)]
    assert [len(half) for half in halves] == [3, 3]
    np.testing.assert_array_equal(np.array(whole), np.array(halves[0] + halves[1]))


def test_a_picture_has_no_halves(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(InputError, match="expected a clip with two halves"):
        split(tmp_path / "a.png", tmp_path)


def test_a_still_clip_holds_one_frame_with_noise(face_video, tmp_path):
    paths = [write_still(face_video, tmp_path / f"{i}.avi", seed, 8) for i, seed in enumerate((1, 1, 2))]
    clips = [np.array([rgb for _, _, rgb in open_video(path)], float) for path in paths]
    np.testing.assert_array_equal(clips[0], clips[1])
    assert np.abs(clips[0] - clips[2]).mean() > 0.3
    assert len(clips[0]) == 8
    first = next(iter(open_video(face_video)))[2]
    assert np.abs(clips[0].mean(0) - first).mean() < 2, "it is that frame"
    assert 1 < clips[0].std(0).mean() < 3, "and compression leaves noise"
