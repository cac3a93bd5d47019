"""Independent pieces of work in processes side by side; what comes out does not depend on how many there are."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

MOST = 4  # every process holds a model and a detector or a renderer, about 0.7 GB


def run_all(
    work: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Call ``work(*job)`` for every job, in no particular order; the first error ends it and is raised.

    work : a function of a module, so that other processes find it
    workers : processes; as many as there are processors, four at most, by default. One: in this process
    progress : called with (jobs done, jobs)
    """
    workers = min(workers or min(len(os.sched_getaffinity(0)), MOST), len(jobs))
    if workers <= 1:
        for done, job in enumerate(jobs, start=1):
            work(*job)
            if progress:
                progress(done, len(jobs))
        return
    # spawned, not forked: a forked process would share torch's and OpenGL's threads half-way
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _one_thread)
    try:
        running = [pool.submit(work, *job) for job in jobs]
        for done, finished in enumerate(as_completed(running), start=1):
            finished.result()
            if progress:
                progress(done, len(jobs))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_thread() -> None:
    """One thread a process: the processes are as many as the processors already."""
    os.environ["LP_NUM_THREADS"] = "1"  # Mesa's software renderer
    import torch

    torch.set_num_threads(1)
