"""Renders with known truth: a perfect reconstruction, none, and a real run."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.evaluation.renders import RenderScores, measure, score, still_jitter

UNITS = {"AU12 lip corner puller": ("mouthSmile",), "AU26 jaw drop": ("jawOpen",), "AU05 upper lid": ("eyeWide",)}


@pytest.fixture(scope="module")
def truth(render_folder):
    return dict(np.load(render_folder / "sub-00.npz", allow_pickle=False))


@pytest.fixture(scope="module")
def still(sequence):
    """The first frame's parameters in every frame."""
    first = {name: np.repeat(getattr(sequence, name)[:1], 6, 0) for name in ("expression", "pose", "translation")}
    return replace(sequence, **first, valid=np.ones(6, bool))


def scores_of(template, truth, sequences, still):
    names = list(template.expression_names)
    people = [measure(f"{i}", truth, s, still, template, names, UNITS) for i, s in enumerate(sequences)]
    return RenderScores(people, names, list(UNITS))


def test_a_perfect_reconstruction_recovers_everything(template, sequence, truth, still):
    scores = scores_of(template, truth, [sequence, sequence], still)
    measures = scores.measures()
    assert measures["neutral_shape_mm"].value < 0.01
    assert measures["mean_face_mm"].value > 0.3
    assert measures["share_of_mean_face"].high < 0.02
    assert measures["recovered"].low > 0.999
    assert measures["motion_r2"].value == pytest.approx(1, abs=1e-6)
    assert measures["expression_correlation"].value == pytest.approx(1)
    assert measures["jitter_mm"].value == pytest.approx(0, abs=1e-4)
    expressions = scores.recovery("expressions")
    assert list(expressions) == ["mouthSmile"], "what nobody shows is left out"
    smile = expressions["mouthSmile"]
    assert {"r", "low", "high", "left", "right"} == set(smile)
    assert all(value == pytest.approx(1) for value in smile.values())
    units = scores.recovery("units")
    assert list(units) == ["AU12 lip corner puller", "AU26 jaw drop"]
    assert units["AU26 jaw drop"]["r"] == pytest.approx(1)
    assert scores.people[0].frames_used == 5, "the frame left out does not count"


def test_the_mean_face_without_motion_recovers_nothing(template, sequence, truth, still):
    nothing = replace(
        sequence,
        shape=np.zeros_like(sequence.shape),
        expression=np.zeros_like(sequence.expression),
        pose=np.zeros_like(sequence.pose),
    )
    scores = scores_of(template, truth, [nothing], still)
    measures = scores.measures()
    assert measures["share_of_mean_face"].value == 1
    assert measures["recovered"].value == 0
    assert measures["motion_r2"].value == pytest.approx(0, abs=1e-6)
    assert scores.recovery("expressions")["mouthSmile"]["r"] == 0
    halves = scores_of(template, truth, [nothing, sequence], still).measures()
    assert 0.3 < halves["motion_r2"].value < 0.7
    assert halves["motion_r2"].low < 0.01
    assert halves["motion_r2"].high > 0.99
    assert halves["motion_r2"].mean_of_people == pytest.approx(0.5, abs=1e-6)


def test_sides_are_told_from_directions(template, truth, sequence, still):
    names = [str(n) for n in truth["names"]]
    moving = truth | {"expr": truth["expr"].copy()}
    for name in ("mouthLeft", "mouthRight"):
        column = {"mouthLeft": "mouth_L", "mouthRight": "mouth_R"}[name]
        moving["expr"][:, names.index(column)] = np.linspace(0, 1, 6)
    found = scores_of(template, moving, [sequence], still).recovery("expressions")
    assert {"mouthLeft", "mouthRight", "mouthSmile"} == set(found)


def test_a_template_whose_expressions_have_no_names_is_measured_all_the_same(template, truth, sequence, still):
    person = measure("0", truth, sequence, still, template, [], {})
    scores = RenderScores([person], [], [])
    assert scores.recovery("expressions") == scores.recovery("units") == {}
    measures = scores.measures()
    assert np.isnan(measures["expression_correlation"].value)
    assert measures["motion_r2"].value == pytest.approx(1, abs=1e-6)


def test_jitter_is_in_the_cameras_axes(template, still):
    trembling = still.translation.copy()
    trembling[::2] += np.float32([0.0003, 0.0004, 0.0012])
    trembling[1::2] -= np.float32([0.0003, 0.0004, 0.0012])
    assert still_jitter(replace(still, translation=trembling), template) == pytest.approx((1.3, 0.5), abs=1e-3)


def test_renders_that_cannot_be_used(render_folder, template, tmp_path):
    def refused(folder, message):
        with pytest.raises(InputError, match=message):
            score(folder, template, "fast", 0, UNITS)

    refused(tmp_path / "nowhere", "expected a folder of renders")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "but there are none")
    folder = shutil.copytree(render_folder, tmp_path / "renders")
    (folder / "sub-01.mp4").unlink()
    refused(folder, r"expected the film .*sub-01\.mp4")
    np.savez(folder / "sub-01.npz", neutral=np.zeros((3, 3)))
    refused(folder, "expected the truth of a render")
    np.savez(folder / "sub-01.npz", names=np.array([{}]), neutral=1)
    refused(folder, "expected the truth of a render")
    (folder / "sub-01.npz").write_text("no archive")
    refused(folder, "expected the truth of a render")


def test_a_film_of_other_length_is_refused(template, sequence, truth, still):
    short = truth | {"expr": truth["expr"][:4]}
    with pytest.raises(InputError, match="expected a film of the truth's 4 frames"):
        measure("sub-00", short, sequence, still, template, [], UNITS)
