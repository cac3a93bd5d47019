"""Write requirements.txt and requirements-dev.txt: exact versions of pyproject.toml's dependencies and all they need.

Run in the environment whose versions are to be pinned (`make pins`).
"""

import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
NOTE = "# Exact versions that were tested together; pyproject.toml has the ranges. Written by `make pins`.\n"


def closure(requirements: list[str]) -> dict[str, str]:
    """Distribution name to installed version, for these requirements, the extras they name, and theirs."""
    pins: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    todo = [Requirement(text) for text in requirements]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        distribution = metadata.distribution(name)
        pins[name] = distribution.version.split("+")[0]  # a local build tag such as +cpu is the machine's, not ours
        for extra in ("", *wanted.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                found = [Requirement(text) for text in distribution.requires or []]
                todo += [r for r in found if r.marker is None or r.marker.evaluate({"extra": extra})]
    return pins


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    run = closure(project["dependencies"])
    dev = closure(project["optional-dependencies"]["dev"])
    lines = [f"{name}=={version}\n" for name, version in sorted(run.items())]
    (ROOT / "requirements.txt").write_text(NOTE + "".join(lines), "utf-8")
    lines = [f"{name}=={version}\n" for name, version in sorted(dev.items()) if name not in run]
    (ROOT / "requirements-dev.txt").write_text(NOTE + "-r requirements.txt\n" + "".join(lines), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
