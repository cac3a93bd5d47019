"""What says of a folder that it is a BIDS derivative: dataset_description.json, .bidsignore and sidecars of tables."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from atlas.custody import HEAD, LOG
from reconstruction import __version__
from reconstruction.storage import write_atomically, write_json

VERSION = "1.10.0"
# what BIDS has no name for yet, and what is the project's own; the validator then passes a folder without a note on it
IGNORED = (
    "*_face.safetensors",
    "*_face.json",
    "*.face.safetensors",
    "*.face.json",
    "*_task-*.mp4",
    "truth/",
    "simulation.json",
    LOG,
    HEAD,
)


def write_description(folder: Path, name: str, command: str, authors: Sequence[str] = ()) -> None:
    """Write dataset_description.json and .bidsignore.

    name : of the dataset; command : which one wrote it, such as ``face-atlas simulate``
    """
    document: dict[str, Any] = {"Name": name, "BIDSVersion": VERSION, "DatasetType": "derivative"}
    document |= {"Authors": list(authors)} if authors else {}
    document |= {"GeneratedBy": [{"Name": "digital-face-atlas", "Version": __version__, "Description": command}]}
    write_json(folder / "dataset_description.json", document)
    write_atomically(folder / ".bidsignore", "".join(f"{pattern}\n" for pattern in IGNORED).encode())


def read_json(path: Path) -> dict[str, Any]:
    """A sidecar; empty where there is none that can be read."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
