"""The part of docs/validation.md on the null of edge significance."""

from __future__ import annotations

from typing import Any

from measuring import verdict

BAR = 0.10
"""Largest error of a variance."""


def page(results: dict[str, Any]) -> str:
    """The text, of the sections that are there."""
    parts = [INTRODUCTION]
    if "sampled" in results:
        parts += [sampled_text(results["sampled"]), sampled_table(results["sampled"]), ALWAYS_ON]
    if "shifted" in results:
        parts += ["### When to distrust q", shifted_text(results["shifted"]), shifted_table(results["shifted"]), ADVICE]
    return "\n\n".join(parts)


INTRODUCTION = """## Edges: expected and sampled counts of common firings

`python benchmarks/edge_significance.py`. The null of an edge keeps how often each of its two latents fires and how
many latents fire on each token, and leaves the rest to chance (docs/methods.md, Edge significance). Here its
expectation, variance and p-values are held against random firing patterns that have exactly the same margins as a given
one: curveball trades (Strona et al., *Nat. Commun.* 5, 2014, 4114)."""


ALWAYS_ON = """Latents that always fire (two in each pattern) leave n_ab no choice: `expected` is the other latent's
count, as in every sample, and z = 0, log10_p = 0. p-values of pairs with small expected counts lie below their nominal
share because n_ab is a whole number: no count has a p-value just under 0.05."""


def sampled_text(part: dict[str, Any]) -> str:
    """What was drawn, and the worst errors."""
    rows = [(case, kind) for case in part["cases"] for kind in case["kinds"]]
    worst = {key: max(rows, key=lambda row: abs(row[1][key] - 1)) for key in ("mean", "variance")}
    loose = {key: max(rows, key=lambda row: abs(row[1][key] - 1)) for key in ("mean_loose", "variance_loose")}
    met = all(abs(kind["variance"] - 1) <= BAR for _, kind in rows)
    highest = {key: max(rows, key=lambda row: row[1][key]) for key in ("p_05", "p_01")}
    return (
        f"Patterns of {part['latents']} latents and {part['tokens']:,} tokens, rates falling as the rank to the "
        "power of "
        f"0.9, at most 0.95, and two latents always on; seed {part['seed']}, {part['samples']} samples of each. A "
        "latent "
        "is rare below 2 % of tokens, middle below 20 %, dense below 80 %, nearly always on above. Ratios are model "
        "over "
        "sampled, of sums over the pairs of a kind; 1 is right. The columns *loose* are the configuration model by "
        "itself, whose margins hold only in expectation, as it was used before.\n\n"
        f"Worst error of a variance: {error(worst['variance'], 'variance')}; the bar is {BAR:.0%}: {verdict(met)} for "
        f"every kind. Worst error of a mean: {error(worst['mean'], 'mean')}. The loose model's variance is up to "
        f"{loose['variance_loose'][1]['variance_loose']:.0f} times too large ({described(loose['variance_loose'])}), "
        "its "
        f"mean up to {loose['mean_loose'][1]['mean_loose'] - 1:.0%} too high ({described(loose['mean_loose'])}), so it "
        "is used for no kind of pair. Largest share of null pairs with p <= 0.05: "
        f"{highest['p_05'][1]['p_05']:.3f} ({described(highest['p_05'])}); with p <= 0.01: "
        f"{highest['p_01'][1]['p_01']:.3f} ({described(highest['p_01'])})."
    )


def described(row: tuple[dict[str, Any], dict[str, Any]]) -> str:
    """Which case and kind."""
    case, kind = row
    return f"{' with '.join(kind['kind'])}, {case_name(case)}"


def error(row: tuple[dict[str, Any], dict[str, Any]], key: str) -> str:
    """A ratio's distance from 1, and where."""
    return f"{row[1][key] - 1:+.1%} ({described(row)})"


def case_name(case: dict[str, Any]) -> str:
    """Mean L0 or TopK."""
    return f"TopK {case['mean_l0']}" if case["top_k"] else f"mean L0 {case['mean_l0']}"


def sampled_table(part: dict[str, Any]) -> str:
    """One row a case and kind of pair."""
    lines = [
        "| case | pair | pairs | mean | mean, loose | variance | variance, loose | p <= 0.05 | p <= 0.01 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case in part["cases"]:
        for kind in case["kinds"]:
            numbers = [f"{kind[key]:.3f}" for key in ("mean", "mean_loose", "variance")]
            numbers += [f"{kind['variance_loose']:.2f}", *(f"{kind[key]:.3f}" for key in ("p_05", "p_01"))]
            cells = [case_name(case), ", ".join(kind["kind"]), f"{kind['pairs']:,}", *numbers]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def shifted_text(part: dict[str, Any]) -> str:
    """The experiment on bursty latents."""
    single, double = part["bursts"][0], part["bursts"][1]
    return (
        "The null takes tokens one by one, as if each were a new observation. In text they are not: a latent of a "
        "topic "
        "or a language fires many times in one document and not in the next. Two such latents can meet in one "
        "document by "
        "chance, and then they meet on a hundred tokens at once. The null counts a hundred coincidences where there "
        "was "
        "one, and its p and q are too small.\n\n"
        f"How much too small: {part['latents']} latents that fire on 0.5 to 20 % of {part['tokens']:,} tokens, "
        f"independently of one another, in bursts of a given mean length (seed {part['seed']}); {part['pairs']} pairs, "
        "each under all circular shifts of one latent against the other. A shift keeps every burst and breaks what the "
        "two have in common, so the variance over the shifts is the one to compare with. Bursts of "
        f"{double['mean_burst']} tokens raise the share of pairs with p <= 0.05 from {single['p_05']:.1%} to "
        f"{double['p_05']:.1%}, those of {part['bursts'][-1]['mean_burst']} to {part['bursts'][-1]['p_05']:.1%}."
    )


def shifted_table(part: dict[str, Any]) -> str:
    """One row a mean burst."""
    lines = [
        "| mean burst, tokens | mean over the model's | variance over the model's, median (5 to 95 % of pairs) | "
        "p <= 0.05 | p <= 0.01 |",
        "|---|---|---|---|---|",
    ]
    for row in part["bursts"]:
        middle, low, high = row["variance"]
        lines.append(
            f"| {row['mean_burst']} | {row['mean']:.3f} | {middle:.1f} ({low:.1f} to {high:.1f}) | {row['p_05']:.3f} | "
            f"{row['p_01']:.3f} |"
        )
    return "\n".join(lines)


ADVICE = """The mean stays right; the variance grows nearly as b for bursts of b tokens in both latents (for runs
without memory about (1 + r) / (1 - r), where r is the product of the two latents' correlations from one token to the
next). So:

- trust q where at least one of the two latents fires on single tokens (a word, a punctuation mark): r is a product, so
  one latent without bursts is enough;
- distrust q, but not the affinities, where both fire in runs: languages, code, tables, lists, quotations, the topic of
  a document. There z / sqrt(b) is nearer the truth than z. Look at how many documents the common tokens come from: a
  hundred tokens of one document are one observation;
- read q as a ranking with a floor, and take the experiment's circular-shift control for the number of edges that chance
  makes: it keeps the bursts. It does not keep how many latents fire on a token, so for latents without bursts q is the
  better judge."""
