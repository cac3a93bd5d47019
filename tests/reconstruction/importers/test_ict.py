"""ICT-FaceKit, from npz and from its folder of OBJ files: the same head, and its shapes as the source has them."""

import json

import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.importers import ict
from reconstruction.importers.head import Head

JAW, LEFT_EYE = 2, 3


@pytest.fixture(scope="module")
def source(shared_data):
    return shared_data("ict_facekit/ict_facekit_light.npz")


@pytest.fixture(scope="module")
def model(source) -> ict.Model:
    return ict.load_model(source)


@pytest.fixture(scope="module")
def head(source) -> Head:
    return ict.read_ict(source)


def posed(head: Head, joint: int, turn: np.ndarray) -> np.ndarray:
    """(V, 3) offsets at rest that the joint's correctives give."""
    return head.posedirs[:, :, 9 * (joint - 1) : 9 * joint] @ (turn - np.eye(3)).ravel()


def test_the_jaw_angle_gives_the_sources_open_jaw(head, model):
    teeth = model.lower_teeth()
    shut = model.neutral[teeth]
    turn, _ = ict.rotation(shut, shut + model.expressions["jawOpen"][teeth])
    angle = np.arctan2(turn[2, 1], turn[2, 2])
    assert 0.2 < angle < 0.7
    offsets = posed(head, JAW, ict.about(0, angle))
    np.testing.assert_allclose(offsets, model.expressions["jawOpen"], atol=1e-5)
    half = posed(head, JAW, ict.about(0, angle / 2))
    assert np.linalg.norm(half[teeth], axis=1).mean() == pytest.approx(
        np.linalg.norm(offsets[teeth], axis=1).mean() / 2, rel=0.05
    )


def test_lids_follow_the_gaze_and_eyeballs_turn(head, model):
    down = ict.gaze_turns(ict.GAZE_SIDEWAYS)["Down"]
    lids = posed(head, LEFT_EYE, down)
    wanted = model.expressions["eyeLookDown_L"]
    np.testing.assert_allclose(lids[: ict.FACE[1]], wanted[: ict.FACE[1]], atol=1e-5)
    ball = slice(*ict.LEFT_EYE)
    assert not lids[ball].any()
    assert (head.skinning_weights[ball, LEFT_EYE] == 1).all()
    joint = head.joint_regressor[LEFT_EYE] @ head.v_template
    centre, radius = ict.sphere_centre(model.neutral[ball][model.neutral[ball][:, 2] < joint[2]])
    assert np.linalg.norm(joint - centre) < 0.002
    assert 0.01 < radius < 0.016


def test_names_units_and_what_is_left_out(head, model):
    assert {"mouthSmileLeft", "browDownRight", "mouthClose"} <= set(head.expression_names)
    assert not [n for n in head.expression_names if n.startswith(("eyeLook", "Pupil")) or n in ict.POSED]
    assert head.faces.max() < ict.LASHES
    assert 0.2 < np.ptp(head.v_template[:, 1]) < 0.4
    assert head.uv.min() >= 0
    assert head.uv.max() <= 1
    assert head.uv_faces.shape == head.faces.shape


def test_a_folder_of_obj_files(tmp_path, monkeypatch):
    """As ICT-FaceKit writes them, in centimetres; of six vertices, a quad and two triangles."""
    monkeypatch.setattr(ict, "VERTICES", 6)
    rng = np.random.default_rng(0)
    neutral, modes = rng.normal(size=(6, 3)), rng.normal(size=(2, 6, 3))
    names = [*ict.POSED, *(f"eyeLook{d}_{s}" for d in ict.gaze_turns(0) for s in "LR"), "browDown_L"]
    expressions = {name: rng.normal(size=(6, 3)) for name in names}

    def write(name: str, points: np.ndarray, *more: str) -> None:
        rows = [f"v {x:.15f} {y:.15f} {z:.15f}" for x, y, z in points.tolist()]
        (tmp_path / f"{name}.obj").write_text("\n".join(["mtllib ICTFaceModelMaterial.mtl", *rows, *more, ""]))

    uv = ("vt 0.1 0.2", "vt 1.3 0.4", "vt 0.5 0.6", "vt 0.7 0.8")
    faces = ("f 1/1/1 2/2/1 3/3/1 4/4/1", "usemtl M_Face", "f 1/1/1 3/2/1 5/3/1", "f 6/1/1 2/4/1 1/3/1")
    write("generic_neutral_mesh", neutral, *uv, *faces)
    for i in range(2):
        write(f"identity{i:03d}", neutral + modes[i])
    for name, delta in expressions.items():
        write(name, neutral + delta)
    (tmp_path / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": [5] * 68}))

    found = ict.load_model(tmp_path)
    np.testing.assert_allclose(found.neutral, neutral / 100, atol=1e-15)
    np.testing.assert_allclose(found.modes, modes / 100, atol=1e-15)
    assert found.expressions.keys() == expressions.keys()
    np.testing.assert_allclose(found.expressions["browDown_L"], expressions["browDown_L"] / 100, atol=1e-15)
    np.testing.assert_array_equal(found.polygons, [[0, 1, 2, 3], [0, 2, 4, -1], [5, 1, 0, -1]])
    np.testing.assert_array_equal(found.uv_polygons, [[0, 1, 2, 3], [0, 1, 2, -1], [0, 3, 2, -1]])
    np.testing.assert_array_equal(found.triangles, [[0, 1, 2], [0, 2, 4], [5, 1, 0], [0, 2, 3]])
    np.testing.assert_allclose(found.uv[1], [1.3, 0.4])
    assert (found.landmarks68 == 5).all()

    (tmp_path / "identity001.obj").write_text("v 1 2 3\n")
    with pytest.raises(InputError, match=r"6 vertices in .*identity001"):
        ict.load_model(tmp_path)
    (tmp_path / "identity001.obj").write_text("v 1 2 nothing\n")
    with pytest.raises(InputError, match="lines of finite numbers"):
        ict.load_model(tmp_path)
    write("identity001", neutral)
    (tmp_path / "jawOpen.obj").unlink()
    with pytest.raises(InputError, match="the expression 'jawOpen'"):
        ict.load_model(tmp_path)


def test_a_folder_without_the_neutral_face_is_named(tmp_path):
    with pytest.raises(InputError, match=r"expected generic_neutral_mesh\.obj"):
        ict.load_model(tmp_path)


def test_rotations_and_correctives():
    np.testing.assert_allclose(ict.about(0, np.pi / 2) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(ict.about(1, np.pi / 2) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    points = np.random.default_rng(0).normal(size=(20, 3))
    turn, shift = ict.rotation(points, points @ ict.about(2, 0.3).T + [1, 2, 3])
    np.testing.assert_allclose(turn, ict.about(2, 0.3), atol=1e-12)
    np.testing.assert_allclose(shift, [1, 2, 3], atol=1e-12)
