"""Time and accuracy beside other software: a table and a plot in outputs/.

usage: python scripts/benchmark.py [--quick] [--out DIR]

Ours and the peers take turns in one process, so that what else the machine does meets all of them; a ratio is formed
within each turn, and the table gives the median ratio and its quartiles. What is not installed, or whose files are not
in ../shared, is left out and named.
"""

import argparse
import dataclasses
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin while others compute distort all times

import numpy as np
import torch
from rich.progress import Progress

import peers
from atlas.simulation.film import write_film
from atlas.simulation.people import simulate_people
from atlas.simulation.recording import simulate_recording
from comparison import Contestant, Report, Row, race, write
from reconstruction import __version__, pipeline
from reconstruction.face_model import FaceModel
from reconstruction.landmarks import FaceMesh
from reconstruction.rendering import Renderer
from reconstruction.template import Template, load_template
from reconstruction.video import open_video

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
THREADS = min(2, os.cpu_count() or 1)
BATCH, EOS_FRAMES, SEED = 64, 20, 7100
STAGES = ("image_features", "fit_points", "follow_skin")  # what `pipeline` calls to fit


def flame_sized(seed: int = 0) -> Template:
    """Random arrays of FLAME's size; joints rest on vertices that expressions leave alone."""
    rng = np.random.default_rng(seed)
    n, joints = 5023, 5

    def draw(*size: int) -> np.ndarray:
        return (rng.normal(size=size) / 1000).astype(np.float32)

    weights, regressor = rng.random((n, joints)), np.zeros((joints, n))
    regressor[:, : 20 * joints] = np.kron(np.eye(joints), np.full(20, 1 / 20))
    expressiondirs = draw(n, 3, 100)
    expressiondirs[: 20 * joints] = 0
    return dataclasses.replace(
        load_template(),
        v_template=100 * draw(n, 3),
        shapedirs=draw(n, 3, 300),
        expressiondirs=expressiondirs,
        posedirs=draw(n, 3, 9 * (joints - 1)),
        joint_regressor=regressor.astype(np.float32),
        parents=np.array([-1, 0, 1, 1, 1]),
        skinning_weights=(weights / weights.sum(1, keepdims=True)).astype(np.float32),
        faces=rng.integers(n, size=(9976, 3)),
    )


def measure_face_model(report: Report, turns: int, progress: Progress) -> None:
    template = flame_sized()
    model, generator = FaceModel(template), torch.Generator().manual_seed(0)
    shape, expression = torch.randn(BATCH, 300, generator=generator), torch.randn(BATCH, 100, generator=generator)
    pose = 0.2 * torch.randn(BATCH, 5, 3, generator=generator)
    upstream = torch.randn(BATCH, 5023, 3, generator=generator)
    ours = {"FaceModel": (model, shape), "FaceModel, one identity": (model, shape[:1])}
    others = {}
    for name, make in (("smplx", peers.smplx_flame), ("body-models", peers.body_models_flame)):
        run = report.attempt(name, lambda make=make: make(template))
        if run:
            others[name] = (run, shape)
            difference = float((run(shape, expression, pose) - model(shape, expression, pose)).abs().max())
            if difference > 1e-5:
                raise SystemExit(f"{name} and FaceModel differ by {difference:.1e} m: they do not compute the same")

    def forward(run: peers.Flame, shape: torch.Tensor) -> Contestant:
        def once() -> None:
            with torch.no_grad():
                run(shape, expression, pose)

        return once

    def backward(run: peers.Flame, shape: torch.Tensor) -> Contestant:
        def once() -> None:
            inputs = [x.detach().requires_grad_() for x in (shape, expression, pose)]
            run(*inputs).backward(upstream)

        return once

    contestants = ours | others
    task = progress.add_task("face model", total=2 * (turns + 1) * len(contestants))
    for measured, make in (("forward", forward), ("forward and backward", backward)):
        runs = {name: (make(*contestant), BATCH) for name, contestant in contestants.items()}
        times = race(runs, turns, lambda: progress.advance(task))
        for name in ours:
            for peer in others:
                report.compare(f"FLAME-sized, {measured}", times, name, peer)


