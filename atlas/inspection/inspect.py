"""The inspection of a cohort's folder: tables, recordings, and how the two go together."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path

from atlas.aggregation import UNKNOWN
from atlas.bids.derivative import read_json
from atlas.cohort import Recording, find_recordings
from atlas.custody import verify
from atlas.groups import LEAST_PEOPLE, MIN_PEOPLE
from atlas.inspection.finding import LEVELS, Finding, Inspection, Row
from atlas.inspection.people_table import check_people, check_scores
from atlas.inspection.recordings import Read, check_recordings, read_recordings
from atlas.participants import MISSING, declared_simulated
from reconstruction.errors import InputError


def inspect_cohort(folder: Path, progress: Callable[[int, int], None] | None = None) -> Inspection:
    """Everything that is wrong with a cohort's folder; nothing is changed.

    progress : called with how many recordings are read and out of how many

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"expected the folder of a cohort, but {folder} is none; check the path.")
    findings, table = check_people(folder)
    found = find_recordings(folder)
    reads = read_recordings(folder, found, progress)
    findings += check_scores(folder, table)
    findings += check_recordings(folder, reads)
    people = tuple(_row(person, table, found.get(person, ())) for person in sorted({*table, *found}))
    findings += [*_matching(table, found), *_group_sizes(people, table, reads), *_evenness(people)]
    findings += _folder(folder)
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    exist = _existing(table, reads)
    return Inspection(tuple(findings), people, bool(exist) and not any(exist.values()))


def _row(person: str, table: Mapping[str, Mapping[str, str]], recordings: Sequence[Recording]) -> Row:
    group = table.get(person, {}).get("group", "")
    return Row(
        person,
        None if group.lower() in MISSING else group,
        dict(sorted(Counter(r.stimulus or UNKNOWN for r in recordings).items())),
        dict(sorted(Counter(r.session for r in recordings).items(), key=lambda item: item[0] or "")),
    )


def _existing(table: Mapping[str, Mapping[str, str]], reads: Sequence[Read]) -> dict[str, bool]:
    """{who has a recording that can be read: whether they exist, as far as table and recordings say}"""
    out: dict[str, bool] = {}
    for read in reads:
        if not read.damage:
            out[read.person] = out.get(read.person, False) or not read.simulated
    return {person: exists and not declared_simulated(table.get(person, {})) for person, exists in out.items()}


def _matching(table: Mapping[str, object], found: Mapping[str, object]) -> Iterator[Finding]:
    if lonely := tuple(sorted(table.keys() - found.keys())):
        what = "People of participants.tsv have no recording and are left out"
        yield Finding("warning", "no-recording", what, "Put recordings into a folder called as the person.", lonely)
    if strangers := tuple(sorted(found.keys() - table.keys())):
        what = "Recordings of people who are not in participants.tsv are left out"
        yield Finding("warning", "no-row", what, "Add their rows, or correct the folders' names.", strangers)


def _group_sizes(
    people: Sequence[Row], table: Mapping[str, Mapping[str, str]], reads: Sequence[Read]
) -> Iterator[Finding]:
    """As `check_groups` does, on people with a recording that can be read."""
    exist = _existing(table, reads)
    counts, real = Counter[str](), Counter[str]()
    for row in people:
        if row.group is not None and row.person in exist:
            counts[row.group] += 1
            real[row.group] += exist[row.person]
    if len(counts) < 2:
        what = "There are people with recordings of one group only" if counts else "Nobody of a group has a recording"
        remedy = "An atlas needs two; a share or a table of biomarkers does not."
        if not counts:
            remedy = "Check the column group, and that the folders are called as the people."
        yield Finding("warning" if counts else "error", "too-few-groups", what, remedy, tuple(counts))
    small = {g: n for g, n in counts.items() if n < MIN_PEOPLE or 0 < real[g] < LEAST_PEOPLE}
    if small:
        what = (
            f"Groups have fewer than {LEAST_PEOPLE} people with recordings, or fewer than {MIN_PEOPLE} simulated ones"
        )
        remedy = "Add people, merge groups, or say in a column simulated that they do not exist: few would be shown."
        yield Finding("error", "small-group", what, remedy, tuple(f"{g} ({n})" for g, n in sorted(small.items())))


def _evenness(people: Sequence[Row]) -> Iterator[Finding]:
    with_recordings = [row for row in people if row.counts and row.group is not None]
    by_kind: tuple[tuple[str, str, Sequence[Set[str | None]]], ...] = (
        ("stimulus", "uneven-stimuli", [row.counts.keys() - {UNKNOWN} for row in with_recordings]),
        ("session", "uneven-sessions", [row.sessions.keys() for row in with_recordings]),
    )
    for what, code, kinds in by_kind:
        every: set[str | None] = set().union(*kinds)
        lacking = {
            kind: [r.person for r, k in zip(with_recordings, kinds, strict=True) if kind not in k] for kind in every
        }
        for kind in sorted((k for k, persons in lacking.items() if persons), key=str):
            of = f"of the {what} {kind}" if kind else f"without a {what}"
            said = f"{len(lacking[kind])} of {len(with_recordings)} people have no recording {of}"
            remedy = "Their means rest on the others; compare groups on what all have."
            yield Finding("warning", code, said, remedy, tuple(lacking[kind]))


def _folder(folder: Path) -> Iterator[Finding]:
    description = read_json(folder / "dataset_description.json")
    lacking = tuple(key for key in ("Name", "BIDSVersion", "DatasetType", "GeneratedBy") if key not in description)
    if lacking:
        what = "dataset_description.json does not say what BIDS wants of a derivative"
        yield Finding("note", "not-a-derivative", what, "face-atlas cohort tidy writes one.", lacking)
    if broken := verify(folder):
        what = "The audit log is not as it was written"
        yield Finding("warning", "audit-log", what, "See face-atlas cohort log --verify.", broken)
