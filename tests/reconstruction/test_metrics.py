"""The measures of `face-atlas evaluate`: against known answers and against the development benchmark's own script."""

import importlib.util

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from reconstruction.evaluation.metrics import (
    Surface,
    correlations,
    interval_over_people,
    jitter,
    motion_sums,
    recovered,
    refine_alignment,
    scan_to_mesh,
    similarity,
    track_sums,
)

TURN = Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix()


@pytest.fixture(scope="module")
def benchmark_metric(shared_data):
    spec = importlib.util.spec_from_file_location("metric", shared_data("../bench/metric.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def person(template):
    """Vertices, mm, of somebody who is not the mean; which of them are the face; the mean in mm."""
    shape = np.random.default_rng(3).normal(size=template.n_shape)
    face = template.part("skin") & (template.v_template[:, 2] > 0.03)
    return 1000.0 * (template.v_template + template.shapedirs @ shape), face, 1000.0 * template.v_template


def test_scan_to_mesh_is_the_benchmarks(template, person, benchmark_metric):
    true, face, mean = person
    marks, own = template.landmarks68(true)[17:], template.landmarks68(mean)[17:]
    arguments = (true[face], marks, 0.9 * mean @ TURN.T, template.faces, 0.9 * own @ TURN.T)
    ours = scan_to_mesh(*arguments)
    np.testing.assert_allclose(ours, benchmark_metric.scan_to_mesh(*arguments), atol=1e-6)
    assert 0.3 < np.median(ours) < 3


def test_motion_and_correlation_are_the_benchmarks(benchmark_metric):
    rng = np.random.default_rng(0)
    still = rng.normal(size=(68, 3))
    moved = missed = 0.0
    for _ in range(3):
        truth = still + 0.1 * rng.normal(size=(20, 68, 3))
        found = 2 * (truth + 0.05 * rng.normal(size=truth.shape)) @ TURN.T
        share, variance, error = benchmark_metric.motion_r2(truth, found)
        sums = motion_sums(truth, found)
        np.testing.assert_allclose(sums, (variance, error), atol=1e-6)
        assert 1 - sums[1] / sums[0] == pytest.approx(share, abs=1e-6)
        moved, missed = moved + sums[0], missed + sums[1]
    assert 0.7 < 1 - missed / moved < 0.9

    names = ["browDown_L", "browDown_R", "jawOpen", "cheekPuff_L", "mouthFunnel"]
    tracks = []
    for _ in range(3):
        truth = rng.uniform(size=(20, 5))
        truth[:, 3] *= 0.01  # hardly moves
        found = truth + 0.5 * rng.normal(size=truth.shape) + rng.normal(size=5)
        found[:, 4] = 0.2  # not reconstructed
        tracks.append((truth, found))
    theirs = benchmark_metric.expression_correlation(tracks, names, [benchmark_metric.arkit(n) for n in names])
    ours = correlations(sum(track_sums(*pair) for pair in tracks))
    assert np.isnan(ours[3])
    assert "cheekPuffLeft" not in theirs
    np.testing.assert_allclose(ours[[0, 1, 2, 4]], list(theirs.values()), atol=1e-6)
    assert ours[4] == 0
    assert ours[0] > 0.2


def test_correlation_is_within_people():
    """Two people whose levels differ, one way in truth and the other in the reconstruction, but whose motion agrees."""
    wave = np.sin(np.linspace(0, 6, 30))[:, None]
    sums = track_sums(wave, wave) + track_sums(wave + 5, wave - 5)
    assert correlations(sums)[0] == pytest.approx(1)


def test_similarity_finds_what_was_done_and_never_mirrors():
    points = np.random.default_rng(0).normal(size=(7, 3))
    done = similarity(points, 3 * points @ TURN.T + [1, 2, 3])
    assert done.scale == pytest.approx(3)
    np.testing.assert_allclose(done.rotation, TURN, atol=1e-12)
    rigid = similarity(points, 3 * points @ TURN.T, scaled=False)
    assert rigid.scale == 1
    np.testing.assert_allclose(rigid.rotation, TURN, atol=1e-12)
    assert np.linalg.det(similarity(points, points * [-1, 1, 1]).rotation) == pytest.approx(1)


def test_refinement_brings_a_displaced_mesh_back(template, person):
    true, face, _ = person
    away = 1.03 * true @ Rotation.from_rotvec([0.04, -0.03, 0.05]).as_matrix().T + [2, -1, 3]
    back = refine_alignment(true[face], away, template.faces)
    assert back.scale == pytest.approx(1 / 1.03, abs=1e-5)
    assert np.abs(back(away) - true).max() < 0.01


def test_refinement_is_a_minimum_where_no_alignment_is_exact(template, person):
    true, face, mean = person
    best = refine_alignment(true[face], mean, template.faces)

    def cost(mesh):
        return (Surface(mesh, template.faces).distance(true[face]) ** 2).mean()

    lowest = cost(best(mean))
    assert lowest < 0.9 * cost(mean)
    for step in np.eye(7) * 0.3:
        for sign in (1, -1):
            shifted = best(mean) - true.mean(0)
            turned = shifted @ Rotation.from_rotvec(sign * step[:3] / 80).as_matrix().T * (1 + sign * step[3] / 80)
            assert cost(turned + true.mean(0) + sign * step[4:]) > lowest
    closest, _ = Surface(mean, template.faces).closest(true[face])
    for _ in range(60):  # plain closest-point iteration goes the same way, slower
        mean = similarity(closest, true[face])(mean)
        closest, _ = Surface(mean, template.faces).closest(true[face])
    assert lowest < cost(mean) * 1.00001


def test_jitter_counts_everything_that_moves():
    points = np.zeros((4, 68, 3)) + np.arange(68)[:, None]
    assert jitter(points) == (0, 0)
    points[::2] += [0.3, 0.4, 1.2]
    points[1::2] -= [0.3, 0.4, 1.2]
    assert jitter(points) == pytest.approx((1.3, 0.5))


def test_share_recovered():
    mean = np.array([1.0, 2.0, 3.0])
    assert recovered(mean, mean) == 0
    assert recovered(mean / 2, mean) == pytest.approx(0.75)
    assert recovered(0 * mean, mean) == 1
    assert recovered(2 * mean, mean) == pytest.approx(-3)


def test_intervals_are_over_people_and_repeat():
    values = np.random.default_rng(0).normal(5, 1, 400)
    low, high = interval_over_people(lambda i: values[i].mean(), 400, 0)
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    assert low < values.mean() < high
    assert interval_over_people(lambda i: values[i].mean(), 400, 0) == (low, high)
    low, high = interval_over_people(lambda i: np.array([values[i].mean(), np.nan]), 400, 0)
    assert np.isnan([low[1], high[1]]).all()
    assert low[0] < high[0]
