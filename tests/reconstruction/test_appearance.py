"""What the skin shows: a textured person filmed with known motion."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from reconstruction.appearance import _greys, follow_skin
from reconstruction.calibration import load_calibration
from reconstruction.camera import camera_from_head, default_camera_matrix, project
from reconstruction.fitting import Fit
from reconstruction.motion import motion_names
from reconstruction.photographer import Photographer, pose_people
from reconstruction.video import open_video

T, SIZE = 20, 320
CAMERA = default_camera_matrix(SIZE, SIZE, 560)


@pytest.fixture(scope="module")
def filmed(template, tmp_path_factory):
    """A person who turns the head, wrinkles the nose and lowers the brows; the truth as a `Fit`, and the film."""
    rng = np.random.default_rng(4)
    names, time = motion_names(template), np.linspace(0, 1, T)
    motion = np.zeros((T, len(names)))
    for side in ("Left", "Right"):
        motion[:, names.index(f"noseSneer{side}")] = 0.8 * np.sin(np.pi * time) ** 2
        motion[:, names.index(f"browDown{side}")] = 0.8 * np.clip(np.sin(2 * np.pi * time), 0, 1)
    shape = 0.7 * rng.normal(size=template.n_shape)
    middle = template.landmarks68(template.v_template).mean(0)
    poses = []
    for t in time:
        pose = camera_from_head(np.array([0.05 * np.cos(4 * t), 0.25 * np.sin(4 * t), 0.0]), np.zeros(3))
        pose[:3, 3] = np.array([0, 0, 0.62]) - pose[:3, :3] @ middle
        poses.append(pose)
    people = pose_people(template, np.tile(shape, (T, 1)), motion)
    pixels = project(template.landmarks478(people), CAMERA, np.array(poses))
    precisions = np.eye(len(shape)), 30 * np.eye(len(names))
    truth = Fit(
        np.arange(T), shape, precisions[0], motion, precisions[1], np.array(poses), CAMERA, pixels, np.full(478, 0.004),
        load_calibration(template).skin_sd,
    )  # fmt: skip
    photographer = Photographer(template, SIZE)
    colours = photographer.appearance(rng)
    path = tmp_path_factory.mktemp("skin") / "person.mp4"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20, (SIZE, SIZE))
    for vertices, pose in zip(people, poses, strict=True):
        rgb, _ = photographer.renderer.render(
            photographer.subdivide(vertices), photographer._faces, colours, CAMERA, pose, background=(90, 100, 110)
        )
        film.write(rgb[..., ::-1])
    film.release()
    return truth, open_video(path)


def within(truth, fit, names, name):
    """Correlation over frames."""
    i = names.index(name)
    return np.corrcoef(truth.motion[:, i], fit.motion[:, i])[0, 1]


def test_what_landmarks_missed_is_found(template, filmed):
    truth, video = filmed
    blind = replace(truth, motion=np.full_like(truth.motion, 0.1) * (truth.motion.max(0) > 0))
    steps = []
    fit = follow_skin(video, template, blind, lambda *step: steps.append(step))
    assert steps[-1] == (T, T)
    names = motion_names(template)
    for side in ("Left", "Right"):
        assert within(truth, fit, names, f"noseSneer{side}") > 0.9
        assert within(truth, fit, names, f"browDown{side}") > 0.7
    bounded = fit.motion[:, : template.n_expression]
    assert bounded.min() >= 0
    assert bounded.max() <= 1
    np.testing.assert_array_equal(fit.shape, truth.shape)


def test_the_truth_stays_nearly_the_truth(template, filmed):
    truth, video = filmed
    fit = follow_skin(video, template, truth)
    assert np.abs(fit.motion - truth.motion).mean() < 0.03
    assert np.abs(fit.camera_from_head[:, :3, 3] - truth.camera_from_head[:, :3, 3]).max() < 0.004


def test_one_frame_has_nothing_to_be_compared_with(template, filmed):
    truth, video = filmed
    one = replace(truth, frames=truth.frames[:1], motion=truth.motion[:1], camera_from_head=truth.camera_from_head[:1])
    assert follow_skin(video, template, one) is one


def test_only_the_frames_asked_for_are_decoded(filmed):
    _, video = filmed
    pictures = [rgb for _, _, rgb in video]
    found = list(_greys(video, np.array([2, 3, 11])))
    assert [n for n, _ in found] == [0, 1, 2]
    for (_, grey), t in zip(found, (2, 3, 11), strict=True):
        np.testing.assert_array_equal(grey, cv2.cvtColor(pictures[t], cv2.COLOR_RGB2GRAY))


def test_grey_pictures_from_anywhere_are_followed_alike(template, filmed):
    truth, video = filmed
    greys = [(i, t, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)) for i, t, rgb in video]
    np.testing.assert_array_equal(
        follow_skin(greys, template, truth).motion, follow_skin(video, template, truth).motion
    )


def test_the_number_of_processors_changes_nothing(template, filmed, monkeypatch):
    truth, video = filmed
    once = follow_skin(video, template, truth)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    alone = follow_skin(video, template, truth)
    np.testing.assert_array_equal(once.motion, alone.motion)
    np.testing.assert_array_equal(once.camera_from_head, alone.camera_from_head)
