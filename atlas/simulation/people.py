"""Simulated people: identity, age, sex, and what is typical of how each of them moves.

A person's level of a quantity (an action unit's mean intensity, a movement measure) is ``typical * (1 + SPREAD * z)``
with z the person's latent level: mean 0 and standard deviation 1 in HC, skewed to the right as intensities are, never
below -1.9. A planted effect adds d to z, so the group differs from HC by d person-level standard deviations (a little
less for d below -1.5, where some people would pass zero). Nothing else about a person depends on the group: identity,
age, sex, place in the order and every seed are drawn without it.

A person recorded in several sessions is the same one (identity, asymmetry, planted effects) on other days: the normal
draws that levels are read from are ``sqrt(r) * the person's + sqrt(1 - r) * the day's`` with r = `DAY_TO_DAY`, so that
levels have the same distribution on every day and correlate by about r between any two.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from atlas.simulation.effects import QUANTITIES, REFERENCE_GROUP, UNITS, Effects, load_effects
from reconstruction.errors import InputError
from reconstruction.template import DEFAULT, Template, load_template

SPREAD = 0.3  # person-level standard deviation as a share of the typical level
SHARED = 0.3  # share of the variance of action units that is the person's general expressivity
DAY_TO_DAY = 0.8  # correlation of a person's level between two days; invented, as high as a good questionnaire's retest
LARGEST_SHAPE = 2.5  # standard deviations at which a shape component is cut off
_LEVELS = stats.beta(2, 4)


@dataclass(frozen=True)
class Person:
    """One simulated person.

    id : ``sub-001``; says nothing about the group
    shape : (S,) float32, standard deviations of the template's shape components
    levels : latent level z of every quantity, planted effects included
    asymmetry : {action unit: left minus right, as a share of their mean}
    seed : from which everything else about the person is drawn
    session : number of the day, from 1; 0 where everything was recorded on one day
    """

    id: str
    group: str
    age: int
    sex: str
    shape: np.ndarray
    levels: dict[str, float]
    asymmetry: dict[str, float]
    seed: int
    session: int = 0

    @property
    def day(self) -> tuple[int, ...]:
        """Seeds of what is drawn anew in every session."""
        return (self.seed, self.session) if self.session else (self.seed,)


def simulate_people(
    n: int,
    effects: Effects | str | Path | None = "default",
    seed: int = 0,
    template: Template | str = DEFAULT,
    session: int = 0,
) -> list[Person]:
    """Simulate `n` people in all, the groups as equal in size as can be and in an order that carries no group.

    effects : see `load_effects`; the groups are the file's and HC
    template : whose shape components the identities are drawn in
    session : the same people on another day; 0 for people who have only one

    Raises
    ------
    InputError
        The effects cannot be used, `n` is below the number of groups, or the seed or the session is negative.
    """
    planted = load_effects(effects)
    groups = [*planted, REFERENCE_GROUP]
    if n < len(groups):
        raise InputError(f"expected at least one person for each of {', '.join(groups)}, got {n}; ask for more people.")
    if seed < 0:
        raise InputError(f"expected a seed of 0 or more, got {seed}; choose another.")
    if session < 0:
        raise InputError(f"expected a session of 0 or more, got {session}; count them from 1.")
    n_shape = (load_template(template) if isinstance(template, str) else template).n_shape
    # the remainder goes to groups drawn by chance, and the order is shuffled
    order = np.random.default_rng([seed, n, 0])
    sizes = np.full(len(groups), n // len(groups))
    sizes[order.permutation(len(groups))[: n % len(groups)]] += 1
    labels = order.permutation(np.repeat(np.arange(len(groups)), sizes))
    digits = max(3, len(str(n)))
    people = []
    for i, label in enumerate(labels):
        group = groups[label]
        name = f"sub-{i + 1:0{digits}}"
        people.append(_person(name, group, planted.get(group, {}), n_shape, [seed, i, 1], session))
    return people


def level_of_normal(own: np.ndarray) -> np.ndarray:
    """Latent levels z as quantiles of standard normal draws: a Gaussian copula with a skewed margin."""
    return (_LEVELS.ppf(stats.norm.cdf(own)) - _LEVELS.mean()) / _LEVELS.std()


def draw_levels(people: int, rng: np.random.Generator) -> np.ndarray:
    """(people, quantities) latent levels of new people without effects, in `QUANTITIES`' order."""
    return level_of_normal(_normals(people, rng))


def _normals(people: int, rng: np.random.Generator) -> np.ndarray:
    """(people, quantities) standard normal draws; those of action units share the person's expressivity."""
    shared = rng.normal(size=(people, 1))
    own = rng.normal(size=(people, len(QUANTITIES)))
    n_units = len(UNITS)
    own[:, :n_units] = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own[:, :n_units]
    return own


def _person(name: str, group: str, planted: dict[str, float], n_shape: int, entropy: list[int], session: int) -> Person:
    rng = np.random.default_rng(entropy)
    shape = stats.truncnorm.rvs(-LARGEST_SHAPE, LARGEST_SHAPE, size=n_shape, random_state=rng).astype(np.float32)
    own = _normals(1, rng)[0]
    if session:
        day = _normals(1, np.random.default_rng([*entropy, session]))[0]
        own = np.sqrt(DAY_TO_DAY) * own + np.sqrt(1 - DAY_TO_DAY) * day
    levels = level_of_normal(own)
    return Person(
        id=name,
        group=group,
        age=int(rng.integers(18, 66)),
        sex=str(rng.choice(["F", "M"])),
        shape=shape,
        levels={q: float(z) + planted.get(q, 0.0) for q, z in zip(QUANTITIES, levels, strict=True)},
        asymmetry=dict(zip(UNITS, np.clip(rng.normal(0, 0.06, len(UNITS)), -0.15, 0.15).tolist(), strict=True)),
        seed=int(rng.integers(2**62)),
        session=session,
    )
