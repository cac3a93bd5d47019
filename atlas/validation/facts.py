"""Sentences about a validation that its report and its sheets share."""

from atlas.report.people import ParticipantFlow
from atlas.report.words import listed
from atlas.validation.audit import REFUSE
from atlas.validation.intervals import Estimate
from atlas.validation.splits import SITE
from atlas.validation.subgroups import LEAST
from atlas.validation.validation import Validation


def percent(estimate: Estimate) -> str:
    if estimate.value != estimate.value:
        return "not known (nobody)"
    return f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%})"


def number(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def sizes(found: Validation) -> str:
    kind = "simulated people" if found.simulated else "people"
    return f"{len(found.people)} {kind}: " + listed([f"{n} {name}" for name, n in found.sizes.items()])


def split(found: Validation) -> str:
    folds, repeats = found.split.repeats[0], len(found.split.repeats)
    if found.split.kind == SITE:
        return f"Every one of {len(folds)} sites was held out once; everything was learnt from the other sites."
    again = f", {repeats} times with other folds" if repeats > 1 else ""
    return (
        f"People, never recordings or frames, were divided into {len(folds)} folds with about the same share of each "
        f"group{again}; every fold was held out once and everything learnt from the others. Within the people learnt "
        "from, folds of their own chose when to stop, the temperature of the probabilities and the threshold of the "
        "prediction sets."
    )


def performance(found: Validation) -> str:
    result = found.result
    aurocs = listed([f"{name} {number(part.auroc)}" for name, part in result.groups.items()])
    return (
        f"Accuracy {percent(result.accuracy)}, chance {found.chance:.0%}; balanced accuracy "
        f"{percent(result.balanced_accuracy)}, chance {1 / len(found.groups):.0%}; AUROC by group {aurocs}, mean "
        f"{number(result.auroc)}, chance 0.5. Intervals are 95 %, over people."
    )


def calibrated(found: Validation) -> str:
    result = found.calibration
    inside = "inside" if result.perfect_low <= result.ece <= result.perfect_high else "outside"
    return (
        f"Expected calibration error {result.ece:.3f}, {inside} the range {result.perfect_low:.3f} to "
        f"{result.perfect_high:.3f} that a perfectly calibrated classifier shows on as many people (95 %, simulated); "
        f"calibration slope {number(result.slope)} (1 calibrated, below it overconfident); Brier score "
        f"{number(result.brier)}, {result.by_size:.2f} for naming the groups' shares."
    )


def conformal(found: Validation) -> str:
    sets = found.conformal
    return (
        f"Prediction sets stated to hold a person's own group in {sets.stated:.0%} of people held it in "
        f"{percent(sets.covered)}; {percent(sets.inconclusive)} of people were inconclusive"
        + (f"; of those decided {percent(sets.decided_right)} were right." if sets.inconclusive.value < 1 else ".")
    )


def refused(found: Validation) -> str:
    away = found.refusals
    if away.refused.value in (0, 1):
        return f"A match would have refused {'everybody' if away.refused.value else 'nobody'}."
    return (
        f"A match would have refused {percent(away.refused)} of people, whose recordings, age, sex or movement lie "
        f"outside what the people learnt from showed; they count in all other figures. Without them: accuracy "
        f"{percent(away.accuracy)}, own group in the prediction set {percent(away.covered)}."
    )


def luck(found: Validation) -> str:
    null = found.null
    if null.p is None:
        return "No permutation test was asked for."
    where = "within sites" if found.split.kind == SITE else "within folds"
    return (
        f"The whole pipeline was repeated {len(null.shuffled)} times with the groups shuffled over people {where}: "
        f"mean balanced accuracy {null.shuffled.mean():.0%}, with the true groups {null.true:.0%}, p = {null.p:.3g}."
    )


def sites_out(found: Validation) -> str:
    away = found.sites_out
    if away is None:
        return "Whole sites were not held out."
    null = away.null
    p = "" if null.p is None else f", p = {null.p:.3g} with the groups shuffled within sites"
    return (
        f"With each of {away.sites} sites held out once and everything learnt from the others: accuracy "
        f"{percent(away.result.accuracy)}, balanced accuracy {percent(away.result.balanced_accuracy)}, mean AUROC "
        f"{number(away.result.auroc)}, own group in the prediction set {percent(away.conformal.covered)}{p}; a "
        f"match would have refused {percent(away.refusals.refused)} of people, and of the others "
        f"{percent(away.refusals.accuracy)} are given their own group."
    )


def audited(found: Validation) -> str:
    findings = found.audit.findings
    if not findings:
        return f"{len(found.audit.checks)} checks for leaks between folds; nothing was found."
    allowed = [f.check for f in findings if f.severity == REFUSE]
    told = f"{len(found.audit.checks)} checks for leaks between folds found: "
    told += " ".join(f"{f.message[:1].upper()}{f.message[1:]}" for f in findings)
    return told + (f" Allowed all the same: {listed(allowed)}." if allowed else "")


def by_subgroup(found: Validation) -> str:
    told = [f"{s.value} {percent(s.accuracy)} (n = {s.size})" for s in found.subgroups if s.accuracy is not None]
    if not told:
        return f"No subgroup by sex, age band, site or medication has {LEAST} people or more."
    wide = [s.gap for s in found.subgroups if s.gap is not None and (s.gap.low > 0 or s.gap.high < 0)]
    gaps = f"{len(wide)} of {sum(s.gap is not None for s in found.subgroups)} gaps exclude zero"
    return f"Accuracy {listed(told)}; {gaps}, not corrected for their number."


def participants(flow: ParticipantFlow) -> str:
    parts = [f"{f.group} {f.listed} listed, {f.recorded} recorded, {f.people} analysed" for f in flow.groups]
    frames = sum(f.frames_used for f in flow.groups), sum(f.frames for f in flow.groups)
    return (
        f"{flow.listed} people listed, {flow.without_group} without a group; {'; '.join(parts)}. Frames used "
        f"{frames[0]:,} of {frames[1]:,}; a frame without a trustworthy face is left out, never guessed."
    )
