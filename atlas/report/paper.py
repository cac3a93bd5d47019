"""A page as PDF: A4, page numbers, tagged for screen readers; the same page gives the same bytes.

Letters are those that matplotlib carries, so that the paper looks the same wherever it is made. Nothing is fetched:
only what the page holds as data URIs is shown.

A PDF holds JPEG as it is but knows no WebP, which would come in without loss, at three times the size; so a page's WebP
pictures become JPEG on the way.
"""

import base64
import contextlib
import hashlib
import io
import logging
import re
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from PIL import Image

from reconstruction.errors import InputError

FONTS = {  # (family, weight, style): file of matplotlib
    ("Report Sans", "normal", "normal"): "DejaVuSans.ttf",
    ("Report Sans", "bold", "normal"): "DejaVuSans-Bold.ttf",
    ("Report Sans", "normal", "italic"): "DejaVuSans-Oblique.ttf",
    ("Report Mono", "normal", "normal"): "DejaVuSansMono.ttf",
}
JPEG: dict[str, Any] = {"quality": 90, "subsampling": 0, "optimize": True}  # coloured lines stay sharp
_WEBP = re.compile(r"data:image/webp;base64,([A-Za-z0-9+/=]+)")
REMEDY = "sudo apt-get install -y libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


def pdf_of(page: str) -> bytes:
    """The PDF of an HTML page; raises as `sheets_of` does."""
    return sheets_of(page)[0]


def sheets_of(page: str, most: int | None = None) -> tuple[bytes, int]:
    """The PDF of an HTML page, and how many sheets it takes; no PDF where these are more than `most`.

    Raises
    ------
    InputError
        The library that sets pages, or one that it needs from the system, cannot be loaded, or it fails.
    """
    weasyprint = _library()
    fonts, configuration = _fonts()
    document = weasyprint.HTML(string=_WEBP.sub(_jpeg, page), url_fetcher=_fetcher(weasyprint))
    try:
        laid = document.render(stylesheets=[fonts], font_config=configuration, pdf_tags=True)
        if most is not None and len(laid.pages) > most:
            return b"", len(laid.pages)
        return laid.write_pdf(pdf_identifier=hashlib.sha256(page.encode()).digest()[:16], pdf_tags=True), len(
            laid.pages
        )
    except AssertionError as error:  # how weasyprint fails where it cannot break a page
        raise InputError(
            "expected a page that can be set on paper, but weasyprint cannot break this one into pages; print "
            "report.html from a browser instead."
        ) from error


def _jpeg(webp: re.Match[str]) -> str:
    """A WebP picture's data URI as a JPEG's."""
    packed = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(webp[1]))) as picture:
        picture.convert("RGB").save(packed, "JPEG", **JPEG)
    return "data:image/jpeg;base64," + base64.b64encode(packed.getvalue()).decode("ascii")


@cache
def _fonts() -> tuple[Any, Any]:
    """The style sheet of the letters and what holds them; reading them takes longer than setting a page."""
    weasyprint = _library()
    configuration = weasyprint.text.fonts.FontConfiguration()
    sheet = weasyprint.CSS(string=_font_faces(), font_config=configuration, url_fetcher=_fetcher(weasyprint))
    return sheet, configuration


def _fetcher(weasyprint: Any) -> Any:
    return weasyprint.urls.URLFetcher(allowed_protocols=("data",))


def _library() -> Any:
    """weasyprint, imported when it is needed: it loads pango from the system."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints advice of its own where pango is missing
            import weasyprint
            import weasyprint.text.fonts
            import weasyprint.urls
    except (ImportError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"expected weasyprint and pango for report.pdf, but they cannot be loaded ({reason}); install them: "
            f"pip install weasyprint; {REMEDY}"
        ) from error
    for name in ("weasyprint", "fontTools"):  # they tell of every style that paper has no use for
        logging.getLogger(name).setLevel(logging.ERROR)
    return weasyprint


def _font_faces() -> str:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return "".join(
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; font-style: {style}; '
        f"src: url(data:font/ttf;base64,{base64.b64encode((folder / file).read_bytes()).decode('ascii')}) }}\n"
        for (family, weight, style), file in FONTS.items()
    )
