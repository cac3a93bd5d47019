"""Courses: how a group's face moves on average from the start of a stimulus, with its interval over people.

A course is that of an action unit or any other sum of motion coefficients. Of a sum only the coefficients' spread over
people may be known; then the interval is the widest that this spread allows (Minkowski's inequality), as if all of them
rose and fell together in every person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import stats

from atlas.biomarkers.action_units import ACTION_UNITS
from atlas.biomarkers.reliability import coefficient_names, unit_weights
from atlas.figures.colours import group_colours
from atlas.figures.page import INK, MARGIN, SMALL, TEXT, AtlasFigure, Page, head_height, tidy, wrapped
from atlas.figures.words import listed, people_word
from atlas.motion import MotionSpace
from reconstruction.template import Template

SHOWN = 6  # panels: the units that differ most
_ACROSS, _WIDTH, _HEIGHT, _GAP = 3, 420, 210, 74  # pixels


@dataclass(frozen=True)
class Course:
    """One quantity of one group over time; arrays are (K,), `low` and `high` its 95 % interval.

    people : at the time when there are most
    """

    quantity: str
    label: str
    unit: str
    group: str
    people: int
    time_s: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


class MeanMotion(Protocol):
    """A group's mean motion before a stimulus, as `atlas.trajectories.Trajectory`: `time_s` (K,), `motion` and `sd`
    (K, M) over people, `people` (K,).
    """

    @property
    def group(self) -> str: ...
    @property
    def stimulus(self) -> str: ...
    @property
    def time_s(self) -> np.ndarray: ...
    @property
    def motion(self) -> np.ndarray: ...
    @property
    def sd(self) -> np.ndarray: ...
    @property
    def people(self) -> np.ndarray: ...


def unit_courses(motions: Sequence[MeanMotion], template: Template, space: MotionSpace) -> list[Course]:
    """Courses of every action unit the template can show, in intensity 0 to 5, of every group's mean motion."""
    columns = [space.names.index(name) for name in coefficient_names(template)]
    out = []
    for found in motions:
        motion, sd = found.motion[:, columns], found.sd[:, columns]
        freedom = np.maximum(found.people - 1, 1)
        error = np.where(found.people > 1, stats.t.ppf(0.975, freedom) / np.sqrt(np.maximum(found.people, 1)), np.nan)
        for code, weights in unit_weights(template).items():
            mean, half = motion @ weights, error * (sd @ np.abs(weights))
            label = f"{code} {ACTION_UNITS[code].name}"
            out.append(
                Course(
                    quantity=code,
                    label=label,
                    unit="intensity",
                    group=found.group,
                    people=int(found.people.max(initial=0)),
                    time_s=found.time_s,
                    mean=mean,
                    low=mean - half,
                    high=mean + half,
                )
            )
    return out


def course_figure(
    name: str, title: str, courses: Sequence[Course], reference: str, *, simulated: bool, shown: int = SHOWN
) -> AtlasFigure:
    """A panel for each of the quantities whose groups are farthest apart, in widths of their intervals."""
    by_quantity: dict[str, dict[str, Course]] = {}
    for course in courses:
        by_quantity.setdefault(course.quantity, {})[course.group] = course
    apart = {quantity: _apart(own, reference) for quantity, own in by_quantity.items()}
    differing = [quantity for quantity in apart if apart[quantity] > 0] or list(apart)
    chosen = sorted(differing, key=lambda quantity: (-apart[quantity], quantity))[:shown]
    groups = [reference, *sorted({course.group for course in courses} - {reference})]
    colours = group_colours(groups, reference)
    across, rows = min(_ACROSS, len(chosen)), -(-len(chosen) // _ACROSS)
    width = max(640, 2 * MARGIN + across * (_WIDTH + _GAP))
    lines = wrapped(
        f"Mean over people with 95 % interval, {people_word(simulated)}; the {len(chosen)} of {len(apart)} that differ "
        "most between groups. Where only the spread of single coefficients is known, the interval is the widest it "
        "allows.",
        width - 2 * MARGIN,
    )
    top = head_height(lines) + 66
    page = Page(width, top + rows * (_HEIGHT + _GAP + 16) + 24)
    page.head(title, lines)
    for i, quantity in enumerate(chosen):
        x = MARGIN + 58 + (i % _ACROSS) * (_WIDTH + _GAP)
        y = top + (i // _ACROSS) * (_HEIGHT + _GAP + 16)
        axes = page.axes(x, y, _WIDTH - 20, _HEIGHT)
        for group in groups:
            found = by_quantity[quantity].get(group)
            if found is not None:
                label = f"{group} (n = {found.people})"
                axes.fill_between(found.time_s, found.low, found.high, color=colours[group], alpha=0.18, linewidth=0)
                axes.plot(found.time_s, found.mean, color=colours[group], linewidth=2.2, label=label)
        some = next(iter(by_quantity[quantity].values()))
        axes.set_title(some.label, fontsize=TEXT, color=INK, loc="left", weight="bold")
        axes.set_ylabel(some.unit, fontsize=SMALL, color=INK)
        axes.set_xlabel("seconds", fontsize=SMALL, color=INK)
        axes.margins(x=0)
        tidy(axes, "y")
        if i == 0:
            axes.legend(
                loc="lower left", bbox_to_anchor=(0, 1.12), ncols=len(groups), frameon=False, fontsize=TEXT,
                labelcolor=INK, borderaxespad=0,
            )  # fmt: skip
    page.foot()
    labels = [next(iter(by_quantity[quantity].values())).label for quantity in chosen]
    alt = f"{title}: courses of {listed(labels)} in {listed(groups)}, {people_word(simulated)}. "
    return AtlasFigure(name, title, alt + _told(chosen, by_quantity, reference), page.figure)


def _apart(courses: Mapping[str, Course], reference: str) -> float:
    """The largest root mean square over time of a group's distance from the reference, in half intervals."""
    found = [0.0]
    base = courses.get(reference)
    for group, course in courses.items():
        if base is None or group == reference:
            continue
        k = min(len(base.mean), len(course.mean))
        half = np.hypot(course.high[:k] - course.mean[:k], base.high[:k] - base.mean[:k])
        away = course.mean[:k] - base.mean[:k]
        score = np.divide(away, half, out=np.zeros(k), where=half > 1e-6)
        found.append(float(np.sqrt((score**2).mean())) if k else 0.0)
    return max(found)


def _told(chosen: Sequence[str], courses: Mapping[str, Mapping[str, Course]], reference: str) -> str:
    """The means over time, in words."""
    out = []
    for quantity in chosen:
        means = [f"{group} {course.mean.mean():.2f}" for group, course in courses[quantity].items()]
        out.append(f"{quantity}: {', '.join(means)}")
    return f"Means over time: {'; '.join(out)}; {reference} is the reference"
