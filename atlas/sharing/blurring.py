"""Two ways of blurring statistics before they leave, noise and means of people alike, and what an attacker sees."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from atlas.sharing.attack import AttackResult
from atlas.sharing.audit import Comparison
from atlas.sharing.microaggregation import cluster_means, joint_records, people_alike
from atlas.sharing.occasions import HALVES, PROBE, Occasions, Rows
from atlas.sharing.people import Chosen
from atlas.sharing.reading import Read
from atlas.sharing.summary import Cost, Scale, blurred, correlated_noise, cost

WAYS = NOISE, MEANS = "noise", "means"


@dataclass(frozen=True)
class Measured:
    """A cohort's statistics as they are.

    rows : of the recordings (R, F); cells : (R,) number of each one's session, stimulus and run
    compared, compared_cells : the same of what is attacked: the recordings, or their halves, with sides
    comparison : that, standardised
    """

    rows: Rows
    cells: np.ndarray
    compared: Rows
    compared_cells: np.ndarray
    scale: Scale
    comparison: Comparison

    @classmethod
    def of(cls, read: Read, stimuli: int, occasions: Occasions, chosen: Chosen) -> "Measured":
        """Of recordings that were read, before so many stimuli."""
        scale = Scale.of(read.rows.cube(len(chosen.people), stimuli))
        halves = 2 if occasions.kind == HALVES else 1
        comparison = Comparison.of(read.compared, scale, stimuli, occasions, chosen)
        return cls(read.rows, read.cells, read.compared, np.repeat(read.cells, halves), scale, comparison)

    @property
    def people(self) -> int:
        return len(self.comparison.gallery)

    @cached_property
    def own(self) -> np.ndarray:
        """(N, Q, F) people's standardised values."""
        return self.scale.z(self.rows.cube(self.people, len(self.scale.mean)))

    @cached_property
    def z(self) -> np.ndarray:
        """(R, F) the recordings' standardised values."""
        return self.scale.z(self.rows.values, self.rows.stimulus)

    def noisy(self, columns: Sequence[int], sd: float, rng: np.random.Generator) -> "Blurred":
        """With noise of `sd` standard deviations over people, one draw a person."""
        scale = self.scale.only(columns)
        noise = correlated_noise(self.own[:, :, columns], sd, rng)
        rows = self.rows
        values = blurred(self.z[:, columns], noise[rows.person, rows.stimulus], scale, rows.stimulus)
        probe = blurred(self.comparison.probe[:, :, columns], noise, scale)
        return Blurred(self, tuple(columns), NOISE, values, probe, noise_sd=sd)

    def alike(self, columns: Sequence[int], least: int) -> np.ndarray:
        """(N,) clusters of at least `least` people whose joint records are alike in these columns."""
        rows = replace(self.rows, values=self.z[:, columns])
        return people_alike(joint_records(rows, self.cells, self.people), least)

    def averaged(self, columns: Sequence[int], cluster: np.ndarray) -> "Blurred":
        """Means over clusters (N,) of people."""
        scale = self.scale.only(columns)

        def means(rows: Rows, cells: np.ndarray) -> np.ndarray:
            z = scale.z(rows.values[:, columns], rows.stimulus)
            made = cluster_means(replace(rows, values=z), cells, cluster)
            return blurred(made, np.zeros_like(made), scale, rows.stimulus)

        probe = replace(self.compared, values=means(self.compared, self.compared_cells))
        shown = probe.cube(self.people, len(scale.mean), PROBE)
        values = means(self.rows, self.cells)
        return Blurred(self, tuple(columns), MEANS, values, shown, cluster=cluster)


@dataclass(frozen=True)
class Blurred:
    """values : (R, F') that leave, of the columns chosen, NaN where a recording stays; probe : (N, Q, F') of them what
    an attacker compares, in the same units
    noise_sd : in standard deviations over people; cluster : (N,) whose means the values are
    """

    of: Measured
    columns: tuple[int, ...]
    way: str
    values: np.ndarray
    probe: np.ndarray
    noise_sd: float = 0.0
    cluster: np.ndarray | None = None

    @property
    def scale(self) -> Scale:
        return self.of.scale.only(self.columns)

    @property
    def least_alike(self) -> int | None:
        """People who share every value, at least; None where values are everyone's own."""
        return None if self.cluster is None else int(np.bincount(self.cluster).min())

    @cached_property
    def leaves(self) -> np.ndarray:
        """(R,) whether a recording leaves: not where means would show that some of its people lack it."""
        return np.ones(len(self.values), bool) if self.cluster is None else np.isfinite(self.values).any(1)

    @cached_property
    def released(self) -> Comparison:
        """What an attacker has: everybody's other occasion as measured, and this."""
        scale = self.scale
        return self.of.comparison.on(self.columns, (self.probe - scale.mean) / np.where(scale.sd > 0, scale.sd, 1))

    @cached_property
    def results(self) -> tuple[AttackResult, ...]:
        return self.released.attack()

    @property
    def top1(self) -> float:
        return self.results[0].top1

    @property
    def known_recordings(self) -> float:
        """Top-1 of an attacker who has the very recordings."""
        return self.released.known_recordings(self.of.comparison, self.columns)

    @cached_property
    def cost(self) -> Cost:
        rows = self.of.rows
        return cost(self.values, rows.values[:, list(self.columns)], self.scale, rows.stimulus)
