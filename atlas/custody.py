"""The audit log of an output folder: what was done with people's data there, one JSON line an entry.

``audit-log.jsonl`` is only appended to. Every entry holds the SHA-256 of the line before it, so that a line that is
changed, taken out, put in or moved breaks the chain. ``audit-log.head.json`` holds the number of entries and the
SHA-256 of the last line, so that lines cut off at the end, or a changed last line, are found too.

What it cannot do: whoever may write into the folder may write both files anew, from the first line on. Against that,
keep the head (`Log.head`, which ``face-atlas cohort log`` shows) somewhere else, and compare. An entry holds no time,
path, name of a machine, of a user or of a participant: the same work gives the same log.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconstruction.storage import write_atomically

LOG, HEAD = "audit-log.jsonl", "audit-log.head.json"
START = "0" * 64  # what the first entry has as the line before it


@dataclass(frozen=True)
class Entry:
    """number : from 1, in the order of the log
    action : a word: build, share, forget, ...
    facts : plain JSON values
    """

    number: int
    action: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Log:
    """entries : those that can be read
    head : SHA-256 of the last line, 64 hex digits
    findings : what is wrong with the log, a sentence each; empty where nothing is
    """

    entries: tuple[Entry, ...]
    head: str
    findings: tuple[str, ...]


def record(folder: Path, action: str, **facts: Any) -> None:
    """Append an entry to the log of `folder`, which is made where there is none; one writer at a time.

    action : a word; facts : plain JSON values that hold no time, path or name of anybody

    Raises
    ------
    TypeError, ValueError
        A fact is no plain JSON value.
    OSError
        The folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = _lines(folder)
    entry = {"number": len(lines) + 1, "action": action, "facts": facts, "previous": _sha256(lines)}
    line = json.dumps(entry, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    with (folder / LOG).open("ab") as stream:
        # a line that an interruption cut short stays, as a finding; the next one does not join it
        torn = stream.tell() > 0 and not (folder / LOG).read_bytes().endswith(b"\n")
        stream.write((b"\n" if torn else b"") + line + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    head = {"entries": entry["number"], "sha256": _sha256([line])}
    write_atomically(folder / HEAD, (json.dumps(head, indent=2) + "\n").encode())


def read_log(folder: Path) -> Log:
    """The log of a folder, with what is wrong with it; without entries where there is none."""
    lines = _lines(folder)
    entries, findings = [], []
    for number, line in enumerate(lines, start=1):
        entry = _entry(line)
        if entry is None:
            findings.append(f"entry {number} cannot be read: it was changed, or cut short by an interruption")
            continue
        if entry["number"] != number:
            findings.append(
                f"entry {number} says it is number {entry['number']}: entries were taken out, put in or moved"
            )
        if entry["previous"] != _sha256(lines[: number - 1]):
            before = f"entry {number - 1}" if number > 1 else "the beginning"
            findings.append(f"entry {number} does not follow {before}: one of the two was changed, or a line between")
        entries.append(Entry(entry["number"], entry["action"], entry["facts"]))
    findings += _against_head(folder, lines)
    return Log(tuple(entries), _sha256(lines), tuple(findings))


def verify(folder: Path) -> tuple[str, ...]:
    """What is wrong with the log of a folder, a sentence each; empty where nothing is, or where there is no log."""
    return read_log(folder).findings


def _against_head(folder: Path, lines: list[bytes]) -> list[str]:
    try:
        head = json.loads((folder / HEAD).read_bytes())
        count, known = int(head["entries"]), str(head["sha256"])
    except FileNotFoundError:
        return [f"{HEAD} is missing: entries cut off at the end would not be seen"] if lines else []
    except (ValueError, RecursionError, KeyError, TypeError):
        return [f"{HEAD} cannot be read: entries cut off at the end would not be seen"]
    if count > len(lines):
        return [f"{HEAD} counts {count} entries, but the log has {len(lines)}: entries were cut off at the end"]
    # more lines than the head counts: an interruption between the two files; the chain tells whether they follow
    if count < 1 or _sha256(lines[:count]) != known:
        return [f"entry {count} is not the one that {HEAD} knows: it was changed"]
    return []


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    layout = {"number": int, "action": str, "facts": dict, "previous": str}
    whole = isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in layout.items())
    return entry if whole else None


def _lines(folder: Path) -> list[bytes]:
    try:
        return (folder / LOG).read_bytes().splitlines()
    except FileNotFoundError:
        return []


def _sha256(lines: list[bytes]) -> str:
    """Of the last line; `START` where there is none."""
    return hashlib.sha256(lines[-1]).hexdigest() if lines else START
