"""GNM Head's npz becomes a template without a jaw joint that is otherwise complete."""

import numpy as np
import pytest
import torch

from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.importers import read_head
from reconstruction.motion import motion_names, motion_to_pose
from reconstruction.photographer import random_motion
from reconstruction.projection import PointModel
from reconstruction.template import load_template, save_template


@pytest.fixture(scope="module")
def gnm(gnm_arrays, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gnm")
    np.savez(folder / "head.npz", **gnm_arrays)
    save_template(read_head(folder / "head.npz").to_template(), folder / "gnm.template.safetensors")
    return load_template(folder / "gnm.template.safetensors")


def test_joints_follow_the_identity_as_gnm_says(gnm, gnm_arrays):
    shape = np.random.default_rng(0).normal(size=(3, gnm.n_shape))
    wanted = gnm_arrays["template_joint_positions"] + np.einsum(
        "bi,ijd->bjd", shape, gnm_arrays["joint_identity_basis"]
    )
    mine = FaceModel(gnm).joints(torch.tensor(shape, dtype=torch.float32))
    np.testing.assert_allclose(mine, wanted, atol=2e-6)
    assert np.abs(gnm.joint_regressor).max() < 1, "a joint rests on many vertices"


def test_names_parts_and_what_one_looks_through(gnm, gnm_arrays, template):
    assert gnm.joint_names == ("global", "neck", "left_eye", "right_eye")
    assert gnm.expression_names[0] == "lower_face_region_000"
    assert not gnm.bounded
    assert len(gnm.faces) == len(gnm_arrays["triangles"]) - 3
    for part in ("teeth", "mouth", "iris"):
        assert (gnm.part(part) & template.part(part)).sum() > 0.9 * template.part(part).sum()
    np.testing.assert_allclose(gnm.uv[gnm.uv_faces], gnm_arrays["triangle_uvs"][:-3], atol=1e-6)


def test_motion_has_no_jaw(gnm):
    names = motion_names(gnm)
    assert names[gnm.n_expression :] == ("left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y")
    motion = random_motion(gnm, 5, np.random.default_rng(0))
    assert motion.shape == (5, len(names))
    pose = motion_to_pose(gnm, motion)
    np.testing.assert_allclose(pose[:, 3, 1], motion[:, -1], rtol=1e-6)
    model = PointModel(gnm, gnm.landmarks478)
    expected = FaceModel(gnm, gnm.landmarks478).double()(
        torch.zeros(5, gnm.n_shape).double(), torch.tensor(motion[:, : gnm.n_expression]), torch.tensor(pose).double()
    )
    np.testing.assert_allclose(
        model.points(torch.zeros(gnm.n_shape).double(), torch.tensor(motion)), expected, atol=1e-8
    )
    with pytest.raises(
        InputError, match="expected a template with the joint 'jaw', but gnm-head has only global, neck"
    ):
        gnm.joint("jaw")


def test_from_a_detector_without_fault_it_is_learnt(gnm, learn_ideally):
    _, calibration = learn_ideally(gnm)
    assert calibration.bounded == 0
    assert np.median(calibration.reliability) > 0.7


def test_the_components_that_move_most_are_kept(gnm_arrays, tmp_path):
    np.savez(tmp_path / "head.npz", **gnm_arrays)
    head = read_head(tmp_path / "head.npz")
    few = head.largest(3, 5)
    size = (head.expressiondirs**2).sum((0, 1))
    kept = [head.expression_names.index(name) for name in few.expression_names]
    assert kept == sorted(kept)
    assert set(kept) == set(np.argsort(-size)[:5])
    np.testing.assert_array_equal(few.expressiondirs, head.expressiondirs[:, :, kept])
    assert few.shapedirs.shape[2] == 3
    with pytest.raises(InputError, match="expected 1 to 12 shape components, as gnm-head has, but 13"):
        head.largest(13, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertex_groups": np.zeros((7, 5))}, "'vertex_groups' of shape"),
        ({"template_joint_positions": np.zeros((3, 3))}, "'template_joint_positions' of shape"),
        ({"expression_basis": np.full((44, 4850, 3), np.inf)}, "expected finite numbers as 'expression_basis'"),
        ({"triangles": np.full((9444, 3), 4850)}, "triangles of vertices below 4850"),
        ({"version": None}, "expected plain arrays"),
    ],
)
def test_what_is_no_gnm_is_named(gnm_arrays, tmp_path, change, message):
    np.savez(tmp_path / "head.npz", **{**gnm_arrays, **change})
    with pytest.raises(InputError, match=message):
        read_head(tmp_path / "head.npz")
