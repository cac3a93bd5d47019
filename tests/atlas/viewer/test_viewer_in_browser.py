"""The viewer in headless Chromium, from a file, without a network, with WebGL drawn by the processor."""

import io
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from viewer_atlas import HOSTILE, effect, extras, planted, renamed

from atlas.aggregation import AggregatedFace
from atlas.atlas import Atlas
from atlas.motion import MotionSpace
from atlas.overlay import MOTION
from atlas.viewer import SHELL, write_viewer
from reconstruction.template import Template

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
Open = Callable[..., Page]

pytestmark = pytest.mark.skipif(
    not resources.files("atlas.viewer").joinpath(SHELL).is_file(), reason="needs the viewer's program: make setup"
)


def launch(*flags: str) -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("needs Chromium: bash scripts/browser.sh")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=list(flags))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from launch(*SOFTWARE)


@pytest.fixture(scope="module")
def shown(atlas: Atlas, template: Template) -> Atlas:
    """The atlas with one sure difference: the right half of the face moves 0.8 mm less in MDD."""
    right = template.v_template[:, 0] < 0
    motion = planted(atlas.overlays["MDD"][MOTION], right & template.skin, -0.8)
    return replace(atlas, overlays=atlas.overlays | {"MDD": atlas.overlays["MDD"] | {MOTION: motion}})


