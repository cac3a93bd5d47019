"""A match as FHIR R4: a Bundle of a Device, and of every person a RiskAssessment with the Observations it rests on.

Everything is preliminary: nobody has signed it. The subject is a local pseudonym and nothing else. Ids are made of the
content (UUID version 5), so that the same match gives the same bytes; there is no time stamp. Simulated data carry the
security label HTEST. Probabilities are per cent, as ``probabilityDecimal`` wants them.
"""

import importlib
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from atlas.atlas import Atlas
from atlas.biomarkers import ACTION_UNITS
from atlas.evidence import meaning
from atlas.norm import FARTHEST
from atlas.patient.person import MatchedPerson
from reconstruction import __version__
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_json

FILE = "fhir.json"
UCUM = "http://unitsofmeasure.org"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
TEST_DATA = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
INTENSITY = ("{intensity}", "intensity, 0 to 5")
UNITS = {  # UCUM code, and the unit in words
    "blink_rate": ("/min", "per minute"),
    "blink_duration": ("s", "s"),
    "head_speed": ("rad/s", "rad/s"),
    "gaze_dispersion": ("rad", "rad"),
    "expressivity": INTENSITY,
    "expression_speed": ("{intensity}/s", "intensity per second"),
}
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://hl7.org/fhir/R4/bundle.html#digital-face-atlas")
_INSTALL = "pip install 'digital-face-atlas[fhir]'"


def fhir_bundle(people: Sequence[MatchedPerson], atlas: Atlas, digest: str) -> dict[str, Any]:
    """The Bundle, of type collection.

    digest : `atlas_digest` of the atlas that `people` were matched against
    """
    device = _with_id(_device(atlas, digest))
    entries = [device]
    for person in people:
        observations = [_with_id(o) for o in _observations(person, atlas, device)]
        entries += [_with_id(_risk(person, atlas, device, observations)), *observations]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": _address(resource), "resource": resource} for resource in entries],
    }


def write_fhir(path: str | Path, people: Sequence[MatchedPerson], atlas: Atlas, digest: str) -> tuple[str, ...]:
    """Write the Bundle, checked where the library that checks is there; what to say where it is not.

    Raises
    ------
    InputError
        The library finds it not to be FHIR R4.
    """
    bundle = fhir_bundle(people, atlas, digest)
    notes: tuple[str, ...] = ()
    try:
        validate_fhir(bundle)
    except ImportError:
        notes = (f"{FILE} was written without being checked against FHIR R4; to check it: {_INSTALL}",)
    write_json(path, bundle)
    return notes


def validate_fhir(bundle: Mapping[str, Any]) -> None:
    """Check against the models of FHIR R4B, in which the resources used here are as in R4.

    Raises
    ------
    ImportError
        fhir.resources is not installed.
    InputError
        The Bundle breaks the standard, or holds what the standard does not know.
    """
    models = importlib.import_module("fhir.resources.R4B.bundle")
    try:
        read = models.Bundle.model_validate(dict(bundle))
    except ValueError as error:
        raise InputError(f"expected a Bundle of FHIR R4, but {error}; write it anew.") from error
    kept = json.loads(read.model_dump_json())
    if _plain(kept) != _plain(bundle):
        raise InputError("expected nothing but fields of FHIR R4, but some are not kept by its models; write it anew.")


def _plain(value: Any) -> Any:
    """Numbers as numbers, whether they came as text or not."""
    if isinstance(value, Mapping):
        return {k: float(v) if k in ("value", "probabilityDecimal") and _number(v) else _plain(v)
                for k, v in value.items() if v is not None}  # fmt: skip
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _device(atlas: Atlas, digest: str) -> dict[str, Any]:
    return {
        "resourceType": "Device",
        **_labelled(atlas.simulated),
        "identifier": [{"type": {"text": "SHA-256 of the atlas file"}, "value": digest}],
        "status": "active",
        "deviceName": [{"name": "face-atlas", "type": "model-name"}],
        "type": {"text": "Research software; not a medical device"},
        "version": [{"type": {"text": "software"}, "value": __version__}],
        "note": [{"text": _capital(STATEMENT)}],
    }


