"""The embedded template is what its docstring says, and its file format keeps it."""

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.template import load_template, save_template


def test_shapes_and_sums(template):
    n = len(template.v_template)
    assert 4000 <= n <= 6000
    assert 40 <= template.n_shape <= 60
    assert template.shapedirs.shape == (n, 3, template.n_shape)
    assert template.expressiondirs.shape == (n, 3, len(template.expression_names))
    assert template.posedirs.shape == (n, 3, 9 * (template.n_joints - 1))
    assert set(template.joint_names) == {"global", "neck", "jaw", "left_eye", "right_eye"}
    np.testing.assert_allclose(template.skinning_weights.sum(1), 1, atol=1e-4)
    np.testing.assert_allclose(template.joint_regressor.sum(1), 1, atol=1e-3)
    np.testing.assert_allclose(template.landmarks68.barycentric.sum(1), 1, atol=1e-4)


def test_a_head_in_metres_looking_along_z(template):
    extent = np.ptp(template.v_template, axis=0)
    assert 0.12 < extent[0] < 0.55
    assert 0.2 < extent[1] < 0.5
    points = template.landmarks68(template.v_template)
    assert points[30, 2] == pytest.approx(points[:, 2].max(), abs=0.003), "the nose tip is in front"
    assert points[45, 0] > 0 > points[36, 0], "x is to the subject's left"
    assert points[27, 1] > points[8, 1], "y is up"


def test_names_are_arkit_and_joints_are_no_expression(template):
    assert {"browDownLeft", "mouthSmileRight", "eyeBlinkLeft", "jawForward"} <= set(template.expression_names)
    assert not {"jawOpen", "jawLeft", "jawRight"} & set(template.expression_names)
    assert not [name for name in template.expression_names if name.startswith("eyeLook")]


def test_mirror_is_its_own_inverse_and_mirrors(template):
    np.testing.assert_array_equal(template.mirror[template.mirror], np.arange(len(template.mirror)))
    other = template.v_template[template.mirror] * np.float32([-1, 1, 1])
    assert np.median(np.linalg.norm(other - template.v_template, axis=1)) < 0.002


def test_skin_is_all_that_is_neither_eye_nor_mouth(template):
    others = template.part("socket", "mouth", "teeth", "sclera", "iris", "pupil")
    np.testing.assert_array_equal(template.skin, ~others)
    for part in ("skin", "lid", "lips", "brow"):
        assert template.skin[template.part(part)].all()
    assert replace(template, part_names=tuple("abcdefghij")).skin.all(), "a template that names no such part"


def test_faces_point_outwards(template):
    corner = template.v_template[template.faces]
    volume = np.einsum("fd,fd->f", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])).sum() / 6
    assert volume > 0.001


def test_round_trip_gives_the_same_bytes(template, tmp_path):
    save_template(template, tmp_path / "a.template.safetensors")
    again = load_template(tmp_path / "a.template.safetensors")
    assert again.sha256 == template.sha256
    np.testing.assert_array_equal(again.shapedirs, template.shapedirs)


def test_unknown_template_names_the_known():
    with pytest.raises(InputError, match="atlas-head"):
        load_template("flame2042")
