"""Action units and movement measures, on sequences whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.biomarkers import ACTION_UNITS, MEASURES, action_units, mean_action_units, measures
from atlas.biomarkers.action_units import JAW_WIDE, sided
from atlas.simulation import simulate_people, simulate_recording


@pytest.fixture(scope="module")
def still():
    """A person who does nothing for 12 seconds at 25 frames per second."""
    person = simulate_people(3, "none")[0]
    sequence = simulate_recording(person, "neutral", seconds=12, fps=25)
    return replace(sequence, expression=np.zeros_like(sequence.expression), pose=np.zeros_like(sequence.pose))


def with_expression(sequence, **coefficients):
    expression = sequence.expression.copy()
    for name, value in coefficients.items():
        expression[:, sequence.expression_names.index(name)] = value
    return replace(sequence, expression=expression)


def with_pose(sequence, joint, axis, value):
    pose = sequence.pose.copy()
    pose[:, sequence.joint_names.index(joint), axis] = value
    return replace(sequence, pose=pose)


def with_blinks(sequence, starts, seconds):
    closure = np.zeros(len(sequence))
    for start in starts:
        closure[(sequence.time_s >= start - 1e-9) & (sequence.time_s < start + seconds - 1e-9)] = 1
    return with_expression(sequence, eyeBlinkLeft=closure, eyeBlinkRight=closure)


def test_a_unit_is_five_times_the_mean_of_both_sides(still):
    units = action_units(with_expression(still, mouthSmileLeft=0.4, mouthSmileRight=0.6))
    assert units["AU12"] == pytest.approx(2.5)
    assert all(np.all(intensity == 0) for code, intensity in units.items() if code != "AU12")


def test_codes_have_two_digits_and_every_shape_exists_in_the_template(still):
    for code, unit in ACTION_UNITS.items():
        assert len(code) == 4
        assert code.startswith("AU")
        assert unit.joints or all(sided(name, still.expression_names) for name in unit.expressions)


@pytest.mark.parametrize(
    ("joint", "axis", "value", "code"),
    [
        ("jaw", 0, JAW_WIDE / 2, "AU26"),
        ("left_eye", 1, 0.3, "AU61"),
        ("left_eye", 1, -0.3, "AU62"),
        ("left_eye", 0, -0.3, "AU63"),
        ("left_eye", 0, 0.3, "AU64"),
    ],
)
def test_joint_rotations_are_units_of_their_direction_only(still, joint, axis, value, code):
    moving = {c for c, intensity in mean_action_units(with_pose(still, joint, axis, value)).items() if intensity > 0}
    assert moving == {code}


def test_half_open_jaw_is_half_the_scale(still):
    assert mean_action_units(with_pose(still, "jaw", 0, JAW_WIDE / 2))["AU26"] == pytest.approx(2.5)


def test_frames_that_are_not_valid_have_no_intensity_and_do_not_count(still):
    smile = np.where(still.time_s < 6, 1.0, 0.0)
    sequence = replace(with_expression(still, mouthSmileLeft=smile, mouthSmileRight=smile), valid=still.time_s < 6)
    assert np.isnan(action_units(sequence)["AU12"][-1])
    assert mean_action_units(sequence)["AU12"] == pytest.approx(5)


def test_units_a_template_cannot_show_are_left_out(still):
    names = tuple(name.replace("mouthSmile", "unknown") for name in still.expression_names)
    assert "AU12" not in action_units(replace(still, expression_names=names))


def test_measures_are_the_listed_ones(still):
    assert set(measures(still)) == set(MEASURES)


def test_nothing_moves_in_a_still_recording(still):
    found = measures(still)
    assert found["blink_rate"] == found["head_speed"] == found["gaze_dispersion"] == found["expressivity"] == 0
    assert np.isnan(found["blink_duration"])


def test_blinks_are_counted_per_minute_with_their_duration(still):
    found = measures(with_blinks(still, (1.0, 4.0, 8.0), 0.2))
    assert found["blink_rate"] == pytest.approx(3 / 12 * 60)
    assert found["blink_duration"] == pytest.approx(0.2, abs=0.001)


def test_a_half_blink_and_a_long_closure_are_no_blinks(still):
    assert measures(with_expression(still, eyeBlinkLeft=0.4, eyeBlinkRight=0.4))["blink_rate"] == 0
    assert measures(with_blinks(still, (3.0,), 2.0))["blink_rate"] == 0


def test_blinks_in_frames_left_out_do_not_count_and_neither_does_their_time(still):
    valid = still.time_s >= 6
    found = measures(replace(with_blinks(still, (1.0, 8.0), 0.2), valid=valid))
    assert found["blink_rate"] == pytest.approx(1 / 6 * 60)


def test_head_speed_is_radians_per_second_at_any_frame_rate(still):
    turning = with_pose(still, "global", 1, 0.1 * still.time_s)
    assert measures(turning)["head_speed"] == pytest.approx(0.1, rel=1e-4)
    half = slice(None, None, 2)
    thinned = replace(
        turning,
        **{key: getattr(turning, key)[half] for key in ("expression", "pose", "time_s", "valid", "quality", "reason")},
        frame_rate=12.5,
    )
    assert measures(thinned)["head_speed"] == pytest.approx(0.1, rel=1e-4)


def test_no_speed_across_a_gap(still):
    jump = np.where(still.time_s < 6, 0.0, 0.5)
    gap = (still.time_s < 5.9) | (still.time_s > 6.1)
    assert measures(with_pose(still, "global", 1, jump))["head_speed"] > 0.03
    assert measures(replace(with_pose(still, "global", 1, jump), valid=gap))["head_speed"] == 0


def test_gaze_dispersion_is_the_rms_angle_about_the_mean(still):
    side = np.where(np.arange(len(still)) % 2, 0.2, 0.0)
    both = with_pose(with_pose(still, "left_eye", 1, side), "right_eye", 1, side)
    assert measures(both)["gaze_dispersion"] == pytest.approx(0.1, rel=1e-4)


def test_a_recording_without_a_face_has_no_measures(still):
    nothing = replace(still, valid=np.zeros(len(still), bool))
    assert all(np.isnan(value) for value in measures(nothing).values())
    assert all(np.isnan(value) for value in mean_action_units(nothing).values())
