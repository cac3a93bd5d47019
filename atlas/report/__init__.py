"""The report: one HTML page that explains itself, works without a network and prints."""

from atlas.report.extras import DemoExtras, RecoveryRow
from atlas.report.page import write_report

__all__ = ["DemoExtras", "RecoveryRow", "write_report"]
