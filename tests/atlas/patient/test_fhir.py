"""A match as FHIR R4."""

import copy
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atlas.atlas import Atlas
from atlas.patient import MatchedPerson, fhir_bundle, validate_fhir, write_fhir
from reconstruction.errors import InputError

DIGEST = "cd" * 32


@pytest.fixture(scope="module")
def bundle(matched: MatchedPerson, known_atlas: Atlas) -> dict[str, Any]:
    return fhir_bundle([matched], known_atlas, DIGEST)


def of(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def test_the_bundle_is_fhir_r4_and_nothing_else(bundle: dict[str, Any]) -> None:
    pytest.importorskip("fhir.resources")
    validate_fhir(bundle)
    assert bundle["type"] == "collection"
    strange = copy.deepcopy(bundle)
    strange["entry"][1]["resource"]["mood"] = "low"
    with pytest.raises(InputError, match=r"^expected a Bundle of FHIR R4, but "):
        validate_fhir(strange)
    unsigned = copy.deepcopy(bundle)
    del unsigned["entry"][1]["resource"]["status"]
    with pytest.raises(InputError, match="status"):
        validate_fhir(unsigned)


def test_probabilities_are_per_cent_and_all_is_preliminary(
    bundle: dict[str, Any], matched: MatchedPerson, known_atlas: Atlas
) -> None:
    (risk,) = of(bundle, "RiskAssessment")
    observations = of(bundle, "Observation")
    assert {r["status"] for r in (risk, *observations)} == {"preliminary"}
    chances = [p["probabilityDecimal"] for p in risk["prediction"]]
    assert sum(chances) == pytest.approx(100, abs=0.1)
    probabilities = matched.match["probabilities"]
    assert chances == [pytest.approx(100 * probabilities[g]) for g in known_atlas.groups]  # type: ignore[index]
    assert [p["outcome"]["text"] for p in risk["prediction"]] == [
        f"Like the people of the group {g}" for g in known_atlas.groups
    ]
    assert risk["note"][0]["text"] == "Research use; not a diagnosis."
    assert {b["reference"] for b in risk["basis"]} == {f"urn:uuid:{o['id']}" for o in observations}
    (device,) = of(bundle, "Device")
    assert device["identifier"][0]["value"] == DIGEST
    assert risk["performer"]["reference"] == f"urn:uuid:{device['id']}"


def test_a_refused_match_is_fhir_without_probabilities(matched: MatchedPerson, known_atlas: Atlas) -> None:
    pytest.importorskip("fhir.resources")
    nothing = {"decision": "refused", "refusals": ["too short"], "probabilities": {}, "prediction_set": []}
    bundle = fhir_bundle([replace(matched, match={**matched.match, **nothing})], known_atlas, DIGEST)
    validate_fhir(bundle)
    (risk,) = of(bundle, "RiskAssessment")
    assert "prediction" not in risk
    assert {"text": "Refused, no probability holds: too short."} in risk["note"]


def test_biomarkers_carry_ucum_units_and_the_norm(bundle: dict[str, Any], matched: MatchedPerson) -> None:
    assert matched.standing is not None
    found = {o["code"]["text"].split(":")[0].split(" ")[0]: o for o in of(bundle, "Observation")}
    blink = found["blink_rate"]
    assert blink["valueQuantity"]["code"] == "/min"
    assert blink["valueQuantity"]["value"] == pytest.approx(matched.standing.values["blink_rate"], rel=1e-3)
    assert blink["referenceRange"][0]["high"]["value"] == pytest.approx(matched.standing.high["blink_rate"], rel=1e-3)
    assert found["head_speed"]["valueQuantity"]["code"] == "rad/s"
    assert found["AU12"]["valueQuantity"]["code"] == "{intensity}"
    for name, observation in found.items():
        if "interpretation" in observation:
            z = matched.standing.z[name]
            letter = observation["interpretation"][0]["coding"][0]["code"]
            assert letter == ("H" if z > 2 else "L" if z < -2 else "N")
    similarity = found["Similarity"]
    assert [c["code"]["text"] for c in similarity["component"]] == ["BD", "HC", "MDD"]


def test_nothing_but_the_pseudonym_tells_who_it_is(bundle: dict[str, Any]) -> None:
    for resource in (*of(bundle, "RiskAssessment"), *of(bundle, "Observation")):
        assert resource["subject"] == {
            "type": "Patient",
            "identifier": {"use": "secondary", "type": {"text": "local pseudonym"}, "value": "sub-077"},
        }
        assert resource["meta"]["security"][0]["code"] == "HTEST"


def test_ids_follow_the_content(bundle: dict[str, Any], matched: MatchedPerson, known_atlas: Atlas) -> None:
    again = fhir_bundle([matched], known_atlas, DIGEST)
    assert again == bundle
    ids = [e["resource"]["id"] for e in bundle["entry"]]
    assert len(set(ids)) == len(ids)
    assert [e["fullUrl"] for e in bundle["entry"]] == [f"urn:uuid:{i}" for i in ids]
    other = fhir_bundle([matched], known_atlas, "00" * 32)
    assert not {e["resource"]["id"] for e in other["entry"]} & set(ids)  # all name the device, which names the atlas


def test_writing_checks_where_it_can_and_says_where_not(
    matched: MatchedPerson, known_atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fhir.resources")
    assert write_fhir(tmp_path / "a.json", [matched], known_atlas, DIGEST) == ()
    monkeypatch.setitem(sys.modules, "fhir.resources.R4B.bundle", None)
    assert write_fhir(tmp_path / "b.json", [matched], known_atlas, DIGEST) == (
        "fhir.json was written without being checked against FHIR R4; to check it: "
        "pip install 'digital-face-atlas[fhir]'",
    )
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text())["resourceType"] == "Bundle"
