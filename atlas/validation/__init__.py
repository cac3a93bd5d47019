"""Validation of a matcher: what held-out people tell, after an audit for leaks has passed."""

from atlas.validation.audit import Audit, Finding, audit_cohort
from atlas.validation.splits import Fold, Samples, Split, person_splitter, site_split, site_splitter, sites_of
from atlas.validation.validation import Settings, Validation, samples_of, validate

__all__ = [
    "Audit",
    "Finding",
    "Fold",
    "Samples",
    "Settings",
    "Split",
    "Validation",
    "audit_cohort",
    "person_splitter",
    "samples_of",
    "site_split",
    "site_splitter",
    "sites_of",
    "validate",
]
