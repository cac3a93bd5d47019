"""Threshold-free cluster enhancement, against the definition done by hand."""

import numpy as np
import pytest

from atlas.statistics.tfce import EXTENT, HEIGHT, Surface, face_surface, tfce
from reconstruction.template import Template


@pytest.fixture
def grid() -> Surface:
    """5 x 6 vertices, neighbours along rows and columns, areas that differ."""
    place = np.arange(30).reshape(5, 6)
    sides = [
        np.stack([place[:, :-1].ravel(), place[:, 1:].ravel()], 1),
        np.stack([place[:-1].ravel(), place[1:].ravel()], 1),
    ]
    return Surface(np.arange(30), np.concatenate(sides), np.linspace(0.5, 3, 30))


def brute_force(values: np.ndarray, surface: Surface, step: float) -> np.ndarray:
    """The sum over thresholds, components found by flooding."""
    neighbours: dict[int, set[int]] = {v: set() for v in range(len(values))}
    for a, b in surface.edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    out = np.zeros(len(values))
    for sign in (1, -1):
        for n in range(1, int(np.abs(values).max() / step) + 2):
            left = {v for v in range(len(values)) if sign * values[v] >= n * step}
            while left:
                inside, edge = set(), {min(left)}
                while edge:
                    inside |= edge
                    edge = {w for v in edge for w in neighbours[v]} & left - inside
                left -= inside
                extent = sum(surface.area[v] for v in inside)
                for v in inside:
                    out[v] += sign * extent**EXTENT * (n * step) ** HEIGHT * step
    return out


def test_it_is_the_sum_over_thresholds(grid: Surface) -> None:
    maps = np.random.default_rng(0).normal(size=(70, 30)) * 1.7  # more than are taken side by side
    made = tfce(maps, grid)
    for values, enhanced in zip(maps, made, strict=True):
        np.testing.assert_allclose(enhanced, brute_force(values, grid, 0.1), rtol=1e-9)


def test_a_single_vertex_nears_the_integral(grid: Surface) -> None:
    values = np.zeros((1, 30))
    values[0, 7] = -2.5
    exact = grid.area[7] ** EXTENT * 2.5 ** (HEIGHT + 1) / (HEIGHT + 1)
    assert tfce(values, grid, 0.001)[0, 7] == pytest.approx(-exact, rel=2e-3)
    assert tfce(values, grid)[0, 7] == pytest.approx(-exact, rel=0.07)
    assert np.count_nonzero(tfce(values, grid)) == 1


def test_extent_is_area_not_number(grid: Surface) -> None:
    wide = Surface(grid.vertices, grid.edges, 4 * grid.area)
    values = np.random.default_rng(1).normal(size=(2, 30))
    np.testing.assert_allclose(tfce(values, wide), 4**EXTENT * tfce(values, grid))


def test_a_map_of_nothing_stays_nothing(grid: Surface) -> None:
    assert not tfce(np.zeros((3, 30)), grid).any()


def test_components_come_by_area(grid: Surface) -> None:
    wanted = np.zeros(30, bool)
    wanted[[0, 1, 28, 29, 14]] = True
    assert [part.tolist() for part in grid.components(wanted)] == [[28, 29], [14], [0, 1]]
    assert grid.components(np.zeros(30, bool)) == []


def test_the_face_is_connected_and_its_area_that_of_its_triangles(template: Template) -> None:
    surface = face_surface(template)
    largest = surface.components(np.ones(len(surface.vertices), bool))[0]
    assert len(largest) > 0.9 * len(surface.vertices)
    corners = template.v_template[template.faces[np.isin(template.faces, surface.vertices).all(1)]].astype(float)
    inner = (
        1e6 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    )
    assert inner < surface.area.sum() < 1.1 * inner  # a rim's vertices own part of a triangle that is outside
