"""Where one person stands against an atlas's norms: z of every vertex, and of every action unit and measure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from atlas.aggregation import AggregatedFace
from atlas.motion import MotionSpace
from atlas.norm import STEADY, Norm, named_values, person_maps
from atlas.overlay import outward_directions
from reconstruction.template import Template


@dataclass(frozen=True)
class Standing:
    """Where a person stands: z of every vertex and quantity, and what it was compared with.

    motion, outward : (V,) z, zero where the norm does not vary
    values, z, low, high : {quantity: the person's, its z, and the interval that holds 95 % of the norm's people}
    norm : the one it is told by; `stimuli` are those that were compared
    """

    motion: np.ndarray
    outward: np.ndarray
    values: dict[str, float]
    z: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    norm: Norm
    stimuli: tuple[str, ...]


def standing(
    person: AggregatedFace,
    norms: Mapping[str | None, Norm],
    stimuli: tuple[str, ...],
    template: Template,
    space: MotionSpace,
) -> Standing | None:
    """Where a person stands against the norms of an atlas with the stimuli named; None where it has no norm.

    Before stimuli that have no norm of their own the person is compared with the norm over all.
    """
    own = [s for s in person.stimuli if s in norms]
    if not norms:
        return None
    if None in norms and (not own or set(own) >= set(stimuli)):
        used, compared = [norms[None]], None
    else:
        used, compared = [norms[s] for s in own], own
    motion, outward = (maps[0] for maps in person_maps([person], space, outward_directions(template, space), compared))
    names, _ = named_values([person], template, space, stimuli)
    wanted: list[str | None] = [None] if compared is None else list(compared)
    rows = [named_values([person], template, space, stimuli, s)[1][0] for s in wanted]
    values = dict(zip(names, np.mean(rows, 0), strict=True))
    freedom = min(norm.freedom for norm in used)
    shared = [name for name in names if all(name in n.quantities for n in used) and np.isfinite(values[name])]
    columns = [[n.quantities.index(name) for name in shared] for n in used]
    expected = {
        measure: [np.stack(n.expected(measure, person.age, person.sex)) for n in used]
        for measure in ("motion", "outward", "named")
    }
    named = np.mean([e[:, own] for e, own in zip(expected["named"], columns, strict=True)], axis=0)
    z = _deviate(np.array([values[name] for name in shared]), named, freedom)
    half = stats.t.ppf(0.975, freedom) * named[1]
    return Standing(
        motion=_deviate(motion, np.mean(expected["motion"], axis=0), freedom),
        outward=_deviate(outward, np.mean(expected["outward"], axis=0), freedom),
        values={name: float(values[name]) for name in shared},
        z=dict(zip(shared, map(float, z), strict=True)),
        low=dict(zip(shared, map(float, named[0] - half), strict=True)),
        high=dict(zip(shared, map(float, named[0] + half), strict=True)),
        norm=used[0] if len(used) == 1 else min(used, key=lambda n: n.people),
        stimuli=tuple(compared or person.stimuli),
    )


def _deviate(values: np.ndarray, expected: np.ndarray, freedom: int) -> np.ndarray:
    """z of values (K,) that were expected to be expected[0] with the standard deviation expected[1]."""
    t = np.divide(values - expected[0], expected[1], out=np.zeros_like(values, float), where=expected[1] > STEADY)
    return np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), freedom))
