"""``face-atlas evaluate``: how far reconstructions are from the truth, measured on benchmarks that a user holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atlas.cli.options import Quality
from atlas.cli.results import print_table, stage_bar, write_results

if TYPE_CHECKING:
    from reconstruction.evaluation.now import NowScores
    from reconstruction.evaluation.renders import Estimate
    from reconstruction.template import Template

evaluate = typer.Typer(
    help="Measure reconstructions against the truth: NoW's scans, renders, and two halves of a clip.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
TemplateName = Annotated[str, typer.Option("--template", help="A template by name or file.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes.", min=0)]
OUT = Path("outputs/evaluation")


@evaluate.command("now")
def now(
    folder: Annotated[Path, typer.Argument(help="The NoW benchmark's folder.", show_default=False)],
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Neutral meshes SUBJECT/CHALLENGE/PICTURE.obj or .ply, each with its seven landmarks (.npy, .txt).",
            show_default="our own reconstruction of the pictures",
        ),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="The list of pictures.", show_default="FOLDER's imagepathsvalidation.txt")
    ] = None,
    out: Out = OUT,
    template: TemplateName = "atlas-head",
    quality: Quality = "full",
    seed: Seed = 0,
) -> None:
    """The NoW protocol: the benchmark's table of scan-to-mesh distances, beside the mean face and published rows.

    Without --predictions every picture is reconstructed first, into OUT/now-predictions, laid out as the benchmark
    takes it; an interrupted run is taken up again there.
    """
    from reconstruction.evaluation import now as protocol
    from reconstruction.evaluation.now_folder import NowFolder

    model = _template(template, quality)
    benchmark = NowFolder(folder, pictures)
    refused: dict[str, str] = {}
    with stage_bar() as show:
        if predictions is None:
            made = out / "now-predictions"
            refused = protocol.write_predictions(benchmark, made, model, quality, seed, show)
        scores = protocol.score(benchmark, predictions or made, model, show)
    rows = _now_rows(scores)
    document = {
        "protocol": "NoW (Sanyal et al. 2019): scan vertices to mesh surface after similarity alignment",
        "predictions": "given" if predictions else _provenance(model, quality, seed),
        "mean_face": model.name,
        "pictures": len(scores.pictures),
        "without_prediction": {
            str(picture.path): refused.get(str(picture.path), "no file")
            for picture, distance in zip(scores.pictures, scores.predicted, strict=True)
            if distance is None
        },
        "rows": rows,
        "published": {
            name: dict(zip(("median_mm", "mean_mm", "std_mm"), row, strict=True))
            for name, row in protocol.PUBLISHED.items()
        },
        "published_on": "NoW test set, as published by their authors; not measured here",
    }
    import numpy as np

    from atlas.figures.evaluation import cumulative_figure

    at = np.linspace(0, 7, 351)
    mine, mean, _ = scores.pooled()
    curves = {
        "predictions": (at, protocol.cumulative(mine, at)),
        f"mean face of {model.name}": (at, protocol.cumulative(mean, at)),
    }
    caption = f"{len(scores.pictures) - scores.missing} of {len(scores.pictures)} pictures, all scan points pooled"
    write_results(out, "now", document, cumulative_figure("NoW protocol", caption, curves))
    columns = ("median_mm", "mean_mm", "std_mm", "mean_face_median_mm", "recovered")
    print_table(
        ("", "pictures", "median mm", "mean", "std", "mean face", "recovered"),
        [(name, row["pictures"], *(row[column] for column in columns)) for name, row in rows.items()]
        + [(f"published: {name}", "", *row, "", "") for name, row in protocol.PUBLISHED.items()],
    )
    typer.echo(
        "published rows are the authors' own, on the test set; recovered: share of the mean face's squared error"
    )
    if scores.missing:
        typer.echo(f"{scores.missing} of {len(scores.pictures)} pictures have no prediction; now.json says why")


def _now_rows(scores: "NowScores") -> dict[str, dict[str, Any]]:
    from reconstruction.evaluation.metrics import recovered
    from reconstruction.evaluation.now import summary
    from reconstruction.evaluation.now_folder import CHALLENGES

    selections: dict[str, dict[str, Any]] = {"all": {}}
    if scores.missing:
        selections["all, mean face where missing"] = {"filled": True}
    others = sorted({picture.challenge for picture in scores.pictures} - set(CHALLENGES))
    selections |= {challenge: {"challenge": challenge} for challenge in (*CHALLENGES, *others)}
    rows = {}
    for name, selection in selections.items():
        mine, mean, count = scores.pooled(**selection)
        if count:
            baseline = summary(mean)
            rows[name] = {
                "pictures": count,
                **summary(mine),
                **{f"mean_face_{key}": value for key, value in baseline.items()},
                "recovered": recovered(mine, mean),
            }
    return rows


@evaluate.command("renders")
def renders(
    folder: Annotated[Path, typer.Argument(help="Films NAME.mp4 with their truth NAME.npz.", show_default=False)],
    out: Out = OUT,
    template: TemplateName = "atlas-head",
    quality: Quality = "full",
    seed: Seed = 0,
) -> None:
    """Renders of people whose surface is known: shape, motion, expressions, action units, jitter of a still face.

    Intervals are bootstrapped over people. Jitter is measured on the first frame held still for 50 frames with a
    camera's noise (seeded) and JPEG compression.
    """
    import numpy as np

    from atlas.biomarkers.action_units import ACTION_UNITS
    from atlas.figures.evaluation import recovery_figure
    from reconstruction.evaluation import renders as truth
    from reconstruction.evaluation.clips import JPEG_QUALITY, NOISE, STILL_FRAMES

    model = _template(template, quality)
    units = {
        f"{unit.code} {unit.name}": unit.expressions or ("jawOpen",)
        for unit in ACTION_UNITS.values()
        if unit.expressions or unit.joints == ("jaw",)
    }
    with stage_bar() as show:
        scores = truth.score(folder, model, quality, seed, units, show)
    measures = scores.measures(seed)
    expressions, by_unit = scores.recovery("expressions", seed), scores.recovery("units", seed)
    frames = sum(person.frames for person in scores.people)
    document = {
        "simulated": True,
        "people": len(scores.people),
        "frames": frames,
        "frames_used": sum(person.frames_used for person in scores.people),
        **_provenance(model, quality, seed),
        "intervals": "95 %, bootstrap over people",
        "measures": {name: vars(estimate) for name, estimate in measures.items()},
        "expressions": expressions,
        "action_units": by_unit,
        "by_person": [
            {
                "name": person.name,
                "frames_used": person.frames_used,
                "neutral_shape_mm": float(np.median(person.shape)),
                "mean_face_mm": float(np.median(person.mean_face)),
                "motion_r2": 1 - person.missed / person.moved,
                "jitter_mm": person.jitter[0],
            }
            for person in scores.people
        ],
        "jitter": f"RMS of 68 landmarks about their temporal mean, mm, camera axes, nothing removed; first frame held "
        f"for {STILL_FRAMES} frames, noise of {NOISE:g}/255, JPEG {JPEG_QUALITY}",
    }
    caption = (
        f"{len(scores.people)} rendered people, {frames} frames, --quality {quality}; "
        "lines: 95 % interval over people; ◁ left side, ▷ right side\n"
        f"neutral shape {measures['share_of_mean_face'].value:.2f} of the mean face's error · "
        f"motion R² {measures['motion_r2'].value:.2f} · "
        f"single expressions, median r {measures['expression_correlation'].value:.2f} · "
        f"jitter {measures['jitter_mm'].value:.2f} mm"
    )
    write_results(
        out, "renders", document, recovery_figure("Recovery of known expressions", caption, expressions, by_unit)
    )
    print_table(("measure", "all people", "95 % interval", "mean of people"), _measure_rows(measures))
    print_table(("expression", "r", "95 % interval", "left", "right"), _recovery_rows(expressions))
    print_table(("action unit", "r", "95 % interval", "left", "right"), _recovery_rows(by_unit))


_MEASURES = {
    "neutral_shape_mm": "neutral shape, median mm",
    "mean_face_mm": "mean face, median mm",
    "share_of_mean_face": "share of the mean face's",
    "recovered": "deviation from the mean face recovered",
    "motion_r2": "motion R², 51 inner landmarks",
    "expression_correlation": "single expressions, median r",
    "jitter_mm": "jitter of a still face, mm",
    "jitter_across_mm": "the same, across the line of sight",
}


def _measure_rows(measures: "dict[str, Estimate]") -> list[tuple[Any, ...]]:
    return [
        (label, measures[key].value, _interval(measures[key].low, measures[key].high), measures[key].mean_of_people)
        for key, label in _MEASURES.items()
    ]


def _recovery_rows(recovery: dict[str, dict[str, float | None]]) -> list[tuple[Any, ...]]:
    ordered = sorted(recovery.items(), key=lambda item: -(item[1]["r"] or 0.0))
    return [
        (name, row["r"], _interval(row["low"], row["high"]), row.get("left", ""), row.get("right", ""))
        for name, row in ordered
    ]


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


@evaluate.command("identity")
def identity(
    clips: Annotated[
        list[Path],
        typer.Argument(metavar="CLIP...", help="One clip of each of two or more people.", show_default=False),
    ],
    out: Out = OUT,
    template: TemplateName = "atlas-head",
    quality: Quality = "full",
    seed: Seed = 0,
) -> None:
    """Two halves of a clip against other people: how much farther apart different people's neutral shapes are.

    Distances are the root mean square over the template's skin, mm, after rigid alignment.
    """
    from reconstruction.evaluation import identity as halves

    model = _template(template, quality)
    with stage_bar() as show:
        scores = halves.score(clips, model, quality, seed, show)
    document = {
        **_provenance(model, quality, seed),
        "distance": "RMS over corresponding skin vertices of the neutral shape, mm, after rigid alignment",
        "clips": scores.clips,
        "halves_mm": scores.halves.tolist(),
        "people_mm": scores.others.tolist(),
        "ratio": scores.ratio,
    }
    write_results(out, "identity", document, None)
    import numpy as np

    print_table(
        ("clip", "between halves mm", "to other people, median mm", "ratio"),
        [
            (name, scores.halves[i], float(np.median(np.delete(scores.others[i], i))), scores.ratio_of(i))
            for i, name in enumerate(scores.clips)
        ],
    )
    typer.echo(f"median distance between people / between halves: {scores.ratio:.1f}")


def _template(name: str, quality: str) -> "Template":
    """The template, after a cheap look at the quality: a typing error should not wait behind an hour of work."""
    from reconstruction.errors import InputError
    from reconstruction.pipeline import QUALITIES
    from reconstruction.template import load_template

    if quality not in QUALITIES:
        raise InputError(f"expected quality {' or '.join(QUALITIES)}, got {quality!r}; leave it out for the best fit.")
    return load_template(name)


def _provenance(template: "Template", quality: str, seed: int) -> dict[str, Any]:
    from reconstruction import __version__

    return {
        "software": f"digital-face-atlas {__version__}",
        "template": template.name,
        "template_sha256": template.sha256,
        "quality": quality,
        "seed": seed,
    }
