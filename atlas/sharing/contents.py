"""What lies in every share beside its data: who is in it, how to read it, and the hashes of all files."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from atlas.sharing.audit import Audit
from atlas.sharing.people import Chosen
from reconstruction import __version__
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically, write_json

LEVELS = {  # level: what leaves
    "group": "averages over groups of people",
    "summary": "statistics of every recording, blurred and rounded",
    "motion": "expression and jaw of every frame; no shape, camera, gaze, pose or place of the head, no absolute time",
    "full": "all parameters of every frame of people who agreed to it",
}
AUDIT, MANIFEST, README, CROISSANT, PARTICIPANTS = (
    "audit.json", "manifest.json", "README.md", "croissant.json", "participants.tsv",
)  # fmt: skip
_COLUMNS = {
    "participant_id": "a pseudonym, drawn at random for this share alone",
    "group": "the person's group",
    "sex": "F or M; n/a where it is not known, or fewer than 5 people of the group share it",
    "age": "a band of years; n/a where it is not known, or fewer than 5 people of the group share sex and band",
    "simulated": "the person does not exist",
}


def write_participants(folder: Path, chosen: Chosen) -> None:
    """participants.tsv and .json, rows in the random order of pseudonyms."""
    rows = [chosen.columns]
    for person in chosen.people:
        told = {
            "participant_id": person.pseudonym,
            "group": person.group,
            "sex": person.sex or "n/a",
            "age": person.age or "n/a",
            "simulated": "yes" if person.source.simulated else "no",
        }
        rows.append(tuple(told[name] for name in chosen.columns))
    text = "".join("\t".join(row) + "\n" for row in rows)
    write_atomically(folder / PARTICIPANTS, text.encode())
    write_json(folder / "participants.json", {name: {"Description": _COLUMNS[name]} for name in chosen.columns})


def write_description(folder: Path, level: str, licence: str, simulated: bool) -> None:
    """dataset_description.json, as a BIDS derivative has it."""
    write_json(
        folder / "dataset_description.json",
        {
            "Name": dataset_name(level, simulated),
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": licence,
            "GeneratedBy": [
                {
                    "Name": "digital-face-atlas",
                    "Version": __version__,
                    "Description": f"face-atlas share --level {level}",
                }
            ],
        },
    )


def dataset_name(level: str, simulated: bool) -> str:
    return f"Face parameters{' of simulated people' if simulated else ''}, shared at the level {level}"


def write_readme(folder: Path, audit: Audit, licence: str, notes: Sequence[str]) -> None:
    """What a recipient reads first."""
    who = "simulated people, who do not exist" if audit.simulated else "people"
    best = audit.results[0] if audit.results else None
    risk = (
        f"Before it was written, somebody who has another recording of everyone in it was imitated: the best of "
        f"{len(audit.results)} attacks named {best.top1:.1%} of {best.candidates} people rightly (95 % interval "
        f"{best.low:.1%} to {best.high:.1%}; chance {1 / best.candidates:.1%}; {audit.occasions}). A better attack may "
        f"find more. `{AUDIT}` tells how, and on what it rests."
        if best
        else f"Nothing in it belongs to a single person. `{AUDIT}` tells how many people every average rests on."
    )
    lines = [
        f"# {dataset_name(audit.level, audit.simulated)}",
        f"{STATEMENT.capitalize()}.",
        f"This holds {LEVELS[audit.level]}, of {audit.people} {who}.",
        "It is pseudonymous, not anonymous. Do not try to find out who somebody is, do not join it with other data "
        "about the same people, and do not pass it on."
        if best
        else "",
        risk,
        *notes,
        f"`{MANIFEST}` holds the sha256 of every file, `{CROISSANT}` describes the data for machines.",
        f"Licence: {licence}.",
    ]
    write_atomically(folder / README, ("\n\n".join(line for line in lines if line) + "\n").encode())


def write_manifest(folder: Path) -> None:
    """The sha256 and size of every file below `folder` but the manifest itself."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    files = {
        path.relative_to(folder).as_posix(): {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in paths
    }
    write_json(folder / MANIFEST, {"kind": "share", "version": 1, "files": files})


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
