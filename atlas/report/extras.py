"""What a report tells beyond an atlas: matches of new people, and what only the demonstration knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RecoveryRow:
    """How well a quantity was recovered from the simulated videos.

    within : correlation over the frames of a recording, median over people; within_low, within_high : quartiles
    between : correlation over people of their means
    people : how many; steady : how many of them hardly moved it, so that no correlation within could be had
    """

    name: str
    meaning: str
    within: float | None
    within_low: float | None
    within_high: float | None
    between: float | None
    people: int
    steady: int


@dataclass(frozen=True)
class DemoExtras:
    """The demonstration's own part of a report.

    timings : (stage, seconds, what was done)
    frames : (PNG, caption) of video frames with the fitted mesh
    commands : the commands that do the same step by step
    """

    timings: Sequence[tuple[str, float, str]]
    frames: Sequence[tuple[bytes, str]]
    recovery: Sequence[RecoveryRow]
    commands: Sequence[str]


def match_rows(
    matches: Sequence[Mapping[str, Any]], true_groups: Mapping[str, str], groups: Sequence[str]
) -> dict[str, Any]:
    """Matches, as `Match.to_json` gives them, ready for the page, with how many were right where that is known."""
    rows = []
    for made in matches:
        person = made.get("person") or made["input"]
        nearest = max(groups, key=lambda group: made["similarities"][group])
        truth = true_groups.get(person)
        rows.append(
            {
                "person": person,
                "truth": truth,
                "nearest": nearest,
                "nearest_right": truth is not None and nearest == truth,
                "decision": made["decision"],
                "decided": made["decision"] in groups,
                "similarities": [(group, made["similarities"][group]) for group in groups],
                "probabilities": [(group, p) for group, p in made["probabilities"].items()],
                "evidence": made["evidence"][:3],
                "frames": made["frames"],
                "frames_used": made["frames_used"],
                "warnings": made["warnings"],
                "refusals": made.get("refusals", []),
            }
        )
    known = [row for row in rows if row["truth"] is not None]
    decided = [row for row in known if row["decided"]]
    shared = [w for w in (rows[0]["warnings"] if rows else ()) if all(w in row["warnings"] for row in rows)]
    for row in rows:
        row["warnings"] = [w for w in row["warnings"] if w not in shared]
    return {
        "rows": rows,
        "known": len(known),
        "right": sum(row["nearest_right"] for row in known),
        "decided": len(decided),
        "decided_right": sum(row["decision"] == row["truth"] for row in decided),
        "warnings": shared,
    }
