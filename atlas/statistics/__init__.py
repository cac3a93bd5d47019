"""Differences between groups and relations to a score, with the person as the unit and the number of tests in mind."""

from atlas.statistics.comparison import PERMUTATIONS, Statistics, compare, correlate
from atlas.statistics.contrast import Contrast, contrasts
from atlas.statistics.effect import COLUMNS, Effect
from atlas.statistics.people import People, people_of, read_people
from atlas.statistics.table_file import write_statistics

__all__ = [
    "COLUMNS",
    "PERMUTATIONS",
    "Contrast",
    "Effect",
    "People",
    "Statistics",
    "compare",
    "contrasts",
    "correlate",
    "people_of",
    "read_people",
    "write_statistics",
]
