"""A cohort's folder as a BIDS derivative: names of its files, and what describes it. `atlas.bids.tidy` makes one."""

from atlas.bids.derivative import write_description
from atlas.bids.names import follows_bids, label, recording_path

__all__ = ["follows_bids", "label", "recording_path", "write_description"]
