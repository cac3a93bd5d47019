"""From videos of people of another head model to matches, through the commands alone.

usage: python scripts/measure_end_to_end.py MODEL [--out outputs/end-to-end] [--train 60] [--test 45] [--quality fast]

MODEL is ICT-FaceKit as `face-atlas template import` takes it. Simulated people with its head and the planted effects of
the demonstration are filmed; `face-atlas build` reconstructs the films of those to learn from with the embedded
template and builds an atlas, `face-atlas match` matches the others, who were simulated with another seed. Beside it
the same people with the embedded head as parameters, without any picture: what is lost on the way. Goes on where it was
stopped. Writes OUT/end-to-end.json and prints it as a table.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress

from atlas.evaluation import wilson
from atlas.participants import read_participants
from atlas.simulation import load_effects, simulate
from reconstruction.storage import write_atomically
from reconstruction.template import DEFAULT

EFFECTS = Path(__file__).resolve().parents[1] / "atlas" / "effects" / "demonstration.yaml"
STIMULI = ("happiness", "sadness")
SECONDS, SEEDS = 4.0, {"train": 11, "test": 12}


def face_atlas(*arguments: str | Path) -> None:
    """Run the command; its progress and notes go to this program's standard error."""
    command = [sys.executable, "-c", "from atlas.cli.main import run; run()", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def cohort(folder: Path, people: int, seed: int, template: str, video: bool, progress: Progress) -> None:
    """Simulated people of a template, unless they are there."""
    if folder.is_dir():
        return
    task = progress.add_task(f"simulate {folder.name}", total=None)
    simulate(
        folder, people, SECONDS, EFFECTS, video, seed, stimuli=STIMULI, template=template, workers=None,
        progress=lambda _, done, of: progress.update(task, completed=done, total=of),
    )  # fmt: skip


def matched(document: dict[str, Any], truth: dict[str, str]) -> dict[str, Any]:
    """How many of the people in a match's document are nearest their own group's standard face."""
    nearest = {m["person"]: max(m["similarities"], key=m["similarities"].get) for m in document["people"]}
    decided = {m["person"]: m["decision"] for m in document["people"] if m["decision"] in truth.values()}
    hits = sum(truth[person] == group for person, group in nearest.items())
    low, high = wilson(hits, len(nearest))
    return {
        "people": len(nearest), "accuracy": hits / len(nearest), "accuracy_low": low, "accuracy_high": high,
        "decided": len(decided), "right_of_decided": sum(truth[p] == g for p, g in decided.items()),
    }  # fmt: skip


def run(out: Path, name: str, options: Sequence[str], sizes: dict[str, int], template: str, progress: Progress) -> dict:
    """Build from the people to learn from, match the others."""
    folder = out / name
    video = name == "videos"
    for part, people in sizes.items():
        cohort(folder / part, people, SEEDS[part], template, video, progress)
    atlas, answer = folder / "atlas", folder / "matches.json"
    if not (atlas / "report.html").is_file():
        face_atlas("build", folder / "train", "--out", atlas, "--permutations", "0", *options)
    if not answer.is_file():
        suffix = "*.mp4" if video else "*face.safetensors"
        inputs = sorted((folder / "test").glob(f"sub-*/{suffix}"))
        face_atlas("match", atlas, *inputs, "--out", answer, *options)
    rows = read_participants(folder / "test" / "participants.tsv", [])
    return matched(json.loads(answer.read_text("utf-8")), {person: row["group"] for person, row in rows.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="ICT-FaceKit's folder FaceXModel, or its npz")
    parser.add_argument("--out", type=Path, default=Path("outputs/end-to-end"))
    parser.add_argument("--train", type=int, default=60, help="people to learn from")
    parser.add_argument("--test", type=int, default=45, help="other people")
    parser.add_argument("--quality", default="fast")
    given = parser.parse_args()
    other = given.out / "other.template.safetensors"
    if not other.is_file():
        face_atlas("template", "import", given.model, "--out", other)
    sizes = {"train": given.train, "test": given.test}
    with Progress(transient=True) as progress:
        results = {
            "parameters": run(given.out, "parameters", (), sizes, DEFAULT, progress),
            "videos": run(given.out, "videos", ("--quality", given.quality), sizes, str(other), progress),
        }
    chance = 1 / (len(load_effects(EFFECTS)) + 1)
    document = {"simulated": True, "train": given.train, "quality": given.quality, "chance": chance, **results}
    write_atomically(given.out / "end-to-end.json", (json.dumps(document, indent=2) + "\n").encode())
    print(f"{given.train} simulated people to learn from, two recordings of {SECONDS:g} s each; chance {chance:.0%}")
    for name, found in results.items():
        print(
            f"{name}: {found['accuracy']:.0%} of {found['people']} other people nearest their own group "
            f"({found['accuracy_low']:.0%} to {found['accuracy_high']:.0%}); {found['right_of_decided']} of "
            f"{found['decided']} decided ones right"
        )


if __name__ == "__main__":
    main()
