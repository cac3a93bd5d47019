"""Parameters to vertices."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from reconstruction import face_model
from reconstruction.face_model import FaceModel, embed, rotation_matrix
from reconstruction.template import Embedding


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


def people(template, batch, dtype=torch.float64):
    rng = torch.Generator().manual_seed(1)
    shape = torch.randn(batch, template.n_shape, generator=rng, dtype=dtype)
    expression = torch.rand(batch, template.n_expression, generator=rng, dtype=dtype) * 0.3
    return shape, expression, torch.randn(batch, template.n_joints, 3, generator=rng, dtype=dtype) * 0.2


def skinned(template, shape, expression, pose):
    """(V, 3) of one face by the definition: every joint moves all vertices, the weights choose. NumPy, float64."""
    turns = Rotation.from_rotvec(pose).as_matrix()
    rest = template.v_template + template.shapedirs @ shape + template.expressiondirs @ expression
    rest = rest + template.posedirs @ (turns[1:] - np.eye(3)).ravel()
    joints = template.joint_regressor @ (template.v_template + template.shapedirs @ shape)
    world = []
    for j, parent in enumerate(template.parents):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = turns[j], joints[j] - joints[parent] * (parent >= 0)
        world.append(world[parent] @ local if parent >= 0 else local)
    moved = [(rest - joint) @ place[:3, :3].T + place[:3, 3] for joint, place in zip(joints, world, strict=True)]
    return np.einsum("vj,jvd->vd", template.skinning_weights, moved)


def test_many_faces_agree_with_the_definition(model, template):
    parts = people(template, 3)
    expected = [skinned(template, *(part[i].numpy() for part in parts)) for i in range(3)]
    np.testing.assert_allclose(model(*(part.float() for part in parts)).numpy(), expected, atol=2e-6)


def test_one_identity_for_all_is_that_identity_repeated(model, template):
    shape, expression, pose = people(template, 4, torch.float32)
    repeated = model(shape[:1].expand(4, -1), expression, pose)
    torch.testing.assert_close(model(shape[:1], expression, pose), repeated, atol=1e-6, rtol=0)


def test_no_frames_give_no_vertices(model, template):
    shape, expression, pose = people(template, 1, torch.float32)
    assert model(shape, expression[:0], pose[:0]).shape == (0, len(template.v_template), 3)


@pytest.mark.parametrize("identities", [1, 3])
def test_gradients_agree_with_differences(template, monkeypatch, identities):
    """Over several chunks, the last one not full."""
    monkeypatch.setattr(face_model, "CHUNK", 5)
    points = np.random.default_rng(0).integers(len(template.faces), size=13)
    places = Embedding(template.faces[points], np.full((13, 3), 1 / 3, np.float32))
    part = FaceModel(template, places).double()
    assert part.skinning_weights.shape == (3, template.n_joints, 5)
    shape, expression, pose = people(template, 3)
    inputs = [x.requires_grad_() for x in (shape[:identities].clone(), expression, pose)]
    assert torch.autograd.gradcheck(part, inputs, atol=1e-7)


def test_gradient_by_expression_alone(model, template):
    shape, expression, pose = people(template, 2, torch.float32)
    model(shape, expression.requires_grad_(), pose * 0).sum().backward()
    expected = template.expressiondirs.sum((0, 1))
    np.testing.assert_allclose(expression.grad.numpy(), np.tile(expected, (2, 1)), rtol=1e-3, atol=1e-4)
