"""Shares of a cohort: parameters instead of video, at levels, the risk of re-identification measured beforehand."""

from atlas.sharing.attack import AttackResult, reidentify
from atlas.sharing.audit import Audit
from atlas.sharing.contents import LEVELS
from atlas.sharing.release import Shared, share
from atlas.sharing.settings import Settings

__all__ = ["LEVELS", "AttackResult", "Audit", "Settings", "Shared", "reidentify", "share"]
