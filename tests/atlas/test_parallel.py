"""Work in processes side by side."""

import os
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from atlas.cli import main
from atlas.parallel import run_all
from reconstruction.errors import InputError
from reconstruction.processes import process_pool
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


def threads() -> set[int]:
    import numpy  # noqa: F401

    return {library["num_threads"] for library in threadpool_info() if library["internal_api"] == "openblas"}


def test_a_process_of_a_pool_multiplies_matrices_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    with process_pool(1) as pool:
        assert pool.submit(threads).result() == {1}


@pytest.mark.parametrize(("own", "then"), [(None, "1"), ("2", "2")])
def test_a_command_multiplies_matrices_in_one_thread(
    monkeypatch: pytest.MonkeyPatch, own: str | None, then: str
) -> None:
    if own:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", own)
    else:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with pytest.raises(SystemExit):
        main.run(["--version"])
    assert os.environ["OPENBLAS_NUM_THREADS"] == then
