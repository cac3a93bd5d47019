"""What an overlay says in a sentence: what differs between two groups, by how much, and how sure that is."""

from collections.abc import Sequence

import numpy as np

from atlas.overlay import MOTION, Overlay
from atlas.statistics import Effect
from atlas.viewer.anatomy import Anatomy

SURE = 0.05  # family-wise error
NAMED = 4  # places in a sentence
_MINUS = "\u2212"


def number(value: float) -> str:
    """A number in two or three digits: 0.82, 1.4, 12; a minus is a minus."""
    size = abs(value)
    digits = 2 if size < 1 else 1 if size < 10 else 0
    text = f"{size:.{digits}f}"
    return (_MINUS if value < 0 and float(text) > 0 else "") + text


def p_value(p: float) -> str:
    """``p = 0.034`` or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def tested(overlay: Overlay) -> int:
    """How many vertices were tested: those whose test says anything, to two digits."""
    count = int((overlay.p < 1).sum())
    step = 10 ** max(len(str(count)) - 2, 0)
    return round(count / step) * step


def listed(words: list[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def strongest(overlay: Overlay, face: np.ndarray) -> int:
    """The vertex of the face with the largest difference of those beyond chance; with none, the surest."""
    candidates = np.flatnonzero(face)
    size, p = np.abs(overlay.difference_mm[candidates]), overlay.p_fwe[candidates]
    return int(candidates[np.lexsort((-size, np.maximum(p, SURE)))[0]])


def headline(overlay: Overlay, places: Anatomy) -> str:
    """One sentence on the largest difference beyond chance, or that there is none; a second names the other places."""
    face = places.label >= 0
    peak = strongest(overlay, face)
    first, p_fwe = int(places.label[peak]), float(overlay.p_fwe[peak])
    ending = f"{p_value(p_fwe)}, corrected for some {tested(overlay):,} places"
    if p_fwe >= SURE:
        return (
            f"No place on the face tells {overlay.group} from {overlay.reference} beyond chance: the surest is the "
            f"{places.names[first]}, {_size(overlay, peak)}, {ending}."
        )
    same = np.sign(overlay.difference_mm) == np.sign(overlay.difference_mm[peak])
    found = _places(overlay, places, face & (overlay.p_fwe < SURE) & same)
    names = list(dict.fromkeys(_together(places, place, found) for place in found))
    subject = _together(places, first, found)
    plural = subject == places.both[first]
    verb = ("move" if overlay.kind == MOTION else "lie") + ("" if plural else "s")
    text = f"In {overlay.group} the {subject} {verb} {_size(overlay, peak)}, {ending}."
    others = [name for name in names if name != subject]
    if others:
        more = len(others) - NAMED
        named = others[:NAMED] + ([f"{more} more"] if more > 0 else [])
        text += f" Also {_direction(overlay, peak)}: {listed(named)}."
    return text


def surest(effects: Sequence[Effect], group: str, reference: str, labels: dict[str, str]) -> str:
    """One sentence on the surest of all effects of a group, or that none is beyond chance; empty where there are none.

    labels : words for what effects name
    """
    own = [effect for effect in effects if effect.contrast == f"{group}-{reference}" and np.isfinite(effect.p_fwe)]
    if not own:
        return ""
    best = min(own, key=lambda effect: (effect.p_fwe, -abs(effect.d)))
    if best.p_fwe >= SURE:
        return f"None of {len(own)} biomarkers differs between {group} and {reference} beyond chance."
    sign = -1 if best.effect < 0 else 1
    low, high = sorted((sign * best.low, sign * best.high))
    label = labels.get(best.name, best.name)
    named = label if label == best.name else f"{label} ({best.name})"
    text = (
        f"Surest of {len(own)} biomarkers: {named}, {number(abs(best.effect))} "
        f"{'lower' if sign < 0 else 'higher'} than in {reference} ({number(low)} to {number(high)}; {best.unit}), "
        f"{p_value(best.p_fwe)}, corrected within its kind"
    )
    return text + (f"; reliability {best.reliability:.2f}." if np.isfinite(best.reliability) else ".")


def _size(overlay: Overlay, v: int) -> str:
    """``0.82 mm less than in HC (0.41 to 1.2)``: the size of the difference at a vertex with its interval."""
    difference, low, high = (float(a[v]) for a in (overlay.difference_mm, overlay.low_mm, overlay.high_mm))
    if difference < 0:
        low, high = -high, -low
    interval = f"({number(low)} to {number(high)})"
    return f"{number(abs(difference))} mm {_direction(overlay, v)} than in {overlay.reference} {interval}"


def _direction(overlay: Overlay, v: int) -> str:
    more, less = ("more", "less") if overlay.kind == MOTION else ("farther out", "farther in")
    return more if overlay.difference_mm[v] > 0 else less


def _places(overlay: Overlay, places: Anatomy, sure: np.ndarray) -> list[int]:
    """Places with at least one such vertex, the largest difference first."""
    size = np.where(sure, np.abs(overlay.difference_mm), -1)
    best = {place: float(size[places.label == place].max(initial=-1)) for place in range(len(places.names))}
    return sorted((place for place, mm in best.items() if mm >= 0), key=lambda place: -best[place])


def _together(places: Anatomy, place: int, found: list[int]) -> str:
    """A place's name, or that of it and its mirror image where both are found."""
    return places.both[place] if places.both[place] and places.mirror[place] in found else places.names[place]
