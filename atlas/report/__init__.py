"""The report: a page that explains itself and works without a network, and the same as PDF."""

from atlas.report.extras import DemoExtras, RecoveryRow
from atlas.report.page import WrittenReport, write_report

__all__ = ["DemoExtras", "RecoveryRow", "WrittenReport", "write_report"]
