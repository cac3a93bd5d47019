"""Hands and masks before faces: on renders with something drawn over them, and on a real recording labelled by eye."""

import cv2
import numpy as np
import pytest

from reconstruction.detectors import BUNDLED
from reconstruction.disk_rows import DiskRows
from reconstruction.landmarks import FaceMesh
from reconstruction.occlusion import ENOUGH, POINTS, find_covered, is_masked, sample
from reconstruction.photographer import Photographer, pose_people, random_camera, random_motion
from reconstruction.quality import REASONS
from reconstruction.tracks import find_tracks
from reconstruction.video import open_video

COUNT, HAND = 24, slice(14, 20)


def draw_fingers(rgb, centre, size):
    """Four fingers of the colour of the skin beside the nose, with shaded edges, across `centre` (x, y)."""
    out = rgb.copy()
    skin = np.median(rgb[int(centre[1]) - 8 : int(centre[1]) + 8, int(centre[0] - size / 2) - 4 :][:, :8], axis=(0, 1))
    for k in range(-2, 2):
        a = (centre + size * np.array([-0.6, 0.2 * k])).astype(int).tolist()
        b = (centre + size * np.array([1.0, 0.2 * k + 0.3])).astype(int).tolist()
        for width, shade in ((0.22, 0.7), (0.19, 0.9), (0.14, 1.0)):
            colour = np.clip(skin * shade, 0, 255).tolist()
            cv2.line(out, a, b, colour, max(1, int(width * size)), cv2.LINE_AA)
    return out


@pytest.fixture(scope="module")
def person(template):
    """A rendered person who moves: pictures (T, H, W, 3) and the detector's points (T, 478, 3)."""
    rng = np.random.default_rng(13)
    photographer = Photographer(template)
    shape = np.tile(rng.normal(size=template.n_shape), (COUNT, 1))
    vertices = pose_people(template, shape, 0.5 * random_motion(template, COUNT, rng))
    colours = photographer.appearance(rng)
    camera_matrix, poses = random_camera(template, COUNT, rng)
    scene = photographer.scene(np.random.default_rng(7))
    pictures, points = [], []
    with FaceMesh() as detector:
        for t in range(COUNT):
            pictures.append(photographer.photograph(vertices[t], colours, camera_matrix, poses[t], scene, rng))
            detector.detect(pictures[-1])
            points.append(detector.detect(pictures[-1])[0].points)
    return pictures, points


def covered(pictures, points):
    with DiskRows((len(POINTS), 3), np.uint8) as rows:
        for t, (rgb, here) in enumerate(zip(pictures, points, strict=True)):
            rows.write(t, sample(rgb, here))
        return find_covered(rows, np.arange(len(pictures)), frame_rate=5)


def test_an_open_face_is_hardly_ever_called_covered(person):
    """However it moves: expressions drawn at random and heads turned at random are harder than people are."""
    assert covered(*person).sum() <= 1


@pytest.mark.parametrize("spot", [13, 6])  # between the lips; between the eyes
def test_fingers_of_the_colour_of_skin_are_noticed(person, spot):
    pictures, points = person
    pictures = list(pictures)
    for t in range(HAND.start, HAND.stop):
        size = np.linalg.norm(points[t][263, :2] - points[t][33, :2])
        pictures[t] = draw_fingers(pictures[t], points[t][spot, :2], size)
    found = covered(pictures, points)
    assert found[HAND].mean() > 0.8
    found[HAND] = False
    assert found.sum() <= 1


def test_darker_light_is_no_hand(person):
    pictures, points = person
    dimmed = [(rgb * (0.5 if t % 2 else 1.0)).astype(np.uint8) for t, rgb in enumerate(pictures)]
    assert covered(dimmed, points).sum() <= covered(pictures, points).sum()


def test_too_few_frames_say_nothing(person):
    pictures, points = person
    few = [*pictures[: ENOUGH - 2], np.zeros_like(pictures[0])]
    assert not covered(few, points[: ENOUGH - 1]).any()


@pytest.mark.parametrize("colour", [(150, 190, 215), (240, 240, 240), (25, 25, 28)])
def test_a_mask_is_told_at_once(person, colour):
    pictures, points = person
    outline = points[0][
        [234, 93, 132, 58, 172, 136, 150, 148, 152, 377, 379, 365, 397, 288, 361, 323, 454, 280, 6, 50], :2
    ]
    masked = cv2.fillPoly(pictures[0].copy(), [outline.astype(np.int32)], colour)
    assert not is_masked(sample(pictures[0], points[0]))
    assert is_masked(sample(masked, points[0]))


def test_a_real_recording_with_hands(shared_data):
    """Labelled by eye: from frame 58 to 228 fingers lie on chin, mouth, nose or an eye."""
    video = open_video(shared_data("video/WolfgangLanger_Pexels.mp4"), 8)
    frames = np.array([index for index, _, _ in video])
    with find_tracks(video, BUNDLED) as tracks:
        found = tracks.choose(None, "").reason == REASONS.index("occluded")
    true = (frames >= 58) & (frames <= 228)
    assert (found & true).sum() / found.sum() > 0.95
    assert (found & true).sum() / true.sum() > 0.85
