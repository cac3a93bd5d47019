"""Parameters to vertices."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from reconstruction.face_model import FaceModel, embed, rotation_matrix


@pytest.fixture(scope="module")
def model(template):
    return FaceModel(template)


def zeros(template, batch=1):
    return (
        torch.zeros(batch, template.n_shape),
        torch.zeros(batch, template.n_expression),
        torch.zeros(batch, template.n_joints, 3),
    )


def test_rotation_matrix_agrees_with_scipy():
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    got = rotation_matrix(torch.from_numpy(vectors)).numpy()
    np.testing.assert_allclose(got, Rotation.from_rotvec(vectors).as_matrix(), atol=1e-9)


def test_rotation_matrix_has_a_gradient_at_zero():
    vector = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    rotation_matrix(vector)[0, 1].backward()
    np.testing.assert_allclose(vector.grad.numpy(), [0, 0, -1])


def test_zero_parameters_give_the_template(model, template):
    np.testing.assert_allclose(model(*zeros(template))[0].numpy(), template.v_template, atol=1e-6)


def test_one_component_gives_its_direction(model, template):
    shape, expression, pose = zeros(template)
    shape[0, 1], expression[0, 3] = 2, 0.5
    expected = template.v_template + 2 * template.shapedirs[:, :, 1] + 0.5 * template.expressiondirs[:, :, 3]
    np.testing.assert_allclose(model(shape, expression, pose)[0].numpy(), expected, atol=1e-6)


def test_global_rotation_is_rigid_about_the_root_joint(model, template):
    shape, expression, pose = zeros(template)
    pose[0, 0] = torch.tensor([0.3, -0.5, 0.2])
    root = (template.joint_regressor @ template.v_template)[0]
    turned = (template.v_template - root) @ Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix().T + root
    np.testing.assert_allclose(model(shape, expression, pose)[0].numpy(), turned, atol=1e-5)


@pytest.mark.parametrize(
    ("joint", "axis", "landmark", "direction"),
    [("jaw", 0, 8, (0, -1, 0)), ("jaw", 1, 8, (1, 0, 0)), ("neck", 1, 30, (1, 0, 0))],
)
def test_joints_turn_the_way_the_conventions_say(model, template, joint, axis, landmark, direction):
    shape, expression, pose = zeros(template)
    pose[0, template.joint(joint), axis] = 0.2
    moved = template.landmarks68(model(shape, expression, pose)[0].numpy()) - template.landmarks68(template.v_template)
    assert moved[landmark] @ np.array(direction) > 0.005


def test_jaw_leaves_the_forehead_alone(model, template):
    shape, expression, pose = zeros(template)
    pose[0, template.joint("jaw"), 0] = 0.3
    moved = np.linalg.norm(model(shape, expression, pose)[0].numpy() - template.v_template, axis=1)
    brow = template.landmarks68(template.v_template)[19:25, 1].mean()
    assert moved[template.v_template[:, 1] > brow + 0.02].max() < 1e-3


def test_points_and_embedding_agree_with_the_whole(model, template):
    rng = torch.Generator().manual_seed(0)
    shape = torch.randn(3, template.n_shape, generator=rng)
    expression = torch.rand(3, template.n_expression, generator=rng) * 0.3
    pose = torch.randn(3, template.n_joints, 3, generator=rng) * 0.1
    whole = model(shape, expression, pose)
    points = template.landmarks68
    part = FaceModel(template, points)(shape, expression, pose)
    exact = points(whole.numpy())
    # skinning an interpolated point is not quite interpolating skinned vertices: equal but for the bend of a triangle
    np.testing.assert_allclose(part.numpy(), exact, atol=5e-5)
    np.testing.assert_allclose(
        embed(whole, template.landmarks68).numpy(), template.landmarks68(whole.numpy()), atol=1e-6
    )
