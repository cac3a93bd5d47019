"""Overlays: motion in mm per vertex, its difference from a reference group, and what that rests on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, summarise, template_units
from atlas.motion import MotionSpace
from atlas.overlay import overlays, reference_group
from atlas.simulation import simulate_people, simulate_recording
from reconstruction.errors import InputError
from reconstruction.template import Template

Aggregated = Callable[[str, int, int], list[AggregatedFace]]


def test_motion_equals_that_of_vertices(template: Template, space: MotionSpace) -> None:
    sequence = simulate_recording(simulate_people(3, "none", 2, template)[0], "happiness", 6, 10, 0, template)
    pose = np.zeros_like(sequence.pose)
    sequence = replace(sequence, pose=pose, shape=np.zeros_like(sequence.shape))
    summary = summarise(sequence, "happiness", space, template_units(template))
    vertices = sequence.vertices(template).astype(np.float64)
    brute = 1000 * np.sqrt(((vertices - vertices.mean(0)) ** 2).sum(2).mean(0))
    assert brute.max() > 1
    np.testing.assert_allclose(space.rms_mm(summary.covariance), brute, atol=0.02)


def test_identity_and_head_pose_do_not_move_a_vertex(template: Template, space: MotionSpace) -> None:
    sequence = simulate_recording(simulate_people(3, "none", 2, template)[0], "neutral", 6, 10, 0, template)
    units = template_units(template)
    turned = sequence.pose.copy()
    turned[:, 0, 1] += np.linspace(0, 0.5, len(sequence), dtype=np.float32)
    other = replace(sequence, pose=turned, shape=sequence.shape + 1)
    a, b = (space.rms_mm(summarise(s, None, space, units).covariance) for s in (sequence, other))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_planted_difference_is_found_where_it_is(
    aggregated: Aggregated, template: Template, space: MotionSpace
) -> None:
    made = overlays(aggregated("strong", 36, 0), space, resamples=300)
    assert list(made) == ["BD", "HC", "MDD"]
    mouth = template.landmarks68.triangles[48][0], template.landmarks68.triangles[54][0]
    mdd, bd = made["MDD"], made["BD"]
    assert mdd.people == mdd.reference_people == 12
    assert mdd.reference == "HC"
    corners = [float(mdd.difference_mm[v]) for v in mouth], [float(bd.difference_mm[v]) for v in mouth]
    assert max(corners[0]) < 0 < min(corners[1])  # MDD smiles less, BD more
    assert ((mdd.low_mm <= mdd.difference_mm) & (mdd.difference_mm <= mdd.high_mm)).mean() > 0.99
    assert mdd.excludes_zero[list(mouth)].all()
    assert mdd.effect[mouth[0]] < -0.5


def test_the_reference_differs_from_itself_by_nothing(aggregated: Aggregated, space: MotionSpace) -> None:
    made = overlays(aggregated("none", 12, 0), space, "BD", resamples=50)
    assert not made["BD"].difference_mm.any()
    assert made["HC"].reference == "BD"
    again = overlays(aggregated("none", 12, 0), space, "BD", resamples=50)
    np.testing.assert_array_equal(made["HC"].low_mm, again["HC"].low_mm)


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(InputError, match="expected the reference group HC among the groups A, B"):
        reference_group(["A", "B"])
