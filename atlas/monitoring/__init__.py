"""A deployed matcher followed: drift of its inputs, of its calibration and between subgroups, with alarms."""

from atlas.monitoring.alarm import ALPHA, DRAWS, Alarm, Rate
from atlas.monitoring.monitor import Monitoring, monitor, read_known, read_outcomes, write_monitoring
from atlas.monitoring.page import write_page
from atlas.monitoring.stream import Entry, Stream, add_files, load_stream, save_stream

__all__ = [
    "ALPHA",
    "DRAWS",
    "Alarm",
    "Entry",
    "Monitoring",
    "Rate",
    "Stream",
    "add_files",
    "load_stream",
    "monitor",
    "read_known",
    "read_outcomes",
    "save_stream",
    "write_monitoring",
    "write_page",
]
