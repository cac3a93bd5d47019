"""Simulated people: identity, age, sex, and what is typical of how each of them moves.

A person's level of a quantity (an action unit's mean intensity, a movement measure) is ``typical * (1 + SPREAD * z)``
with z the person's latent level: mean 0 and standard deviation 1 in HC, skewed to the right as intensities are, never
below -1.9. A planted effect adds d to z, so the group differs from HC by d person-level standard deviations (a little
less for d below -1.5, where some people would pass zero). Nothing else about a person depends on the group: identity,
age, sex, place in the order and every seed are drawn without it.
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
    """

    id: str
    group: str
    age: int
    sex: str
    shape: np.ndarray
    levels: dict[str, float]
    asymmetry: dict[str, float]
    seed: int


def simulate_people(
    n: int, effects: Effects | str | Path | None = "default", seed: int = 0, template: Template | str = DEFAULT
) -> list[Person]:
    """Simulate `n` people in all, the groups as equal in size as can be and in an order that carries no group.

    effects : see `load_effects`; the groups are the file's and HC
    template : whose shape components the identities are drawn in

    Raises
    ------
    InputError
        The effects cannot be used, `n` is below the number of groups, or the seed is negative.
    """
    planted = load_effects(effects)
    groups = [*planted, REFERENCE_GROUP]
    if n < len(groups):
        raise InputError(f"expected at least one person for each of {', '.join(groups)}, got {n}; ask for more people.")
    if seed < 0:
        raise InputError(f"expected a seed of 0 or more, got {seed}; choose another.")
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
        people.append(_person(f"sub-{i + 1:0{digits}}", group, planted.get(group, {}), n_shape, [seed, i, 1]))
    return people


def level_of_normal(own: np.ndarray) -> np.ndarray:
    """Latent levels z as quantiles of standard normal draws: a Gaussian copula with a skewed margin."""
    return (_LEVELS.ppf(stats.norm.cdf(own)) - _LEVELS.mean()) / _LEVELS.std()


def draw_levels(people: int, rng: np.random.Generator) -> np.ndarray:
    """(people, quantities) latent levels of new people without effects, in `QUANTITIES`' order."""
    shared = rng.normal(size=(people, 1))
    own = rng.normal(size=(people, len(QUANTITIES)))
    n_units = len(UNITS)
    own[:, :n_units] = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own[:, :n_units]
    return level_of_normal(own)


def _person(name: str, group: str, planted: dict[str, float], n_shape: int, entropy: list[int]) -> Person:
    rng = np.random.default_rng(entropy)
    shape = stats.truncnorm.rvs(-LARGEST_SHAPE, LARGEST_SHAPE, size=n_shape, random_state=rng).astype(np.float32)
    levels = draw_levels(1, rng)[0]
    return Person(
        id=name,
        group=group,
        age=int(rng.integers(18, 66)),
        sex=str(rng.choice(["F", "M"])),
        shape=shape,
        levels={q: float(z) + planted.get(q, 0.0) for q, z in zip(QUANTITIES, levels, strict=True)},
        asymmetry=dict(zip(UNITS, np.clip(rng.normal(0, 0.06, len(UNITS)), -0.15, 0.15).tolist(), strict=True)),
        seed=int(rng.integers(2**62)),
    )