@pytest.fixture(scope="module")
def file(
    shown: Atlas, people: list[AggregatedFace], template: Template, space: MotionSpace,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    out = tmp_path_factory.mktemp("viewer") / "viewer.html"
    given = extras(shown, people, template, space)
    return write_viewer(shown, template, space, [effect(), effect("other", d=0.1, p_fwe=0.6)], out, **given)


@pytest.fixture(scope="module")
def visit(browser: Browser, file: Path) -> Iterator[Open]:
    """``visit(width, height)``: the viewer in a new window; no console message, error or request may come of it."""
    contexts, said = [], []

    def visit(width: int = 920, height: int = 640, path: Path = file, **options: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or said.append(request.url)
        )
        page.goto(path.as_uri())
        expect(page.locator("#labels div")).not_to_have_count(0)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture(scope="module")
def window(visit: Open) -> Page:
    return visit()


@pytest.fixture
def page(window: Page) -> Page:
    """The window that tests share, as it opened: opening one for each would take most of the time."""
    window.get_by_role("button", name="All faces").click()
    window.get_by_label("difference in movement").check()
    window.get_by_label("Expression").fill("1")
    window.get_by_label("Look at").select_option("grid")
    window.get_by_label("Stimulus", exact=True).select_option("")
    window.locator("#stage").press("Home")
    window.mouse.move(5, 5)
    return window


def picture(page: Page) -> np.ndarray:
    """The stage's drawing as (H, W, 3) int, once two frames have passed."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    image = Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("RGB")
    return np.asarray(image).astype(int)


def changed(before: np.ndarray, after: np.ndarray) -> float:
    """Share of pixels that look different; half a pixel may come or go with the height of the text above."""
    height = min(len(before), len(after))
    return float((np.abs(before[:height] - after[:height]).max(2) > 12).mean())


def test_it_opens_with_what_differs_and_how_sure_that_is(page: Page) -> None:
    headline = page.locator("#headline")
    expect(headline).to_contain_text("In MDD the")
    expect(headline).to_contain_text("0.80 mm less than in HC (0.40 to 1.2), p = 0.003, corrected for some")
    expect(page.locator("#also")).to_contain_text("Surest of 2 biomarkers: right half (grid_1_share)")
    expect(page.get_by_text("simulated people", exact=True)).to_be_visible()
    expect(page.get_by_text("research use; not a diagnosis", exact=True)).to_be_visible()
    expect(page.get_by_label("difference in movement")).to_be_checked()
    expect(page.locator("#ticks")).to_contain_text("mm")
    assert page.locator("#labels b").all_inner_texts() == ["HC", "MDD", "BD"]
    thirds = np.array_split(picture(page), 3, axis=1)
    blue = [int(((third[..., 2] - third[..., 0]) > 40).sum()) for third in thirds]
    assert blue[1] > 20 * max(blue[0], 1)  # the difference is blue, and MDD's
    assert all(third.std() > 10 for third in thirds)


def test_sliding_goes_from_group_to_group(page: Page) -> None:
    slider = page.get_by_label("Slide")
    pictures = []
    page.get_by_role("button", name="HC", exact=True).click()
    for position, label in (("0", "HC"), ("0.5", "HC → MDD"), ("1", "MDD"), ("2", "BD")):
        slider.fill(position)
        expect(page.locator("#labels b")).to_have_text([label])
        pictures.append(picture(page))
    assert all(changed(a, b) > 0.002 for a, b in pairwise(pictures))
    slider.press("ArrowLeft")
    expect(page.locator("#labels span")).to_have_text(["99 % of the way"])
    page.get_by_role("button", name="All faces").click()
    expect(page.locator("#labels b")).to_have_count(3)


def test_every_overlay_looks_different_and_says_what_it_is(page: Page) -> None:
    seen, meanings = [], set()
    for name in ("skin only", "difference in movement", "difference in average position", "spread between people",
                 "reliability of the measurement"):  # fmt: skip
        page.get_by_label(name).check()
        seen.append(picture(page))
        meanings.add(page.locator("#meaning").inner_text())
    assert len(meanings) == 5
    assert min(changed(a, b) for i, a in enumerate(seen) for b in seen[:i]) > 0.01


def test_pointing_at_a_face_tells_its_numbers(page: Page) -> None:
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    x, y = stage["x"] + stage["width"] * 0.46, stage["y"] + stage["height"] * 0.62  # MDD's right half
    before = picture(page)
    page.mouse.move(x, y)
    here = page.locator("#here")
    expect(here).to_contain_text("−0.80 (−1.2 to −0.40)")
    expect(here).to_contain_text("p 0.003 · corrected 0.003 · q 0.003")
    expect(here).to_contain_text("right half")
    expect(here).to_contain_text("−3.2 (−5.0 to −1.4) · d −0.90 · p 0.001 · corrected 0.004")
    expect(here).to_contain_text("Reliability here: 0.80")
    assert changed(before, picture(page)) > 0.0005  # the place is marked
    page.mouse.click(x, y)
    page.mouse.move(5, 5)
    expect(here).to_contain_text("−0.80")  # a click holds it
    page.locator("#stage").press("Escape")
    expect(here).to_contain_text("Point at a face")


def test_a_place_can_be_chosen_without_pointing(page: Page) -> None:
    page.get_by_label("Look at").select_option("places")
    page.get_by_label("Place", exact=True).select_option("tip of the nose")
    expect(page.locator("#here h3")).to_have_text("tip of the nose")
    expect(page.locator("#here tbody tr").first).to_contain_text("reference")
    page.get_by_role("button", name="right half").click()
    expect(page.locator("#here h3")).to_contain_text("right half")


def test_faces_turn_together_by_pointer_and_keys(page: Page) -> None:
    front = picture(page)
    page.locator("#stage").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    turned = picture(page)
    for before, after in zip(np.array_split(front, 3, 1), np.array_split(turned, 3, 1), strict=True):
        assert changed(before, after) > 0.02
    page.keyboard.press("Home")
    assert changed(front, picture(page)) < 0.001
    page.mouse.move(250, 280)
    page.mouse.down()
    page.mouse.move(310, 280, steps=3)
    page.mouse.up()
    assert changed(front, picture(page)) > 0.02


def test_a_stimulus_is_played_and_stops(page: Page) -> None:
    page.get_by_label("Stimulus", exact=True).select_option("happiness")
    still = picture(page)
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#clock")).to_contain_text("average course over people")
    expect(page.locator("#clock")).to_have_text(re.compile(r"^(0\.[5-9]|[1-3]\.\d) s"))
    page.get_by_role("button", name="Pause").click()
    moment = picture(page)
    assert changed(still, moment) > 0.001
    assert changed(moment, picture(page)) == 0
    page.get_by_role("button", name="Average").click()
    assert changed(still, picture(page)) < 0.0005  # the stage has lost the focus and its outline
    page.get_by_label("Stimulus", exact=True).select_option("anger")
    page.get_by_label("Time of the stimulus").fill("2")
    expect(page.locator("#clock")).to_contain_text("no recorded course")


def test_the_picture_saved_says_what_it_shows(page: Page, tmp_path: Path) -> None:
    page.get_by_label("Expression").fill("3")
    expect(page.locator("#footer")).to_contain_text(
        "Simulated people: HC 4, MDD 4, BD 4. Expression exaggerated 3×, over all stimuli, average. "
        "Research use; not a diagnosis."
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    assert download.value.suggested_filename == "face-atlas-motion.png"
    download.value.save_as(tmp_path / "picture.png")
    image = np.asarray(Image.open(tmp_path / "picture.png").convert("RGB")).astype(int)
    assert image.shape[1] == 1600
    heads, words = image[150:850], image[900:]
    assert heads.std() > 10
    assert (words.max(2) < 90).sum() > 2000  # ink


def test_a_group_may_be_called_anything(
    visit: Open, shown: Atlas, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    odd = renamed(shown, HOSTILE)
    contrast = f"{HOSTILE['MDD']}-{HOSTILE['HC']}"
    page = visit(path=write_viewer(odd, template, space, [effect("<img src=x>", contrast)], tmp_path / "odd.html"))
    assert page.locator("#labels b").all_inner_texts() == list(HOSTILE.values())
    expect(page.locator("#effects")).to_contain_text("<img src=x>")
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("#effects img").count() == 0


def test_nothing_could_be_fetched_even_if_it_tried(browser: Browser, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    blocked = page.evaluate(
        """() => new Promise((done) => {
          document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
          fetch("http://127.0.0.1:9/").catch(() => {});
          setTimeout(() => done("nothing"), 2000);
        })"""
    )
    page.close()
    assert blocked == "connect-src"


def test_it_fits_every_window_and_every_control_has_a_name(visit: Open) -> None:
    page = visit(color_scheme="dark", has_touch=True)
    for width, height in ((1500, 900), (800, 1100), (360, 740)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select")].filter((control) =>
          !(control.labels?.length || control.getAttribute("aria-label") || control.textContent.trim()))
          .map((control) => control.outerHTML)"""
    )
    assert nameless == []
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    page.touchscreen.tap(stage["x"] + stage["width"] * 0.2, stage["y"] + stage["height"] * 0.35)
    expect(page.locator("#here h3")).to_be_visible()


def test_without_webgl_it_says_so_and_keeps_the_numbers(visit: Open, browser: Browser, file: Path) -> None:
    page = browser.new_page()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = ((original) => function (kind, ...rest) {"
                         "return kind.startsWith('webgl') ? null : original.call(this, kind, ...rest);"
                         "})(HTMLCanvasElement.prototype.getContext)")  # fmt: skip
    page.goto(file.as_uri())
    expect(page.get_by_role("alert")).to_contain_text("WebGL 2 is missing")
    expect(page.locator("#headline")).to_contain_text("0.80 mm less")
    page.get_by_label("Place", exact=True).select_option("1: right half")
    expect(page.locator("#here")).to_contain_text("corrected 0.004")
    page.get_by_label("Slide").fill("1")
    page.close()
