"""Builds the viewer's page on the way into a wheel, a source distribution or an editable installation.

Everything else is in pyproject.toml. Where npm cannot be reached, FACE_ATLAS_NO_VIEWER=1 installs without the viewer.
"""

import os
import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

SOURCES = Path(__file__).resolve().parent / "viewer"
WITHOUT = "FACE_ATLAS_NO_VIEWER"


def bundle_viewer() -> None:
    """Build atlas/viewer/shell.html where it is missing or older than its sources."""
    if os.environ.get(WITHOUT):
        return
    try:
        runpy.run_path(str(SOURCES / "bundle.py"))["bundle"]()
    except RuntimeError as error:
        raise SystemExit(f"{error}\nTo install without the viewer, set {WITHOUT}=1.") from error


class BuildPy(build_py):
    def run(self) -> None:
        bundle_viewer()
        self.__dict__.pop("data_files", None)  # found before the page was there
        super().run()


class Sdist(sdist):
    def run(self) -> None:
        bundle_viewer()
        super().run()


setup(cmdclass={"build_py": BuildPy, "sdist": Sdist})
