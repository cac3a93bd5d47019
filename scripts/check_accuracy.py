"""Accuracy of the whole path on renders with known truth, beside the mean face's.

usage: python scripts/check_accuracy.py RENDERS METRIC.py [--quality full|fast]

RENDERS holds sub-XX.mp4 with sub-XX.npz (vertices, neutral, landmarks_head in mm, expr, names, lm68, narrow); METRIC.py
gives scan_to_mesh, motion_r2 and expression_correlation. Both come with the development data, not with the project.
"""

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
from rich.progress import track

from reconstruction.pipeline import QUALITIES, reconstruct
from reconstruction.template import load_template


def load_metric(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("metric", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"expected a Python file with the metric, got {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("renders", type=Path)
    parser.add_argument("metric", type=Path)
    parser.add_argument("--quality", choices=QUALITIES, default="full")
    arguments = parser.parse_args()
    metric, template = load_metric(arguments.metric), load_template()
    fitted, mean_face, moved, missed, tracks = [], [], 0.0, 0.0, []
    names: list[str] = []
    for path in track(sorted(arguments.renders.glob("sub-*.npz")), description="reconstructing"):
        truth = np.load(path, allow_pickle=False)
        sequence = reconstruct(path.with_suffix(".mp4"), quality=arguments.quality, simulated=True)
        neutral = truth["neutral"].astype(float)
        for surface, errors in ((sequence.neutral(template), fitted), (template.v_template, mean_face)):
            mm = surface * 1000.0
            marks = template.landmarks68(mm)[17:]
            errors.append(
                metric.scan_to_mesh(neutral[: truth["narrow"]], neutral[truth["lm68"]][17:], mm, template.faces, marks)
            )
        used = sequence.valid
        marks = template.landmarks68(sequence.vertices(template)) * 1000.0
        _, variance, error = metric.motion_r2(truth["landmarks_head"][used].astype(float), marks[used])
        moved, missed = moved + variance, missed + error
        tracks.append((truth["expr"][used], sequence.expression[used]))
        names = [str(name) for name in truth["names"]]
    ours, theirs = (float(np.median(np.concatenate(errors))) for errors in (fitted, mean_face))
    single = metric.expression_correlation(tracks, names, template.expression_names)
    print(f"people: {len(tracks)}")
    print(f"neutral shape, median mm: {ours:.3f}; mean face {theirs:.3f}; ratio {ours / theirs:.3f}")
    print(f"motion_r2: {1 - missed / moved:.3f}")
    print(f"single expressions within person, median r: {np.median(list(single.values())):.3f}")
    for name, r in sorted(single.items(), key=lambda item: item[1]):
        print(f"  {name:20s} {r:5.2f}")


if __name__ == "__main__":
    main()
