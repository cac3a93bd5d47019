"""The texture of skin on the chart, and how far another picture's texture lies off it.

Were the mesh right, the skin would stand still on the chart. Where it does not, the windows of a picture are shifted
against the reference's, and a step of Lucas and Kanade (1981), with the slopes of the reference (Baker and Matthews
2004), says by how much. Drawn anew with a better mesh, the rest is measured again: so a step is enough, and what cannot
be seen, along an edge or on bare skin, is left to the mesh.
"""

import cv2
import numpy as np

from reconstruction.chart import HEIGHT, WIDTH

EVERY = 4  # cells of the chart between two windows
ROWS, COLUMNS = HEIGHT // EVERY, WIDTH // EVERY
DETAIL = 2.0  # pixels of a drawing: light and shade that change more slowly are taken out; shades slide over a head
# that turns
WINDOW = 2.0  # pixels of a drawing, standard deviation of a window
MOST = 60.0  # grey levels that two textures differ by; more is something else than skin that moved
FARTHEST = 3.0  # pixels of a drawing, in a step
INDEPENDENT = 10.0  # pixels in a window
SEEN = 0.5  # share of a window that must be seen
_CONTRAST, _NOISE, _BARE = 45.0, 3.0, 2.0  # grey levels: of an evened texture; not worth evening; slope of bare skin


class Texture:
    """A person's own, the reference that others are compared with: a drawing (h, w) of the chart, one pixel for
    HEIGHT / h cells.

    even : (h, w) float32; known : (h, w) bool
    """

    def __init__(self, drawing: np.ndarray, known: np.ndarray):
        self.even, self.known = even_out(drawing, known), known
        self._share = known.astype(np.float32)
        self._slopes = [self._share * cv2.Scharr(self.even, cv2.CV_32F, *by) / 32 for by in ((1, 0), (0, 1))]
        x, y = self._slopes
        self._square = _windows(x * x, x * y, y * y, self._share)

    def offset(self, drawing: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How far the skin lies off in `drawing` (h, w), where it is `seen` (h, w).

        Returns the offset to the right and down (ROWS, COLUMNS, 2) in cells; how unsure the texture leaves it, large
        along edges and where the textures differ, (ROWS, COLUMNS, 3): variance to the right, covariance, variance down;
        and in which windows enough is seen (ROWS, COLUMNS).
        """
        apart = np.clip(self.even - even_out(drawing, seen), -MOST, MOST) * seen
        x, y = self._slopes
        by_x, by_y, square, share = _windows(x * apart, y * apart, self._share * apart * apart, self._share * seen)
        xx, xy, yy, known = self._square
        both, bare = share / (known + 1e-3), _BARE * share + 1e-3
        xx, xy, yy = both * xx + bare, both * xy, both * yy + bare
        determinant = xx * yy - xy * xy
        step = np.stack([yy * by_x - xy * by_y, xx * by_y - xy * by_x], 2) / determinant[..., None]
        unsure = np.stack([yy, -xy, xx], 2) * (square / (INDEPENDENT * determinant))[..., None]
        cells = WIDTH // drawing.shape[1]
        return step.clip(-FARTHEST, FARTHEST) * cells, unsure * cells**2, share > SEEN


def _windows(*fields: np.ndarray) -> np.ndarray:
    """Means of fields (h, w) over windows, (fields, ROWS, COLUMNS)."""
    small = [cv2.resize(field, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA) for field in fields]
    spread = WINDOW * COLUMNS / fields[0].shape[1]
    return np.array([cv2.GaussianBlur(one, (0, 0), spread) for one in small])


def even_out(texture: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Texture (h, w) about 0 with the same contrast everywhere it is seen, so that light matters little; float32."""

    def blur(x: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(x, (0, 0), DETAIL)

    weight, texture = seen.astype(np.float32), texture.astype(np.float32)
    share = blur(weight) + 1e-3
    rest = (texture - blur(texture * weight) / share) * weight
    spread = np.sqrt(blur(rest * rest) / share + _NOISE**2)
    return np.clip(_CONTRAST * rest / spread, -128, 127)
