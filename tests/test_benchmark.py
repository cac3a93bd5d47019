"""What the benchmark makes of times: turns, ratios, peers that are not there, and the files."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@pytest.fixture(scope="module")
def comparison():
    sys.path.insert(0, str(SCRIPTS))
    try:
        import comparison

        yield comparison
    finally:
        sys.path.remove(str(SCRIPTS))


def test_contestants_take_turns_in_changing_order_and_the_first_turn_does_not_count(comparison):
    order, advanced = [], []

    def ours():
        order.append("ours")
        return {"fit": 0.6 * order.count("ours")}

    contestants = {"ours": (ours, 3), "peer": (lambda: order.append("peer"), 1)}
    times = comparison.race(contestants, 8, lambda: advanced.append(1))
    turns = [tuple(order[i : i + 2]) for i in range(0, 18, 2)]
    assert set(turns) == {("ours", "peer"), ("peer", "ours")}
    assert len(order) == len(advanced) == 18
    assert {name: len(seconds) for name, seconds in times.items()} == {"ours": 8, "peer": 8, "fit": 8}
    np.testing.assert_allclose(times["fit"][:2], [0.4, 0.6], err_msg="seconds a frame of three frames")


def test_ratio_is_formed_within_each_turn(comparison):
    report = comparison.Report()
    times = {"ours": np.array([1.0, 2.0, 8.0]), "peer": np.array([3.0, 8.0, 24.0])}
    report.compare("a frame", times, "ours", "peer")
    report.compare("a frame", times, "peer", "ours", inverse=True)
    report.compare("a frame", times, "ours", "absent")
    assert [row.ratio for row in report.rows] == [3.0, 3.0], "median of 3, 4 and 3; who is absent has no row"
    assert report.rows[0].quartiles == (3.0, 3.5)
    assert (report.rows[0].ours_value, report.rows[0].peer_value) == (2000.0, 8000.0)


def test_absent_peers_are_named_and_the_rest_is_written(comparison, tmp_path):
    report = comparison.Report()

    def absent():
        raise FileNotFoundError("no face_landmarker.task")

    assert report.attempt("Face Landmarker", absent) is None
    assert report.attempt("another", lambda: 5) == 5
    report.rows.append(comparison.Row("a frame", "ours", 1.5, "peer", 3.0, "ms", 2.0, (1.9, 2.1)))
    report.rows.append(comparison.Row("median r", "ours", 0.6, "peer", 0.3, "r", 2.0))
    table = comparison.write(report, {"cores": 2}, tmp_path)
    assert "| a frame | ours | 1.50 ms | peer | 3.00 ms | 2.00 | 1.90 to 2.10 |" in table
    assert "Face Landmarker is left out: no face_landmarker.task" in table
    assert table in (tmp_path / "benchmark.md").read_text()
    assert json.loads((tmp_path / "benchmark.json").read_text())["rows"][1]["ratio"] == 2.0
    assert cv2.imread(str(tmp_path / "benchmark.png")).std() > 5