@contextmanager
def stopwatch(names: tuple[str, ...]) -> Iterator[dict[str, float]]:
    """Seconds spent in those functions of `pipeline` within the block."""
    seconds = dict.fromkeys((name for name in names if hasattr(pipeline, name)), 0.0)
    kept = {name: getattr(pipeline, name) for name in seconds}

    def timed(name: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return kept[name](*args, **kwargs)
            finally:
                seconds[name] += time.perf_counter() - start

        return run

    for name in seconds:
        setattr(pipeline, name, timed(name))
    try:
        yield seconds
    finally:
        for name, function in kept.items():
            setattr(pipeline, name, function)


def measure_video(report: Report, clip: Path, turns: int, progress: Progress) -> None:
    def detect() -> None:
        with FaceMesh(tracking=True) as detector:
            for _, _, rgb in open_video(clip):
                detector.detect(rgb)

    def whole(quality: str) -> Contestant:
        def once() -> dict[str, float]:
            with stopwatch(STAGES) as seconds:
                pipeline.reconstruct(clip, quality=quality)
            return {f"fit, {quality}": sum(seconds.values())} if seconds else {}

        return once

    with FaceMesh(tracking=True) as detector:
        found = [
            (faces[0].points68[:, :2], rgb.shape[1::-1])
            for _, _, rgb in open_video(clip)
            if (faces := detector.detect(rgb))
        ]
    n = sum(1 for _ in open_video(clip))
    some = found[:: -(-len(found) // EOS_FRAMES)]
    contestants: dict[str, tuple[Contestant, int]] = {
        "detector and decoding": (detect, n),
        "whole path, fast": (whole("fast"), n),
        "whole path, full": (whole("full"), n),
    }
    fit = report.attempt("eos-py", lambda: peers.eos_fit(SHARED / "data/eos"))
    if fit:

        def fit_all() -> None:
            for points, size in some:
                fit(points, size)

        contestants["eos-py, 5 iterations"] = (fit_all, len(some))
    landmarker = report.attempt(
        "Face Landmarker", lambda: peers.blendshapes(SHARED / "data/mediapipe/face_landmarker.task")
    )
    if landmarker:

        def land() -> None:
            landmarker(clip)

        contestants["Face Landmarker's blendshapes"] = (land, n)
    task = progress.add_task("video", total=(turns + 1) * len(contestants))
    times = race(contestants, turns, lambda: progress.advance(task))
    for quality in ("fast", "full"):
        path, own = f"whole path, {quality}", f"fit, {quality}"
        report.compare("a frame, times as long", times, path, "detector and decoding", inverse=True)
        report.compare("a frame", times, path, "Face Landmarker's blendshapes")
        report.compare("the fit alone, a frame", times, own, "eos-py, 5 iterations")


def measure_expressions(report: Report, people: int, frames: int, progress: Progress) -> None:
    """Median correlation of single expressions within a person, on renders of people of known expression."""
    landmarker = report.attempt(
        "Face Landmarker", lambda: peers.blendshapes(SHARED / "data/mediapipe/face_landmarker.task")
    )
    metric_file, renderer, source = (
        SHARED / name for name in ("bench/metric.py", "bench/ict_renders.py", "data/ict_facekit/ict_facekit_light.npz")
    )
    absent = [str(path) for path in (metric_file, renderer, source) if not path.exists()]
    if absent:
        report.left_out.append(f"expressions on renders are left out: no {', '.join(absent)}")
    if absent or not landmarker:
        return
    spec = importlib.util.spec_from_file_location("metric", metric_file)
    metric = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(metric)
    task = progress.add_task("expressions", total=4 * people)
    tracks: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {
        "fast": [],
        "full": [],
        "Face Landmarker's blendshapes": [],
    }
    names: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [str(word) for word in (sys.executable, renderer, source, folder, people, frames, SEED)]
        alone = os.environ | {"LP_NUM_THREADS": "0", "OPENBLAS_NUM_THREADS": "1"}  # threads wait long on a busy machine
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=alone) as process:
            for _ in process.stdout:
                progress.advance(task)
        if process.returncode:
            raise SystemExit(f"{renderer} failed with status {process.returncode}")
        for path in sorted(Path(folder).glob("sub-*.npz")):
            truth = np.load(path, allow_pickle=False)
            video, true = path.with_suffix(".mp4"), truth["expr"]
            for name in tracks:
                if name in pipeline.QUALITIES:
                    sequence = pipeline.reconstruct(video, quality=name, simulated=True)
                    names[name], values, used = list(sequence.expression_names), sequence.expression, sequence.valid
                else:
                    names[name], values = landmarker(video)
                    used = np.isfinite(values).all(1) & (values.shape[1] > 0)
                tracks[name].append((true[used], values[used]))
                progress.advance(task)
    single = {name: metric.expression_correlation(tracks[name], truth["names"], names[name]) for name in tracks}
    *ours, peer = (float(np.median(list(single[name].values()))) for name in tracks)
    for name, r in zip(("fast", "full"), ours, strict=True):
        label = f"{people} people, {frames} frames: single expressions, median r"
        report.rows.append(Row(label, f"whole path, {name}", r, list(tracks)[2], peer, "r", r / peer))


def find_clip(folder: Path, quick: bool) -> Path:
    """A real recording where there is one, else a simulated one."""
    real = SHARED / "data/video" / ("single_face.mp4" if quick else "WolfgangLanger_Pexels.mp4")
    if real.exists():
        return real
    template, person = load_template(), simulate_people(3, seed=0)[0]
    sequence = simulate_recording(person, "happiness", seconds=3 if quick else 12, seed=0)
    write_film(folder / "simulated.mp4", sequence, person, template, Renderer(*sequence.image_size))
    return folder / "simulated.mp4"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer turns, a shorter clip, fewer people")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs")
    arguments = parser.parse_args()
    quick: bool = arguments.quick
    torch.set_num_threads(THREADS)
    report = Report()
    with Progress(transient=True) as progress, tempfile.TemporaryDirectory() as folder:
        clip = find_clip(Path(folder), quick)
        measure_face_model(report, 10 if quick else 40, progress)
        measure_video(report, clip, 1 if quick else 3, progress)
        measure_expressions(report, *((2, 20) if quick else (12, 20)), progress)
    about = {
        "digital-face-atlas": __version__,
        "torch": torch.__version__.split("+")[0],
        "clip": clip.name,
        "cores": os.cpu_count(),
        "threads": THREADS,
        "batch": BATCH,
        "processor": platform.machine(),
        "date": date.today().isoformat(),
    }
    print(write(report, about, arguments.out))
    print(f"{arguments.out}/benchmark.md, .json and .png")


if __name__ == "__main__":
    main()
