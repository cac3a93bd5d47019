"""PROBAST+AI: quality, risk of bias and applicability after Moons et al. (BMJ 2025), in this project's words.

The software answers what it did itself; a domain's rating is a judgement, and the assessor's.
"""

from atlas.report.people import ParticipantFlow
from atlas.report.words import listed
from atlas.validation import facts
from atlas.validation.sheets import Item, Sheet
from atlas.validation.splits import SITE
from atlas.validation.validation import Validation

SOURCE = (
    "After PROBAST+AI: Moons KGM, Damen JAA, Kaul T, et al. BMJ 2025;388:e082505, doi:10.1136/bmj-2024-082505. Its two "
    "parts and four domains, the questions put together and in this project's words; an assessment that is reported "
    "needs the tool itself. Ratings are the assessor's."
)
_RATE = "The assessor's rating, with reasons."
_JUDGE = "The assessor's to answer."
FEW_A_GROUP = 100  # people; below it an evaluation's intervals are wide whatever it finds


def probast_sheet(found: Validation, flow: ParticipantFlow) -> Sheet:
    """Both parts: development and evaluation were done in one, by nested cross-validation."""
    sham = "The people are simulated." if found.simulated else None
    sites = found.split.kind == SITE
    lost = sum(f.listed - f.people for f in flow.groups)
    everyone = f"{facts.participants(flow)} " + ("Nobody was left out." if not lost else f"{lost} were left out.")
    smallest = min(found.sizes, key=lambda name: found.sizes[name])
    size = f"{facts.sizes(found)}; the smallest group is {smallest}" + (
        f", below {FEW_A_GROUP}: intervals are wide." if found.sizes[smallest] < FEW_A_GROUP else "."
    )
    blind = "Yes: software that knows no group measured everyone alike; the audit tested whether recordings differ."
    tested = [a for a in found.audit.associations if not a.confounder]
    strongest = f" Strongest of {len(tested)} circumstances tested: {tested[0].name}, Cramér's V " \
                f"{tested[0].strength:.2f}, corrected p {tested[0].p:.2f}." if tested else ""  # fmt: skip
    development, evaluation = "Development: quality", "Evaluation: risk of bias"

    def people(part: str) -> tuple[Item, ...]:
        domain = f"{part}, 1 participants and data sources"
        return (
            Item("1.1", domain, "Sources", "Were the data sources appropriate?", sham, _JUDGE),
            Item("1.2", domain, "Selection", "Were inclusions and exclusions appropriate, and the people like those "
                 "the model is meant for?", everyone, _JUDGE),
            Item("1", domain, "Rating and applicability", "Concern about the participants", None, _RATE),
        )  # fmt: skip

    def predictors(part: str) -> tuple[Item, ...]:
        domain = f"{part}, 2 predictors"
        return (
            Item("2.1", domain, "Alike for all", "Were predictors defined and measured alike for everyone?",
                 blind + strongest, None),
            Item("2.2", domain, "Blind", "Were they measured without knowing the outcome?", blind,
                 "Whether those who recorded people knew their group."),
            Item("2.3", domain, "Available", "Are they available when the model is to be used?",
                 "Yes: a recording of the face is all a match needs.", None),
            Item("2", domain, "Rating and applicability", "Concern about the predictors", None, _RATE),
        )  # fmt: skip

    def outcome(part: str) -> tuple[Item, ...]:
        domain = f"{part}, 3 outcome"
        return (
            Item("3.1", domain, "Determined", "Was the outcome determined in an appropriate and standard way, alike "
                 "for everyone?", sham, _JUDGE),
            Item("3.2", domain, "Independent", "Were the predictors kept out of its definition, and was it determined "
                 "without them?", sham, _JUDGE),
            Item("3.3", domain, "Timing", "Was the time between predictors and outcome appropriate?", sham, _JUDGE),
            Item("3", domain, "Rating and applicability", "Concern about the outcome", None, _RATE),
        )  # fmt: skip

    domain = f"{development}, 4 analysis"
    developed = (
        Item("4.1", domain, "Sample size", "Were there enough people for the model?", size, _JUDGE),
        Item("4.2", domain, "Predictors", "Were predictors handled appropriately?",
             "Kept as numbers and scaled within the training people; none is left out for its relation with the "
             "groups, and what each counts is shrunk by empirical Bayes within the training people.", None),
        Item("4.3", domain, "Missing data", "Were missing data handled appropriately?",
             "Stimuli that are missing take no part; nothing is filled in.", _JUDGE),
        Item("4.4", domain, "Imbalance", "If classes were balanced, was the model recalibrated?",
             "Groups weigh equally, nobody is duplicated or left out for it; probabilities can be brought to any "
             "group sizes by Bayes' rule.", None),
        Item("4.5", domain, "Overfitting", "Was overfitting dealt with, and every step of learning inside the folds?",
             facts.split(found), None),
        Item("4.6", domain, "Clusters", "Were clusters such as sites or repeated recordings accounted for?",
             "A person is one row whatever the number of recordings"
             + ("; whole sites were held out." if sites else "; sites were not held out."), None),
        Item("4", domain, "Rating", "Concern about the analysis", None, _RATE),
    )  # fmt: skip
    domain = f"{evaluation}, 4 analysis"
    evaluated = (
        Item("4.1", domain, "Sample size", "Were there enough people in the evaluation?", size, _JUDGE),
        Item("4.2", domain, "All in it", "Were all people included in the analysis?", everyone, _JUDGE),
        Item("4.3", domain, "Missing data", "Were missing data handled appropriately?",
             "As in development.", _JUDGE),
        Item("4.4", domain, "Leakage", "Did anything of the evaluation's people reach the training?",
             facts.audited(found), None),
        Item("4.5", domain, "Measures", "Were discrimination, calibration and benefit evaluated appropriately?",
             f"{facts.performance(found)} {facts.calibrated(found)} Decision curves for every group.", None),
        Item("4.6", domain, "Uncertainty", "Was uncertainty told, and chance?",
             f"95 % intervals over people throughout. {facts.luck(found)}", None),
        Item("4.7", domain, "Fairness", "Was performance looked at in relevant subgroups?", facts.by_subgroup(found),
             _JUDGE),
        Item("4.8", domain, "Comparison", "Was it compared with simpler models in the same people?",
             "In the same folds: " + listed([f"{n} {facts.percent(c.accuracy)}" for n, c in found.comparators.items()])
             + ".", None),
        Item("4.9", domain, "New people", "Was the model evaluated on people from elsewhere?",
             "On whole sites held out, of the same cohort." if sites else "No: on other people of the same cohort.",
             _JUDGE),
        Item("4", domain, "Rating", "Risk of bias of the analysis", None, _RATE),
    )  # fmt: skip
    items = (
        *people(development), *predictors(development), *outcome(development), *developed,
        *people(evaluation), *predictors(evaluation), *outcome(evaluation), *evaluated,
    )  # fmt: skip
    return Sheet("probast-ai", "PROBAST+AI", SOURCE, items)
