"""Altered copies are what an altered recording would have given."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.aggregation import feature_names, summarise, template_units
from atlas.augmentation import Augmentation, augmented, mirrored, noise_of, warped, without_stimuli
from atlas.biomarkers import ReliabilityTable
from atlas.features import FeatureTable
from atlas.motion import MotionSpace
from atlas.simulation import simulate_people, simulate_recording
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


@pytest.fixture(scope="module")
def film(template: Template) -> FaceSequence:
    return simulate_recording(simulate_people(3, seed=3, template=template)[0], "fear", 8, 20, 0, template)


def table_of(film: FaceSequence, space: MotionSpace, template: Template) -> FeatureTable:
    units = template_units(template)
    names = feature_names(space, units)
    values = np.full((1, 2, len(names)), np.nan)
    values[0, 0] = summarise(film, "fear", space, units).features
    return FeatureTable(names, ("fear",), values)


def test_a_mirrored_copy_is_what_the_mirrored_recording_gives(
    film: FaceSequence, space: MotionSpace, template: Template
) -> None:
    names = film.expression_names
    other = [
        names.index(n.replace("Left", "#").replace("Right", "Left").replace("#", "Right"))
        if n.endswith(("Left", "Right"))
        else i
        for i, n in enumerate(names)
    ]
    pose = film.pose * np.array([1, -1, -1], np.float32)
    left, right = (film.joint_names.index(f"{side}_eye") for side in ("left", "right"))
    pose[:, [left, right]] = pose[:, [right, left]]
    seen = table_of(replace(film, expression=film.expression[:, other], pose=pose), space, template)
    made = mirrored(table_of(film, space, template))
    # a template's sides are not exactly alike, so that frames weigh a little differently
    np.testing.assert_allclose(made.values, seen.values, rtol=0.02, atol=0.02)
    assert not np.allclose(table_of(film, space, template).values, seen.values, rtol=0.02, atol=0.02, equal_nan=True)
    np.testing.assert_array_equal(mirrored(made).values, table_of(film, space, template).values)


def test_a_warped_copy_is_what_the_faster_recording_gives(
    film: FaceSequence, space: MotionSpace, template: Template
) -> None:
    faster = replace(film, time_s=film.time_s / 2, frame_rate=2 * film.frame_rate)
    seen = table_of(faster, space, template)
    made = warped(table_of(film, space, template), np.array([2.0]))
    for name in ("blink_rate", "blink_duration", "head_speed", "expression_speed", "AU12", "gaze_dispersion"):
        column = made.names.index(name)
        assert made.values[0, 0, column] == pytest.approx(seen.values[0, 0, column], rel=1e-4), name
    speed = made.names.index("speed mouthSmileLeft")
    assert np.exp(made.values[0, 0, speed]) == pytest.approx(np.exp(seen.values[0, 0, speed]), rel=0.3)


def test_everyone_keeps_a_stimulus() -> None:
    values = np.ones((200, 4, 2))
    values[:, -1] = np.nan
    values[:50, 1:] = np.nan
    out = without_stimuli(FeatureTable(("a", "b"), ("x", "y", "z"), values), 0.9, np.random.default_rng(0))
    there = np.isfinite(out.values).all(2)
    assert there.any(1).all()
    assert not there[:50, 1:].any()
    assert there[50:, :3].mean() < 0.5


def test_noise_is_as_large_as_the_reliability_is_low() -> None:
    figures = {"fast": {"AU12": {"between": 0.6}, "jawOpen": {"between": None}}}
    table = ReliabilityTable(figures, {"fast": 3})
    np.testing.assert_allclose(noise_of(("AU12", "level jawOpen", "blink_rate"), table), [0.8, 0, 0])


def test_the_same_seed_alters_alike_and_nothing_asked_for_alters_nothing() -> None:
    table = FeatureTable(("speed a", "b"), ("x",), np.random.default_rng(0).normal(size=(5, 2, 2)))
    some = Augmentation(1, mirror=True, warp=0.1, drop=0.5)
    first, second = (augmented(table, some, np.random.default_rng(1)).values for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(augmented(table, Augmentation(1), np.random.default_rng(1)).values, table.values)
