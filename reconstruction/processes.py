"""Processes side by side, of one thread each: they are as many as the processors already."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def process_pool(processes: int) -> ProcessPoolExecutor:
    """A pool of spawned processes: forked ones would share torch's and OpenGL's threads half-way."""
    return ProcessPoolExecutor(processes, get_context("spawn"), _one_thread)


def _one_thread() -> None:
    os.environ["LP_NUM_THREADS"] = "1"  # Mesa's software renderer
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy, imported below
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
