"""A matched person's page, on screen and on paper, and the same as FHIR."""

from atlas.patient.fhir import fhir_bundle, validate_fhir, write_fhir
from atlas.patient.page import WrittenPages, write_patient_reports
from atlas.patient.person import MatchedPerson, matched_people

__all__ = [
    "MatchedPerson",
    "WrittenPages",
    "fhir_bundle",
    "matched_people",
    "validate_fhir",
    "write_fhir",
    "write_patient_reports",
]
