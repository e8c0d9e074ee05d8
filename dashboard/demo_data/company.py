"""The invented company: who trains what, on which fleets, and how its jobs and bills name them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

CLUSTER = "kestrel"
STRAY_ACCOUNT = "xp-4471"
LAB = "lab"

# (shown name, bill clock, days that may still change)
PROVIDERS = (("AWS", "UTC", 1), ("GCP", "America/Los_Angeles", 1), ("Lambda", "UTC", 0), ("OCI", "UTC", 1))

# (kind, other spelling, name)
ALIASES = (
    ("provider", "Amazon Web Services", "AWS"),
    ("provider", "Google Cloud", "GCP"),
    ("provider", "Lambda Labs", "Lambda"),
    ("provider", "Oracle Cloud", "OCI"),
    ("gpu_type", "NVIDIA A100-SXM4-80GB", "A100-80GB"),
    ("gpu_type", "NVIDIA L4", "L4"),
)
SPELLED_AT_FIRST = {"Lambda": "Lambda Labs"}


@dataclass(frozen=True)
class TeamPlan:
    """models: (name, weight); `large` run on the big GPUs, `small` on the others.

    joined: share of the two years after which the team begins.
    """

    name: str
    account: str
    large: tuple[tuple[str, int], ...]
    small: tuple[tuple[str, int], ...]
    people: tuple[str, ...]
    joined: float = 0.0


TEAMS = (
    TeamPlan(
        "Foundation Models",
        "fm",
        (("atlas-7b-pretrain", 5), ("atlas-34b-pretrain", 4), ("atlas-moe-ablation", 3)),
        (("tokenizer-sweep", 2), ("data-quality-classifier", 3)),
        ("mchen", "okafor", "lindqvist", "avasquez"),
    ),
    TeamPlan(
        "Post-training",
        "posttrain",
        (("atlas-7b-sft", 5), ("atlas-7b-dpo", 4), ("reward-model-v3", 3)),
        (("eval-harness", 4), ("preference-filter", 2)),
        ("sgupta", "tanaka", "hbauer"),
    ),
    TeamPlan(
        "Speech",
        "speech",
        (("conformer-xl-asr", 5), ("tts-multilingual", 3)),
        (("asr-streaming-eval", 4), ("speaker-id", 3)),
        ("nowak", "ferrari", "ydiallo"),
    ),
    TeamPlan(
        "Vision",
        "vision",
        (("vit-h-finetune", 4), ("shelf-detector-v5", 4)),
        (("shelf-detector-eval", 4), ("background-removal", 3)),
        ("jmoreau", "psingh", "kowalski"),
    ),
    TeamPlan(
        "Document AI",
        "docai",
        (("layout-large", 4), ("table-extraction", 3)),
        (("ocr-batch", 6), ("invoice-parser", 4)),
        ("rossi", "eandersen"),
    ),
    TeamPlan(
        "Search & Ranking",
        "search",
        (("dense-retriever", 4), ("cross-encoder-rerank", 4)),
        (("embedding-backfill", 6), ("query-rewriter", 3)),
        ("zhao", "bmartin", "petrov"),
    ),
    TeamPlan(
        "Recommendations",
        "recsys",
        (("two-tower-large", 4), ("sequence-ranker", 4)),
        (("two-tower-daily", 6), ("cold-start", 2)),
        ("nilsson", "cgarcia", "akim"),
    ),
    TeamPlan(
        "Fraud Detection",
        "fraud",
        (("graph-risk", 3),),
        (("graph-risk-daily", 5), ("device-embedding", 3)),
        ("osei", "dvogel"),
    ),
    TeamPlan(
        "Robotics",
        "robotics",
        (("pick-policy-rl", 4), ("world-model-small", 3)),
        (("sim-rollouts", 6), ("grasp-eval", 3)),
        ("hmori", "bjensen"),
        joined=0.45,
    ),
    TeamPlan(
        STRAY_ACCOUNT,
        STRAY_ACCOUNT,
        (("scratch", 3), ("unspecified", 1)),
        (("scratch", 3), ("notebook", 2)),
        ("guest03", "guest11"),
        joined=0.7,
    ),
)
# The account that nobody has given a team yet: its name stands in for one.
MAPPED_TEAMS = tuple(team for team in TEAMS if team.account != STRAY_ACCOUNT)


@dataclass(frozen=True)
class Route:
    """How jobs reach us: from the company's own Slurm cluster, or from a provider's jobs CSV.

    sizes: (GPUs as the log counts them, weight). factor: billed GPUs per GPU of the log.
    provider, gpu_type: other spellings that the rows carry.
    """

    share: float
    sizes: tuple[tuple[str, float], ...]
    prefix: str = ""
    cluster: str | None = None
    partition: str | None = None
    raw_gpu_type: str | None = None
    factor: Decimal = Decimal(1)
    provider: str = ""
    gpu_type: str = ""


@dataclass(frozen=True)
class Fleet:
    """GPUs of one type at one provider.

    gpus: on a working day at the end; earlier: the share of them two years before.
    weekend: what is left of them on a Saturday. busy: job hours per metered hour of a working day.
    spot: share of the hours. accounts: (billing account, sub-account, share of the hours).
    idle_after: days before the end since which nobody runs jobs there any more.
    """

    provider: str
    gpu_type: str
    gpus: float
    earlier: float
    weekend: float
    busy: float
    routes: tuple[Route, ...]
    teams: dict[str, float]
    accounts: tuple[tuple[str, str, float], ...] = ()
    large: bool = False
    spot: float = 0.0
    idle_after: int | None = None

    @property
    def name(self) -> str:
        return f"{self.provider} {self.gpu_type}"

    @property
    def billed(self) -> bool:
        return self.provider != CLUSTER

    @property
    def gpus_per_job(self) -> float:
        return sum(
            route.share * sum(float(n) * w for n, w in route.sizes) / sum(w for _, w in route.sizes)
            for route in self.routes
        )


def slurm(share: float, partition: str, raw: str, sizes: dict[str, float], factor: str = "1") -> Route:
    return Route(share, tuple(sizes.items()), "", CLUSTER, partition, raw, Decimal(factor))


def csv(share: float, prefix: str, sizes: dict[str, float], provider: str = "", gpu_type: str = "") -> Route:
    return Route(share, tuple(sizes.items()), prefix, provider=provider, gpu_type=gpu_type)


RESEARCH, PRODUCTION = "483920175566", "719204483318"
GCP_BILLING, OCI_TENANCY = "01A4F2-7C3D9E-B81205", "oci-kestrel-tenancy"
INFERENCE = "ml-inference-prod"

FLEETS = (
    Fleet(
        "AWS", "H100-80GB", 32, 0.24, 0.78, 0.84,
        (slurm(1, "h100", "h100", {"4": 1, "8": 5, "16": 4}),),
        {"Foundation Models": 5, "Post-training": 4, "Speech": 1, "Robotics": 1},
        ((RESEARCH, "research-train", 1),),
        large=True,
    ),
    Fleet(
        "AWS", "A100-80GB", 28, 0.55, 0.82, 0.78,
        (
            slurm(0.88, "a100", "a100", {"4": 2, "8": 6, "16": 2}),
            slurm(0.12, "interactive", "a100_3g.40gb", {"1": 6, "2": 2}, factor="0.5"),
        ),
        {"Foundation Models": 2, "Post-training": 3, "Speech": 3, "Vision": 3, "Search & Ranking": 2,
         "Robotics": 2, STRAY_ACCOUNT: 0.4},
        ((RESEARCH, "research-train", 0.85), (PRODUCTION, "production-ml", 0.15)),
        large=True,
    ),
    Fleet(
        "AWS", "A10G", 40, 0.6, 0.74, 0.7,
        (slurm(1, "g5", "a10g", {"1": 2, "2": 2, "4": 5, "8": 5}),),
        {"Vision": 3, "Recommendations": 4, "Fraud Detection": 3, "Document AI": 2, "Search & Ranking": 2,
         STRAY_ACCOUNT: 0.5},
        ((RESEARCH, "research-eval", 0.3), (PRODUCTION, "production-ml", 0.7)),
        spot=0.45,
    ),
    Fleet(
        "GCP", "A100-40GB", 24, 0.55, 0.8, 0.76,
        (
            csv(0.9, "gke", {"4": 2, "8": 6, "16": 2}),
            csv(0.1, "gke", {"4": 3, "8": 5}, provider="Google Cloud"),
        ),
        {"Search & Ranking": 4, "Recommendations": 4, "Document AI": 2, "Speech": 2},
        ((GCP_BILLING, "ml-research-prod", 1),),
        large=True,
        spot=0.3,
    ),
    Fleet(
        "GCP", "L4", 40, 0.3, 0.88, 0.68,
        (
            csv(0.75, "gke", {"0.5": 1, "1": 1, "2": 2, "4": 4, "8": 5}),
            csv(0.25, "gke", {"0.5": 1, "1": 1, "4": 3, "8": 3}, gpu_type="NVIDIA L4"),
        ),
        {"Search & Ranking": 4, "Document AI": 5, "Fraud Detection": 2, "Post-training": 2},
        ((GCP_BILLING, "ml-research-prod", 0.85), (GCP_BILLING, INFERENCE, 0.15)),
        spot=0.35,
    ),
    Fleet(
        "Lambda", "H100-80GB", 24, 0.4, 0.92, 0.86,
        (csv(1, "lam", {"8": 6, "16": 2}),),
        {"Foundation Models": 4, "Speech": 2, "Vision": 2},
        large=True,
    ),
    Fleet(
        "Lambda", "A100-80GB", 16, 0.9, 0.85, 0.74,
        (csv(1, "lam", {"2": 1, "4": 2, "8": 4}),),
        {"Vision": 4, "Robotics": 3, "Speech": 2},
        large=True,
    ),
    Fleet(
        "OCI", "A100-80GB", 12, 0.5, 0.86, 0.72,
        (
            csv(0.7, "oci", {"2": 1, "4": 2, "8": 4}),
            csv(0.15, "oci", {"4": 2, "8": 4}, provider="Oracle Cloud"),
            csv(0.15, "oci", {"4": 2, "8": 4}, gpu_type="NVIDIA A100-SXM4-80GB"),
        ),
        {"Document AI": 3, "Post-training": 2, "Recommendations": 2},
        ((OCI_TENANCY, "ml-platform", 1),),
        large=True,
    ),
    Fleet(
        "OCI", "A10", 8, 1.0, 1.0, 0.6,
        (csv(1, "oci", {"1": 2, "2": 3, "4": 4}),),
        {"Document AI": 3, "Fraud Detection": 2},
        ((OCI_TENANCY, "ml-platform", 1),),
        idle_after=41,
    ),
    Fleet(
        CLUSTER, "rtx_a6000", 8, 0.5, 0.6, 0.55,
        (slurm(1, LAB, "rtx_a6000", {"1": 4, "2": 2, "4": 1}),),
        {"Vision": 2, "Robotics": 3, STRAY_ACCOUNT: 2},
    ),
)  # fmt: skip

PARTITIONS = tuple(
    sorted(
        {
            (route.partition, route.raw_gpu_type, fleet.provider, fleet.gpu_type, route.factor)
            for fleet in FLEETS
            for route in fleet.routes
            if route.partition and route.partition != LAB
        }
    )
)

# (what it is for, its name, share of the whole bill of the month before that it allows)
BUDGETS = (
    ("", "", Decimal("1.03")),
    ("provider", "AWS", Decimal("0.55")),
    ("gpu_type", "L4", Decimal("0.05")),
    ("team", "Speech", Decimal("0.088")),
    ("team", "Foundation Models", Decimal("0.24")),
)

# (provider, sub-account) whose cost goes to a team without a job log.
DIRECT_SPEND = (("GCP", INFERENCE, "Search & Ranking"),)


@dataclass(frozen=True)
class Side:
    """What an account's bill holds beside GPUs; services in USD a day at the end of the two years.

    support: share of what the GPUs come to. tax: share of the services.
    """

    provider: str
    account: str
    services: dict[str, str]
    support: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    monthly_credit: Decimal = Decimal(0)


SUPPORT = Decimal("0.03")
SIDES = (
    Side("AWS", RESEARCH, {"Storage": "312.40", "Networking": "88.15", "Compute": "140.60"}, SUPPORT),
    Side("AWS", PRODUCTION, {"Storage": "96.20", "Networking": "141.75", "Databases": "64.30"}, SUPPORT),
    Side("GCP", GCP_BILLING, {"Storage": "104.55", "Networking": "57.80"}, monthly_credit=Decimal(1500)),
    Side("OCI", OCI_TENANCY, {"Storage": "21.90", "Networking": "6.40"}, tax=Decimal("0.0825")),
)
