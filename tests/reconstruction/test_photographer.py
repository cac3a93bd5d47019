"""Random people, photographed."""

from dataclasses import fields

import numpy as np

from reconstruction.camera import project
from reconstruction.landmarks import IBUG68
from reconstruction.motion import motion_names
from reconstruction.photographer import Photographer, Renders, random_camera, random_motion, render_people


def test_random_motion_is_sparse_in_range_and_mostly_symmetric(template):
    names = motion_names(template)
    motion = random_motion(template, 4000, np.random.default_rng(0))
    expression = motion[:, : template.n_expression]
    assert expression.min() >= 0
    assert expression.max() <= 1
    assert 0.1 < (expression > 0).mean() < 0.4
    left, right = (motion[:, names.index(f"mouthSmile{side}")] for side in ("Left", "Right"))
    assert 0.6 < (left == right).mean() < 0.99
    assert motion[:, names.index("jaw_x")].min() == 0, "a mouth does not open upwards"
    closed = motion[:, names.index("jaw_x")] == 0
    close = motion[:, names.index("mouthClose")]
    assert 0.05 < (close[closed] > 0).mean() < 0.6 * (close[~closed] > 0).mean(), "lips close what the jaw opened"
    gaze = motion[:, [names.index("left_eye_y"), names.index("right_eye_y")]]
    assert np.corrcoef(gaze.T)[0, 1] > 0.9, "the eyes look the same way"


def test_a_random_camera_keeps_the_face_in_the_picture(template):
    points = template.landmarks68(template.v_template)
    for seed in range(40):
        camera_matrix, poses = random_camera(template, 2, np.random.default_rng(seed), size=200)
        pixels = project(points, camera_matrix, poses)
        assert 0 < pixels.mean(1).min() < pixels.mean(1).max() < 199
        assert 25 < np.ptp(pixels[..., 1], axis=1).min() < 200


def test_people_differ_in_looks_and_a_field_is_interpolated(template):
    photographer = Photographer(template, size=64)
    field = photographer.subdivide(template.v_template)
    assert len(field) == len(template.v_template) + len(np.unique(photographer._edges, axis=0))
    looks = [photographer.appearance(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(looks[0], looks[1])
    assert np.abs(looks[0].astype(int) - looks[2]).mean() > 5


def test_renders_carry_their_truth_and_come_out_the_same_twice(template):
    renders, again = (render_people(template, people=2, frames=3, seed=1) for _ in range(2))
    for f in fields(Renders):
        np.testing.assert_array_equal(getattr(renders, f.name), getattr(again, f.name))
    assert len(renders.person) >= 4, "the detector finds nearly all"
    assert set(renders.person.tolist()) == {0, 1}
    assert len(np.unique(renders.shape, axis=0)) == 2
    neutral = template.v_template + np.einsum("vds,ns->nvd", template.shapedirs, renders.shape)
    for i, points in enumerate(renders.points):
        true = project(template.landmarks68(neutral[i]), renders.camera_matrix[i], renders.camera_from_head[i])
        found = points[IBUG68, :2]
        apart = np.linalg.norm(found - true, axis=1)[[*range(27, 36), 36, 39, 42, 45]]  # hardly moved by expressions
        assert np.median(apart) < 0.12 * np.linalg.norm(found[36] - found[45])
