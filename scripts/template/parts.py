"""What every vertex of our mesh belongs to, and its colours."""

import numpy as np

from reconstruction.importers.ict import MOUTH, SOCKETS
from reconstruction.importers.parts import PARTS, paint
from template.source import Source


def label(source: Source, vertices: np.ndarray, ids: np.ndarray, ball: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V,) part of every vertex and (V, 3) sRGB colours.

    ids : the source vertex of every skin vertex; ball : parts of the eyeballs' vertices, the last ones
    """
    parts = np.full(len(vertices), PARTS.index("teeth"), np.uint8)
    parts[: len(ids)] = PARTS.index("skin")
    parts[len(vertices) - len(ball) :] = ball
    parts[: len(ids)][(ids >= MOUTH[0]) & (ids < MOUTH[1])] = PARTS.index("mouth")
    parts[: len(ids)][(ids >= SOCKETS[0]) & (ids < SOCKETS[1])] = PARTS.index("socket")
    return paint(vertices, parts, source.neutral[source.landmarks68])
