"""Frames written come back; a broken recording leaves nothing."""

import cv2
import numpy as np
import pytest

from reconstruction.video_writer import VideoWriter


def write(path, n=5):
    with VideoWriter(path, 64, 48, 12.5) as film:
        for i in range(n):
            film.write(np.full((48, 64, 3), (200, 100, 10 * i), np.uint8))


def test_frames_come_back_in_rgb_order_and_the_same_frames_give_the_same_bytes(tmp_path):
    write(tmp_path / "new/a.mp4")
    write(tmp_path / "b.mp4")
    assert (tmp_path / "new/a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    film = cv2.VideoCapture(str(tmp_path / "b.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    assert film.get(cv2.CAP_PROP_FPS) == 12.5
    np.testing.assert_allclose(film.read()[1].mean((0, 1))[::-1], (200, 100, 0), atol=6)
    film.release()


def test_an_interruption_leaves_no_file(tmp_path):
    with pytest.raises(cv2.error), VideoWriter(tmp_path / "a.mp4", 64, 48, 10) as film:
        film.write(np.zeros(0, np.uint8))
    assert not list(tmp_path.iterdir())
