"""Evidence: which features of a person pull the similarity towards which standard face."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from atlas.aggregation import RecordingSummary
from atlas.biomarkers import ACTION_UNITS, MEASURES, ReliabilityTable
from atlas.encoder import FittedEncoder
from atlas.features import features_of, pooled_z

LINES = 8


def feature_evidence(
    encoder: FittedEncoder,
    groups: Sequence[str],
    group_z: np.ndarray,
    z: np.ndarray,
    recordings: Sequence[RecordingSummary],
    reliability: ReliabilityTable,
) -> list[dict[str, Any]]:
    """What the similarities change by when one quantity is set to the atlas's mean, the largest first.

    ``amount`` is the cosine that the quantity adds to the group it pulls towards, beyond what it adds on average;
    ``reliability`` is for the worst quality among the atlas's recordings and these, None where it is not known.

    group_z : (G, F) mean scaled features of every group; z : (1, Q + 1, F) the person's
    """
    quantities = quantities_of(encoder.scaler.names)
    without = np.repeat(z, len(quantities), 0)
    for row, columns in zip(without, quantities.values(), strict=True):
        row[:, columns] = np.where(np.isfinite(row[:, columns]), 0, np.nan)
    pull = encoder.cosines(z) - encoder.cosines(without)
    pull = pull - pull.mean(1, keepdims=True)
    pooled = pooled_z(z)[0]
    values = np.stack([features_of(r, encoder.scaler.names) for r in recordings])
    stages = [r.stage for r in recordings]
    out = []
    for i in np.argsort(-pull.max(1), kind="stable")[:LINES]:
        quantity = list(quantities)[i]
        column = quantities[quantity][0]
        known = values[np.isfinite(values[:, column]), column]
        out.append(
            {
                "feature": quantity,
                "meaning": meaning(quantity),
                "value": round(float(known.mean()), 4) if len(known) else None,
                "z": hundredths(pooled[column]),
                "standard_faces_z": {g: hundredths(v) for g, v in zip(groups, group_z[:, column], strict=True)},
                "pulls_towards": groups[int(pull[i].argmax())],
                "amount": round(float(pull[i].max()), 4),
                "reliability": reliability.of(quantity, stages),
            }
        )
    return out


def quantities_of(names: Sequence[str]) -> dict[str, list[int]]:
    """What evidence is given for, with the feature columns that express it, the one to report first.

    An action unit stands for itself and the coefficients it is made of; coefficients without a unit stand for
    themselves.
    """
    unit_of = {
        f"{expression}{side}": code
        for code, unit in ACTION_UNITS.items()
        for expression in unit.expressions
        for side in ("", "Left", "Right")
    }
    columns = {name: [i] for i, name in enumerate(names) if name in ACTION_UNITS or name in MEASURES}
    for i, name in enumerate(names):
        if name not in columns:
            coefficient = name.split(" ", 1)[1]
            columns.setdefault(unit_of.get(coefficient, coefficient), []).append(i)
    return columns


def meaning(quantity: str) -> str:
    """A quantity in words."""
    if quantity in ACTION_UNITS:
        return f"{ACTION_UNITS[quantity].name}, mean intensity 0 to 5"
    return MEASURES.get(quantity, "mean coefficient")


def hundredths(value: float) -> float:
    return round(float(value), 2) + 0.0  # no -0.0
