"""Shapes beyond a template's space."""

import numpy as np

from reconstruction.residual_shape import BUMPS, RMS, with_residual_shape


def test_bumps_are_what_the_template_cannot_express(template):
    wider, n = with_residual_shape(template), template.n_shape
    np.testing.assert_array_equal(wider.shapedirs[:, :, :n], template.shapedirs)
    bumps = wider.shapedirs[template.skin][:, :, n:].astype(float).reshape(-1, BUMPS)
    own = template.shapedirs[template.skin].astype(float).reshape(-1, n)
    cosine = (bumps.T @ own) / (np.linalg.norm(bumps, axis=0)[:, None] * np.linalg.norm(own, axis=0))
    assert np.abs(cosine).max() < 1e-4
    front = template.v_template[:, 2] > np.quantile(template.v_template[:, 2], 0.7)
    moved = np.sqrt((wider.shapedirs[front & template.skin][:, :, n:].astype(float) ** 2).sum((1, 2)).mean())
    assert 0.2 * RMS < moved < RMS, "millimetres, as faces differ from their best fit"
