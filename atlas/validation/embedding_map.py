"""A map of embeddings with the standard faces in it, drawn from one fold: people it learnt from, people held out.

Folds' embeddings are spaces of their own and cannot share a map. UMAP (McInnes et al. 2018) on cosine distance where
umap-learn is installed, else the first two principal axes; both keep neighbours better than distances.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.decomposition import PCA

from atlas.validation.splits import Fold, Samples

NEIGHBOURS = 15
REMEDY = "pip install 'digital-face-atlas[umap]'"


@dataclass(frozen=True)
class EmbeddingMap:
    """places : (N, 2) of rows; faces : (G, 2) of the standard faces; held : (N,) bool held out; how : in words."""

    places: np.ndarray
    faces: np.ndarray
    labels: np.ndarray
    held: np.ndarray
    groups: tuple[str, ...]
    how: str


def embedding_map(classifier: ClassifierMixin, samples: Samples, fold: Fold, seed: int = 0) -> EmbeddingMap | None:
    """The map of one fold; None where the classifier embeds nobody."""
    x = samples.table.matrix()
    fitted = clone(classifier).fit(x[fold.train], samples.names[fold.train])
    found = _embeddings(fitted, samples)
    if found is None:
        return None
    rows, faces = found
    placed, how = _placed(np.concatenate([rows, faces]), seed)
    return EmbeddingMap(placed[: len(rows)], placed[len(rows) :], samples.labels, fold.test, samples.groups, how)


def _embeddings(fitted: Any, samples: Samples) -> tuple[np.ndarray, np.ndarray] | None:
    """(N, K) of rows and (G, K) of standard faces."""
    encoder = getattr(getattr(fitted, "matcher_", None), "encoder", None)
    if encoder is None or not hasattr(encoder, "prototypes"):
        return None
    return encoder.embed(encoder.scaler.z(samples.table)), encoder.prototypes


def _placed(rows: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    try:
        import umap
    except ImportError:
        shown = PCA(2, random_state=seed).fit(rows)
        share = shown.explained_variance_ratio_.sum()
        how = f"the first two principal axes ({share:.0%} of the variance); for a UMAP {REMEDY}"
        return _upright(shown.transform(rows)), how
    import warnings

    neighbours = min(NEIGHBOURS, len(rows) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed means one thread
        made = umap.UMAP(n_neighbors=neighbours, metric="cosine", random_state=seed, init="pca").fit_transform(rows)
    return _upright(np.asarray(made, float)), f"UMAP, {neighbours} neighbours, cosine"


def _upright(places: np.ndarray) -> np.ndarray:
    """The sign of an axis is arbitrary: the farthest point lies to the positive side."""
    farthest = places[np.abs(places - places.mean(0)).argmax(0), np.arange(2)] - places.mean(0)
    return (places - places.mean(0)) * np.where(farthest < 0, -1, 1)
