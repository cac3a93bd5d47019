"""What commands say and show: names of files as they are."""

import pytest

from atlas.cli.console import make_console
from atlas.cli.progress import recording_bar

NAMES = ("[/x].mp4", "[bold]a.mp4", "a:smile:.mp4")


@pytest.mark.parametrize("name", NAMES)
def test_the_console_changes_no_name_and_breaks_no_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = f"{name} was left out " * 20
    make_console().print(sentence)
    out, error = capsys.readouterr()
    assert (out, error) == ("", f"{sentence}\n")


@pytest.mark.parametrize("name", NAMES)
def test_the_bar_shows_names_as_they_are(name: str) -> None:
    console = make_console()
    bar = recording_bar(console)
    bar.add_task(f"{name}: fitting", total=3)
    with console.capture() as shown:
        console.print(bar)
    assert f"{name}: fitting" in shown.get()
    assert "0/3" in shown.get()
