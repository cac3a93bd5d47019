"""Expressivity: how strongly the units of an expression are active while they are, after OpenDBM's definitions.

The sets of action units and the soft intensity are those of OpenDBM, derived anew: in a frame, the sum of the
intensities of the set's units that are present, by 6 times how many are; 0 where none is. A unit that cannot be
measured is never present.
"""

from collections.abc import Mapping

import numpy as np

EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "happiness": ("AU06", "AU12"),
    "sadness": ("AU01", "AU04", "AU15"),
    "surprise": ("AU01", "AU02", "AU05", "AU26"),
    "fear": ("AU01", "AU02", "AU04", "AU05", "AU07", "AU20", "AU26"),
    "anger": ("AU04", "AU05", "AU07", "AU23"),
    "disgust": ("AU09", "AU15"),
    "contempt": ("AU12", "AU14"),
    "pain": ("AU04", "AU06", "AU07", "AU09", "AU10", "AU12", "AU20", "AU26"),
}
EMOTIONS = tuple(name for name in EXPRESSIONS if name != "pain")
DIVISOR = 6.0
ENOUGH = 0.75  # share of a set that must be measurable: the embedded template lacks AU23 alone


def soft_intensity(
    expression: str, units: Mapping[str, np.ndarray], present: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """(T,) soft intensity, 0 to 5/6, of one of `EXPRESSIONS`; None where fewer than `ENOUGH` of its units are known.

    units : {code: (T,) intensity 0 to 5}; present : {code: (T,) bool}
    """
    known = [code for code in EXPRESSIONS[expression] if code in units and code in present]
    if len(known) < ENOUGH * len(EXPRESSIONS[expression]):
        return None
    shown = np.stack([present[code] for code in known])
    total = np.where(shown, np.stack([units[code] for code in known]).astype(np.float64), 0).sum(0)
    return total / (DIVISOR * np.maximum(shown.sum(0), 1))


def expressivity(
    units: Mapping[str, np.ndarray], present: Mapping[str, np.ndarray], valid: np.ndarray
) -> dict[str, float]:
    """{expression: mean soft intensity over the valid frames}, and ``overall``, the mean over the seven emotions; what
    is not known is left out.
    """
    found = {name: soft_intensity(name, units, present) for name in EXPRESSIONS}
    if not valid.any():
        return {}
    out = {name: float(course[valid].mean()) for name, course in found.items() if course is not None}
    if all(name in out for name in EMOTIONS):
        out["overall"] = float(np.mean([out[name] for name in EMOTIONS]))
    return out
