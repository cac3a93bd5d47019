"""Learn the embedded template `atlas-head` from the ICT Face Model Light (MIT, University of Southern California).

usage: python scripts/train_template.py ICT_FACEKIT_LIGHT.npz [--out templates/atlas-head.template.safetensors]

The source's 26,719 vertices become our own mesh of about 5,000, symmetric to the bit, dense at eyes, brows and mouth,
with modelled eyeballs, teeth and a dark mouth; its 100 shape modes become 50 components of one standard deviation each;
its 57 expression shapes become 44 named expressions and the correctives of the jaw and eye joints. Needs
`pip install -e .[train]`.
"""

import argparse
import hashlib
from pathlib import Path

from reconstruction.detector_points import embed_detector_points
from reconstruction.template import load_template, save_template
from template.build import build
from template.points import follow_convention, settle_detector_points
from template.source import Source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, default=Path("templates/atlas-head.template.safetensors"))
    arguments = parser.parse_args()
    source_sha256 = hashlib.sha256(arguments.source.read_bytes()).hexdigest()
    template = build(Source.read(arguments.source), source_sha256)
    template = settle_detector_points(follow_convention(embed_detector_points(template)))
    save_template(template, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB, {load_template(arguments.out).sha256[:12]}")


if __name__ == "__main__":
    main()
