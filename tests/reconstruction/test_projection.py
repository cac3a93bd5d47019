"""Derivatives of the points before the camera, against differences."""

import numpy as np
import pytest
import torch

from reconstruction.camera import FACING, default_camera_matrix, project, rotation_from_axis_angle
from reconstruction.motion import motion_names
from reconstruction.photographer import random_motion
from reconstruction.projection import PointModel, View

T, STEP = 3, 1e-5


@pytest.fixture(scope="module")
def model(template):
    return PointModel(template, template.landmarks478)


@pytest.fixture(scope="module")
def person(template):
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(size=template.n_shape)), torch.from_numpy(random_motion(template, T, rng))


@pytest.fixture(scope="module")
def view():
    turns = np.stack([FACING @ rotation_from_axis_angle(a) for a in ([0.1, 0.3, 0], [0, -0.5, 0.1], [0.2, 0, -0.3])])
    places = torch.tensor([[0.01, 0.02, 0.5], [0.0, 0.0, 0.7], [-0.05, 0.0, 1.0]], dtype=torch.float64)
    return View(torch.from_numpy(default_camera_matrix(640, 480)), torch.from_numpy(turns), places)


def pixels_of(view, points):
    pose = np.tile(np.eye(4), (T, 1, 1))
    pose[:, :3, :3], pose[:, :3, 3] = view.rotation.numpy(), view.translation.numpy()
    return torch.from_numpy(project(points.numpy(), view.camera_matrix.numpy(), pose))


def test_points_move_with_motion_and_shape_as_told(template, model, person):
    shape, motion = person
    points, by_motion, by_shape = model.derivatives(shape, motion)
    torch.testing.assert_close(points, model.points(shape, motion))
    for i in range(len(motion_names(template))):
        moved = motion.clone()
        moved[:, i] += STEP
        difference = (model.points(shape, moved) - points) / STEP
        assert (difference - by_motion[..., i]).norm() < 2e-3 * difference.norm()
    for i in (0, 7, 30):
        moved = shape.clone()
        moved[i] += STEP
        difference = (model.points(moved, motion) - points) / STEP
        assert (difference - by_shape[..., i]).norm() < 0.1 * difference.norm(), "joints that follow are left out"


def test_pictures_move_with_points_and_pose_as_told(model, person, view):
    points = model.points(*person)
    pixels = pixels_of(view, points)
    torch.testing.assert_close(view.residual(pixels, points), torch.zeros(T, 478, 2, dtype=torch.float64))
    way = torch.from_numpy(np.random.default_rng(1).normal(size=points.shape))
    told = view.derivative(points, way[..., None])[..., 0]
    seen = -view.residual(pixels, points + STEP * way) / STEP
    assert (seen - told).norm() < 1e-3 * told.norm()
    by_pose = view.derivative_by_pose(points, points.mean(1))
    for i in range(6):
        step = torch.zeros(T, 6, dtype=torch.float64)
        step[:, i] = STEP
        seen = -view.moved(points.mean(1), step).residual(pixels, points) / STEP
        assert (seen - by_pose[..., i]).norm() < 1e-3 * by_pose[..., i].norm()


def test_a_pull_is_the_transpose_of_the_derivative(model, person, view):
    points = model.points(*person)
    generator = torch.Generator().manual_seed(0)
    way, by = torch.randn(*points.shape, generator=generator), torch.randn(*points.shape[:2], 2, generator=generator)
    forth = (view.derivative(points, way.double()[..., None])[..., 0] * by).sum()
    torch.testing.assert_close(forth, (way * view.pull(points, by.double())).sum())


def test_a_step_brings_a_pose_closer(model, person, view):
    points = model.points(*person)
    pixels, away = pixels_of(view, points), view.moved(points.mean(1), torch.full((T, 6), 0.02, dtype=torch.float64))
    weight = torch.ones(points.shape[1], dtype=torch.float64)
    near = away.closer(points, pixels, weight)
    assert near.residual(pixels, points).norm() < 0.05 * away.residual(pixels, points).norm()
    torch.testing.assert_close(
        near[1:].closer(points[1:], pixels[1:], weight).rotation, view.rotation[1:], atol=1e-4, rtol=0
    )
