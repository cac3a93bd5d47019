"""Shares of a cohort: parameters instead of video, at levels, the risk of re-identification measured beforehand."""

from atlas.sharing.attack import AttackResult, reidentify
from atlas.sharing.audit import Audit
from atlas.sharing.contents import LEVELS
from atlas.sharing.settings import Settings
from atlas.sharing.share import Shared, share

__all__ = ["LEVELS", "AttackResult", "Audit", "Settings", "Shared", "reidentify", "share"]
