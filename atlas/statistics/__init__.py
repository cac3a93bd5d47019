"""Differences between groups and relations to a score, with the person as the unit and the number of tests in mind."""

from atlas.statistics.effect import COLUMNS, Effect

__all__ = ["COLUMNS", "Effect"]
