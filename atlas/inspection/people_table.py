"""Findings about participants.tsv and the tables with scores."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from atlas.bids.derivative import read_json
from atlas.bids.names import label
from atlas.inspection.finding import Finding
from atlas.participants import MISSING, REQUIRED, Table, age_of, read_table, sex_of, whole_id
from atlas.phenotype import FOLDER, phenotype_tables
from reconstruction.errors import InputError

COLUMNS = ("participant_id", "group", "age", "sex", "simulated")
PERSONAL = re.compile(
    r"(^|_)(name|surname|lastname|firstname|initials|birth|birthday|birthdate|dob|e?mail|phone|telephone|mobile|address|"
    r"street|zip|postcode|postal|ssn|mrn|passport|insurance|acq_time|date)(_|$)"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_DATE = re.compile(r"(19|20)\d\d[-/.](0?[1-9]|1[0-2])[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](19|20)\d\d")


def check_people(folder: Path) -> tuple[list[Finding], dict[str, dict[str, str]]]:
    """Findings about participants.tsv, and {participant id: first row} as far as it can be read."""
    path = folder / "participants.tsv"
    if not path.is_file():
        remedy = "Write it: tab-separated columns participant_id, group, age, sex; n/a for missing."
        return [Finding("error", "no-table", "There is no participants.tsv", remedy)], {}
    try:
        table = read_table(path)
    except InputError:
        remedy = "Save it as UTF-8 text, tab-separated."
        return [Finding("error", "unreadable-table", "participants.tsv is no UTF-8 text", remedy)], {}
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing:
        alone = len(table.columns) == 1 and any(c in table.columns[0] for c in ",;")
        what = f"participants.tsv has no column {' and '.join(missing)}"
        remedy = "Separate columns by tabs, not commas." if alone else f"Add it; there is: {', '.join(table.columns)}."
        return [Finding("error", "missing-column", what, remedy)], {}
    findings = [
        *_ids(table),
        *_columns(table, read_json(folder / "participants.json")),
        *_cells(table),
        *_groups(table),
    ]
    findings += personal(table, "participants.tsv")
    rows: dict[str, dict[str, str]] = {}
    for row in table.rows:
        if row["participant_id"]:
            rows.setdefault(whole_id(row["participant_id"]), row)
    return findings, rows


def check_scores(folder: Path, people: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """Findings about phenotype/ and sessions tables."""
    strangers, bare = set(), []
    for path in phenotype_tables(folder):
        of_person = path.parent.name != FOLDER
        name = str(path.relative_to(folder))
        try:
            table = read_table(path)
        except InputError:
            yield Finding("warning", "unreadable-scores", "Scores cannot be read", "Save them as UTF-8 text.", (name,))
            continue
        key = "session_id" if of_person else "participant_id"
        if key not in table.columns:
            what = f"Scores without a column {key} are left out"
            yield Finding("warning", "scores-without-key", what, "Add it, separated by tabs.", (name,))
            continue
        ids = [whole_id(row["participant_id"]) for row in table.rows] if not of_person else [path.parent.name]
        strangers |= set(ids) - people.keys()
        cases = [(whole_id(r.get("participant_id", path.parent.name)), r.get("session_id", "")) for r in table.rows]
        if double := sorted({" ".join(case).strip() for case in cases if cases.count(case) > 1}):
            what = f"{name} has several rows for a person and session, and is left out"
            yield Finding("warning", "double-scores", what, "Keep one.", tuple(double))
        elif not of_person and len(set(ids)) < len(ids):
            what = f"{name} has a row for each session, which BIDS's validator does not take yet"
            yield Finding("note", "scores-by-session", what, "face-atlas cohort tidy writes them as sessions tables.")
        if not of_person and not read_json(path.with_suffix(".json")):
            bare.append(name)
        yield from personal(table, name)
    if strangers:
        what = "Scores of people who are not in participants.tsv are left out"
        yield Finding("warning", "scores-of-strangers", what, "Add their rows.", tuple(sorted(strangers)))
    if bare:
        what = "Nothing describes the columns of scores"
        yield Finding("note", "scores-undescribed", what, "Write a .json of the same name.", tuple(bare))


def personal(table: Table, name: str) -> Iterator[Finding]:
    """Columns that tell who somebody is."""
    for column in table.columns:
        cells = [row.get(column, "") for row in table.rows]
        by_name = PERSONAL.search(re.sub(r"[^a-z0-9]+", "_", column.lower()))
        by_cells = any(_EMAIL.fullmatch(cell) or _DATE.search(cell) for cell in cells)
        if by_name or by_cells:
            what = (
                f"The column {column} of {name} looks like personal data: {'a name for it' if by_name else 'its cells'}"
            )
            remedy = "Take it out; write an age instead of a date of birth, a number of days instead of a date."
            yield Finding("warning", "personal-data", what, remedy)


def _ids(table: Table) -> Iterator[Finding]:
    texts = [row["participant_id"] for row in table.rows]
    blank = [f"row {number}" for number, text in enumerate(texts, start=2) if not text]
    if blank:
        yield Finding("warning", "no-id", "Rows without a participant_id are left out", "Give them one.", tuple(blank))
    ids = [whole_id(text) for text in texts if text]
    if double := sorted(i for i, n in Counter(ids).items() if n > 1):
        what = "People are listed more than once in participants.tsv"
        yield Finding("error", "double-id", what, "Remove one of the rows.", tuple(double))
    if odd := sorted({i for i in ids if label(i.removeprefix("sub-")) != i.removeprefix("sub-")}):
        what = "Ids hold more than letters and digits, which is all that BIDS takes"
        yield Finding("note", "id-not-bids", what, "face-atlas cohort tidy renames them.", tuple(odd))
    ids = sorted(set(ids))
    alike = [i for i in ids if sum(j.lower() == i.lower() for j in ids) > 1]
    if alike:
        what = "Ids differ in upper and lower case only"
        yield Finding("warning", "similar-id", what, "If they are one person, merge the rows.", tuple(alike))


def _columns(table: Table, described: dict[str, object]) -> Iterator[Finding]:
    for name in ("age", "sex"):
        if name not in table.columns:
            what = f"participants.tsv has no column {name}; it counts as missing for everyone"
            yield Finding("warning", f"no-{name}", what, "Add it: differences between groups are adjusted for it.")
    unknown = [name for name in table.columns if name not in (*COLUMNS, *described)]
    if unknown:
        what = "Nothing describes these columns of participants.tsv"
        yield Finding("note", "unknown-column", what, "Describe them in participants.json.", tuple(unknown))
    if double := sorted(name or "(no name)" for name, n in Counter(table.columns).items() if n > 1 or not name):
        what = "Columns of participants.tsv have no name, or one that another has"
        yield Finding("error", "double-column", what, "Rename them: only one of them is read.", tuple(double))
    if table.ragged:
        what = "Rows of participants.tsv have more or fewer cells than there are columns"
        where = tuple(f"row {number}" for number in table.ragged)
        yield Finding("warning", "ragged-row", what, "Write n/a into empty cells and one tab between cells.", where)


def _cells(table: Table) -> Iterator[Finding]:
    ages: list[str] = []
    sexes: dict[str, None] = {}
    unknown = Counter[str]()
    for row in table.rows:
        warned: list[str] = []
        age_of(row.get("age", ""), row["participant_id"], warned)
        ages += [f"{row['participant_id']} ({row['age']})" for _ in warned]
        sex = sex_of(row.get("sex", ""))
        if sex not in (None, "F", "M"):
            sexes[f"{row['participant_id']} ({sex})"] = None
        unknown.update(name for name in ("age", "sex") if row.get(name, "n/a").lower() in MISSING)
    if ages:
        what = "Ages are no number of years between 0 and 120 and count as missing"
        yield Finding("warning", "impossible-age", what, "Correct them, or write n/a.", tuple(ages))
    if sexes:
        what = "Words for sex are other than F, M, female, male, and each counts as a sex of its own"
        yield Finding("note", "sex-word", what, "Leave them where they are meant so.", tuple(sexes))
    for name, count in sorted(unknown.items()):
        if name in table.columns:
            what = f"The {name} of {count} of {len(table.rows)} people is missing"
            yield Finding(
                "note", f"missing-{name}", what, f"Without it they are left out where {name} is adjusted for."
            )


def _groups(table: Table) -> Iterator[Finding]:
    without = tuple(row["participant_id"] for row in table.rows if row["group"].lower() in MISSING)
    if without:
        what = "People without a group are left out"
        yield Finding("warning", "no-group", what, "Give them one.", without)
    names = sorted({row["group"] for row in table.rows if row["group"].lower() not in MISSING})
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(label(name).lower() or name, []).append(name)
    for same in alike.values():
        if len(same) > 1:
            what = "Groups differ in upper and lower case, blanks or signs only, and count as several"
            yield Finding(
                "error", "similar-group", what, "Write the group the same everywhere.", tuple(map(repr, same))
            )
