"""Figures in words: the alternative text of those who cannot see them."""

from collections.abc import Sequence

import numpy as np

from atlas.figures.overlays import AtlasPictures
from atlas.overlay import MOTION

PLACES = (  # iBUG points, place in words; the right and left are the subject's
    (slice(17, 27), "brows"),
    (slice(36, 48), "eyelids"),
    (slice(31, 36), "nostrils"),
    (slice(48, 68), "lips"),
    (slice(6, 11), "chin"),
)


def people_word(simulated: bool) -> str:
    return "simulated people" if simulated else "people"


def listed(names: Sequence[object], last: str = "and") -> str:
    """``BD``, ``BD and MDD``, ``A, B and C``; nothing of nothing."""
    told = [str(name) for name in names]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} {last} {told[-1]}" if told else ""


def decimals(largest: float) -> int:
    """Digits after the point that show a hundredth of numbers up to `largest`, about; one at least, four at most."""
    if not np.isfinite(largest) or largest <= 0:
        return 1
    return int(np.clip(np.ceil(np.log10(60 / largest)), 1, 4))


def where(pictures: AtlasPictures, group: str, kind: str = MOTION) -> str:
    """A group's map in words: mean over the landmarks of each place, mm; the reference group's own motion."""
    template, overlay = pictures.template, pictures.atlas.overlays[group][kind]
    reference = group == pictures.atlas.reference
    values = overlay.mean_mm if reference else overlay.difference_mm
    points = (values[template.landmarks68.triangles] * template.landmarks68.barycentric).sum(1)
    told = [f"{place} {points[ids].mean():{'.2f' if reference else '+.2f'}}" for ids, place in PLACES]
    return f"{', '.join(told)} mm".replace("-", "\N{MINUS SIGN}")


def how_sure(pictures: AtlasPictures, group: str, kind: str) -> str:
    """How much of the face is significant."""
    solid, dashed = (field[pictures.seen] > 0.5 for field in pictures.significance(group, kind))
    return (
        f"significant over {solid.mean():.0%} of the face's points by the family-wise error, {dashed.mean():.0%} by "
        "the false discovery rate"
    )
