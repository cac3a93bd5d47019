"""Shares as a whole, from the command line: what is in them, what must not be, and what is refused."""

import getpass
import hashlib
import json
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas.cli import main
from atlas.cohort import load_cohort
from atlas.custody import read_log
from atlas.sharing import Settings, share
from atlas.sharing.reading import prepared_template
from atlas.statistics.plain_table import read_biomarkers
from reconstruction.errors import InputError, Refused
from reconstruction.sequence import STATEMENT, load

PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"ftypisom", b"ftypmp42", b"RIFF", b"\x1aE\xdf\xa3")


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as left:
        main.run([str(a) for a in arguments])
    return left.value.code or 0


@pytest.fixture(scope="session")
def shares(two_days: Path, tmp_path_factory: pytest.TempPathFactory):
    """A share of every level, with the seed 5; no limit."""
    base = tmp_path_factory.mktemp("shares")
    made = {}
    for level in ("group", "summary", "motion", "full"):
        columns = ("interval",) if level == "summary" else None
        limit = 1.0 if level == "summary" else None
        fields = ("core:3",) if level == "summary" else None
        settings = Settings(
            level=level, limit=limit, fields=fields, columns=columns, keep_key=base / f"{level}.key.tsv",
            ledger=base / "ledger.json" if level == "group" else None,
        )  # fmt: skip
        made[level] = share(two_days, base / level, settings, seed=5)
    return made


@pytest.mark.parametrize("level", ["group", "summary", "motion", "full"])
def test_nothing_leaves_that_says_who_where_or_when(shares, two_days, unpacked, secrets, level):
    made = shares[level]
    files = {**unpacked(made.path), **{p.name: p.read_bytes() for p in made.path.parent.iterdir()}}
    assert {p.name for p in made.path.parent.iterdir()} == {"share.zip", "audit.json"}
    ids = [person.id for person in load_cohort(two_days, least=0).people]
    words = [*secrets, *ids, str(two_days.parent), str(Path.home()) + "/"]
    words += [
        name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 5
    ]  # shorter ones come by chance
    times = [f"{y}-{m:02}" for y in (2024, 2025, 2026, 2027) for m in range(1, 13)]
    for name, content in files.items():
        for word in (*words, *times):
            assert word.encode() not in content, (name, word)
            assert word not in name
        if not name.endswith(".zip"):
            assert not any(magic in content for magic in PICTURES), name


@pytest.mark.parametrize("level", ["group", "summary", "motion", "full"])
def test_every_share_says_what_it_is(shares, unpacked, level):
    files = unpacked(shares[level].path)
    manifest = json.loads(files["manifest.json"])["files"]
    assert set(manifest) == set(files) - {"manifest.json"}
    for name, entry in manifest.items():
        assert entry == {"sha256": hashlib.sha256(files[name]).hexdigest(), "bytes": len(files[name])}
    audit = json.loads(files["audit.json"])
    assert files["audit.json"] == (shares[level].path.parent / "audit.json").read_bytes()
    assert audit["statement"] == STATEMENT
    assert audit["simulated"] is True
    assert audit["level"] == level
    assert audit["fields"]
    readme = files["README.md"].decode()
    assert STATEMENT in readme.lower()
    assert "simulated people" in readme
    if level == "group":
        assert audit["top1"] is None
        return
    assert audit["top1_low"] <= audit["top1"] <= audit["top1_high"]
    assert audit["chance"] == pytest.approx(1 / audit["people"], abs=1e-4)
    assert "not anonymous" in readme


def test_levels_let_out_less_and_less(shares):
    top1 = {level: made.audit.results[0].top1 for level, made in shares.items() if level != "group"}
    assert top1["full"] == 1
    assert top1["summary"] < top1["motion"] <= 1
    assert any(r.name.startswith("shape alone") and r.top1 == 1 for r in shares["full"].audit.results)


def test_motion_and_full_are_cohorts_again(shares, unpacked, two_days, tmp_path):
    original = {p.id: p for p in load_cohort(two_days, least=0).people}
    for level in ("motion", "full"):
        folder = tmp_path / level
        for name, content in unpacked(shares[level].path).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        cohort = load_cohort(folder, least=0)
        key = (shares[level].path.parents[1] / f"{level}.key.tsv").read_text().splitlines()[1:]
        assert len(cohort.people) == len(key) == 20  # two said no
        source = dict(line.split("\t") for line in key)
        assert all(p.group == original[source[p.id]].group for p in cohort.people)
        person = cohort.people[0]
        assert [r.path.name for r in person.recordings] == [
            f"{person.id}_ses-{n}_task-happiness_face.safetensors" for n in (1, 2)
        ]
        first = next(r.path for r in original[source[person.id]].recordings if "ses-2_" in r.path.name)
        before = load(first)
        after = load(person.recordings[0].path)
        assert np.allclose(after.expression, before.expression, atol=1e-6)
        assert (level == "full") == bool(np.allclose(after.shape, before.shape))
        assert {p.extra["simulated"] for p in cohort.people} == {"yes"}
        days = (folder / person.id / f"{person.id}_sessions.tsv").read_text()
        assert days == "session_id\tdays_since_first_session\nses-1\t0\nses-2\t14\n"
        assert "rounded to 7" in (folder / person.id / f"{person.id}_sessions.json").read_text()
        assert "sex" in (folder / "participants.tsv").read_text().splitlines()[0]