def _risk(
    person: MatchedPerson, atlas: Atlas, device: Mapping[str, Any], observations: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    match: Mapping[str, Any] = person.match
    inside = match["prediction_set"]
    said = " and ".join(inside) if inside else "no group"
    result = f"Decision: {match['decision']}. Prediction set ({100 * match['coverage']:.0f} % coverage): {said}."
    if match["refusals"]:
        result = f"Refused, no probability holds: {'; '.join(match['refusals'])}."
    evaluation = atlas.evaluation_summary
    people = "simulated people" if atlas.simulated else "people"
    low, high = (100 * x for x in evaluation["accuracy_interval"])
    trust = (
        f"Nearest standard face right for {100 * evaluation['accuracy']:.0f} % ({low:.0f} to {high:.0f} %) of "
        f"{evaluation['people']} held-out {people} of the atlas; chance {100 * evaluation['chance']:.0f} %."
    )
    limits = (
        "Probabilities hold where the groups are equally common, not at a clinic's prevalence. Age, medication, "
        "culture, camera and light change faces too; the matcher is adjusted for none of them."
    )
    predictions = [
        {
            "outcome": {"text": f"Like the people of the group {group}"},
            "probabilityDecimal": round(100 * probability, 2),
            "rationale": "in the prediction set" if group in inside else "not in the prediction set",
        }
        for group, probability in match["probabilities"].items()
    ]
    return {
        "resourceType": "RiskAssessment",
        **_labelled(person.simulated),
        "status": "preliminary",
        "method": {"text": "Cosine similarity of the face's movement to the groups' standard faces, temperature-scaled "
                           "on held-out people; conformal prediction set"},
        "code": {"text": "Similarity of facial movement to groups of a study; research use"},
        "subject": _subject(person),
        "performer": {"reference": _address(device)},
        "basis": [{"reference": _address(o)} for o in observations],
        **({"prediction": predictions} if predictions else {}),  # FHIR knows no empty list; refused: there are none
        "note": [
            {"text": text}
            for text in (f"{_capital(STATEMENT)}.", result, trust, limits, *map(_sentence, match["warnings"]))
        ],
    }  # fmt: skip


def _observations(person: MatchedPerson, atlas: Atlas, device: Mapping[str, Any]) -> list[dict[str, Any]]:
    match: Mapping[str, Any] = person.match
    head: dict[str, Any] = {"resourceType": "Observation", **_labelled(person.simulated), "status": "preliminary"}
    about: dict[str, Any] = {"subject": _subject(person), "device": {"reference": _address(device)}}
    note = [{"text": f"{_capital(STATEMENT)}."}]
    out = [
        {
            **head,
            "code": {"text": "Similarity to the standard faces of groups, cosine of embeddings, -1 to 1"},
            **about,
            "note": note,
            "component": [
                {"code": {"text": group}, "valueQuantity": _quantity(match["similarities"][group], "1", "cosine")}
                for group in atlas.groups
            ],
        },
        {
            **head,
            "code": {"text": "Share of video frames used"},
            **about,
            "valueQuantity": _quantity(100 * match["frames_used"] / match["frames"], "%", "%"),
            "note": note,
        },
    ]
    if person.standing is None:
        return out
    stood = person.standing
    norm = stood.norm.told(person.face.age, person.face.sex)
    for name, value in stood.values.items():
        code, unit = UNITS.get(name, INTENSITY)
        z = stood.z[name]
        letter, word = ("H", "High") if z > FARTHEST else ("L", "Low") if z < -FARTHEST else ("N", "Normal")
        out.append(
            {
                **head,
                "code": {"text": f"{name} {meaning(name)}" if name in ACTION_UNITS else f"{name}: {meaning(name)}"},
                **about,
                "valueQuantity": _quantity(value, code, unit),
                "interpretation": [
                    {
                        "coding": [{"system": INTERPRETATION, "code": letter, "display": word}],
                        "text": f"z = {z:.2f} against the norm; normal means within {FARTHEST:g} standard deviations",
                    }
                ],
                "note": note,
                "referenceRange": [
                    {
                        "low": _quantity(stood.low[name], code, unit),
                        "high": _quantity(stood.high[name], code, unit),
                        "text": f"95 % of {norm}",
                    }
                ],
            }
        )
    return out


def _quantity(value: float, code: str, unit: str) -> dict[str, Any]:
    """Four digits of it."""
    places = 0 if value == 0 else max(0, 3 - math.floor(math.log10(abs(value))))
    return {"value": round(float(value), min(places, 6)) + 0.0, "unit": unit, "system": UCUM, "code": code}


def _subject(person: MatchedPerson) -> dict[str, Any]:
    return {"type": "Patient", "identifier": {"use": "secondary", "type": {"text": "local pseudonym"},
                                              "value": person.id}}  # fmt: skip


def _labelled(simulated: bool) -> dict[str, Any]:
    return {"meta": {"security": [TEST_DATA]}} if simulated else {}


def _with_id(resource: dict[str, Any]) -> dict[str, Any]:
    content = json.dumps(resource, sort_keys=True, ensure_ascii=False)
    kind = {"resourceType": resource["resourceType"], "id": str(uuid.uuid5(_NAMESPACE, content))}
    return {**kind, **{key: value for key, value in resource.items() if key != "resourceType"}}


def _address(resource: Mapping[str, Any]) -> str:
    return f"urn:uuid:{resource['id']}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    return f"{_capital(text)}."
