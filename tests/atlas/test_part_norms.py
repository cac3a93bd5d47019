"""Regions, organs and muscles of a person beside what is usual in each group."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from atlas.biomarkers.table import biomarker_table
from atlas.cohort import load_cohort
from atlas.motion import MotionSpace
from atlas.part_norms import PartNorms, part_norms
from atlas.reading import Reading, read_cohort
from reconstruction.sequence import load
from reconstruction.template import Template

GROUPS = ("BD", "HC", "MDD")


@pytest.fixture(scope="module")
def parts(template: Template, space: MotionSpace) -> FaceParts:
    return face_parts(template, space)


@pytest.fixture(scope="module")
def reading(cohort_folder: Path, template: Template, space: MotionSpace, parts: FaceParts) -> Reading:
    return read_cohort(load_cohort(cohort_folder), template, space,
                       biomarkers=lambda sequence: recording_biomarkers(sequence, parts))  # fmt: skip


@pytest.fixture(scope="module")
def norms(reading: Reading, parts: FaceParts) -> PartNorms:
    return part_norms(biomarker_table(reading.people, parts.quantities), parts, GROUPS,
                      reliability={"organ_OLC_share": 0.8})  # fmt: skip


def test_they_are_measured_as_biomarkers_are(
    norms: PartNorms, parts: FaceParts, space: MotionSpace, cohort_folder: Path
) -> None:
    sequence = load(sorted(cohort_folder.glob("sub-001/*face.safetensors"))[0])
    wanted = dict(zip(parts.names, recording_biomarkers(sequence, parts), strict=True))
    found = norms.measure(sequence, space)
    np.testing.assert_allclose(found, [wanted[name] for name in norms.names], rtol=1e-4)
    shares = [v for name, v in zip(norms.names, found, strict=True) if name.startswith("emoface16") and "share" in name]
    assert len(shares) == 16
    assert sum(shares) == pytest.approx(100)


def test_a_person_moved_towards_a_group_is_said_to_speak_for_it(norms: PartNorms, reading: Reading) -> None:
    k, group = norms.names.index("emoface16_14_speed"), GROUPS.index("MDD")
    person = reading.people[0]
    measured = [replace(r, biomarkers=norms.mean[norms.stimuli.index(r.stimulus)].mean(0)) for r in person.recordings]
    for recording in measured:
        row = norms.stimuli.index(recording.stimulus)
        away = norms.mean[row, group, k] - np.delete(norms.mean[row, :, k], group).mean()
        recording.biomarkers[k] = norms.mean[row, group, k] + 5 * away
    lines = norms.evidence(measured, GROUPS)
    assert len(lines) == 8
    assert [line["amount"] for line in lines] == sorted((line["amount"] for line in lines), reverse=True)
    line = next(line for line in lines if line["quantity"] == "emoface16_14_speed")
    assert line["speaks_for"] == "MDD"
    assert min(line["z_against_groups"], key=lambda g: abs(line["z_against_groups"][g])) == "MDD"
    assert set(line["z_against_groups"]) == set(GROUPS)
    assert (line["unit"], line["reliability"]) == ("mm/s", None)
    alone = norms.evidence(measured[:1], GROUPS)
    assert alone != lines


def test_z_is_against_the_groups_own_mean_and_scatter(norms: PartNorms, reading: Reading, parts: FaceParts) -> None:
    values = np.stack([np.mean([r.biomarkers for r in p.recordings], 0) for p in reading.people if p.group == "HC"])
    column = parts.names.index("organ_OLC_share")
    k = norms.names.index("organ_OLC_share")
    assert norms.mean[-1, GROUPS.index("HC"), k] == pytest.approx(values[:, column].mean())
    assert norms.sd[-1, k] > 0


def test_recordings_that_were_not_measured_give_no_lines(norms: PartNorms, reading: Reading) -> None:
    bare = [replace(r, biomarkers=np.zeros(0)) for r in reading.people[0].recordings]
    assert norms.evidence(bare, GROUPS) == []