def test_a_summary_is_a_table_for_statistics(shares, unpacked, tmp_path):
    files = unpacked(shares["summary"].path)
    for name in ("biomarkers.tsv", "biomarkers.json"):
        (tmp_path / name).write_bytes(files[name])
    table = read_biomarkers(tmp_path / "biomarkers.tsv")
    assert table.simulated
    assert table.table.names == ("AU12", "head_speed", "AU04")
    first, *rows = files["recordings.tsv"].decode().splitlines()
    told = ["participant_id", "group", "session", "task", "run", "days_since_first_session"]
    assert first.split("\t") == [*told, "AU12", "head_speed", "AU04"]
    assert len(rows) == 40
    assert rows == sorted(rows)
    told = json.loads(files["recordings.json"])
    assert told["AU12"]["NoiseSD"]["happiness"] >= 0
    assert files["participants.tsv"].decode().splitlines()[0] == "participant_id\tgroup\tsimulated"


def test_croissant(shares, unpacked, tmp_path):
    import mlcroissant

    for level in ("summary", "group"):
        folder = tmp_path / level
        folder.mkdir()
        for name, content in unpacked(shares[level].path).items():
            (folder / name).write_bytes(content)
        dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
        assert not dataset.metadata.issues.errors
        document = json.loads((folder / "croissant.json").read_text())
        assert {k for k in document if k.startswith("rai:")} >= {"rai:dataUseCases", "rai:personalSensitiveInformation"}
        if level == "summary":
            records = list(dataset.records("recordings"))
            assert len(records) == 40
            value = records[0]["recordings/AU12"]
            assert value == pytest.approx(float((folder / "recordings.tsv").read_text().splitlines()[1].split("\t")[6]))


def test_same_seed_same_bytes(shares, two_days, tmp_path):
    settings = Settings(level="summary", limit=1.0, fields=("core:3",), columns=("interval",))
    again, other = (share(two_days, tmp_path / str(seed), settings, seed=seed).path.read_bytes() for seed in (5, 6))
    assert shares["summary"].path.read_bytes() == again
    assert other != again


def test_a_limit_that_is_passed_refuses(two_days, tmp_path, capfd):
    out = tmp_path / "out"
    assert run("share", two_days, "--out", out, "--level", "motion", "--max-reidentification", "0.2") == 3
    said = capfd.readouterr().err.strip()
    assert said.startswith("face-atlas: expected at most 20.0% of people re-identified, but the attack")
    assert [p.name for p in out.iterdir()] == ["audit.json"]
    audit = json.loads((out / "audit.json").read_text())
    assert audit["passed"] is False
    assert audit["limit"] == 0.2
    assert audit["top1"] > 0.2
    assert run("share", two_days, "--out", out, "--level", "motion") == 0  # tried again without a limit
    assert {p.name for p in out.iterdir()} == {"audit.json", "share.zip"}


def test_full_without_consent_is_bad_input(cohort_of_two_days, tmp_path, capfd):
    table = cohort_of_two_days / "participants.tsv"
    table.write_text(table.read_text().replace("consent_share", "agreed"))
    assert run("share", cohort_of_two_days, "--out", tmp_path / "out", "--level", "full") == 2
    assert "expected a column consent_share" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_second_release_of_averages(two_days, cohort_of_two_days, tmp_path, monkeypatch):
    quickly = np.zeros(len(prepared_template("atlas-head")[1].quantities))  # biomarkers are not what is tested here
    monkeypatch.setattr("atlas.sharing.group_share.recording_biomarkers", lambda *_: quickly)
    ledger = tmp_path / "ledger.json"
    settings = Settings(level="group", ledger=ledger)
    first = share(two_days, tmp_path / "first", settings, seed=1)
    assert {a["people"] for a in first.audit.details["averages"]} == {10}
    share(two_days, tmp_path / "again", settings, seed=2)  # the same people: nothing new is told
    table = cohort_of_two_days / "participants.tsv"
    table.write_text(table.read_text().replace("\tno\t", "\tyes\t"))  # two people more
    with pytest.raises(Refused, match="an earlier release would tell of"):
        share(cohort_of_two_days, tmp_path / "second", settings)
    assert [p.name for p in (tmp_path / "second").iterdir()] == ["audit.json"]
    assert json.loads((tmp_path / "second" / "audit.json").read_text())["passed"] is False
    assert len(json.loads(ledger.read_text())["releases"]) == 1
    with pytest.raises(Refused, match="has 11 people here and 10 in first"):
        share(cohort_of_two_days, tmp_path / "third",
              Settings(level="group", ledger=tmp_path / "lost.json", earlier=(tmp_path / "first",)))  # fmt: skip
    blurred = share(cohort_of_two_days, tmp_path / "fourth", Settings(level="group", ledger=ledger, epsilon=2.0))
    assert blurred.audit.details["noise"]["HC"]["shape_mm"] > 1
    assert blurred.audit.details["epsilon_of_all_releases"] == 2


