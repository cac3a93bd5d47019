"""Pictures: both backends draw the same, colours are true, depth is metric."""

import logging

import numpy as np
import pytest

from reconstruction import rendering
from reconstruction.camera import project
from reconstruction.errors import InputError
from reconstruction.rendering import Renderer, linear_to_srgb, look_at_camera, srgb_to_linear

SQUARE = np.array([[-0.1, -0.1, 0], [0.1, -0.1, 0], [0.1, 0.1, 0], [-0.1, 0.1, 0]])
FACES = np.array([[0, 1, 2], [0, 2, 3]])
COLOURS = np.tile(np.uint8([200, 120, 40]), (4, 1))
CAMERA = np.array([[100, 0, 49.5], [0, 100, 39.5], [0, 0, 1.0]])
POSE = np.array([[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 0.5], [0, 0, 0, 1.0]])


@pytest.fixture(params=["opengl", "raycast"])
def renderer(request):
    try:
        return Renderer(100, 80, request.param)
    except InputError as error:
        pytest.skip(str(error))


def test_flat_light_gives_the_colours_and_depth_is_in_metres(renderer):
    rgb, depth = renderer.render(SQUARE, FACES, COLOURS, CAMERA, POSE, background=(1, 2, 3), ambient=1, intensity=0)
    assert rgb.shape == (80, 100, 3)
    assert depth.shape == (80, 100)
    np.testing.assert_allclose(rgb[40, 50].astype(int), (200, 120, 40), atol=1)
    np.testing.assert_array_equal(rgb[2, 2], (1, 2, 3))
    assert depth[40, 50] == pytest.approx(0.5, abs=1e-3)
    assert depth[2, 2] == 0
    assert abs((depth > 0).sum() - 40 * 40) < 120, "0.2 m at 0.5 m with 100 px focal length is 40 px"


def test_pixels_agree_with_projection(renderer):
    small = SQUARE * 0.1 + [0.05, 0.08, 0]
    _, depth = renderer.render(small, FACES, COLOURS, CAMERA, POSE)
    rows, columns = np.nonzero(depth)
    expected = project(small, CAMERA, POSE).mean(0)
    np.testing.assert_allclose([columns.mean(), rows.mean()], expected, atol=0.6)


def test_light_from_the_left_brightens_the_left(renderer, template):
    camera, pose = look_at_camera(template.v_template, 100, 80)
    grey = np.full((len(template.v_template), 3), 150, np.uint8)
    rgb, depth = renderer.render(template.v_template, template.faces, grey, camera, pose, light=(-1, 0, -0.3))
    seen = depth > 0
    left, right = rgb[:, :50][seen[:, :50]].mean(), rgb[:, 50:][seen[:, 50:]].mean()
    assert left > right + 10
    assert rgb[seen].max() < 235, "a mid grey face burns out nowhere"


def test_a_window_is_that_part_of_the_picture(renderer, template):
    camera, pose = look_at_camera(template.v_template, 100, 80)
    picture = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    mesh = (template.v_template, template.faces, template.colours, camera, pose)
    whole, depth = renderer.render(*mesh, background=picture)
    part, part_depth = renderer.render(*mesh, background=picture[10:58, 30:94], window=(30, 10, 64, 48))
    assert np.abs(part.astype(int) - whole[10:58, 30:94]).mean() < 0.1
    assert ((part_depth > 0) == (depth[10:58, 30:94] > 0)).mean() > 0.999
    again, _ = renderer.render(*mesh, background=picture)
    np.testing.assert_array_equal(again, whole)


def test_picture_as_background_and_many_frames(renderer):
    picture = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    first, _ = renderer.render(SQUARE, FACES, COLOURS, CAMERA, POSE, background=picture)
    np.testing.assert_array_equal(first[:10], picture[:10])
    for _ in range(3):
        again, _ = renderer.render(SQUARE, FACES, COLOURS, CAMERA, POSE, background=picture)
        np.testing.assert_array_equal(first, again)


def test_backends_agree(template):
    try:
        opengl = Renderer(160, 160, "opengl")
    except InputError as error:
        pytest.skip(str(error))
    camera, pose = look_at_camera(template.v_template, 160, 160, yaw=0.6)
    arguments = (template.v_template, template.faces, template.colours, camera, pose)
    rgb, depth = opengl.render(*arguments)
    other_rgb, other_depth = Renderer(160, 160, "raycast").render(*arguments)
    both = (depth > 0) & (other_depth > 0)
    assert both.sum() > 0.9 * (depth > 0).sum()
    assert np.median(np.abs(depth - other_depth)[both]) < 1e-3
    assert np.abs(rgb.astype(int) - other_rgb).mean() < 1.5


def test_nothing_before_the_camera_draws_nothing(renderer):
    behind = POSE.copy()
    behind[2, 3] = -0.5
    _, depth = renderer.render(SQUARE, FACES, COLOURS, CAMERA, behind)
    assert (depth == 0).all()


@pytest.mark.parametrize("yaw", [0, 0.61, 1.57, -1.57])
def test_look_at_camera_frames_the_whole_head(template, yaw):
    camera, pose = look_at_camera(template.v_template, 300, 400, yaw)
    pixels = project(template.v_template, camera, pose)
    assert pixels.min() >= 0
    assert (pixels.max(0) < (300, 400)).all()
    assert np.ptp(pixels, axis=0).max() > 200


def test_yaw_shows_the_other_side(template):
    camera, pose = look_at_camera(template.v_template, 300, 300, 0.6)
    nose = project(template.landmarks68(template.v_template)[30:31], camera, pose)[0]
    middle = project(template.v_template, camera, pose).mean(0)
    assert nose[0] > middle[0] + 20, "turned to the subject's left, which is the right of the picture"


def test_no_context_falls_back_and_says_so(monkeypatch, caplog):
    monkeypatch.setattr(rendering, "_opengl", {})
    monkeypatch.setitem(__import__("sys").modules, "pyrender", None)
    with caplog.at_level(logging.WARNING):
        assert Renderer(10, 10).backend == "raycast"
    assert "ray casting" in caplog.text
    with pytest.raises(InputError, match="install libegl1"):
        Renderer(10, 10, "opengl")


def test_environment_chooses_and_unknown_backend_is_refused(monkeypatch):
    monkeypatch.setenv("FACE_ATLAS_RENDERER", "raycast")
    assert Renderer(10, 10).backend == "raycast"
    with pytest.raises(InputError, match="'auto', 'opengl' or 'raycast', got 'vulkan'"):
        Renderer(10, 10, "vulkan")


def test_srgb_round_trip():
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(linear_to_srgb(srgb_to_linear(every)), every)
