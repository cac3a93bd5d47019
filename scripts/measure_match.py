"""How long one match takes: from a parameter file, and from a video beside its reconstruction alone.

usage: python scripts/measure_match.py ATLAS INPUT... [--turns 20]

INPUT is a parameter file or a video. Printed for every input, milliseconds, median and least of the turns, processor
time beside the clock's, imports not counted: of a parameter file the whole of `face-atlas match` (atlas read, file
read, summary, match, JSON), and its parts; of a video one reconstruction, and what the match adds to it in percent.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from atlas.atlas_file import load_atlas
from atlas.new_recordings import match_all, measured
from reconstruction.sequence import SUFFIXES, load


def timed(work: Callable[[], Any], turns: int) -> tuple[np.ndarray, Any]:
    """(turns, 2) milliseconds of the clock and of the processor, and what came out."""
    out = []
    for _ in range(turns):
        clock, processor = time.perf_counter(), time.process_time()
        result = work()
        out.append((time.perf_counter() - clock, time.process_time() - processor))
    return 1000 * np.array(out), result


def line(name: str, spent: np.ndarray) -> str:
    (clock, processor), (least, least_processor) = np.median(spent, 0), spent.min(0)
    return f"  {name:24s} {clock:9.1f} ms (processor {processor:.1f}; least {least:.1f}, {least_processor:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("atlas", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--turns", type=int, default=20)
    given = parser.parse_args()

    def whole(path: Path) -> str:
        atlas = load_atlas(given.atlas)
        matches, _ = match_all(atlas, measured(atlas, [path], [load(path)]))
        return json.dumps([m.to_json() for m in matches])

    for path in given.inputs:
        print(path.name)
        if path.name.endswith(SUFFIXES):
            sequence = load(path)
            spent, _ = timed(lambda path=path: whole(path), given.turns)
            print(line("one match", spent))
        else:
            from reconstruction.pipeline import reconstruct

            spent, sequence = timed(lambda path=path: reconstruct(path), 1)
            print(line("reconstruction", spent))
        reading, atlas = timed(lambda: load_atlas(given.atlas), given.turns)
        matching, _ = timed(lambda path=path, s=sequence, a=atlas: match_all(a, measured(a, [path], [s])), given.turns)
        print(line("reading the atlas", reading))
        print(line("summary and match", matching))
        if not path.name.endswith(SUFFIXES):
            added = np.median(reading[:, 1]) + np.median(matching[:, 1])
            print(f"  the match adds {100 * added / spent[0, 1]:.2f} % of the reconstruction's processor time")


if __name__ == "__main__":
    main()