def test_means_leave_that_as_many_people_share_and_no_second_time_with_others(
    two_days, cohort_of_two_days, tmp_path, unpacked
):
    ledger = tmp_path / "ledger.json"
    settings = Settings(blur="means", limit=0.3, fields=("core:3",), ledger=ledger)
    made = share(two_days, tmp_path / "first", settings, seed=1)
    alike = made.audit.details["people_alike"]
    assert alike >= 5
    files = unpacked(made.path)
    rows = [line.split("\t") for line in files["recordings.tsv"].decode().splitlines()[1:]]
    joint = {}
    for person, _, *record in rows:
        joint.setdefault(person, []).append(tuple(record))
    of_all = [tuple(sorted(records)) for records in joint.values()]
    assert min(of_all.count(records) for records in of_all) == alike
    assert len(rows) == made.audit.details["recordings"] == 40
    assert json.loads(files["recordings.json"])["AU12"]["PeopleAlike"] == alike
    assert f"means of at least {alike} people" in files["README.md"].decode()
    share(two_days, tmp_path / "again", settings, seed=2)  # the same people: nothing new is told
    table = cohort_of_two_days / "participants.tsv"
    table.write_text(table.read_text().replace("\tno\t", "\tyes\t"))  # two people more
    with pytest.raises(Refused, match=r"an earlier release would tell of .* choose --blur noise"):
        share(cohort_of_two_days, tmp_path / "second", settings)
    assert [p.name for p in (tmp_path / "second").iterdir()] == ["audit.json"]
    other = share(cohort_of_two_days, tmp_path / "third", replace(settings, blur="auto"))
    assert other.audit.details["blur"] == "noise"
    assert "an earlier release" in other.audit.details["means_refused"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--blur", "fog"), "expected --blur auto, noise or means, got 'fog'"),
        (("--blur", "means", "--columns", "sex"), "expected --columns none with --blur means, got sex"),
        (("--level", "motion", "--blur", "noise"), "expected --blur with --level summary"),
        (("--level", "motion", "--ledger", "l.json"), "expected --ledger with --level group or summary"),
        (("--level", "everything"), "expected --level group, summary, motion, full, got 'everything'"),
        (("--max-reidentification", "5"), "a share above 0 and at most 1, got 5"),
        (("--epsilon", "1"), "expected --epsilon with --level group, got it with --level summary"),
        (("--level", "motion", "--fields", "AU12"), "expected --fields with --level summary"),
        (("--fields", "AU99"), "names of biomarkers, got AU99"),
        (("--columns", "notes"), "nothing else of participants.tsv leaves"),
        (("--level", "group", "--min-people", "5"), "expected --min-people of 10 or more, got 5"),
        (("--recipient", "me"), "expected a public key of age"),
        (("--archive", "rar"), "expected --archive zip or tar, got 'rar'"),
    ],
)
def test_options_that_cannot_be(two_days, tmp_path, capfd, options, message):
    assert run("share", two_days, "--out", tmp_path / "out", *options) == 2
    assert message in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_audit_log_tells_of_shares_and_names_nobody(cohort_of_two_days, tmp_path, monkeypatch):
    (cohort_of_two_days / "audit-log.jsonl").unlink(missing_ok=True)
    (cohort_of_two_days / "audit-log.head.json").unlink(missing_ok=True)
    made = share(cohort_of_two_days, tmp_path / "out", Settings(level="motion"), seed=7)
    (entry,) = read_log(cohort_of_two_days).entries
    assert entry.action == "share"
    assert entry.facts["archive_sha256"] == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert (entry.facts["level"], entry.facts["people"], entry.facts["top1"]) == (
        "motion",
        20,
        made.audit.results[0].top1,
    )
    assert "seed" not in entry.facts

    def fail(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("atlas.sharing.release.record", fail)
    unlogged = share(cohort_of_two_days, tmp_path / "unlogged", Settings(level="motion"), seed=7)
    assert "was not entered in the cohort's audit log" in unlogged.notes[-1]


def test_private_files_do_not_lie_in_the_share(two_days, tmp_path):
    out = tmp_path / "out"
    for settings in (Settings(keep_key=out / "key.tsv"), Settings(level="group", ledger=out / "sub" / "ledger.json")):
        with pytest.raises(InputError, match="expected a file outside the share's folder"):
            share(two_days, out, settings)
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="expected a new or empty folder"):
        share(two_days, out)
