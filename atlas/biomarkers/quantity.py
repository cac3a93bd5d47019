"""What a biomarker is: a number a clinician can name, with its unit, its definition and where that comes from."""

from dataclasses import dataclass

LEVELS = ("keypoint", "organ", "region", "unit", "measure")


@dataclass(frozen=True)
class Quantity:
    """One biomarker of a recording or, as the mean over stimuli, of a person.

    name : unique, a column of ``biomarkers.tsv``: ``AU12``, ``organ_OLC_share``, ``emoface16_05_speed``
    level : one of `LEVELS`
    unit : ``%``, ``mm/s``, ``intensity 0 to 5`` ...
    label : a few words for tables and figures: ``lip corner puller``
    definition, source : how it is computed, and after whom
    mirror : name of the quantity that it becomes in a mirror; its own where it has no side
    place : what it describes within its level, ``OLC`` or ``05``; several quantities can share a place
    family : quantities of one family are corrected together for their number: ``emoface16_share``
    """

    name: str
    level: str
    unit: str
    label: str
    definition: str
    source: str
    mirror: str
    place: str
    family: str
