"""Quantities a clinician can name, from face parameters or other tools' tables: units, parts of the face, movement."""

from atlas.biomarkers.action_units import ACTION_UNITS, action_units, mean_action_units
from atlas.biomarkers.measures import MEASURES, measures
from atlas.biomarkers.reliability import ReliabilityTable, template_figures

__all__ = [
    "ACTION_UNITS",
    "MEASURES",
    "ReliabilityTable",
    "action_units",
    "mean_action_units",
    "measures",
    "template_figures",
]
