"""Reliability beside what a report names."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.aggregation import template_units
from atlas.biomarkers import ReliabilityTable, action_units, template_figures
from atlas.biomarkers.reliability import coefficient_names, figures, unit_weights
from reconstruction.motion import motion_names, motion_to_pose
from reconstruction.reliability import Reliability
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

FIGURES = {stage: {"AU12": {"r": r}} for stage, r in (("fast", 0.4), ("full", 0.9))}


@pytest.fixture(scope="module")
def measured(template: Template) -> Reliability:
    """Everything recovered as it was, but mouthSmileLeft as half and with a fifth of noseSneerLeft in it."""
    names, rng = motion_names(template), np.random.default_rng(0)
    true = rng.uniform(0, 1, (1200, len(names)))
    found = true + rng.normal(0, 0.02, true.shape)
    smile, sneer = names.index("mouthSmileLeft"), names.index("noseSneerLeft")
    found[:, smile] += -0.5 * true[:, smile] + 0.2 * true[:, sneer]
    return Reliability(true, found, found, np.repeat(np.arange(30), 40))


def test_units_are_the_combinations_that_are_reported(template: Template, sequence: FaceSequence) -> None:
    weights = unit_weights(template)
    assert tuple(weights) == template_units(template)
    rng = np.random.default_rng(0)
    motion = rng.uniform(0, 0.2, (len(sequence), len(motion_names(template))))
    shown = replace(
        sequence,
        expression=motion[:, : template.n_expression].astype(np.float32),
        pose=motion_to_pose(template, motion),
        valid=np.ones(len(sequence), bool),
    )
    for code, intensity in action_units(shown).items():
        np.testing.assert_allclose(np.clip(motion @ weights[code], 0, 5), intensity, atol=1e-5)


def test_figures_of_coefficients_and_units(template: Template, measured: Reliability) -> None:
    told = figures(template, measured, "full")
    assert {*coefficient_names(template), *template_units(template)} == set(told)
    assert told["mouthSmileLeft"]["slope"] == pytest.approx(0.5, abs=0.02)
    assert told["mouthSmileLeft"]["leak_from"] == "noseSneerLeft"
    assert told["mouthSmileLeft"]["leak"] == pytest.approx(0.2, abs=0.03)
    assert told["AU12"]["slope"] == pytest.approx(0.75, abs=0.02), "one side of two is halved"
    assert told["AU12"]["leak_from"] == "AU09"
    assert told["AU12"]["leak"] == pytest.approx(0.1, abs=0.02)
    side = told["mouthSmileRight"]["detection_limit"]
    assert side == pytest.approx(3.29 * 0.02, rel=0.1)
    assert told["AU09"]["detection_limit"] == pytest.approx(5 * side / np.sqrt(2), rel=0.1), "0 to 5, mean of two"


def test_the_embedded_templates_are_known_and_a_template_without_calibration_has_none(template: Template) -> None:
    table = template_figures(template)
    assert table.people >= 40
    assert table.figures["full"]["AU02"]["r"] > 0.7
    assert template_figures(replace(template, name="nobody")) == ReliabilityTable()


@pytest.mark.parametrize(
    ("recordings", "others", "stage"),
    [
        ({"full": 3}, (), "full"),
        ({"full": 3, "fast": 1}, (), "fast"),
        ({"full": 3, "unknown": 1}, (), "fast"),
        ({"full": 3}, ("fast",), "fast"),
        ({"simulated": 3}, ("full",), "full"),
        ({"simulated": 3}, (), "simulated"),
        ({}, (), "fast"),
    ],
)
def test_the_worst_quality_counts(recordings: dict[str, int], others: tuple[str, ...], stage: str) -> None:
    table = ReliabilityTable(FIGURES, recordings, 60)
    assert table.worst(others) == stage
    expected = None if stage == "simulated" else {**FIGURES[stage]["AU12"], "quality": stage}
    assert table.of("AU12", others) == expected
    assert table.of("blink_rate", others) is None
    assert bool(table.warnings) == (len(recordings) > 1)


def test_where_parameters_come_from(sequence: FaceSequence) -> None:
    for provenance, stage in (
        ({"quality": "full"}, "full"),
        ({"quality": "fast", "method": "simulated"}, "fast"),
        ({"method": "simulated"}, "simulated"),
        ({}, "unknown"),
    ):
        assert replace(sequence, provenance=provenance).stage == stage
