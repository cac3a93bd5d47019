"""Parameters of one template as another's: a coarser head, in a frame of its own, that lacks some expressions."""

from dataclasses import replace

import numpy as np
import open3d as o3d
import pytest
import torch
from scipy.optimize import lsq_linear

from atlas.biomarkers.action_units import mean_action_units
from atlas.exchange.box import box_least_squares
from atlas.exchange.correspondence import Correspondence, correspond
from atlas.exchange.transfer import transfer
from atlas.motion import face_mask
from atlas.simulation import simulate_people, simulate_recording
from reconstruction.camera import rotation_from_axis_angle
from reconstruction.closest import closest_places
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence, load, save
from reconstruction.template import Embedding, Template

TURN, SHIFT = rotation_from_axis_angle(np.array([0.1, -0.05, 0.02])), np.array([0.004, 0.03, -0.01])
MISSING = ("browDownLeft", "browDownRight")


@pytest.fixture(scope="module")
def coarse(template: Template) -> Template:
    """The embedded template with a third of its triangles, turned and shifted, without `MISSING`."""
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(template.v_template), o3d.utility.Vector3iVector(template.faces)
    ).simplify_quadric_decimation(3000)
    faces = np.asarray(mesh.triangles).astype(np.int64)
    places = closest_places(np.asarray(mesh.vertices), template.v_template, template.faces)

    def at(field: np.ndarray) -> np.ndarray:
        return np.einsum("kc,kc...->k...", places.barycentric, field[places.triangles]).astype(np.float32)

    def turned(field: np.ndarray) -> np.ndarray:
        return np.einsum("ij,kj...->ki...", TURN, at(field)).astype(np.float32)

    nearest = places.triangles[np.arange(len(places.triangles)), places.barycentric.argmax(1)]
    v_template = (at(template.v_template) @ TURN.T + SHIFT).astype(np.float32)
    kept = [i for i, name in enumerate(template.expression_names) if name not in MISSING]

    def points(embedding: Embedding) -> Embedding:
        return closest_places(embedding(template.v_template) @ TURN.T + SHIFT, v_template, faces)

    regressor = np.zeros((template.n_joints, len(v_template)), np.float32)
    joints = template.joint_regressor @ template.v_template
    for j, joint in enumerate(joints):  # the joint as a mean of a few vertices around it
        near = np.argsort(np.linalg.norm(at(template.v_template) - joint, axis=1))[:200]
        rows = np.vstack([at(template.v_template)[near].T, np.ones(len(near))])
        regressor[j, near] = np.linalg.lstsq(rows, np.r_[joint, 1], rcond=None)[0]
    return replace(
        template,
        name="coarse",
        v_template=v_template,
        shapedirs=turned(template.shapedirs)[:, :, :40],
        expressiondirs=turned(template.expressiondirs)[:, :, kept],
        expression_names=tuple(template.expression_names[i] for i in kept),
        posedirs=np.zeros((len(v_template), 3, 36), np.float32),
        joint_regressor=regressor,
        skinning_weights=at(template.skinning_weights),
        faces=faces,
        colours=template.colours[nearest],
        parts=template.parts[nearest],
        mirror=np.arange(len(v_template)),
        landmarks68=points(template.landmarks68),
        landmarks478=points(template.landmarks478),
        sha256="c" * 64,
    )


@pytest.fixture(scope="module")
def recording(template: Template) -> FaceSequence:
    """Two seconds of a simulated person, of which a frame is left out; the neck bends."""
    made = simulate_recording(simulate_people(3, "none", template=template)[1], "happiness", 2, 10, 0, template)
    valid = np.arange(len(made)) != 7
    pose = made.pose.copy()
    pose[:, template.joint("neck"), 0] = np.linspace(0, 0.2, len(made))
    return replace(made, pose=pose * valid[:, None, None], expression=made.expression * valid[:, None], valid=valid)


@pytest.fixture(scope="module")
def there(template: Template, coarse: Template) -> Correspondence:
    return correspond(template, coarse)


def in_camera(sequence: FaceSequence, template: Template) -> np.ndarray:
    """(T, V, 3) mm, of valid frames."""
    placed = sequence.camera_from_head[sequence.valid]
    vertices = sequence.vertices(template, sequence.valid)
    return 1000 * (vertices @ np.swapaxes(placed[:, :3, :3], 1, 2) + placed[:, None, :3, 3])


def rms(a: np.ndarray) -> float:
    return float(np.sqrt((a**2).sum(-1).mean()))


def test_the_frames_of_the_heads_are_found(there: Correspondence) -> None:
    np.testing.assert_allclose(there.turn, TURN, atol=0.005)
    np.testing.assert_allclose(there.shift, SHIFT, atol=0.001)
    assert there.apart_mm < 0.3
    assert len(there.weights) > 100


