"""Work in processes side by side."""

import os
from pathlib import Path

import pytest

from atlas.parallel import run_all
from reconstruction.errors import InputError
from reconstruction.video import open_video


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_and_counted(tmp_path: Path, workers: int) -> None:
    seen: list[tuple[int, int]] = []
    run_all(os.mkdir, [(tmp_path / name,) for name in "abc"], workers, lambda *done: seen.append(done))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_job_comes_out_as_it_is(tmp_path: Path, workers: int) -> None:
    with pytest.raises(InputError, match="does not exist"):
        run_all(open_video, [(tmp_path / "a.mp4",), (tmp_path / "b.mp4",)], workers)


def test_nothing_to_do_is_nothing_done() -> None:
    run_all(os.mkdir, [])
