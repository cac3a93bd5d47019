"""Colours of a quantity on a mesh: differences on a scale that is white at zero, spreads on one that grows.

Limits are shared by all groups, so that the same colour is the same number of millimetres everywhere.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib import colormaps

from reconstruction.template import Template

DIFFERENCE_MAP = "RdBu_r"  # red more, blue less, white none
SPREAD_MAP = "YlGn"  # one hue that darkens: it survives grey printing and colour blindness, and is not the other scale
_SMALLEST_MM = 0.01


def symmetric_limit(values: Iterable[np.ndarray]) -> float:
    """The limit for differences, mm: the 99th percentile of their sizes, rounded up to two digits; at least 0.01."""
    return _limit([np.abs(v) for v in values], 99)


def upper_limit(values: Iterable[np.ndarray]) -> float:
    """The upper limit for quantities that start at zero, mm: their 99.5th percentile, rounded up to two digits."""
    return _limit(list(values), 99.5)


def _limit(values: list[np.ndarray], percentile: float) -> float:
    known = np.concatenate([np.zeros(1), *(v[np.isfinite(v)] for v in values)])
    largest = float(np.percentile(known[1:], percentile)) if len(known) > 1 else 0.0
    if largest <= _SMALLEST_MM:
        return _SMALLEST_MM
    step = 10 ** (np.floor(np.log10(largest)) - 1)
    return round(float(np.ceil(largest / step) * step), 6)


def difference_colours(difference: np.ndarray, limit: float) -> np.ndarray:
    """(V, 3) uint8 sRGB of differences (V,) in mm; beyond the limit the colour stays that of the limit."""
    return _colours(DIFFERENCE_MAP, difference / limit / 2 + 0.5)


def spread_colours(spread: np.ndarray, limit: float) -> np.ndarray:
    """(V, 3) uint8 sRGB of spreads (V,) in mm, from 0 to the limit."""
    return _colours(SPREAD_MAP, spread / limit)


def _colours(name: str, share: np.ndarray) -> np.ndarray:
    return colormaps[name](np.clip(share, 0, 1), bytes=True)[:, :3]


def on_surface(template: Template, colours: np.ndarray) -> np.ndarray:
    """(V, 3) uint8: `colours` on skin, lips, brows and lids; eyes, teeth and sockets keep the template's own.

    A face without eyes is hard to read, and a map on an eyeball would show gaze, which has a measure of its own.
    """
    return np.where(template.skin[:, None], colours, template.colours).astype(np.uint8)


_GROUPS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # Okabe and Ito
_REFERENCE = "#6b6b6b"


def group_colours(groups: Sequence[str], reference: str) -> dict[str, str]:
    """A colour for every group, grey for the reference; a seventh starts the palette again."""
    others = [group for group in groups if group != reference]
    return {reference: _REFERENCE} | {group: _GROUPS[i % len(_GROUPS)] for i, group in enumerate(others)}
