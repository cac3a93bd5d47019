"""What is usual in each group for regions, organs and muscle-like patches, and how a person compares.

Descriptive, beside the matcher: z is how many standard deviations within groups the person lies from each group's mean,
before the same stimuli. Were the quantity normal in every group, half the difference of the squared z would be the
log-likelihood ratio by which it speaks for one group over another; that orders the lines, and no more is claimed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atlas.aggregation import RecordingSummary
from atlas.biomarkers.motion_energy import shares
from atlas.biomarkers.recording import FaceParts
from atlas.biomarkers.table import BiomarkerTable, known_mean
from atlas.biomarkers.velocity import lagged_steps
from atlas.evidence import LINES, hundredths
from atlas.motion import MotionSpace
from atlas.statistics import Effect
from reconstruction.sequence import FaceSequence

SETS = ("organ", "emoface16", "muscles")
FEWEST = 3  # people of a group, below which it has no usual


@dataclass(frozen=True)
class PartNorms:
    """P parts of several sets, K = 2 P quantities: every set's shares, then its speeds.

    names, labels, units : K each
    sets : (name, how many parts) of every set, in order; forms : (P, M, M) float32 mm^2; extent : (P,), see `PartSet`
    stimuli : S names
    mean : (S + 1, G, K) of every group before every stimulus, and over all; NaN where too few know it
    sd : (S + 1, K) within groups
    q : (K,) smallest false discovery rate at which any two groups differ in it; NaN where it was not tested
    reliability : (K,) correlation with the truth over people, NaN where unknown
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    units: tuple[str, ...]
    sets: tuple[tuple[str, int], ...]
    stimuli: tuple[str, ...]
    forms: np.ndarray
    extent: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    q: np.ndarray
    reliability: np.ndarray

    def measure(self, sequence: FaceSequence, space: MotionSpace) -> np.ndarray:
        """(K,) the quantities of one recording, as `recording_biomarkers` gives them; NaN where it cannot tell."""
        steps = lagged_steps(sequence.time_s, sequence.valid, sequence.frame_rate)
        moment = steps.second_moment(space.vectors(sequence))
        energy = np.maximum(self.forms.reshape(len(self.forms), -1) @ moment.ravel(), 0)
        out, first = [], 0
        for _, size in self.sets:
            part = slice(first, first + size)
            out += [shares(energy[part], self.extent[part]), np.sqrt(energy[part])]
            first += size
        return np.concatenate(out)

    def evidence(self, recordings: Sequence[RecordingSummary], groups: Sequence[str]) -> list[dict[str, Any]]:
        """The lines that speak most for one group; empty where the recordings were not measured."""
        measured = [r for r in recordings if len(r.biomarkers) == len(self.names)]
        shown = sorted({r.stimulus for r in measured})
        if not measured:
            return []
        values = np.stack([known_mean(np.stack([r.biomarkers for r in measured if r.stimulus == s]), 0) for s in shown])
        if set(shown) >= set(self.stimuli) or not set(shown) & set(self.stimuli):
            z = (known_mean(values, 0) - self.mean[-1]) / self.sd[-1]
        else:
            rows = [self.stimuli.index(s) for s in shown if s in self.stimuli]
            own = values[[s in self.stimuli for s in shown]]
            z = known_mean((own[:, None] - self.mean[rows]) / self.sd[rows][:, None], 0)
        value, square = known_mean(values, 0), z**2
        others = (square.sum(0) - square.min(0)) / (len(groups) - 1)
        amount = np.where(np.isfinite(square).all(0), (others - square.min(0)) / 2, -np.inf)
        return [
            {
                "quantity": self.names[i],
                "meaning": self.labels[i],
                "value": float(f"{value[i]:.4g}"),
                "unit": self.units[i],
                "z_against_groups": {g: hundredths(v) for g, v in zip(groups, z[:, i], strict=True)},
                "speaks_for": groups[int(np.argmin(square[:, i]))],
                "amount": round(float(amount[i]), 3),
                "groups_differ_q": _known(self.q[i]),
                "reliability": _known(self.reliability[i]),
            }
            for i in np.argsort(-amount, kind="stable")[:LINES]
            if np.isfinite(amount[i])
        ]


def part_norms(
    table: BiomarkerTable,
    parts: FaceParts,
    groups: Sequence[str],
    effects: Sequence[Effect] = (),
    reliability: Mapping[str, float] | None = None,
) -> PartNorms:
    """The norms of an atlas's people.

    table : their biomarkers, of `parts`; effects : of `compare`; reliability : of `quantity_reliability`
    """
    sets = [s for s in parts.sets if s.name in SETS]
    names = tuple(f"{s.name}_{place}_{kind}" for s in sets for kind in ("share", "speed") for place in s.places)
    columns = [table.names.index(name) for name in names]
    stimuli = tuple(s for s in table.stimuli if s != "unknown")
    shown = [table.by_stimulus[:, table.stimuli.index(s)] for s in stimuli]
    cube = np.stack([*shown, table.values])[..., columns]  # (S + 1, P, K)
    of_group = [cube[:, [g == group for g in table.groups]] for group in groups]
    mean = np.stack([_usual(values) for values in of_group], 1)
    residual = np.concatenate([v - m[:, None] for v, m in zip(of_group, np.moveaxis(mean, 1, 0), strict=True)], 1)
    known = np.isfinite(residual)
    freedom = known.sum(1) - len(groups)
    variance = np.where(known, residual, 0)
    pairs = list(zip(columns, names, strict=True))
    q = {name: [e.q_fdr for e in effects if e.name == name and np.isfinite(e.q_fdr)] for name in names}
    return PartNorms(
        names=names,
        labels=tuple(f"{table.quantities[c].label}: {_KINDS[n.rsplit('_', 1)[1]]}" for c, n in pairs),
        units=tuple(table.quantities[c].unit for c in columns),
        sets=tuple((s.name, len(s.places)) for s in sets),
        stimuli=stimuli,
        forms=np.concatenate([parts.forms[s.name] for s in sets]).astype(np.float32),
        extent=np.concatenate([s.extent for s in sets]),
        mean=mean,
        sd=np.sqrt(np.where(freedom > 0, (variance**2).sum(1), np.nan) / np.maximum(freedom, 1)),
        q=np.array([min(q[name], default=np.nan) for name in names]),
        reliability=np.array([(reliability or {}).get(name, np.nan) for name in names]),
    )


_KINDS = {"share": "share of the motion", "speed": "root mean square speed"}


def _usual(values: np.ndarray) -> np.ndarray:
    """(S + 1, K) mean over the people (S + 1, n, K) who know a quantity, NaN of fewer than `FEWEST`."""
    return np.where(np.isfinite(values).sum(1) >= FEWEST, known_mean(values, 1), np.nan)


def _known(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
