"""Decoding: times, sampling, and one sentence for everything that is no video."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.video import open_video


def test_frames_times_and_colours(grey_video):
    video = open_video(grey_video)
    assert (video.frame_rate, video.size, video.count) == (10.0, (64, 48), 20)
    frames = list(video)
    assert [i for i, _, _ in frames] == list(range(20))
    np.testing.assert_allclose([t for _, t, _ in frames], np.arange(20) / 10, atol=1e-6)
    np.testing.assert_allclose([rgb.mean() for _, _, rgb in frames], 10 * np.arange(20), atol=4)


def test_iterating_twice_gives_the_same(grey_video):
    video = open_video(grey_video)
    for (i, t, a), (j, u, b) in zip(video, video, strict=True):
        assert (i, t) == (j, u)
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("fps", "indices"), [(5, range(0, 20, 2)), (2, range(0, 20, 5)), (1, [0, 10]), (40, range(20))]
)
def test_lower_rates_leave_frames_out(grey_video, fps, indices):
    video = open_video(grey_video, fps)
    assert [i for i, _, _ in video] == list(indices)
    assert video.count == len(indices)
    assert video.frame_rate == min(fps, 10)


def test_rate_that_does_not_divide_keeps_its_mean(grey_video):
    taken = [i for i, _, _ in open_video(grey_video, "3")]
    assert len(taken) == 6
    assert set(np.diff(taken)) <= {3, 4}


@pytest.mark.parametrize("fps", ["fast", 0, -3, float("nan"), "inf"])
def test_impossible_rates(grey_video, fps):
    with pytest.raises(InputError, match="expected fps 'native' or a positive number"):
        open_video(grey_video, fps)


def test_still_image(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((10, 20, 3), (255, 0, 0), np.uint8))
    video = open_video(tmp_path / "a.png")
    ((index, time, rgb),) = video
    assert (index, time, video.size, video.frame_rate) == (0, 0.0, (20, 10), 1.0)
    np.testing.assert_array_equal(rgb[0, 0], (0, 0, 255))


def bad_inputs(tmp_path, grey_video):
    (tmp_path / "text.mp4").write_text("this is no video\n" * 50)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.mp4").write_bytes(grey_video.read_bytes()[:-200])
    return {
        "missing.mp4": "does not exist",
        "text.mp4": "none that can be decoded",
        "empty.mp4": "is empty",
        "folder.mp4": "is a folder",
        "text.jpg": "expected a picture",
        "cut.mp4": "can be decoded",
    }


def test_what_is_no_video_says_so_in_one_sentence(tmp_path, grey_video, capfd):
    for name, message in bad_inputs(tmp_path, grey_video).items():
        with pytest.raises(InputError, match=message) as error:
            open_video(tmp_path / name)
        assert name in str(error.value)
        assert "\n" not in str(error.value)
    assert capfd.readouterr().err == "", "the decoder's own complaints are not the user's"


def test_file_that_ends_early_is_called_truncated(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "whole.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for i in range(40):
        writer.write(np.full((48, 64, 3), 5 * i, np.uint8))
    writer.release()
    assert len(list(open_video(tmp_path / "whole.avi"))) == 40
    content = (tmp_path / "whole.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"expected 40 frames in .*cut\.avi, but the file ends after"):
        list(open_video(tmp_path / "cut.avi"))


def test_variable_frame_rate_keeps_the_true_times(shared_data):
    times = np.array([t for _, t, _ in open_video(shared_data("video/face_noface.mov"))])
    assert (np.diff(times) > 0).all()
    assert np.ptp(np.diff(times)) > 0.01


@pytest.mark.parametrize("fps", [7, 5, 10, 15, 23.976, 60])
def test_any_rate_from_60_frames_a_second(tmp_path, fps):
    """The right number of frames, each the true one at its time, none farther than half a frame from the grid."""
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 60, (32, 32))
    for i in range(240):
        writer.write(np.full((32, 32, 3), i, np.uint8))
    writer.release()
    video = open_video(tmp_path / "a.avi", fps)
    taken = [(i, time, rgb.mean()) for i, time, rgb in video]
    index, time, grey = (np.array(column) for column in zip(*taken, strict=True))
    assert len(taken) == video.count == pytest.approx(4 * fps, abs=1)
    np.testing.assert_allclose(time, index / 60, atol=1e-3)
    np.testing.assert_allclose(grey, index, atol=3)
    assert np.abs(time - np.arange(len(time)) / fps).max() <= 0.5 / 60 + 1e-6


def test_variable_frame_rate_is_sampled_by_time(shared_data):
    """Phones drop frames: 10 a second are taken by their stamps, not by counting."""
    path = shared_data("video/face_noface.mov")
    every = np.array([time for _, time, _ in open_video(path)])
    taken = np.array([time for _, time, _ in open_video(path, 10)])
    assert np.isin(taken, every).all()
    assert len(taken) == pytest.approx(10 * every[-1], abs=2)
    assert np.diff(taken).mean() == pytest.approx(0.1, abs=0.003)


def test_importing_writes_nothing(grey_video):
    code = f"from reconstruction.video import open_video; print(len(list(open_video({str(grey_video)!r}))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("20\n", "")
