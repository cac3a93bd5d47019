"""Calibrate a template: render people with known parameters, detect, learn what the detector's points say.

usage: python scripts/train_calibration.py [--template atlas-head] [--people 1600] [--frames 8] [--detector FILE.task]
    [--out FILE]

About 0.15 s a frame and core. The file shipped with `atlas-head` was made with the defaults.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.progress import Progress

from reconstruction.calibration import SUFFIX, save_calibration
from reconstruction.detectors import choose_detector
from reconstruction.motion import motion_names
from reconstruction.template import DEFAULT, load_template
from reconstruction.training import calibrate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--template", default=DEFAULT)
    parser.add_argument("--people", type=int, default=1600)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    template = load_template(arguments.template)
    out = arguments.out or Path("templates") / f"{template.name}{SUFFIX}"
    with Progress() as bar:
        task = bar.add_task("people rendered", total=arguments.people)
        calibration = calibrate(
            template, arguments.people, arguments.frames, arguments.seed, arguments.jobs,
            lambda done, _: bar.update(task, completed=done), choose_detector(arguments.detector),
        )  # fmt: skip
    save_calibration(calibration, out)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, {calibration.provenance['frames_found']} frames")
    order = np.argsort(calibration.reliability)
    for i in order:
        print(f"{motion_names(template)[i]:24s} r {calibration.reliability[i]:.2f}  slope {calibration.slope[i]:.2f}")


if __name__ == "__main__":
    main()
