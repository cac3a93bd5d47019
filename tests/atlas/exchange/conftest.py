"""A template of FLAME's sizes and a sequence of it, made of the embedded template's numbers: FLAME is not part of the
project.
"""

from dataclasses import replace

import numpy as np
import pytest

from atlas.exchange.flame import N_EXPRESSION, N_SHAPE
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


@pytest.fixture(scope="session")
def flame(template: Template) -> Template:
    """300 shape and 100 expression components, most of them all but zero; its root joint is not at the origin."""
    rng = np.random.default_rng(0)

    def widened(directions: np.ndarray, n: int) -> np.ndarray:
        out = 1e-5 * rng.normal(size=(*directions.shape[:2], n)).astype(np.float32)
        out[:, :, : directions.shape[2]] = directions
        return out

    return replace(
        template,
        name="flame2020",
        shapedirs=widened(template.shapedirs, N_SHAPE),
        expressiondirs=widened(template.expressiondirs, N_EXPRESSION),
        expression_names=tuple(f"expression{i:03d}" for i in range(N_EXPRESSION)),
        bounded=False,
        sha256="f" * 64,
    )


@pytest.fixture(scope="session")
def flame_sequence(flame: Template, sequence: FaceSequence) -> FaceSequence:
    """Six frames of a simulated person, the fourth left out: all joints turn; 100 shapes, 50 expressions are used."""
    rng = np.random.default_rng(1)
    valid = sequence.valid
    shape = np.zeros(N_SHAPE, np.float32)
    shape[:100] = rng.normal(size=100)
    expression = np.zeros((len(sequence), N_EXPRESSION), np.float32)
    expression[:, :50] = rng.normal(size=(len(sequence), 50)) * valid[:, None]
    pose = (0.1 * rng.normal(size=(len(sequence), 5, 3)) * valid[:, None, None]).astype(np.float32)
    return replace(
        sequence,
        template=flame.name,
        template_sha256=flame.sha256,
        expression_names=flame.expression_names,
        shape=shape,
        shape_sd=np.ones(N_SHAPE, np.float32),
        expression=expression,
        expression_sd=np.ones(N_EXPRESSION, np.float32),
        pose=pose,
    )
