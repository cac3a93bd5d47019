"""A row of ``statistics.tsv``: one contrast of one quantity, how large, how sure."""

from dataclasses import dataclass, fields

LEVELS = ("vertex-cluster", "region", "organ", "keypoint", "unit", "measure")


@dataclass(frozen=True)
class Effect:
    """One contrast of one quantity; people are the unit, covariates are adjusted for.

    level : one of `LEVELS`; name : a quantity's, or a cluster's with its place
    contrast : ``MDD-HC``, the first minus the second; or the name of a score, the effect being a slope
    n_a, n_b : people of the first and the second group; with a score all people, and 0
    effect, unit : adjusted difference of means, in the quantity's unit
    low, high : 95 % interval of the effect, bootstrap over people
    d : Hedges' g of the adjusted values; with a score the partial correlation
    p : of this test alone, by permutation
    p_fwe : corrected for the family by the largest of every permutation
    q_fdr : after Benjamini and Hochberg (1995) within the family
    reliability : correlation with the truth by the template's calibration, NaN where it is unknown
    """

    level: str
    name: str
    contrast: str
    n_a: int
    n_b: int
    effect: float
    unit: str
    low: float
    high: float
    d: float
    p: float
    p_fwe: float
    q_fdr: float
    reliability: float


COLUMNS = tuple(field.name for field in fields(Effect))
