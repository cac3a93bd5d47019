"""Photograph an atlas's viewer as it opens, for the README: in Chromium, from its file, without a network.

usage: python scripts/picture_viewer.py ATLAS/viewer.html [--out docs/images/viewer.png]
"""

import argparse
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
SIZE = {"width": 1320, "height": 800}


def photograph(viewer: Path, browser: str) -> Image.Image:
    """The page in a window of `SIZE`, once all heads are drawn."""
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=browser, args=SOFTWARE)
        page = running.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        page.set_default_timeout(0)  # a busy processor draws slowly
        page.goto(viewer.resolve().as_uri())
        page.locator("#labels div").first.wait_for()
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        running.close()
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("viewer", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images/viewer.png"))
    arguments = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("expected Chromium, but there is none; install it: bash scripts/browser.sh")
    photograph(arguments.viewer, browser).save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
