"""Face video in, FLAME-style parameters out. Knows nothing of groups, cohorts or diagnoses: that is `atlas`."""

__version__ = "0.1.0"  # the one place; pyproject.toml reads it from here
