"""Overlays: motion in mm per vertex, its difference from a reference group, and what that rests on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, summarise, template_units
from atlas.motion import MotionSpace
from atlas.overlay import MOTION, OUTWARD, overlays, reference_group
from atlas.simulation import simulate_people, simulate_recording
from atlas.standard_faces import standard_face
from reconstruction.errors import InputError
from reconstruction.rendering import vertex_normals
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
    made = overlays(aggregated("strong", 36, 0), space, template, resamples=300)
    assert list(made) == ["BD", "HC", "MDD"]
    mouth = template.landmarks68.triangles[48][0], template.landmarks68.triangles[54][0]
    mdd, bd = made["MDD"][MOTION], made["BD"][MOTION]
    assert mdd.people == mdd.reference_people == 12
    assert mdd.reference == "HC"
    corners = [float(mdd.difference_mm[v]) for v in mouth], [float(bd.difference_mm[v]) for v in mouth]
    assert max(corners[0]) < 0 < min(corners[1])  # MDD smiles less, BD more
    assert ((mdd.low_mm <= mdd.difference_mm) & (mdd.difference_mm <= mdd.high_mm)).mean() > 0.99
    assert mdd.excludes_zero[list(mouth)].all()
    assert mdd.effect[mouth[0]] < -0.5


def test_the_reference_differs_from_itself_by_nothing(
    aggregated: Aggregated, template: Template, space: MotionSpace
) -> None:
    made = overlays(aggregated("none", 12, 0), space, template, "BD", resamples=50)
    assert not made["BD"][MOTION].difference_mm.any()
    assert made["HC"][MOTION].reference == "BD"
    again = overlays(aggregated("none", 12, 0), space, template, "BD", resamples=50)
    np.testing.assert_array_equal(made["HC"][MOTION].low_mm, again["HC"][MOTION].low_mm)


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(InputError, match="expected the reference group HC among the groups A, B"):
        reference_group(["A", "B"])


def test_outward_is_the_mean_faces_displacement_along_its_normals(
    aggregated: Aggregated, template: Template, space: MotionSpace
) -> None:
    people = aggregated("strong", 36, 0)
    made = overlays(people, space, template, resamples=20)["MDD"][OUTWARD]
    mean = np.zeros(template.n_shape)
    mdd, hc = (standard_face(people, group, template, space) for group in ("MDD", "HC"))
    assert mdd is not None
    assert hc is not None
    moved = mdd.expressive(template, space, shape=mean) - hc.expressive(template, space, shape=mean)
    normals = vertex_normals(template.v_template.astype(float), template.faces)
    skin = template.skin
    np.testing.assert_allclose(made.difference_mm[skin], 1000 * (moved * normals).sum(1)[skin], atol=0.1)
    assert np.abs(made.difference_mm[skin]).max() > 1
    corner = template.landmarks68.triangles[54][0]
    assert made.p_fwe[corner] >= made.q[corner] >= made.p[corner]
