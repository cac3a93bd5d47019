"""Several people in a recording: each stays who he is, and the one asked for is followed."""

import threading

import cv2
import numpy as np
import pytest

from reconstruction.camera import default_camera_matrix
from reconstruction.detectors import BUNDLED
from reconstruction.errors import InputError
from reconstruction.landmarks import FaceCounter, FaceMesh
from reconstruction.pipeline import reconstruct
from reconstruction.quality import REASONS
from reconstruction.rendering import Renderer
from reconstruction.tracks import MANY, find_tracks
from reconstruction.video import open_video
from reconstruction.video_writer import VideoWriter

SIZE, COUNT = (512, 288), 12
GONE = 8  # frame from which the person on the right is away


@pytest.fixture(scope="module")
def two_people(tmp_path_factory, template, sequence):
    """Two rendered people: the left one comes nearer while the right one goes back and, in the end, leaves."""
    path = tmp_path_factory.mktemp("two") / "two.mp4"
    renderer, camera_matrix = Renderer(*SIZE), default_camera_matrix(*SIZE)
    vertices = template.v_template - template.landmarks68(template.v_template).mean(0)
    near, far = np.linspace(1.0, 0.7, COUNT), np.linspace(0.72, 1.0, COUNT)
    with VideoWriter(path, *SIZE, 10) as film:
        for t in range(COUNT):
            rgb = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
            for x, z in ((-0.17, near[t]), (0.17, far[t])):
                if x > 0 and t >= GONE:
                    continue
                pose = np.diag([1.0, -1, -1, 1])
                pose[:3, 3] = x * z / 0.85, 0, z
                rgb, _ = renderer.render(
                    vertices, template.faces, template.colours, camera_matrix, pose, background=rgb
                )
            film.write(rgb)
    return path


def test_sizes_that_cross_swap_nobody(two_people):
    with find_tracks(open_video(two_people), BUNDLED) as tracks:
        assert list(tracks.shown) == [2] * GONE + [1] * (COUNT - GONE)
        assert sorted(tracks.tracks) == [0, 1]
        left, right = (tracks.choose(face, "two.mp4") for face in (1, 2))
        assert (left.reason == 0).all()
        assert (right.reason[:GONE] == 0).all()
        assert {REASONS[code] for code in right.reason[GONE:]} == {"other face"}
        middle = SIZE[0] / 2
        assert left.points[:, :, 0].max() < middle < right.points[:GONE, :, 0].min()
        width = [np.ptp(one.points[:GONE, :, 0], axis=1) for one in (left, right)]
        assert (width[0] - width[1])[0] < 0 < (width[0] - width[1])[-1], "the recording must show sizes that cross"
        # the left one: seen longer, larger in the end
        np.testing.assert_array_equal(tracks.choose(None, "two.mp4").points[:, 1], left.points[:, 1])


def test_the_face_asked_for_is_fitted_and_the_rest_masked(two_people):
    result = reconstruct(two_people, face=2, quality="fast")
    assert result.valid.tolist() == [True] * GONE + [False] * (COUNT - GONE)
    assert result.summary()["frames_left_out"] == {"other face": COUNT - GONE}
    assert (result.translation[:GONE, 0] > 0.1).all()
    assert result.provenance["face"] == 2
    assert result.provenance["frames_with_several_faces"] == GONE
    largest = reconstruct(two_people, quality="fast")
    assert largest.valid.all()
    assert (largest.translation[:, 0] < -0.1).all()
    assert largest.provenance["face"] == "largest"


def test_a_face_that_is_not_there_is_refused(two_people, face_video):
    with pytest.raises(InputError, match=r"expected a face up to 2, the most that a frame of two\.mp4 shows, got 3"):
        reconstruct(two_people, face=3)
    with pytest.raises(InputError, match="expected a face from 1"):
        reconstruct(two_people, face=0)
    assert reconstruct(face_video, face=1, quality="fast").valid.sum() == 5, "the only one is the first"


def test_who_comes_later_is_found_by_the_next_search(two_people, tmp_path):
    together, alone = (next(rgb for i, _, rgb in open_video(two_people) if i == t) for t in (GONE - 1, GONE))
    path, came = tmp_path / "later.mp4", 25
    with VideoWriter(path, *SIZE, 10) as film:
        for t in range(45):
            film.write(together if t >= came else alone)
    with find_tracks(open_video(path), BUNDLED) as tracks:
        assert list(tracks.shown) == [1] * 40 + [2] * 5, "looked for every two seconds"
        assert list(tracks.tracks[1].frames) == list(range(40, 45))


def test_a_counter_of_faces_counts_what_the_mesh_finds(two_people, grey_video):
    counts = {}
    with FaceCounter() as counter, FaceMesh(tracking=False, max_faces=MANY) as mesh:
        for path in (two_people, grey_video):
            for i, _, rgb in open_video(path, 5):
                counts[path, i] = counter.count(rgb)
                assert counts[path, i] == len(mesh.detect(rgb))
    assert set(counts.values()) == {0, 1, 2}


def test_errors_end_all_threads(two_people, tmp_path):
    before = set(threading.enumerate())
    writer = cv2.VideoWriter(str(tmp_path / "whole.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, SIZE)
    for _, _, rgb in open_video(two_people):
        writer.write(rgb)
    writer.release()
    content = (tmp_path / "whole.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"expected 12 frames in .*cut\.avi, but the file ends after"):
        find_tracks(open_video(tmp_path / "cut.avi"), BUNDLED)

    def stop(done):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_tracks(open_video(two_people), BUNDLED, progress=stop)
    assert set(threading.enumerate()) == before


def test_five_real_people_who_move(shared_data, tmp_path):
    rgb = next(iter(open_video(shared_data("video/multi_face.jpg"))))[2]
    height, width = rgb.shape[:2]
    path = tmp_path / "five.mp4"
    with VideoWriter(path, width, height, 10) as film:
        for t in range(14):
            move = np.float32([[1, 0, 12 * np.sin(t / 2)], [0, 1, 2 * t]])
            film.write(cv2.warpAffine(rgb, move, (width, height), borderMode=cv2.BORDER_REPLICATE))
    with find_tracks(open_video(path), BUNDLED, several=True) as tracks:
        assert max(tracks.shown) >= 3, "of five faces, some of them small"
        for track in tracks.tracks.values():
            frames = np.array(track.frames)
            used = frames[np.array(track.reason) == 0]
            if len(used) < 2:
                continue
            nose = track.points[used, 1, :2] - np.stack([12 * np.sin(used / 2), 2.0 * used], 1)
            assert np.ptp(nose, axis=0).max() < 60, "the nearest two are 140 pixels apart"
        for order in tracks.order.values():
            assert len(set(order)) == len(order)
