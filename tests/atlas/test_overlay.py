"""Overlays: motion in mm per vertex, its difference from a reference group, and what that rests on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, summarise, template_units
from atlas.motion import MotionSpace, face_mask
from atlas.overlay import KINDS, MOTION, OUTWARD, OverlaySet, overlay_set, reference_group
from atlas.simulation import simulate_people, simulate_recording
from atlas.standard_faces import standard_faces
from atlas.statistics import People
from reconstruction.errors import InputError
from reconstruction.rendering import vertex_normals
from reconstruction.template import Template

Aggregated = Callable[[str, int, int], list[AggregatedFace]]


@pytest.fixture(scope="module")
def strong(aggregated: Aggregated, template: Template, space: MotionSpace) -> OverlaySet:
    """Of 12 simulated people a group with strong effects."""
    return overlay_set(aggregated("strong", 36, 0), space, template, permutations=99, resamples=300)


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


def test_the_planted_difference_is_found_where_it_is(strong: OverlaySet, template: Template) -> None:
    made = strong.by_group
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
    made = overlay_set(aggregated("none", 12, 0), space, template, "BD", permutations=49, resamples=50).by_group
    assert not made["BD"][MOTION].difference_mm.any()
    assert made["HC"][MOTION].reference == "BD"
    again = overlay_set(aggregated("none", 12, 0), space, template, "BD", permutations=49, resamples=50).by_group
    np.testing.assert_array_equal(made["HC"][MOTION].low_mm, again["HC"][MOTION].low_mm)


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(InputError, match="expected the reference group HC among the groups A, B"):
        reference_group(["A", "B"])


def test_outward_is_the_mean_faces_displacement_along_its_normals(
    strong: OverlaySet, aggregated: Aggregated, template: Template, space: MotionSpace
) -> None:
    people = aggregated("strong", 36, 0)
    made = strong.by_group["MDD"][OUTWARD]
    mean = np.zeros(template.n_shape)
    faces = standard_faces(people, template, space).faces
    mdd, hc = faces["MDD"][None], faces["HC"][None]
    moved = mdd.expressive(template, space, shape=mean) - hc.expressive(template, space, shape=mean)
    normals = vertex_normals(template.v_template.astype(float), template.faces)
    skin = template.skin
    np.testing.assert_allclose(made.difference_mm[skin], 1000 * (moved * normals).sum(1)[skin], atol=0.1)
    assert np.abs(made.difference_mm[skin]).max() > 1
    corner = template.landmarks68.triangles[54][0]
    assert made.p_fwe[corner] < 0.06
    assert made.p[corner] <= made.q[corner] < 0.05
    outside = ~face_mask(template)
    assert (made.p[outside] == 1).all()
    assert (made.p_fwe[outside] == 1).all()


def test_clusters_are_named_by_place_and_kind(strong: OverlaySet) -> None:
    rows = strong.statistics.effects
    assert list(strong.by_contrast) == ["BD-HC", "MDD-HC", "MDD-BD"]
    assert {(row.contrast, row.name.split(":")[0]) for row in rows} == {
        (c, k) for c in strong.by_contrast for k in KINDS
    }
    assert {row.level for row in rows} == {"vertex-cluster"}
    mouth = [row for row in rows if row.contrast == "MDD-BD" and row.name.startswith("motion") and row.p_fwe < 0.05]
    assert any("mouth corner" in row.name or "lip" in row.name for row in mouth)
    assert mouth[0].n_a == mouth[0].n_b == 12
    assert mouth[0].low < mouth[0].effect < mouth[0].high < 0  # people of MDD smile less than those of BD
    assert mouth[0].p <= mouth[0].p_fwe
    one = strong.by_contrast["MDD-BD"][MOTION]
    direct = strong.by_contrast["MDD-HC"][MOTION].difference_mm - strong.by_contrast["BD-HC"][MOTION].difference_mm
    np.testing.assert_allclose(one.difference_mm, direct, atol=1e-5)


def test_where_nothing_is_significant_the_largest_cluster_is_still_shown(
    aggregated: Aggregated, template: Template, space: MotionSpace
) -> None:
    made = overlay_set(aggregated("none", 12, 0), space, template, permutations=99, resamples=50)
    shown = [row for row in made.statistics.effects if row.p_fwe >= 0.05]
    assert shown
    assert len({(row.contrast, row.name.split(":")[0]) for row in shown}) == len(shown)


def test_covariates_are_adjusted_for_and_the_order_of_people_does_not_matter(
    aggregated: Aggregated, template: Template, space: MotionSpace
) -> None:
    people = aggregated("none", 12, 0)
    age = {p.id: 20 + 20 * (p.group == "MDD") + 9 * (i % 5) for i, p in enumerate(people)}
    known = People(tuple(age), tuple(p.group for p in people), {"age": tuple(map(str, age.values()))})
    made, turned = (
        overlay_set(these, space, template, known=known, permutations=99, resamples=50)
        for these in (people, people[::-1])
    )
    assert repr(made.statistics) == repr(turned.statistics)
    assert made.statistics.covariates == ("age",)
    plain = overlay_set(people, space, template, permutations=49, resamples=50).by_group
    np.testing.assert_array_equal(made.by_group["MDD"][MOTION].mean_mm, plain["MDD"][MOTION].mean_mm)
    assert np.abs(made.by_group["MDD"][MOTION].difference_mm - plain["MDD"][MOTION].difference_mm).max() > 0.05
