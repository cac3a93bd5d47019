"""What the matcher has to beat: plain classifiers on the same features, age and sex alone, and naming one group."""

from collections.abc import Sequence

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from atlas.aggregation import AggregatedFace
from atlas.baselines import BASELINES
from atlas.features import FeatureTable


def comparators(table: FeatureTable, seed: int = 0) -> dict[str, ClassifierMixin]:
    """Classifiers on `FeatureTable.matrix` by name."""
    return {
        name: maker(names=table.names, stimuli=table.stimuli, random_state=seed) for name, maker in BASELINES.items()
    }


def age_and_sex(people: Sequence[AggregatedFace]) -> np.ndarray | None:
    """(P, C) age and sex, unknown ages as the mean; None where they tell nobody from another."""
    ages = np.array([np.nan if person.age is None else person.age for person in people], float)
    columns = [] if np.isnan(ages).all() else [np.where(np.isnan(ages), np.nanmean(ages), ages)]
    columns += [np.array([float(p.sex == sex) for p in people]) for sex in sorted({p.sex for p in people if p.sex})]
    kept = [column for column in columns if np.ptp(column) > 0]
    return np.stack(kept, 1) if kept else None


def of_age_and_sex() -> ClassifierMixin:
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500))
