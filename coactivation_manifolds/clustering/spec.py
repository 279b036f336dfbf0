"""The name of a clustering holds all its parameters; this is the one place that parses and formats it.

Grammar (docs/clustering_names.md)::

    components_j0.20                              connected components at Jaccard >= 0.20
    components_j0.20_cos0.80                      the same, edges with decoder cosine > 0.80 pruned
    components_jauto                              at the smallest threshold whose components stay small (automatic.py)
    leiden_cpm_phi_j0.05_r0.050_s0                Leiden, CPM, edge weight phi, Jaccard >= 0.05, resolution, seed
    leiden_modularity_jaccard_j0.05_r1.000_s0     Leiden, modularity, edge weight Jaccard
    cosine_components_c0.50                       connected components of the decoder-cosine graph at cosine >= 0.50
    cosine_leiden_cpm_c0.30_r0.050_s0             Leiden on the decoder-cosine graph
    cosine_matched_{name}                         decoder cosine, same method and number of edges as {name}
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

from coactivation_manifolds.errors import ConfigError, nearest

OBJECTIVES = ("cpm", "modularity")
WEIGHTS = ("jaccard", "phi", "overlap")
GRAMMAR = (
    "components_j{0.20|auto}[_cos0.80], leiden_{cpm|modularity}_{jaccard|phi|overlap}_j0.05[_cos0.80]_r0.050_s0, "
    "cosine_components_c0.50, cosine_leiden_{cpm|modularity}_c0.30_r0.050_s0, "
    "or cosine_matched_ before one of the first two"
)

# [0-9] and not \d, which takes any script's digits; no leading zeros: one clustering has one name
_LEIDEN = r"(?:_r(?P<resolution>(?:0|[1-9][0-9]{0,5})\.[0-9]{3})_s(?P<seed>0|[1-9][0-9]{0,8}))?"
_SHARE = r"[0-9]\.[0-9]{2}"
_COACTIVATION = re.compile(
    r"(?:(?P<components>components)|leiden_(?P<objective>cpm|modularity)_(?P<weight>jaccard|phi|overlap))"
    rf"_j(?P<jaccard>auto|{_SHARE})(?:_cos(?P<cap>{_SHARE}))?{_LEIDEN}"
)
_COSINE = re.compile(
    rf"cosine_(?:(?P<components>components)|leiden_(?P<objective>cpm|modularity))_c(?P<cosine>{_SHARE}){_LEIDEN}"
)
MATCHED = "cosine_matched_"
AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class ClusteringSpec:
    """Parameters of one clustering; thresholds are decimals, so that they are compared exactly.

    Attributes
    ----------
    graph
        ``coactivation`` (edges.parquet) or ``cosine`` (cosine_edges.parquet).
    method
        ``components`` or ``leiden``.
    threshold
        Smallest Jaccard (co-activation) or decoder cosine (cosine) of an edge; of the reference where matched.
    cosine_cap
        Edges of a larger decoder cosine are pruned; None prunes none.
    objective, weight, resolution, seed
        Leiden only.
    matched
        Build from decoder cosine what these parameters build from co-activation.
    automatic
        The threshold follows from the edges and is none yet (0); ``at`` puts it in.

    """

    graph: str
    method: str
    threshold: Decimal
    cosine_cap: Decimal | None = None
    objective: str | None = None
    weight: str | None = None
    resolution: Decimal | None = None
    seed: int | None = None
    matched: bool = False
    automatic: bool = False

    @property
    def name(self) -> str:
        """The canonical name; ``parse_spec(spec.name) == spec``."""
        leiden = f"_r{self.resolution:.3f}_s{self.seed}" if self.method == "leiden" else ""
        if self.graph == "cosine":
            head = "cosine_components" if self.method == "components" else f"cosine_leiden_{self.objective}"
            return f"{head}_c{self.threshold:.2f}{leiden}"
        head = "components" if self.method == "components" else f"leiden_{self.objective}_{self.weight}"
        cap = f"_cos{self.cosine_cap:.2f}" if self.cosine_cap is not None else ""
        jaccard = AUTO if self.automatic else f"{self.threshold:.2f}"
        return f"{MATCHED if self.matched else ''}{head}_j{jaccard}{cap}{leiden}"

    def at(self, threshold: Decimal) -> ClusteringSpec:
        """The clustering with this threshold in place of its own, or of the one that it was to find."""
        return replace(self, threshold=threshold, automatic=False)

    @property
    def reference(self) -> ClusteringSpec:
        """The co-activation clustering that a matched one is matched to."""
        return replace(self, matched=False)

    @property
    def counterpart(self) -> ClusteringSpec:
        """The cosine clustering matched to this co-activation one."""
        return replace(self, matched=True)

    @property
    def from_cosine(self) -> bool:
        """Whether its graph is made of decoder cosines."""
        return self.matched or self.graph == "cosine"

    @property
    def needs_cosine(self) -> bool:
        """Whether the decoder's cosines are needed to make it."""
        return self.from_cosine or self.cosine_cap is not None


