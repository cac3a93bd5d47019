"""TRIPOD+AI: the 27 items of Collins et al. (BMJ 2024), in this project's words."""

from atlas.features import AXES, CLIP
from atlas.report.people import ParticipantFlow
from atlas.report.provenance import versions
from atlas.report.words import listed
from atlas.validation import facts
from atlas.validation.sheets import AUTHOR, Item, Sheet
from atlas.validation.splits import SITE
from atlas.validation.validation import Validation

SOURCE = (
    "After TRIPOD+AI: Collins GS, Moons KGM, Dhiman P, et al. BMJ 2024;385:e078378, doi:10.1136/bmj-2023-078378. Items "
    "are put in this project's words; the statement's own wording is what a journal asks for."
)
_SIMULATED = "The people are simulated: nobody was recruited, diagnosed or treated."


def tripod_sheet(found: Validation, flow: ParticipantFlow, features: int, stimuli: tuple[str, ...]) -> Sheet:
    """The sheet; features : of a person before one stimulus; stimuli : recorded."""
    simulated, sites = found.simulated, found.split.kind == SITE
    sham = _SIMULATED if simulated else None
    groups = listed(list(found.groups))
    missing = [f for f in flow.groups if f.people < f.listed]
    matcher = (
        "Recordings become face parameters; every person's aggregated face (levels, spreads and speeds of the motion "
        "coefficients, action units, movement measures) is scaled, embedded and compared by cosine with the embeddings "
        "of the groups' standard faces. The embedding is a linear discriminant turned into angles, correlations shrunk "
        "towards one general expressivity and differences by empirical Bayes; it is trained further, with the match "
        "as the loss, only where people held out of inner folds gain by it. Probabilities are a softmax at a fitted "
        "temperature; prediction sets are conformal by group, from people held out of fits to the others."
    )
    site = next((a for a in found.audit.associations if a.name == "site"), None)
    items = (
        Item("1", "Title", "Title", "A prediction model developed or evaluated, for whom, of what",
             f"Development and internal validation of a matcher of faces to the groups {groups}."),
        Item("2", "Abstract", "Abstract", "A structured summary"),
        Item("3a", "Introduction", "Context", "Health care context, reasons, existing models"),
        Item("3b", "Introduction", "Purpose", "For whom, where in care, used by whom",
             "Research and teaching; a match is no diagnosis and may be 'inconclusive'."),
        Item("3c", "Introduction", "Inequalities", "Known health inequalities between groups of people"),
        Item("4", "Introduction", "Objectives", "Development, evaluation, or both",
             "Development, evaluated on people of the same cohort who were held out; no external evaluation.", None),
        Item("5a", "Methods", "Data", "Sources of the data, how representative they are", sham,
             None if simulated else AUTHOR),
        Item("5b", "Methods", "Dates", "When participants were recruited", sham, None if simulated else AUTHOR),
        Item("6a", "Methods", "Setting", "Where, and at how many sites",
             sham or (f"{len(found.split.repeats[0])} sites." if sites else None), None if simulated else AUTHOR),
        Item("6b", "Methods", "Eligibility", "Who could take part",
             "In the analysis: everyone listed with a group and a recording with enough frames that show a face."),
        Item("6c", "Methods", "Treatments", "What treatment participants had",
             sham or ("Medication is a column of the participants; see the subgroups."
                      if any("medication" in p.extra for p in found.people) else None), None if simulated else AUTHOR),
        Item("7", "Methods", "Preparation", "How data were cleaned and prepared, alike for all groups of people",
             "The same software for everyone: frames without a trustworthy face are left out by stated rules, features "
             "are scaled by the training people of each fold. " + facts.audited(found), None),
        Item("8a", "Methods", "Outcome", "What is predicted, and how it was assessed",
             f"The group in the list of participants: {groups}.",
             None if simulated else "How the groups were diagnosed, and when."),
        Item("8b", "Methods", "Assessors", "Who assessed the outcome, if by judgement", sham,
             None if simulated else AUTHOR),
        Item("8c", "Methods", "Blinding", "Whether the outcome was assessed without the predictors", sham,
             None if simulated else AUTHOR),
        Item("9a", "Methods", "Predictors chosen", "Which were considered, and why",
             f"All {features} features of a recording, for {len(stimuli)} stimuli"
             f"{' (' + ', '.join(stimuli) + ')' if stimuli else ''}; none was left out by the groups, what each "
             "counts is learnt."),
        Item("9b", "Methods", "Predictors defined", "How and when they were measured, blind to the outcome",
             "Measured from recordings by software that knows no group.",
             None if simulated else "How recordings were made."),
        Item("9c", "Methods", "Judgement", "Who assessed predictors, if by judgement", "Nobody: software alone.", None),
        Item("10", "Methods", "Sample size", "How it was arrived at, and whether it suffices",
             f"{facts.sizes(found)}; the width of the intervals shows what so many people can tell.",
             None if simulated else "How the size was planned."),
        Item("11", "Methods", "Missing data", "How missing data were handled",
             "A stimulus that was not recorded takes no part in a person's mean and is not guessed; people without a "
             "usable recording are left out"
             + (f" ({sum(f.listed - f.people for f in missing)} of those listed)." if missing else " (nobody)."), None),
        Item("12a", "Methods", "Use of data", "Which data for development, which for evaluation", facts.split(found),
             None),
        Item("12b", "Methods", "Handling of predictors", "Functional form, scaling, transformation",
             f"z-scores by stimulus, clipped at {CLIP:g} and averaged over the stimuli there are. Quantities with a "
             "clinical name, and shape coefficients where they are asked for, are inputs themselves, bent so that a "
             f"difference among small ones counts for more; all else enters as {AXES} principal axes. All is learnt "
             "from training people, without their groups.", None),
        Item("12c", "Methods", "Model", "Type, reasons, steps of building, tuning, internal validation",
             f"{matcher} Beside it in the same folds: {listed(list(found.comparators))}.", "Why this type of model."),
        Item("12d", "Methods", "Clusters", "Heterogeneity between sites or other clusters",
             "Whole sites were held out." if sites or found.sites_out else
             "No column site, or it was not held out." if site is None else
             f"Site was tested for association with the groups (Cramér's V {site.strength:.2f}) and not held out.",
             None if sites or found.sites_out else AUTHOR),
        Item("12e", "Methods", "Measures", "Measures and plots of performance",
             "Accuracy, balanced accuracy, recall, precision, F1, AUROC and ROC by group, calibration curve and error, "
             "Brier score, decision curves, conformal coverage, share inconclusive; chance and a permutation null "
             "beside them.", None),
        Item("12f", "Methods", "Updating", "Recalibration or other updating", "None after the evaluation.", None),
        Item("12g", "Methods", "Predictions made", "How predictions were computed in the evaluation",
             "face-atlas validate, of the version below; the fitted matcher is the atlas file of face-atlas build.",
             None),
        Item("13", "Methods", "Class imbalance", "Whether and how it was handled",
             "Groups weigh equally in training and calibration; the evaluation brings probabilities to the cohort's "
             "own group sizes by Bayes' rule.", None),
        Item("14", "Methods", "Fairness", "What was done about it, and why",
             "Results by sex, age band, site and medication with the gaps between them, where known.",
             "What follows from them."),
        Item("15", "Methods", "Output", "What the model gives, and any thresholds",
             f"Probabilities of the groups, and a prediction set stated to hold the person's own group in "
             f"{found.conformal.stated:.0%} of every group's people; a decision only where the set holds one group, "
             "and none where the recordings or the person lie outside what the people learnt from showed.", None),
        Item("16", "Methods", "Training against evaluation", "Differences between the two",
             "Other sites of the same cohort." if sites else "None by design: other people of the same cohort.", None),
        Item("17", "Methods", "Ethics", "Approval and consent", sham, None if simulated else AUTHOR),
        Item("18a", "Open science", "Funding", "Sources and roles"),
        Item("18b", "Open science", "Interests", "Conflicts of interest"),
        Item("18c", "Open science", "Protocol", "Where it is found"),
        Item("18d", "Open science", "Registration", "Number, or that there is none"),
        Item("18e", "Open science", "Data", "Whether and how the data can be had"),
        Item("18f", "Open science", "Code", "Whether and how the code can be had",
             "Digital Face Atlas, Apache-2.0: " + ", ".join(f"{name} {version}" for name, version in versions()) + ".",
             "Where the analysis's own code is."),
        Item("19", "Public", "Involvement", "Patients and the public in design and conduct"),
        Item("20a", "Results", "Participants", "Flow of participants", facts.participants(flow), None),
        Item("20b", "Results", "Characteristics", "Of participants, overall and by site",
             "Table 1 of the report.", None),
        Item("20c", "Results", "Comparison", "Of development and evaluation data",
             "The same cohort, divided at random." if not sites else "Sites are told apart in the subgroups.", None),
        Item("21", "Results", "Development", "People and outcomes in every analysis",
             f"{facts.sizes(found)}. In every fold from {min(f.train.sum() for f in found.split.folds)} to "
             f"{max(f.train.sum() for f in found.split.folds)} people were learnt from.", None),
        Item("22", "Results", "Specification", "The model in full, so that others can use it",
             "The atlas file that face-atlas build writes holds all of it and no code.", "Where it can be had."),
        Item("23a", "Results", "Performance", "With intervals, also in subgroups",
             f"{facts.performance(found)} {facts.calibrated(found)} {facts.conformal(found)} "
             f"{facts.refused(found)} {facts.luck(found)} {facts.by_subgroup(found)}", None),
        Item("23b", "Results", "Heterogeneity", "Between sites or other clusters",
             facts.sites_out(found) if found.sites_out else
             "By site in the subgroups." if any(s.variable == "site" for s in found.subgroups) else
             "Not assessed: no column site with two or more sites."),
        Item("24", "Results", "Updating", "Results of it", "None was done.", None),
        Item("25", "Discussion", "Interpretation", "Overall, with fairness, against other studies"),
        Item("26", "Discussion", "Limitations", "Of design, data, sample, and what they do to the results",
             "Those that the software knows are in the report."),
        Item("27a", "Discussion", "Poor input", "How input of poor quality or missing input is handled",
             "Frames and recordings are judged and left out with reasons. A match warns of few frames and missing "
             "stimuli, and names no group where camera, length, quality, template, age or movement lie outside what "
             "the atlas's people showed.", None),
        Item("27b", "Discussion", "Use", "Whether users have to do something, and what they must know",
             "A recording of the face by the same instructions as the cohort's; no judgement enters."),
        Item("27c", "Discussion", "Next steps", "Applicability, generalisability, further research"),
    )  # fmt: skip
    return Sheet("tripod-ai", "TRIPOD+AI", SOURCE, items)