def test_there_and_back(
    recording: FaceSequence, template: Template, coarse: Template, there: Correspondence, tmp_path
) -> None:
    made = transfer(recording, template, coarse, there)
    assert made.shape_mm < 0.5
    assert np.median(made.motion_mm) < 0.2
    assert made.motion_share > 0.98
    assert (made.sequence.template, made.sequence.simulated) == ("coarse", True)
    np.testing.assert_array_equal(made.sequence.valid, recording.valid)
    assert not made.sequence.pose[~recording.valid].any()
    assert (made.sequence.expression >= 0).all()
    assert (made.sequence.expression <= 1).all()
    back = transfer(
        load(save(made.sequence, tmp_path / "a.face.safetensors")), coarse, template, correspond(coarse, template)
    )
    face = face_mask(template)
    assert rms(in_camera(back.sequence, template)[:, face] - in_camera(recording, template)[:, face]) < 0.8
    own, same = mean_action_units(recording), mean_action_units(back.sequence)
    assert own["AU12"] > 0.2
    for code in ("AU01", "AU12", "AU26", "AU45", "AU63"):  # of 5
        assert same[code] == pytest.approx(own[code], abs=0.2), code
    used = recording.valid
    smile = template.expression_names.index("mouthSmileLeft")
    assert np.corrcoef(back.sequence.expression[used, smile], recording.expression[used, smile])[0, 1] > 0.99
    assert back.sequence.provenance["source"]["transferred"]["from"] == "atlas-head"


def test_the_head_stays_where_it_was(
    recording: FaceSequence, template: Template, coarse: Template, there: Correspondence
) -> None:
    """Landmarks before the camera are the same, with the neck bent and the head turned."""
    made = transfer(recording, template, coarse, there).sequence
    apart = coarse.landmarks68(in_camera(made, coarse)) - template.landmarks68(in_camera(recording, template))
    assert rms(apart) < 1.0
    np.testing.assert_allclose(
        made.pose[:, coarse.joint("neck")], recording.pose[:, template.joint("neck")] @ TURN.T, atol=0.002
    )


def test_a_head_without_a_neck_turns_as_a_whole(
    recording: FaceSequence, template: Template, coarse: Template, there: Correspondence
) -> None:
    stiff = replace(coarse, joint_names=("global", "spine", "jaw", "left_eye", "right_eye"))
    made = transfer(recording, template, stiff, there).sequence
    assert not made.pose[:, 1].any()
    apart = stiff.landmarks68(in_camera(made, stiff)) - template.landmarks68(in_camera(recording, template))
    assert rms(apart) < 1.0


def test_what_cannot_be_expressed_is_said(
    recording: FaceSequence, template: Template, coarse: Template, there: Correspondence
) -> None:
    expression = np.zeros_like(recording.expression)
    expression[:, [template.expression_names.index(name) for name in MISSING]] = 0.8
    made = transfer(replace(recording, expression=expression), template, coarse, there)
    assert made.motion_share < 0.8
    assert set(made.poorly) == set(MISSING)
    assert any(note.startswith("poorly expressed: browDownLeft") for note in made.notes)
    assert set(made.sequence.provenance["transferred"]["poorly"]) == set(MISSING)


def test_a_template_onto_itself_changes_nothing(recording: FaceSequence, template: Template) -> None:
    made = transfer(recording, template, template, correspond(template, template))
    assert made.shape_mm < 0.05
    np.testing.assert_allclose(made.sequence.expression, recording.expression, atol=0.05)
    used = recording.valid
    np.testing.assert_allclose(made.sequence.translation[used], recording.translation[used], atol=2e-4)


def test_an_unbounded_template_is_a_target_too(
    recording: FaceSequence, template: Template, coarse: Template, there: Correspondence
) -> None:
    mixed = np.linalg.qr(np.random.default_rng(0).normal(size=(coarse.n_expression, coarse.n_expression)))[0]
    directions = (coarse.expressiondirs @ mixed).astype(np.float32)
    made = transfer(recording, template, replace(coarse, expressiondirs=directions, bounded=False), there)
    assert made.motion_share > 0.98
    assert made.sequence.expression.min() < 0


def test_what_does_not_fit_is_refused(
    recording: FaceSequence, template: Template, coarse: Template, there: Correspondence
) -> None:
    with pytest.raises(InputError, match="expected parameters of template coarse"):
        transfer(recording, coarse, template, there)
    with pytest.raises(InputError, match="expected a frame with a trustworthy face"):
        transfer(replace(recording, valid=recording.valid & False), template, coarse, there)
    rng = np.random.default_rng(0)
    odd = replace(coarse, v_template=(0.1 * rng.normal(size=coarse.v_template.shape)).astype(np.float32))
    with pytest.raises(InputError, match="expected faces that lie upon one another"):
        correspond(template, odd)


@pytest.mark.parametrize("guesses", [40, 0])
def test_box_least_squares_is_scipy_s(guesses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By guessing which bounds are met, and by coordinate descent alone."""
    monkeypatch.setattr("atlas.exchange.box.GUESSES", guesses)
    rng = np.random.default_rng(0)
    rows, goal = rng.normal(size=(20, 30, 6)), 3 * rng.normal(size=(20, 30))
    low, high = np.r_[np.zeros(4), -np.inf, -0.01], np.r_[np.ones(4), np.inf, 0.01]
    found = box_least_squares(
        torch.from_numpy(np.einsum("bki,bkj->bij", rows, rows)),
        torch.from_numpy(np.einsum("bki,bk->bi", rows, goal)),
        torch.zeros(20, 6).double(),
        torch.from_numpy(low),
        torch.from_numpy(high),
    )
    for b in range(20):
        wanted = lsq_linear(rows[b], goal[b], (low, high), tol=1e-12, method="bvls").x
        np.testing.assert_allclose(found[b], wanted, atol=1e-5)
