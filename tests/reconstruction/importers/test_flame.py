"""FLAME's pickles become templates that mean the same, whoever wrote them."""

import pickle

import numpy as np
import pytest
import torch

from reconstruction.calibration import load_calibration
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.fitting import Regressor, fit_points, to_tracks
from reconstruction.importers import import_template
from reconstruction.importers.flame import read_flame
from reconstruction.photographer import random_motion
from reconstruction.storage import read_arrays
from reconstruction.template import KIND, load_template, save_template

SHAPE, EXPRESSION = 12, 8


@pytest.fixture(scope="module")
def flame(flame_arrays, tmp_path_factory):
    """FLAME 2023 Open imported, saved and loaded again."""
    folder = tmp_path_factory.mktemp("flame")
    source = folder / "flame2023_Open.pkl"
    source.write_bytes(pickle.dumps({**flame_arrays, "supr_expression_metadata": {"version": 1}}, 4))
    made = import_template(source, n_shape=SHAPE, n_expression=EXPRESSION)
    save_template(made, folder / "open.template.safetensors")
    return load_template(folder / "open.template.safetensors")


@pytest.mark.parametrize("protocol", range(6))
def test_a_chumpy_pickle_of_any_protocol_is_read(released, flame_arrays, python2_pickle, tmp_path, protocol):
    small = {k: v for k, v in released.items() if k != "shapedirs"} | {"shapedirs": np.zeros((1, 3, 400))}
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(python2_pickle(small, protocol) if protocol < 3 else pickle.dumps(small, protocol))
    with pytest.raises(InputError, match=r"'shapedirs' of shape \(4850, 3, 400\)"):
        read_flame(path)
    if protocol == 2:  # what Python 2 and chumpy wrote
        path.write_bytes(python2_pickle(released))
        head = read_flame(path)
        for name, key in (("v_template", "v_template"), ("posedirs", "posedirs"), ("joint_regressor", "J_regressor"),
                          ("skinning_weights", "weights"), ("faces", "f")):  # fmt: skip
            np.testing.assert_allclose(getattr(head, name), flame_arrays[key], atol=1e-7)
        np.testing.assert_allclose(head.expressiondirs, flame_arrays["shapedirs"][:, :, 300:], atol=1e-7)
        np.testing.assert_allclose(head.shapedirs, flame_arrays["shapedirs"][:, :, :300], atol=1e-7)
        assert head.name == "generic_model"
        assert "non-commercial" in head.licence


def test_it_moves_as_the_model_it_was_read_from(flame, template):
    """Shape, jaw and eyes of the template that the numbers came from."""
    rng = np.random.default_rng(0)
    kept = np.argsort(-(template.shapedirs**2).sum((0, 1)))[:SHAPE]
    shape = torch.tensor(rng.normal(size=(2, SHAPE)), dtype=torch.float32)
    full = torch.zeros(2, template.n_shape)
    full[:, np.sort(kept)] = shape
    pose = torch.tensor(rng.normal(0, 0.2, (2, 5, 3)), dtype=torch.float32)
    mine = FaceModel(flame)(shape, torch.zeros(2, EXPRESSION), pose)
    theirs = FaceModel(template)(full, torch.zeros(2, template.n_expression), pose)
    np.testing.assert_allclose(mine, theirs, atol=5e-6)


def test_points_parts_and_names(flame, template):
    apart = np.linalg.norm(flame.landmarks68(flame.v_template) - template.landmarks68(template.v_template), axis=1)
    assert np.median(apart) < 0.005, "of the embedded ones, which were settled on people who move"
    lips = flame.landmarks68(flame.v_template)[60:, 2] - template.landmarks68(template.v_template)[60:, 2]
    assert np.abs(lips).max() < 0.006, "on the lips, not on what is behind them"
    assert flame.visible478.sum() > 460
    assert flame.joint_names == ("global", "neck", "jaw", "left_eye", "right_eye")
    assert all(name.startswith("expression0") for name in flame.expression_names)
    for part in ("sclera", "iris", "lips", "lid"):  # mostly the same vertices
        mine, theirs = flame.part(part), template.part(part)
        assert (mine & theirs).sum() > 0.5 * theirs.sum(), part
    assert "CC-BY-4.0" in flame.licence
    assert 0 <= flame.uv.min() <= flame.uv.max() <= 1


def test_software_that_knows_no_unbounded_expressions_refuses_the_file(flame, template):
    assert not flame.bounded
    with pytest.raises(InputError, match="has version 2; update"):
        read_arrays(flame.path, KIND, 1)


def test_expressions_without_bounds_are_fitted_below_zero(flame, learn_ideally):
    renders, calibration = learn_ideally(flame)
    assert renders.motion[:, :EXPRESSION].min() < -1
    person = renders.of(renders.person == 3)
    n = len(person.person)
    fit = Regressor(calibration)(person.points, person.features, np.ones(n), n)
    assert np.corrcoef(fit.motion[:, :EXPRESSION].ravel(), person.motion[:, :EXPRESSION].ravel())[0, 1] > 0.9
    whole = fit_points(
        flame, calibration, person.points, person.features, np.ones(n, bool), np.ones(n), 2.0, (448, 448),
        person.camera_matrix[0],
    )  # fmt: skip
    expression = to_tracks(flame, whole, np.arange(n) / 2.0, 2.0).expression
    assert expression.min() < -0.3
    assert np.corrcoef(expression.ravel(), person.motion[:, :EXPRESSION].ravel())[0, 1] > 0.9


def test_random_motion_is_neutral_on_average(flame):
    motion = random_motion(flame, 4000, np.random.default_rng(0))[:, :EXPRESSION]
    assert np.abs(motion.mean(0)).max() < 0.05
    assert 0.5 < motion.std() < 0.65


def test_without_a_calibration_the_sentence_says_how_to_make_one(flame):
    with pytest.raises(InputError, match=r"face-atlas template calibrate .*open\.template\.safetensors --out"):
        load_calibration(flame)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": None}, "expected numbers as 'weights of"),
        ({"shapedirs": np.zeros((4850, 3, 150))}, r"'shapedirs' of shape \(4850, 3, 400\)"),
        ({"v_template": np.full((4850, 3), np.nan)}, "expected finite numbers as 'v_template of"),
        ({"kintree_table": np.array([[0, 0, 1, 2, 3], range(5)])}, "joints with parents"),
    ],
)
def test_what_is_no_flame_is_named(flame_arrays, tmp_path, change, message):
    path = tmp_path / "flame.pkl"
    path.write_bytes(pickle.dumps({**flame_arrays, "shapedirs": np.zeros((4850, 3, 400), np.float32), **change}, 4))
    with pytest.raises(InputError, match=message):
        read_flame(path)
    path.write_bytes(pickle.dumps({k: v for k, v in flame_arrays.items() if k == "f"}))
    with pytest.raises(InputError, match="it has no 'v_template'"):
        read_flame(path)
