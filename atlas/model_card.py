"""The model card of a matcher (Mitchell et al. 2019), for readers and for programs, from the Atlas alone.

``model-card.json`` holds what is known; ``model-card.md`` says the same in words, with a front matter that registries
of models read. Nobody is named; there is no time and no path. What an atlas does not know is said to be unknown.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from atlas.atlas import Atlas
from atlas.report.provenance import versions
from reconstruction import __version__
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically, write_json
from reconstruction.template import Template

CARD, DATA = "model-card.md", "model-card.json"
INTENDED = (
    "Research on how facial movement differs between groups, and teaching, with parameters of recordings made like "
    "those of the people it was built from."
)
NOT_INTENDED = (
    "Diagnosis, screening, triage, treatment or any decision about a person",
    "People who did not consent to be recorded and compared; employment, insurance, policing, border control",
    "Groups, ages, cameras, tasks or templates that are not among those below",
    "Reading off what a person feels, or whether they tell the truth",
)
ETHICS = (
    "Parameters of a face are pseudonymous, not anonymous: people can be recognised by how they move.",
    "A label on a face can harm: a result is to be shown with its uncertainty, or not at all.",
    "Differences between groups may be those of medication, age, culture or setting, not of a diagnosis.",
    "Groups are those of the study that built it; who was not in it may be matched worse.",
)
UNKNOWN = "not known"


def model_card(atlas: Atlas, template: Template, digest: str) -> dict[str, Any]:
    """What is known about the matcher of an atlas whose file has the SHA-256 `digest`."""
    encoder, evaluation = atlas.matcher.encoder, dict(atlas.evaluation_summary)
    parameters = sum(array.size for array in (*encoder.weights.values(), encoder.prototypes))
    return {
        "kind": "face-atlas-model-card",
        "version": 1,
        "statement": STATEMENT,
        "simulated": atlas.simulated,
        "model_details": {
            "name": f"Matcher of {', '.join(atlas.groups)}",
            "task": "similarity of a person's facial movement to the standard faces of groups",
            "groups": list(atlas.groups),
            "reference_group": atlas.reference,
            "software": dict(versions()),
            "atlas_sha256": digest,
            "template": {"name": atlas.template, "sha256": atlas.template_sha256, "licence": template.licence},
            "seed": atlas.seed,
            "features": len(encoder.scaler.names),
            "embedding_size": int(encoder.prototypes.shape[1]),
            "parameters": int(parameters),
            "licence_of_the_model": "that of whoever built it; the software is Apache-2.0, the template's is above",
        },
        "intended_use": {"intended": INTENDED, "not_intended": list(NOT_INTENDED), "diagnosis": False},
        "factors": {
            "groups": atlas.people,
            "stimuli": list(atlas.stimuli),
            "recordings_by_quality": dict(atlas.reliability.recordings),
            "frame_rate": _frame_rate(atlas),
        },
        "metrics": {
            "decision": f"conformal prediction set, {atlas.matcher.coverage:.0%} coverage; a group only where it is "
            "the only one",
            "intervals": "95 %; Wilson for shares of people, bootstrap over people for the rest",
            "unit": "person",
        },
        "training": {
            "people": {group: atlas.people.get(group, {}).get("people", UNKNOWN) for group in atlas.groups},
            "training_steps": encoder.steps,
            "procedure": "features scaled within the stimulus; cosine to standard faces that leave the person out; "
            "stopped by inner folds over people",
            "averaging": asdict(atlas.averaging),
        },
        "evaluation": {
            "procedure": f"{evaluation.get('folds', 'several')}-fold cross-validation over people; everything learnt "
            "is learnt from the people left in",
            "performance": evaluation,
            "chance": evaluation.get("chance"),
            "null": {"p": evaluation.get("p"), "permutations": evaluation.get("permutations", 0)},
            "calibration": {
                "all stimuli": asdict(atlas.matcher.whole),
                "fewer": asdict(atlas.matcher.single),
                "brier": evaluation.get("brier"),
                "coverage_aimed_at": atlas.matcher.coverage,
                "coverage_found": evaluation.get("covered"),
            },
            "subgroups": list(atlas.subgroups),
        },
        "reliability": {
            "quality": atlas.reliability.stage,
            "simulated_people": atlas.reliability.people,
            "action_units": {code: figures for code in atlas.units if (figures := atlas.reliability.of(code))},
        },
        "ethical_considerations": list(ETHICS),
        "caveats": [*_caveats(atlas), *atlas.matcher.cautions, *atlas.warnings],
    }


def _frame_rate(atlas: Atlas) -> list[float] | None:
    found = [r for r in atlas.inputs if r.frame_rate_high > 0]
    return [min(r.frame_rate_low for r in found), max(r.frame_rate_high for r in found)] if found else None


def _caveats(atlas: Atlas) -> list[str]:
    people = [n for group in atlas.groups if isinstance(n := atlas.people.get(group, {}).get("people"), int)]
    out = ["probabilities hold where the groups are equally common, not at a clinic's prevalence"]
    if atlas.simulated:
        out.insert(0, "built from simulated people: nothing here says anything about people with a diagnosis")
    if people and min(people) < 30:
        out.append(f"the smallest group has {min(people)} people: another sample would give another matcher")
    out.append("the cross-validation draws from the cohort it was built from: other clinics and cameras are untested")
    return out


def write_model_card(out: str | Path, atlas: Atlas, template: Template, digest: str) -> None:
    """Write ``model-card.md`` and ``model-card.json`` into the folder `out`."""
    card = model_card(atlas, template, digest)
    write_json(Path(out) / DATA, card)
    write_atomically(Path(out) / CARD, card_text(card).encode())


def card_text(card: Mapping[str, Any]) -> str:
    """A card in words, Markdown."""
    details, evaluation = card["model_details"], card["evaluation"]
    performance, calibration = evaluation["performance"], evaluation["calibration"]
    people = "simulated people" if card["simulated"] else "people"
    front = {
        "tags": ["face-atlas", "research-only", *(["simulated-data"] if card["simulated"] else [])],
        "library_name": "digital-face-atlas",
        "license": "other",
        "statement": card["statement"],
        "simulated": card["simulated"],
        "atlas_sha256": details["atlas_sha256"],
    }
    blocks = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---",
        f"# Model card: {details['name']}",
        f"**{card['statement'][:1].upper()}{card['statement'][1:]}.**"
        + (" **Built from simulated people: it says nothing about a real person.**" if card["simulated"] else ""),
        "After Mitchell et al. (2019), Model Cards for Model Reporting, doi:10.1145/3287560.3287596.",
        "## Model details",
        _list(
            f"What it does: {details['task']}; cosine of embeddings, probabilities, a prediction set or 'inconclusive'",
            f"Made by face-atlas {__version__}, seed {details['seed']}; {details['features']} features, embedding of "
            f"{details['embedding_size']}, {details['parameters']} parameters",
            f"Atlas file, SHA-256: `{details['atlas_sha256']}`",
            f"Template {details['template']['name']}, SHA-256 `{details['template']['sha256']}`, licence: "
            f"{details['template']['licence']}",
            "Versions: " + ", ".join(f"{name} {version}" for name, version in details["software"].items()),
        ),
        "## Intended use",
        card["intended_use"]["intended"],
        "Not for:",
        _list(*card["intended_use"]["not_intended"]),
        "## Factors",
        _people_table(card["factors"]["groups"], people),
        _list(
            f"Stimuli: {', '.join(card['factors']['stimuli']) or UNKNOWN}",
            "Recordings: "
            + (", ".join(f"{n} {q}" for q, n in card["factors"]["recordings_by_quality"].items()) or UNKNOWN),
            "Frames a second: "
            + ("{:g} to {:g}".format(*rate) if (rate := card["factors"]["frame_rate"]) else UNKNOWN),
            f"Groups are compared with {details['reference_group']}",
        ),
        "## Metrics",
        _list(f"Unit: the {card['metrics']['unit']}, never a frame", f"Intervals: {card['metrics']['intervals']}",
              f"Decision: {card['metrics']['decision']}"),
        "## Training and evaluation data",
        f"The same cohort: {card['training']['procedure']}; {evaluation['procedure']}. Training took "
        f"{card['training']['training_steps']} steps.",
        "## Quantitative analyses",
        _performance(performance, people),
        _confusion(performance.get("confusion", {})),
        "Calibration, on people the encoder had not learnt from:",
        _list(
            *(f"{name}: temperature {c['temperature']:.3f}, {c['people']} {people}"
              for name, c in calibration.items() if isinstance(c, dict)),
            f"Brier score {_told(calibration['brier'])} (0 perfect; groups at random "
            f"{1 - 1 / max(1, len(details['groups'])):.2f})",
            f"Prediction sets held the own group for {_share(calibration['coverage_found'])}; aimed at "
            f"{_share(calibration['coverage_aimed_at'])}",
        ),
        "### Subgroups",
        _subgroup_table(evaluation["subgroups"], people),
        "### Reliability",
        _reliability(card["reliability"]),
        "## Ethical considerations",
        _list(*card["ethical_considerations"]),
        "## Caveats and recommendations",
        _list(*(c[:1].upper() + c[1:] for c in card["caveats"])),
        f"{card['statement'][:1].upper()}{card['statement'][1:]}.",
    ]  # fmt: skip
    return "\n\n".join(block for block in blocks if block) + "\n"


def _list(*items: str) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _people_table(groups: Mapping[str, Mapping[str, Any]], people: str) -> str:
    if not groups:
        return "Who its people are is not known: it was built by an earlier version."
    columns = [c for c in ("site", "medication") if any(c in about for about in groups.values())]
    rows = []
    for group, about in groups.items():
        age = about["age"]
        told = f"{age['mean']:g} (SD {age['sd']:g}), {age['known']} known" if "mean" in age else UNKNOWN
        of = [", ".join(f"{k} {n}" for k, n in about.get(c, {}).items()) or UNKNOWN for c in ("sex", *columns)]
        rows.append([group, str(about["people"]), str(about["recordings"]), told, *of])
    return _table(
        ["Group", people.capitalize(), "Recordings", "Age, years", "Sex", *map(str.capitalize, columns)], rows
    )


def _performance(found: Mapping[str, Any], people: str) -> str:
    p = "no permutation test was run" if found.get("p") is None else f"p = {found['p']:.3f} against shuffled groups"
    told = {
        "accuracy": ("Nearest standard face right", "accuracy_interval"),
        "balanced_accuracy": ("Mean over groups", ""),
        "single_accuracy": ("Right from one stimulus", "single_interval"),
        "baseline_accuracy": ("Baseline, logistic regression", "baseline_interval"),
        "chance": ("Chance: the largest group", ""),
        "decided": ("Decided, not inconclusive", ""),
        "right_of_decided": ("Right among the decided", ""),
    }
    rows = [
        [words, _share(found[name]), _interval(found[interval]) if interval in found else ""]
        for name, (words, interval) in told.items()
        if name in found
    ]
    rows += [[f"Recall of {group}", _share(value), ""] for group, value in found.get("sensitivity", {}).items()]
    return f"{found['people']} held-out {people}; {p}.\n\n" + _table(["", "Share", "95 % interval"], rows)


def _confusion(confusion: Mapping[str, Mapping[str, int]]) -> str:
    rows = [[f"**{own}**", *(str(n) for n in to.values())] for own, to in confusion.items()]
    return "Of each group (rows), nearest to (columns):\n\n" + _table(["", *confusion], rows) if rows else ""


def _subgroup_table(rows: list[Mapping[str, Any]], people: str) -> str:
    if not rows:
        return "None is known, or all are too small to be told without showing their people."
    cells = [
        [f"{r['by']} {r['value']}", str(r["people"]), _share(r["accuracy"]), _interval(r["accuracy_interval"]),
         _share(r["covered"]), _share(r["inconclusive"])]
        for r in rows
    ]  # fmt: skip
    return _table(["Subgroup", people.capitalize(), "Nearest right", "95 % interval", "Own group in the set",
                   "Inconclusive"], cells)  # fmt: skip


def _reliability(found: Mapping[str, Any]) -> str:
    if not found["action_units"]:
        return "Not known: its parameters come from no video, or the template has no calibration."
    rows = [[code, _told(f.get("r")), _told(f.get("between"))] for code, f in found["action_units"].items()]
    head = ["Action unit", "r over frames, within people", "r of people's means"]
    return f"Correlation with the truth in films of {found['simulated_people']} simulated people, quality " \
           f"{found['quality']}.\n\n" + _table(head, rows)  # fmt: skip


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.0f} %"


def _interval(pair: list[float]) -> str:
    return f"{100 * pair[0]:.0f} to {100 * pair[1]:.0f} %"


def _told(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}"