def parse_spec(name: str) -> ClusteringSpec:
    """Read a clustering's name.

    Raises
    ------
    ConfigError
        Not of the grammar, or a number out of its range; the message shows the grammar and the nearest legal name.

    """
    body = name.removeprefix(MATCHED)
    matched = body != name
    pattern = _COSINE if body.startswith("cosine_") and not matched else _COACTIVATION
    found = pattern.fullmatch(body)
    if found is None:
        raise _wrong_name(name, "")
    part = found.groupdict()
    is_components = part["components"] is not None
    if is_components != (part["resolution"] is None):
        raise _wrong_name(name, "components take no resolution; leiden needs _r and _s")
    automatic = part.get("jaccard") == AUTO
    if automatic and not is_components:
        raise _wrong_name(name, "only connected components find their threshold; give leiden a number")
    threshold = Decimal("0" if automatic else part.get("jaccard") or part.get("cosine") or "0")
    cap = Decimal(part["cap"]) if part.get("cap") else None
    for number in (threshold, cap):
        if number is not None and number > 1:
            raise _wrong_name(name, f"{number} is not between 0 and 1")
    return ClusteringSpec(
        graph="cosine" if pattern is _COSINE else "coactivation",
        method="components" if is_components else "leiden",
        threshold=threshold,
        cosine_cap=cap,
        objective=part["objective"],
        weight=part.get("weight"),
        resolution=Decimal(part["resolution"]) if part["resolution"] else None,
        seed=int(part["seed"]) if part["seed"] else None,
        matched=matched,
        automatic=automatic,
    )


def _wrong_name(name: str, reason: str) -> ConfigError:
    shown = " ".join(name.split())
    shown = f"{shown[:77]}..." if len(shown) > 80 else shown
    return ConfigError(
        f'"{shown}" is no name of a clustering{": " + reason if reason else ""}; '
        f'nearest legal name: "{suggest(name)}"; the grammar is {GRAMMAR}'
    )


def suggest(name: str) -> str:
    """The nearest legal name: the same words, with numbers brought to their fixed decimals and ranges."""
    lowered = name.lower().strip()
    prefix = MATCHED if lowered.startswith(MATCHED) else ""
    body = lowered.removeprefix(prefix)
    seed = re.search(r"_s0*([0-9]{1,9})(?![0-9])", body)
    tail = f"_r{_number(body, 'r', '0.050', digits=3, largest=999_999)}_s{seed.group(1) if seed else 0}"
    objective = "modularity" if "mod" in body else "cpm"
    is_leiden = "leiden" in body or bool(nearest(body.split("_")[0], ["leiden"])) or "louvain" in body
    if body.startswith(("cosine", "cos_")):
        c = f"_c{_number(body, 'c', '0.50')}"
        return f"cosine_leiden_{objective}{c}{tail}" if is_leiden else f"cosine_components{c}"
    cap = f"_cos{_number(body, 'cos', '0.80')}" if re.search(r"_cos[0-9.]", body) else ""
    is_automatic = f"_j{AUTO}" in body and not is_leiden
    j = f"_j{AUTO if is_automatic else _number(body, 'j', '0.20')}{cap}"
    if is_leiden:
        weight = next((w for w in WEIGHTS if w in body), "jaccard")
        return f"{prefix}leiden_{objective}_{weight}{j}{tail}"
    return f"{prefix}components{j}"


def _number(body: str, key: str, default: str, *, digits: int = 2, largest: float = 1.0) -> str:
    """The number after ``_key``, with its fixed decimals; a share written as a percentage (``j20``) is taken as one."""
    found = re.search(rf"_{key}([0-9]{{0,6}}\.?[0-9]{{1,9}})", body)
    if found is None:
        return default
    number = float(found.group(1))
    if largest == 1.0 and number.is_integer() and 1 < number <= 100:
        number /= 100
    return f"{min(number, largest):.{digits}f}"


def expand_braces(pattern: str) -> list[str]:
    """Expand ``{a,b}`` as a shell would, in order; the names are not checked."""
    choices = brace_choices(pattern)
    return ["".join(combination) for combination in product(*choices)]


def brace_choices(pattern: str) -> list[list[str]]:
    """The pieces of a pattern, each with its choices: one for plain text, several for ``{a,b}``."""
    pieces = re.split(r"\{([^{}]*)\}", pattern)
    return [piece.split(",") if i % 2 else [piece] for i, piece in enumerate(pieces)]


def expand_names(patterns: list[str]) -> list[str]:
    """Expand the patterns of a sweep into names, in order, without repeats.

    Raises
    ------
    ConfigError
        An expanded name is not of the grammar.

    """
    return list(dict.fromkeys(parse_spec(name).name for pattern in patterns for name in expand_braces(pattern)))
