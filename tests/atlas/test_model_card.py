"""The model card of a matcher."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from atlas.aggregation import AggregatedFace
from atlas.atlas import Atlas
from atlas.atlas_file import load_atlas, save_atlas
from atlas.model_card import NOT_INTENDED, card_text, model_card, write_model_card
from atlas.people_summary import age_band, people_summary
from reconstruction.sequence import STATEMENT
from reconstruction.template import Template

DIGEST = "12" * 32


def test_the_card_says_what_mitchell_et_al_ask_for(known_atlas: Atlas, template: Template, tmp_path: Path) -> None:
    write_model_card(tmp_path, known_atlas, template, DIGEST)
    text = (tmp_path / "model-card.md").read_text("utf-8")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["simulated"] is True
    for heading in (
        "Model details", "Intended use", "Factors", "Metrics", "Training and evaluation data", "Quantitative analyses",
        "Subgroups", "Ethical considerations", "Caveats and recommendations",
    ):  # fmt: skip
        assert f"# {heading}\n" in body
    assert STATEMENT.capitalize() in body
    assert "Built from simulated people" in body
    assert template.licence in body
    assert DIGEST in body
    assert NOT_INTENDED[0].startswith("Diagnosis")
    assert NOT_INTENDED[0] in body
    accuracy = known_atlas.evaluation_summary["accuracy"]
    assert f"| Nearest standard face right | {100 * accuracy:.0f} % |" in body
    assert "no permutation test was run" in body
    card = json.loads((tmp_path / "model-card.json").read_text())
    assert card["intended_use"]["diagnosis"] is False
    assert card["factors"]["groups"]["HC"]["people"] == 12
    assert card["evaluation"]["performance"]["accuracy"] == accuracy
    assert "sub-" not in text


def test_the_card_of_a_file_read_again_is_the_same(known_atlas: Atlas, template: Template, tmp_path: Path) -> None:
    save_atlas(known_atlas, tmp_path / "atlas.safetensors")
    read = load_atlas(tmp_path)
    cards = [json.loads(json.dumps(model_card(atlas, template, DIGEST))) for atlas in (read, known_atlas)]
    assert cards[0] == cards[1]


def test_an_older_atlas_says_what_it_does_not_know(known_atlas: Atlas, template: Template) -> None:
    old = replace(known_atlas, people={}, subgroups=(), inputs=(), simulated=False)
    text = card_text(model_card(old, template, DIGEST))
    assert "Who its people are is not known" in text
    assert "None is known, or all are too small" in text
    assert "Frames a second: not known" in text
    assert "imulated people: it says" not in text


def test_subgroups_add_up(known_atlas: Atlas) -> None:
    by_sex = [row for row in known_atlas.subgroups if row["by"] == "sex"]
    assert {row["value"] for row in by_sex} == {"F", "M"}
    assert sum(row["people"] for row in by_sex) == 36
    right = sum(row["people"] * row["accuracy"] for row in by_sex)
    assert right / 36 == pytest.approx(known_atlas.evaluation_summary["accuracy"], abs=1e-3)
    for row in by_sex:
        low, high = row["accuracy_interval"]
        assert low < row["accuracy"] < high or row["accuracy"] in (low, high)


def test_few_people_who_exist_are_not_told_apart() -> None:
    members = [
        AggregatedFace(f"sub-{i}", "HC", (), 30.0 + i, "F" if i < 3 else "M", {"site": "north"}) for i in range(15)
    ]
    real = [replace(member, recordings=(_Exists(),)) for member in members]  # type: ignore[arg-type]
    told = people_summary(real, ["HC"], 10)["HC"]
    assert told["sex"] == {"F": "fewer than 10", "M": 12}
    assert told["site"] == {"north": 15}
    assert told["age"] == {"known": 15, "mean": 37.0, "sd": 4.5}


class _Exists:
    simulated = False


def test_age_bands_hold_every_age() -> None:
    assert [age_band(a) for a in (None, 18, 30, 44.9, 45, 60, 130)] == [
        None, "under 30", "30 to 44", "30 to 44", "45 to 59", "60 and over", "60 and over"
    ]  # fmt: skip
