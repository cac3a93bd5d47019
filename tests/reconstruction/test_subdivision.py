"""Finer meshes: no gaps, the old vertices first, a sphere rounder than its triangles."""

import numpy as np
import trimesh

from reconstruction.subdivision import split, subdivide


def test_every_pattern_of_split_edges_covers_the_triangle():
    corners = np.array([[0.0, 0], [1, 0], [0, 1]])
    for pattern in range(8):
        long = np.array([[pattern & 1, pattern & 2, pattern & 4]], bool)
        edges, faces = split(np.array([[0, 1, 2]]), long, 3)
        points = np.concatenate([corners, corners[edges].mean(1).reshape(-1, 2)])[faces]
        areas = np.linalg.det(points[:, 1:] - points[:, :1]) / 2
        assert len(edges) == long.sum()
        assert len(faces) == 1 + long.sum()
        assert (areas > 0).all(), "orientation is kept"
        assert np.isclose(areas.sum(), 0.5)


def test_a_sphere_stays_closed_and_becomes_rounder():
    ball = trimesh.creation.icosphere(subdivisions=2)
    vertices, faces = np.asarray(ball.vertices), np.asarray(ball.faces)
    upper = vertices[faces][..., 2].min(1) > 0
    fine = subdivide(vertices, faces, vertices[:, :2], faces, upper, 0.12)
    smooth = fine.smooth(vertices)
    assert trimesh.Trimesh(smooth, fine.faces, process=False).is_watertight
    np.testing.assert_array_equal(smooth[: len(vertices)], vertices)
    flat = fine.carry(vertices)
    np.testing.assert_allclose(fine.uv, flat[:, :2])
    new = slice(len(vertices), None)
    assert np.abs(np.linalg.norm(smooth[new], axis=1) - 1).max() < 0.2 * (1 - np.linalg.norm(flat[new], axis=1)).max()


def test_a_vertex_at_a_seam_keeps_a_place_beside_its_own_triangles():
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    uv = np.array([[0.0, 0], [0, 0.1], [0.1, 0], [0.9, 1], [1, 0.9], [1, 1]])
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    fine = subdivide(vertices, faces, uv, np.array([[0, 1, 2], [3, 4, 5]]), np.ones(2, bool), 0.3)
    assert not ((fine.uv > 0.11) & (fine.uv < 0.89)).any(), "never between the two sides"
