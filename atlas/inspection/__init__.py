"""What is wrong with a cohort's folder, every problem at once, each with its remedy."""

from atlas.inspection.finding import Finding, Inspection
from atlas.inspection.inspect import inspect_cohort

__all__ = ["Finding", "Inspection", "inspect_cohort"]
