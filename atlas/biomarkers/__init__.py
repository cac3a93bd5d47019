"""Quantities a clinician can name, computed from face parameters: action units and movement measures."""

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
