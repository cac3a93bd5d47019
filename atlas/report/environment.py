"""Where pages come from: the jinja2 templates of a package, with the style sheet, parts and words of the report."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from atlas.report import words

REPORT = "atlas.report"


def page_environment(package: str = REPORT) -> Environment:
    """Templates of `package`, then those of the report; everything is escaped, and a name that is not there fails."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name, "templates") for name in dict.fromkeys((package, REPORT))]),
        autoescape=select_autoescape(("html", "jinja"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= words.FILTERS
    return environment
