"""References of the methods text: those that are cited are listed, and no more."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape


@dataclass(frozen=True)
class Reference:
    """A work as it is cited: short in the text, whole in the list."""

    short: str
    whole: str
    doi: str | None = None


REFERENCES = {
    "bergsma": Reference(
        "Bergsma 2013",
        "Bergsma W (2013). A bias-correction for Cramér's V and Tschuprow's T. Journal of the Korean Statistical "
        "Society 42(3), 323–328.",
        "10.1016/j.jkss.2012.10.002",
    ),
    "brown": Reference(
        "Brown et al. 2001",
        "Brown LD, Cai TT, DasGupta A (2001). Interval estimation for a binomial proportion. Statistical Science "
        "16(2), 101–133.",
        "10.1214/ss/1009213286",
    ),
    "caelen": Reference(
        "Caelen 2017",
        "Caelen O (2017). A Bayesian interpretation of the confusion matrix. Annals of Mathematics and Artificial "
        "Intelligence 81, 429–450.",
        "10.1007/s10472-017-9564-8",
    ),
    "delong": Reference(
        "DeLong et al. 1988",
        "DeLong ER, DeLong DM, Clarke-Pearson DL (1988). Comparing the areas under two or more correlated receiver "
        "operating characteristic curves: a nonparametric approach. Biometrics 44(3), 837–845.",
        "10.2307/2531595",
    ),
    "holm": Reference(
        "Holm 1979",
        "Holm S (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics "
        "6(2), 65–70.",
    ),
    "mcinnes": Reference(
        "McInnes et al. 2018",
        "McInnes L, Healy J, Melville J (2018). UMAP: uniform manifold approximation and projection for dimension "
        "reduction. arXiv:1802.03426.",
    ),
    "newcombe": Reference(
        "Newcombe 1998",
        "Newcombe RG (1998). Interval estimation for the difference between independent proportions: comparison of "
        "eleven methods. Statistics in Medicine 17(8), 873–890.",
        "10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I",
    ),
    "vickers": Reference(
        "Vickers and Elkin 2006",
        "Vickers AJ, Elkin EB (2006). Decision curve analysis: a novel method for evaluating prediction models. "
        "Medical Decision Making 26(6), 565–574.",
        "10.1177/0272989X06295361",
    ),
    "benjamini": Reference(
        "Benjamini and Hochberg 1995",
        "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and powerful approach to "
        "multiple testing. Journal of the Royal Statistical Society B 57(1), 289–300.",
        "10.1111/j.2517-6161.1995.tb02031.x",
    ),
    "brier": Reference(
        "Brier 1950",
        "Brier GW (1950). Verification of forecasts expressed in terms of probability. Monthly Weather Review 78(1), "
        "1–3.",
    ),
    "currie": Reference(
        "Currie 1968",
        "Currie LA (1968). Limits for qualitative detection and quantitative determination. Analytical Chemistry "
        "40(3), 586–593.",
        "10.1021/ac60259a007",
    ),
    "efron": Reference(
        "Efron and Tibshirani 1993",
        "Efron B, Tibshirani RJ (1993). An Introduction to the Bootstrap. Chapman & Hall.",
        "10.1007/978-1-4899-4541-9",
    ),
    "efron1987": Reference(
        "Efron 1987",
        "Efron B (1987). Better bootstrap confidence intervals. Journal of the American Statistical Association "
        "82(397), 171–185.",
        "10.1080/01621459.1987.10478410",
    ),
    "facs": Reference(
        "Ekman et al. 2002",
        "Ekman P, Friesen WV, Hager JC (2002). Facial Action Coding System. Research Nexus, Salt Lake City.",
    ),
    "freedman": Reference(
        "Freedman and Lane 1983",
        "Freedman D, Lane D (1983). A nonstochastic interpretation of reported significance levels. Journal of "
        "Business & Economic Statistics 1(4), 292–298.",
        "10.1080/07350015.1983.10509354",
    ),
    "hedges": Reference(
        "Hedges 1981",
        "Hedges LV (1981). Distribution theory for Glass's estimator of effect size and related estimators. Journal of "
        "Educational Statistics 6(2), 107–128.",
        "10.3102/10769986006002107",
    ),
    "holt": Reference(
        "Holt and Smith 1979",
        "Holt D, Smith TMF (1979). Post stratification. Journal of the Royal Statistical Society A 142(1), 33–46.",
    ),
    "ict": Reference(
        "R. Li et al. 2020",
        "Li R, Bladin K, Zhao Y, et al. (2020). Learning formation of physically-based face attributes. CVPR 2020; "
        "arXiv:2004.03458.",
    ),
    "flame": Reference(
        "T. Li et al. 2017",
        "Li T, Bolkart T, Black MJ, Li H, Romero J (2017). Learning a model of facial shape and expression from 4D "
        "scans. ACM Transactions on Graphics 36(6), 194.",
        "10.1145/3130800.3130813",
    ),
    "mediapipe": Reference(
        "Lugaresi et al. 2019",
        "Lugaresi C, Tang J, Nash H, et al. (2019). MediaPipe: a framework for building perception pipelines. "
        "arXiv:1906.08172.",
    ),
    "mcgraw": Reference(
        "McGraw and Wong 1996",
        "McGraw KO, Wong SP (1996). Forming inferences about some intraclass correlation coefficients. Psychological "
        "Methods 1(1), 30–46.",
        "10.1037/1082-989X.1.1.30",
    ),
    "phipson": Reference(
        "Phipson and Smyth 2010",
        "Phipson B, Smyth GK (2010). Permutation P-values should never be zero: calculating exact P-values when "
        "permutations are randomly drawn. Statistical Applications in Genetics and Molecular Biology 9(1), 39.",
        "10.2202/1544-6115.1585",
    ),
    "smith": Reference(
        "Smith and Nichols 2009",
        "Smith SM, Nichols TE (2009). Threshold-free cluster enhancement: addressing problems of smoothing, threshold "
        "dependence and localisation in cluster inference. NeuroImage 44(1), 83–98.",
        "10.1016/j.neuroimage.2008.03.061",
    ),
    "vovk": Reference(
        "Vovk et al. 2005",
        "Vovk V, Gammerman A, Shafer G (2005). Algorithmic Learning in a Random World. Springer.",
        "10.1007/b106715",
    ),
    "westfall": Reference(
        "Westfall and Young 1993",
        "Westfall PH, Young SS (1993). Resampling-Based Multiple Testing. Wiley.",
    ),
    "wilson": Reference(
        "Wilson 1927",
        "Wilson EB (1927). Probable inference, the law of succession, and statistical inference. Journal of the "
        "American Statistical Association 22(158), 209–212.",
        "10.1080/01621459.1927.10502953",
    ),
    "winkler": Reference(
        "Winkler et al. 2014",
        "Winkler AM, Ridgway GR, Webster MA, Smith SM, Nichols TE (2014). Permutation inference for the general linear "
        "model. NeuroImage 92, 381–397.",
        "10.1016/j.neuroimage.2014.01.060",
    ),
}


@dataclass
class Citations:
    """Collects what a text cites, so that its list holds that and no more."""

    cited: set[str] = field(default_factory=set)

    def __call__(self, *keys: str) -> Markup:
        """``(Freedman and Lane 1983; Winkler et al. 2014)``, linked to the list."""
        self.cited.update(keys)
        links = (f'<a href="#ref-{key}">{escape(REFERENCES[key].short)}</a>' for key in keys)
        return Markup(f"({'; '.join(links)})")

    @property
    def list(self) -> Sequence[tuple[str, Reference]]:
        """What was cited so far, by first author."""
        return sorted(((key, REFERENCES[key]) for key in self.cited), key=lambda item: (item[1].whole.lower(), item[0]))
