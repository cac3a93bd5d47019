"""Peak memory of a reconstruction against the length of the recording.

usage: python scripts/measure_memory.py [--minutes 1 10] [--quality fast] [--recording VIDEO]

A short film, a simulated person's unless one is given, is looped into clips of the lengths named; each is
reconstructed in its own process. Printed are the peak resident memory when detection ends and at the end, and the ratio
of the last clip's to the first's. Linux.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

from atlas.simulation.film import frames
from atlas.simulation.people import simulate_people
from atlas.simulation.recording import IMAGE_SIZE, simulate_recording
from reconstruction.pipeline import QUALITIES, reconstruct
from reconstruction.rendering import Renderer
from reconstruction.template import load_template
from reconstruction.video import open_video
from reconstruction.video_writer import VideoWriter

SIZE, RATE, SECONDS = 256, 25.0, 8.0  # of the simulated film


def peak_mb() -> float:
    """Of this process since it started."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise SystemExit("expected Linux's /proc/self/status, which tells a process's peak memory.")
    return int(found[1]) / 1024


def measure(clip: Path, quality: str) -> None:
    """Reconstruct in this process; print the peaks."""
    peaks = {}

    def note(stage: str, done: int, total: int) -> None:
        if stage == "detecting":
            peaks[stage] = peak_mb()

    reconstruct(clip, quality=quality, progress=note)
    print(f"{peaks['detecting']:.1f} {peak_mb():.1f}")


def film(recording: Path | None) -> tuple[list, float]:
    """Frames to loop, (H, W, 3) uint8, and their rate."""
    if recording is not None:
        video = open_video(recording)
        return [rgb for _, _, rgb in video], video.frame_rate
    template = load_template()
    person = simulate_people(3, template=template)[0]
    sequence = simulate_recording(person, "happiness", SECONDS, RATE, 0, template)
    shown = frames(sequence, person, template, Renderer(IMAGE_SIZE, IMAGE_SIZE))
    return [cv2.resize(rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for rgb in shown], RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--quality", choices=QUALITIES, default="fast")
    parser.add_argument("--recording", type=Path)
    parser.add_argument("--clip", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.clip:
        measure(arguments.clip, arguments.quality)
        return
    pictures, rate = film(arguments.recording)
    height, width = pictures[0].shape[:2]
    ends = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in arguments.minutes:
            clip, count = Path(folder) / f"{minutes:g}.mp4", round(minutes * 60 * rate)
            there_and_back = pictures + pictures[-2:0:-1]
            with VideoWriter(clip, width, height, rate) as writer:
                for i in range(count):
                    writer.write(there_and_back[i % len(there_and_back)])
            command = [sys.executable, __file__, "--clip", str(clip), "--quality", arguments.quality]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            detecting, end = map(float, done.stdout.split()[-2:])
            ends.append((detecting, end))
            print(f"{minutes:g} min, {count} frames: {detecting:.0f} MB after detection, {end:.0f} MB at the end")
            clip.unlink()
    ratios = [last / first for first, last in zip(ends[0], ends[-1], strict=True)]
    print(f"ratio: {ratios[0]:.3f} after detection, {ratios[1]:.3f} at the end")


if __name__ == "__main__":
    main()
