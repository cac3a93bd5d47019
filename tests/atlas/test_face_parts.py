"""Parts of the face: where they lie, that both sides are alike, and how much of a motion each has."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.biomarkers.face_parts import emoface16, keypoints, organs
from atlas.biomarkers.mirror import LANDMARK_PARTNERS, other_side
from atlas.biomarkers.motion_energy import mean_square_speeds, part_forms, shares
from atlas.biomarkers.muscles import muscles
from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from atlas.biomarkers.velocity import LAG_S, lagged_steps
from atlas.motion import MotionSpace, face_mask, vertex_areas
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


@pytest.fixture(scope="module")
def parts(template: Template, space: MotionSpace) -> FaceParts:
    return face_parts(template, space)


def test_weights_sum_to_one_and_are_those_of_the_other_side_in_the_mirror(parts: FaceParts, template: Template) -> None:
    assert [these.name for these in parts.sets] == ["organ", "emoface16", "muscles", "keypoint"]
    assert [len(these) for these in parts.sets] == [9, 16, 27, 68]
    for these in parts.sets:
        np.testing.assert_allclose(these.weights.sum(1), 1, atol=1e-5)
        assert these.weights.min() >= 0
        partner = [these.places.index(place) for place in these.mirrors]
        np.testing.assert_array_equal(these.weights[partner][:, template.mirror], these.weights)


def test_partners_are_involutions() -> None:
    np.testing.assert_array_equal(LANDMARK_PARTNERS[LANDMARK_PARTNERS], np.arange(68))
    assert other_side("mouthSmileLeft") == "mouthSmileRight"
    assert other_side("left_eye x") == "right_eye x"
    assert other_side("jaw y") == "jaw y"


@pytest.mark.parametrize(
    ("point", "place"),
    [(36, "05"), (45, "08"), (39, "06"), (42, "07"), (48, "14"), (54, "15"), (17, "01"), (30, "10"), (57, "14")],
)
def test_the_grid_holds_the_points_the_paper_names(template: Template, point: int, place: str) -> None:
    grid = emoface16(template)
    near = np.linalg.norm(template.v_template - template.landmarks68(template.v_template)[point], axis=1)
    skin = grid.weights.any(0)
    vertex = np.flatnonzero(skin)[near[skin].argmin()]
    assert grid.weights[grid.places.index(place), vertex] > 0


def test_which_side_the_paper_means_is_an_option() -> None:
    one, other = organs(), organs(sides="image")
    assert one.points is not None
    assert other.points is not None
    right = one.points[one.places.index("REyC")]
    np.testing.assert_array_equal(np.flatnonzero(right), range(17, 22))
    np.testing.assert_array_equal(other.points[other.places.index("LEyC")], right)
    with pytest.raises(InputError, match="subject or image"):
        organs(sides="mirror")


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("browDown", "corrugator"),
        ("browOuterUp", "frontalis_lateral"),
        ("eyeBlink", "orbicularis_oculi"),
        ("mouthUpperUp", "levator_labii"),
        ("mouthFrown", "depressor_anguli_oris"),
        ("mouthLowerDown", "depressor_labii"),
        ("cheekPuff", "buccinator"),
    ],
)
@pytest.mark.parametrize("side", ["Left", "Right"])
def test_a_muscle_moves_most_with_its_expression(parts: FaceParts, expression: str, place: str, side: str) -> None:
    motion = np.array([float(name == expression + side) for name in parts.space.names])
    these = parts.set("muscles")
    energy = mean_square_speeds(parts.forms, np.outer(motion, motion))["muscles"]
    assert these.places[int(energy.argmax())] == f"{place}_{side.lower()}"


def test_speeds_are_those_of_the_vertices(
    parts: FaceParts, template: Template, space: MotionSpace, sequence: FaceSequence
) -> None:
    """Against vertices posed frame by frame; the template is not quite alike on both sides."""
    still = np.zeros_like(sequence.pose)
    rng = np.random.default_rng(0)
    expression = rng.uniform(0, 0.5, sequence.expression.shape).astype(np.float32)
    moving = replace(
        sequence, expression=expression, pose=still, valid=np.ones(len(sequence), bool), shape=0 * sequence.shape
    )
    found = dict(zip(parts.names, recording_biomarkers(moving, parts), strict=True))
    vertices = 1000 * moving.vertices(template).astype(np.float64)
    lag = round(LAG_S * moving.frame_rate)
    velocity = (vertices[lag:] - vertices[:-lag]) / (lag / moving.frame_rate)
    marks = 1000 * template.landmarks68(vertices / 1000)
    speed = ((marks[lag:] - marks[:-lag]) / (lag / moving.frame_rate)) ** 2
    for these in (parts.set("emoface16"), parts.set("muscles")):
        expected = np.sqrt((velocity**2).sum(2).mean(0) @ these.weights.T)
        told = [found[f"{these.name}_{place}_speed"] for place in these.places]
        np.testing.assert_allclose(told, expected, rtol=0.02)
    for i in range(17, 68):
        assert found[f"keypoint_{i:02d}_speed"] == pytest.approx(np.sqrt(speed[:, i].sum(1).mean()), rel=0.05)
    brow = np.mean([found[f"keypoint_{i}_speed"] ** 2 for i in range(17, 22)])
    assert found["organ_REyC_speed"] == pytest.approx(np.sqrt(brow))
    area = vertex_areas(template.v_template, template.faces) * face_mask(template)
    square = parts.vertex_speed(moving).astype(np.float64) ** 2
    assert np.mean(np.abs(np.sqrt(square) - np.sqrt((velocity**2).sum(2).mean(0))) < 0.1) > 0.95
    assert found["face_speed"] == pytest.approx(float(np.sqrt(np.average(square, weights=area))), rel=0.01)


def test_shares_sum_to_100_by_mean_and_by_sum(template: Template, space: MotionSpace) -> None:
    rng = np.random.default_rng(1)
    moment = np.cov(rng.normal(size=(space.size, 200)))
    sets = (organs(template), organs(template, sums=True), emoface16(template), muscles(template), keypoints(template))
    for these in sets:
        energy = mean_square_speeds(part_forms((these,), template, space), moment)[these.name]
        assert shares(energy, these.extent).sum() == pytest.approx(100, abs=1e-9)
    mean, summed = (
        shares(mean_square_speeds(part_forms((s,), template, space), moment)["organ"], s.extent) for s in sets[:2]
    )
    ratio = summed / mean
    assert ratio[0] / ratio[3] == pytest.approx(17 / 4), (
        "by the sum the contour's 17 points count more than the nose's 4"
    )
    assert np.isnan(shares(np.zeros(3), np.ones(3))).all()


@pytest.mark.parametrize("rate", [5.0, 12.0, 24.0, 30.0, 60.0])
def test_velocities_do_not_depend_on_the_frame_rate(rate: float) -> None:
    time = np.arange(round(20 * rate)) / rate
    course = np.sin(2 * np.pi * 0.25 * time)[:, None]
    steps = lagged_steps(time, np.ones(len(time), bool), rate)
    assert steps.second_moment(course)[0, 0] == pytest.approx((2 * np.pi * 0.25) ** 2 / 2, rel=0.03)


def test_no_velocity_across_a_gap_or_below_the_slowest_rate() -> None:
    time = np.arange(100) / 25
    jump = (time >= 2).astype(float)[:, None]
    valid = np.abs(time - 2) > 0.05
    assert lagged_steps(time, valid, 25.0).second_moment(jump)[0, 0] == 0
    assert lagged_steps(time, np.ones(100, bool), 25.0).second_moment(jump)[0, 0] > 0
    assert len(lagged_steps(np.arange(9.0), np.ones(9, bool), 1.0)) == 0
    assert np.isnan(lagged_steps(np.arange(9.0), np.ones(9, bool), 1.0).second_moment(jump)).all()
