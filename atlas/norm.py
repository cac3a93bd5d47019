"""Norms: how the reference group's people move at an age and of a sex, and how far one person is from that.

In the reference group every vertex's amount of movement and mean place (the maps of `atlas.overlay`), and every action
unit and measure, is a line in age with a step between the sexes, by least squares over people. A new person's value y
is compared with the line's prediction m as one case with a small sample (Crawford and Howell 1998; Crawford and
Garthwaite 2006): t = (y - m) / (s sqrt(1 + x' (X'X)^-1 x)), s the residual standard deviation, with the residual's
degrees of freedom; z is the normal deviate of the same tail, so that 2 is as rare for 12 people as for 1,200. Of a
person whose age or sex is not known, the prediction is the mean over the norm's people and the spread includes theirs.

Maps are people's means over stimuli, or before one. Before some of the atlas's stimuli, predictions and spreads are
averaged over these: the widest spread that they allow, as if who moves more before one did before all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.features import block, feature_table
from atlas.groups import LEAST_PEOPLE
from atlas.motion import MotionSpace, face_mask
from atlas.overlay import MOTION, OUTWARD, outward_directions
from reconstruction.template import Template

FARTHEST = 2.0  # |z| beyond which a vertex, or a quantity, is outside what 95 % of the norm's people show
STEADY = 1e-3  # mm and intensity: who does not vary more is not compared
SEXES = ("F", "M")
Measure = Literal["motion", "outward", "named"]


@dataclass(frozen=True)
class Norm:
    """Of the people of `group` before `stimulus`, or over all (None); C = 1 + covariates.

    people, women, men : that it rests on; the sexes' are zero where the norm is for both
    covariates : ``age`` and ``sex``, those that are known of enough people
    age, age_low, age_high : mean, and range in whole fives of years; None where age is no covariate
    quantities : names of Q action units and measures
    motion, outward : (C, V) mm, at the norm's mean age and make-up, then the change a year, and from women to men
    named : (C, Q) the same of the quantities, in their units
    motion_sd, outward_sd, named_sd : (V,) and (Q,) residual standard deviations over people
    inverse : (C, C) (X'X)^-1
    spread : (C,) standard deviations of the covariates over people, zero first
    beyond : (4,) shares of the face beyond `FARTHEST` in the norm's own people, each compared with the others: median
        and 95th percentile of motion, then of outward
    """

    group: str
    stimulus: str | None
    people: int
    women: int
    men: int
    covariates: tuple[str, ...]
    age: float | None
    age_low: float | None
    age_high: float | None
    quantities: tuple[str, ...]
    motion: np.ndarray
    outward: np.ndarray
    named: np.ndarray
    motion_sd: np.ndarray
    outward_sd: np.ndarray
    named_sd: np.ndarray
    inverse: np.ndarray
    spread: np.ndarray
    beyond: np.ndarray

    @property
    def freedom(self) -> int:
        return self.people - 1 - len(self.covariates)

    def expected(self, measure: Measure, age: float | None, sex: str | None) -> tuple[np.ndarray, np.ndarray]:
        """What a new person of that age and sex is expected to show, and the standard deviation of one about it."""
        x, unknown = np.zeros(len(self.spread)), np.zeros(len(self.spread))
        x[0] = 1
        for i, name in enumerate(self.covariates, start=1):
            value = _covariate(name, age, sex)
            if value is None:
                unknown[i] = self.spread[i]
            else:
                x[i] = value - self._middle(name)
        lines = np.asarray(getattr(self, measure), np.float64)
        sd = np.asarray(getattr(self, f"{measure}_sd"), np.float64)
        variance = sd**2 * (1 + x @ self.inverse @ x) + (unknown**2) @ lines**2
        return x @ lines, np.sqrt(variance)

    def _middle(self, name: str) -> float:
        return float(self.age or 0) if name == "age" else _middle_sex(self.women, self.men)

    def told(self, age: float | None, sex: str | None) -> str:
        """Whom a person of that age and sex is compared with, in words."""
        who = {"F": f"{self.group} women", "M": f"{self.group} men"}.get(sex or "", self.group)
        who = who if "sex" in self.covariates else self.group
        if "age" in self.covariates and age is not None:
            who += f" aged {age:g}"
        rest = f"{self.people} people"
        if self.women or self.men:
            rest += f", {self.women} women and {self.men} men"
        if self.age_low is not None:
            rest += f", aged {self.age_low:g} to {self.age_high:g}"
        return f"{who} ({'a line in ' + ' and '.join(self.covariates) + ' through ' if self.covariates else ''}{rest})"

    def limits(self, age: float | None, sex: str | None) -> list[str]:
        """What the comparison with a person of that age and sex does not allow for, in sentences."""
        out = []
        for name, value in (("age", age), ("sex", sex)):
            if name not in self.covariates:
                out.append(f"The norm is not adjusted for {name}: it is known of too few of its people.")
            elif _covariate(name, age, sex) is None:
                why = "not known" if value is None else "neither F nor M"
                out.append(f"The person's {name} is {why}: compared with the norm's people of every {name}.")
        low, high = self.age_low, self.age_high
        if age is not None and low is not None and high is not None and not low <= age <= high:
            out.append(f"At {age:g} the person is outside the norm's ages: the line is drawn beyond its people.")
        return out


Norms = dict[str | None, Norm]


def fit_norms(
    people: Sequence[AggregatedFace],
    template: Template,
    space: MotionSpace,
    group: str,
    stimuli: Sequence[str],
    least: int = LEAST_PEOPLE,
) -> Norms:
    """Norms of the people of `group`, over all stimuli and before each that enough of them were recorded before.

    least : people, unless they are simulated, of whom a covariate must be known, of each sex too, and whom a norm needs
    """
    members = sorted((p for p in people if p.group == group), key=lambda p: p.id)
    normals = outward_directions(template, space)
    out: Norms = {}
    for stimulus in (None, *stimuli):
        seen = [p for p in members if stimulus is None or stimulus in p.stimuli]
        found = _fit(seen, template, space, group, stimulus, tuple(stimuli), least, normals)
        if found is not None:
            out[stimulus] = found
    return out


def _fit(
    people: Sequence[AggregatedFace],
    template: Template,
    space: MotionSpace,
    group: str,
    stimulus: str | None,
    stimuli: tuple[str, ...],
    least: int,
    normals: np.ndarray,
) -> Norm | None:
    def enough(some: Sequence[AggregatedFace]) -> bool:
        return len(some) >= (3 if all(p.simulated for p in some) else least)

    aged = [p for p in people if p.age is not None]
    by_age = enough(aged) and len({p.age for p in aged}) > 2
    people = aged if by_age else people
    of_sex = {sex: [p for p in people if p.sex == sex] for sex in SEXES}
    others = [p for p in people if p.sex not in SEXES]
    by_sex = all(enough(some) for some in of_sex.values()) and (not others or enough(others))
    people = [p for p in people if p.sex in SEXES] if by_sex else people
    women, men = (len(of_sex[sex]) if by_sex else 0 for sex in SEXES)
    covariates = (*(("age",) if by_age else ()), *(("sex",) if by_sex else ()))
    if not enough(people) or len(people) < len(covariates) + 4:
        return None
    ages = np.array([p.age for p in people], float) if by_age else np.zeros(0)
    columns = [np.ones(len(people))]
    columns += [ages - ages.mean()] if by_age else []
    if by_sex:
        columns.append(np.array([_covariate("sex", None, p.sex) for p in people]) - _middle_sex(women, men))
    x = np.stack(columns, 1)
    motion, outward = person_maps(people, space, normals, None if stimulus is None else (stimulus,))
    names, named = named_values(people, template, space, stimuli, stimulus)
    known = np.isfinite(named).all(0)
    lines = {"motion": motion, "outward": outward, "named": named[:, known]}
    inverse = np.linalg.inv(x.T @ x)
    freedom = len(x) - x.shape[1]
    fitted = {name: inverse @ x.T @ y for name, y in lines.items()}
    sds = {f"{name}_sd": np.sqrt(((y - x @ fitted[name]) ** 2).sum(0) / freedom) for name, y in lines.items()}
    face = face_mask(template)
    beyond = [
        np.quantile(_beyond(lines[name][:, face], x, fitted[name][:, face], inverse), q)
        for name in (MOTION, OUTWARD)
        for q in (0.5, 0.95)
    ]
    return Norm(
        group=group,
        stimulus=stimulus,
        people=len(people),
        women=int(women),
        men=int(men),
        covariates=covariates,
        age=round(float(ages.mean()), 3) if by_age else None,
        age_low=float(5 * (ages.min() // 5)) if by_age else None,
        age_high=float(5 * -(-ages.max() // 5)) if by_age else None,
        quantities=tuple(name for name, there in zip(names, known, strict=True) if there),
        inverse=inverse,
        spread=np.array([0.0, *x[:, 1:].std(0)]),
        beyond=np.array(beyond),
        **fitted,
        **sds,
    )


def _covariate(name: str, age: float | None, sex: str | None) -> float | None:
    if name == "age":
        return age
    return {"F": -0.5, "M": 0.5}.get(sex or "")


def _middle_sex(women: int, men: int) -> float:
    return (men - women) / (2 * max(1, men + women))


def _beyond(y: np.ndarray, x: np.ndarray, lines: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """(P,) share of the columns of y (P, K) in which a person is beyond `FARTHEST` of the line through the others."""
    residual, leverage = y - x @ lines, np.einsum("pc,cd,pd->p", x, inverse, x)
    freedom = len(x) - x.shape[1] - 1
    left = ((residual**2).sum(0) - residual**2 / (1 - leverage)[:, None]) / freedom
    t = residual / np.sqrt(np.maximum(left, STEADY**2) * (1 - leverage)[:, None])
    return (np.abs(t) > stats.t.isf(stats.norm.sf(FARTHEST), freedom)).mean(1)


def person_maps(
    people: Sequence[AggregatedFace],
    space: MotionSpace,
    normals: np.ndarray,
    stimuli: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(P, V) mm of motion and (P, V) mm outward, of people's means over all their stimuli or over `stimuli`.

    normals : `outward_directions`
    """
    motion, outward = [], []
    for person in people:
        wanted = person.stimuli if stimuli is None else stimuli
        motion.append(space.rms_mm(np.mean([person.covariance(s) for s in wanted], axis=0)).astype(np.float64))
        outward.append(normals @ np.mean([person.motion(s) for s in wanted], axis=0))
    return np.stack(motion), np.stack(outward)


def named_values(
    people: Sequence[AggregatedFace],
    template: Template,
    space: MotionSpace,
    stimuli: tuple[str, ...],
    stimulus: str | None = None,
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of action units and measures, and (P, Q) people's means over stimuli, or before one; NaN where unknown."""
    names = feature_names(space, template_units(template))
    kept = [i for i, name in enumerate(names) if block(name) == "named"]
    rows = feature_table([p.recordings for p in people], names, stimuli).values[:, :, kept]
    if stimulus is not None:
        return tuple(names[i] for i in kept), rows[:, stimuli.index(stimulus)]
    count = np.isfinite(rows).sum(1)
    mean = np.divide(np.nansum(rows, 1), count, out=np.full(count.shape, np.nan), where=count > 0)
    return tuple(names[i] for i in kept), mean
