"""Names of recordings after BIDS: ``sub-01/ses-1/sub-01_ses-1_task-anger_run-2_face.safetensors``.

BIDS has no released suffix for faces (its proposal for video, BEP047, is pending): ``face`` is this project's.
"""

import re
from pathlib import Path

from reconstruction.sequence import BIDS_SUFFIX

_NAME = re.compile(
    r"(?P<sub>sub-[A-Za-z0-9]+)(?:_(?P<ses>ses-[A-Za-z0-9]+))?_task-[A-Za-z0-9]+(?:_run-[0-9]+)?_face\.safetensors"
)


def recording_path(person: str, session: str | None, task: str, run: int | None = None) -> Path:
    """Where below a cohort's folder a recording lies.

    person : with its ``sub-``; session, task : labels without ``ses-`` and ``task-``
    """
    day = f"ses-{session}" if session else ""
    entities = (person, day, f"task-{task}", f"run-{run}" if run else "")
    return Path(person, day, "_".join(entity for entity in entities if entity) + BIDS_SUFFIX)


def follows_bids(path: Path) -> bool:
    """Whether a parameter file's path below the cohort's folder is named after BIDS."""
    found = _NAME.fullmatch(path.name)
    return found is not None and path.parent == Path(found["sub"], found["ses"] or "")


def label(text: str) -> str:
    """What BIDS takes as a label of `text`: its ASCII letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", text)
