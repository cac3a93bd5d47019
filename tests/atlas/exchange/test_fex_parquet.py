"""Py-Feat's tables in, without what identifies the person; Parquet both ways."""

import json
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from atlas.exchange.fex import read_fex
from atlas.exchange.parquet import read_parquet, tsv_to_parquet, write_parquet
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


@pytest.fixture
def fex(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    names = ("browInnerUp", "mouthSmileLeft", "mouthSmileRight", "jawOpen", "eyeBlinkLeft", "eyeLookOutLeft")
    names += ("eyeLookInRight", "mouthPucker", "cheekPuff", "noseSneerLeft", "jawLeft")
    frame = pd.DataFrame(
        {"FaceScore": np.full(12, 0.99), "AU12": 0.5, "frame": np.arange(12)}
        | {name: rng.uniform(0, 1, 12) for name in names}
        | {"Identity": "who"}
        | {f"Identity_{i}": 0.25 for i in range(1, 513)}
    )
    frame.loc[4, "FaceScore"] = 0.1
    frame.loc[6, "jawOpen"] = np.nan
    frame.to_csv(tmp_path / "clip.csv", index=False)
    return tmp_path / "clip.csv"


def test_blendshapes_become_expressions_jaw_and_eyes(fex: Path, template: Template) -> None:
    made, notes = read_fex(fex, template, 25)
    table = pd.read_csv(fex)
    np.testing.assert_array_equal(np.flatnonzero(~made.valid), [4, 6])
    for ours, theirs in (("mouthSmileLeft", "mouthSmileLeft"), ("browInnerUpRight", "browInnerUp")):
        column = made.expression[:, template.expression_names.index(ours)]
        np.testing.assert_allclose(column[made.valid], table[theirs][made.valid], atol=1e-6)
    np.testing.assert_allclose(
        made.pose[made.valid, template.joint("jaw"), 0], 0.35 * table.jawOpen[made.valid], atol=1e-6
    )
    assert (made.pose[made.valid, template.joint("left_eye"), 1] > 0).all(), "out is to the subject's left"
    assert (made.pose[made.valid, template.joint("right_eye"), 1] > 0).all(), "in is to the subject's left too"
    assert "no shape for jawLeft: left out" in notes


def test_identity_is_dropped_and_said(fex: Path, template: Template) -> None:
    made, notes = read_fex(fex, template, 25)
    sentence = "513 Identity columns, which identify the person, dropped unread"
    assert sentence in notes
    assert sentence in made.provenance["converted"]["notes"]
    everything = json.dumps(made.provenance) + json.dumps(made.summary())
    assert "who" not in everything
    assert "0.25" not in everything


def test_probabilities_alone_are_refused(fex: Path, template: Template, shared_data: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match="but there are none, and its action units are probabilities"):
        read_fex(shared_data("behaviour/pyfeat_fex_v0.csv"), template, 30)


def test_real_good_and_bad_news(shared_data: Callable[[str], Path], template: Template) -> None:
    smile = template.expression_names.index("mouthSmileLeft")
    good, bad = (
        np.mean(
            [read_fex(shared_data(f"behaviour/news_{i}.csv"), template, 30)[0].expression[:, smile].mean() for i in ids]
        )
        for ids in (("001", "002", "003"), ("011", "012", "013"))
    )
    assert good > 2 * bad


def test_parquet_comes_back_exactly(sequence: FaceSequence, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    write_parquet(sequence, tmp_path / "a.parquet")
    write_parquet(sequence, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    back = read_parquet(tmp_path / "a.parquet")
    for field in fields(sequence):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(sequence, field.name), field.name)
        assert np.asarray(getattr(back, field.name)).dtype == np.asarray(getattr(sequence, field.name)).dtype
    table = pq.read_table(tmp_path / "a.parquet").to_pandas()
    assert table.shape == (6, 4 + 3 + 15 + 44)
    assert list(table.reason) == ["ok", "ok", "ok", "blurred", "ok", "ok"]
    np.testing.assert_array_equal(table.mouthSmileLeft, sequence.expression[:, 36])
    assert sequence.expression_names[36] == "mouthSmileLeft"


def test_parquet_of_others_and_damage(sequence: FaceSequence, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"but .* is another table"):
        read_parquet(tmp_path / "a.parquet")
    write_parquet(sequence, tmp_path / "b.parquet")
    table = pq.read_table(tmp_path / "b.parquet")
    for changed, said in (
        (table.drop_columns(["pose_jaw_x"]), "the column pose_jaw_x is missing"),
        (table.set_column(4, "translation_x", [[1, 2, 3, 4, 5, 6]]), "translation_x is no float32"),
        (table.set_column(3, "reason", [["odd"] * 6]), "cannot be read"),
        (table.replace_schema_metadata({"face_atlas": "{"}), "cannot be read"),
    ):
        pq.write_table(changed, tmp_path / "c.parquet")
        with pytest.raises(InputError, match=said):
            read_parquet(tmp_path / "c.parquet")


def test_without_frames_it_is_no_recording(sequence: FaceSequence, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    write_parquet(sequence, tmp_path / "a.parquet")
    pq.write_table(pq.read_table(tmp_path / "a.parquet").slice(0, 0), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"expected at least one frame in .*b.parquet, but it has none"):
        read_parquet(tmp_path / "b.parquet")


def test_a_table_of_few_bytes_and_many_numbers_is_not_unpacked(
    sequence: FaceSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    write_parquet(sequence, tmp_path / "a.parquet")
    monkeypatch.setattr("atlas.exchange.parquet.LARGEST", 6 * 66 * 8 - 1)
    with pytest.raises(InputError, match="it unpacks to more than 2 GB"):
        read_parquet(tmp_path / "a.parquet")


def test_biomarkers_as_parquet(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "b.tsv").write_text("participant_id\tgroup\tAU12\tAU45\n007\tHC\t1.25\tn/a\n008\tn/a\t-3e-05\t2\n")
    (tmp_path / "b.json").write_text('{"AU12": {"Units": "0 to 5"}, "Simulated": true}')
    assert tsv_to_parquet(tmp_path / "b.tsv", tmp_path / "b.parquet") == 2
    table = pq.read_table(tmp_path / "b.parquet")
    assert table.column("participant_id").to_pylist() == ["007", "008"]
    assert table.column("group").to_pylist() == ["HC", None]
    assert table.column("AU12").to_pylist() == [1.25, -3e-05]
    assert table.column("AU45").to_pylist() == [None, 2.0]
    assert json.loads(table.schema.metadata[b"face_atlas"])["AU12"]["Units"] == "0 to 5"
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(InputError, match="expected JSON in"):
        tsv_to_parquet(tmp_path / "b.tsv", tmp_path / "b.parquet")


def test_without_pyarrow_the_extra_is_named(
    sequence: FaceSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'digital-face-atlas\[parquet\]'"):
        write_parquet(sequence, tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())
