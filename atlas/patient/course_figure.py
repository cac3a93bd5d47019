"""A person's courses: a few action units over time before a stimulus, in the band that holds the norm's people."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from atlas.atlas import Atlas
from atlas.biomarkers import ACTION_UNITS
from atlas.biomarkers.reliability import coefficient_names, unit_weights
from atlas.figures.colours import group_colours
from atlas.figures.page import DPI, GRID, INK, AtlasFigure, Page, tidy
from atlas.motion import MotionSpace
from atlas.patient.person import MatchedPerson
from atlas.trajectories import RATE, Trajectory, course
from reconstruction.template import Template

PANELS = 4
_WIDTH, _HEIGHT = 1180, 235  # pixels
_SIZE = 10.5


@dataclass(frozen=True)
class Panel:
    """One unit before one stimulus, intensity 0 to 5; arrays are (K,).

    person, low, high : the person's course and the interval of the fit's error, as wide as the coefficients' allow; no
        interval where the fit's error is not known
    band_low, band_high : where 95 % of the reference group's people are
    means : {group: mean course}
    """

    unit: str
    stimulus: str
    time_s: np.ndarray
    person: np.ndarray
    low: np.ndarray
    high: np.ndarray
    band_low: np.ndarray
    band_high: np.ndarray
    means: dict[str, np.ndarray]


def panels(person: MatchedPerson, atlas: Atlas, template: Template, space: MotionSpace) -> list[Panel]:
    """Of the `PANELS` units that the match's evidence names first, each before the stimulus in which the atlas's groups
    differ most in it; so neither is chosen by what the person's course looks like.
    """
    weights = unit_weights(template)
    columns = [space.names.index(name) for name in coefficient_names(template)]
    evidence = [str(e["feature"]) for e in person.match["evidence"]]  # type: ignore[attr-defined]
    rest = [code for code in sorted(weights) if code in ("AU12", "AU04", "AU01", "AU15", "AU26")]
    units = [code for code in dict.fromkeys((*evidence, *rest)) if code in weights][:PANELS]
    shared = [s for s in dict.fromkeys(person.stimuli) if s in atlas.trajectories.get(atlas.reference, {})]
    if not shared:
        return []
    out = []
    for code in units:
        row = np.zeros(space.size)
        row[columns] = weights[code]
        stimulus = max(shared, key=lambda s: _apart(atlas, s, row))
        out.append(_panel(person, atlas, template, space, code, stimulus, row))
    return out


def _apart(atlas: Atlas, stimulus: str, weights: np.ndarray) -> float:
    """The largest root mean square over time between two groups' mean courses."""
    found = [of_group[stimulus].motion @ weights for of_group in atlas.trajectories.values() if stimulus in of_group]
    shortest = min(len(c) for c in found)
    rows = np.stack([c[:shortest] for c in found])
    return float(np.sqrt((np.ptp(rows, axis=0) ** 2).mean())) if shortest else 0.0


def _panel(
    person: MatchedPerson,
    atlas: Atlas,
    template: Template,
    space: MotionSpace,
    unit: str,
    stimulus: str,
    weights: np.ndarray,
) -> Panel:
    norm: Trajectory = atlas.trajectories[atlas.reference][stimulus]
    spread = norm.sd @ np.abs(weights)
    freedom = np.maximum(norm.people - 1, 1)
    half = stats.t.ppf(0.975, freedom) * spread * np.sqrt(1 + 1 / np.maximum(norm.people, 1))
    mean = norm.motion @ weights
    own = [s for s, of in zip(person.sequences, person.stimuli, strict=True) if of == stimulus]
    courses = [course(sequence, space) @ weights for sequence in own]
    k = len(norm.time_s)
    rows = np.full((len(courses), k), np.nan)
    at = np.round(norm.time_s * RATE).astype(int)
    for row, found in zip(rows, courses, strict=True):
        inside = at < len(found)
        row[inside] = found[at[inside]]
    known = np.isfinite(rows)
    there = np.divide(np.nansum(rows, 0), known.sum(0), out=np.full(k, np.nan), where=known.any(0))
    error = np.mean([_error(s.expression_sd, weights) for s in own])
    groups = {g: of[stimulus] for g, of in atlas.trajectories.items() if stimulus in of}
    there = np.maximum(there, 0)  # an intensity; below zero another unit is meant, such as eyes to the other side
    return Panel(
        unit=unit,
        stimulus=stimulus,
        time_s=norm.time_s,
        person=there,
        low=there - 1.96 * error,
        high=there + 1.96 * error,
        band_low=np.maximum(mean - half, 0),
        band_high=np.maximum(mean + half, 0),
        means={g: np.pad(np.maximum(t.motion @ weights, 0), (0, max(0, k - len(t.motion))), constant_values=np.nan)[:k]
               for g, t in groups.items()},
    )  # fmt: skip


def _error(expression_sd: np.ndarray, weights: np.ndarray) -> float:
    return float(np.abs(weights[: len(expression_sd)]) @ expression_sd)


def course_figure(found: Sequence[Panel], person: str, reference: str, nearest: str) -> AtlasFigure:
    """The panels side by side: the person's course in ink, the reference group's band in grey, the nearest other
    group's mean as a thin line of its colour.
    """
    page = Page(_WIDTH, _HEIGHT)
    others = [nearest] if nearest != reference else []
    colours = group_colours([reference, *others], reference)
    top = max((float(np.nanmax([*p.band_high, *np.nan_to_num(p.high)])) for p in found), default=1.0)
    width = (_WIDTH - 40) / len(found)
    for i, panel in enumerate(found):
        axes = page.axes(34 + i * width, 34, width - 26, _HEIGHT - 78)
        axes.fill_between(panel.time_s, panel.band_low, panel.band_high, color="#c9ced6", alpha=0.65, linewidth=0,
                          label=f"95 % of {reference}")  # fmt: skip
        for group in others:
            if group in panel.means:
                axes.plot(panel.time_s, panel.means[group], color=colours[group], linewidth=1.4, linestyle="--",
                          label=f"{group} mean")  # fmt: skip
        axes.fill_between(panel.time_s, panel.low, panel.high, color="#0b5c8a", alpha=0.25, linewidth=0)
        axes.plot(panel.time_s, panel.person, color="#0b5c8a", linewidth=2.0, label=person)
        axes.set_ylim(0, min(5.0, max(1.0, 1.05 * top)))
        axes.margins(x=0)
        axes.set_title(f"{panel.unit} {ACTION_UNITS[panel.unit].name}, {panel.stimulus}", fontsize=_SIZE, color=INK,
                       loc="left")  # fmt: skip
        tidy(axes, "y")
        axes.tick_params(labelsize=_SIZE - 1.5, color=GRID)
        if i:
            axes.tick_params(labelleft=False)
    handles, labels = page.figure.axes[0].get_legend_handles_labels()
    page.figure.legend(handles, labels, loc="lower left", ncols=len(labels), frameon=False, fontsize=_SIZE - 0.5,
                       bbox_to_anchor=(0.02, -0.02), labelcolor=INK)  # fmt: skip
    page.figure.text(0.985, 0.045, "seconds; intensity 0 to 5", fontsize=_SIZE - 1, color=INK, ha="right")
    page.figure.set_dpi(DPI)
    alt = "Courses: " + "; ".join(
        f"{p.unit} before {p.stimulus}: mean {np.nanmean(p.person):.2f}, {reference} {p.band_low.mean():.2f} to "
        f"{p.band_high.mean():.2f}"
        for p in found
    )
    return AtlasFigure("courses", "Courses", alt, page.figure)
