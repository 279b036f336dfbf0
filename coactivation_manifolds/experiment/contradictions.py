"""What a schema can't say of an experiment: keys that contradict one another, names out of the grammar.

Each check names the keys that it reads; one whose keys are already known to be wrong is left out, so that a person
sees all problems at once and none twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from math import prod

from coactivation_manifolds.clustering.spec import brace_choices, expand_braces
from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.experiment.bounds import MAX_DECIMALS
from coactivation_manifolds.experiment.config import check_clustering, n_shards
from coactivation_manifolds.experiment.files import HARVEST_SECTIONS, Config
from coactivation_manifolds.experiment.yaml_file import Keys

MAX_SHARDS = 999_999
MAX_SWEEP = 1_000

Problem = tuple[Keys, str]
Check = Callable[[Config], Iterator[Problem]]


def contradictions(config: Config, broken: Sequence[Keys]) -> list[tuple[Keys, str, tuple[Keys, ...]]]:
    """All contradictions, but for those that involve a key already known to be wrong.

    Returns
    -------
    list of (keys, message, involved)
        The key that is named, what is wrong, and the keys of which a change would mend it.

    """
    found = []
    for involved, check in CHECKS:
        if not any(overlap(keys, other) for keys in involved for other in broken):
            found += [(keys, message, involved) for keys, message in check(config)]
    return found


def overlap(keys: Keys, other: Keys) -> bool:
    """Whether one path of keys is the other, or stands inside it."""
    length = min(len(keys), len(other))
    return keys[:length] == other[:length]


def decimals(config: Config) -> Iterator[Problem]:
    """Thresholds that are compared as fractions of whole numbers have at most nine decimals."""
    for key in ("jaccard_floor", "max_density"):
        value = config["similarity"][key]
        if value is not None and Decimal(str(value)) != round(Decimal(str(value)), MAX_DECIMALS):
            yield ("similarity", key), f"is {value}, with more than {MAX_DECIMALS} decimals: round it"


def one_source_of_activations(config: Config) -> Iterator[Problem]:
    """Activations made elsewhere exclude what would make them here."""
    if "activations" in config:
        for section in ("training", *HARVEST_SECTIONS):
            if section in config:
                yield (
                    (section,),
                    (
                        "contradicts activations: an experiment either harvests (model, sae, corpus, harvest) or "
                        "imports activations made elsewhere; remove one of the two"
                    ),
                )


def model_source(config: Config) -> Iterator[Problem]:
    """Hub name or folder, not both, not neither."""
    if "activations" in config:
        return
    model = config["model"]
    if model["name"] is None and model["path"] is None:
        yield ("model", "name"), "is missing: give a hub name such as google/gemma-2-2b, or model.path, a local folder"
    if model["name"] is not None and model["path"] is not None:
        yield ("model", "path"), "and model.name are both given: remove one (null takes away what is inherited)"
    if model["path"] is not None and model["revision"] is not None:
        yield ("model", "revision"), "belongs to model.name; a local folder has no revision: remove it"


def sae_source(config: Config) -> Iterator[Problem]:
    """Release and id, or folder, not both, not neither."""
    if "activations" in config:
        return
    sae = config["sae"]
    if sae["path"] is None:
        for key in ("release", "sae_id"):
            if sae[key] is None:
                yield (
                    ("sae", key),
                    ("is missing: give sae.release and sae.sae_id of sae-lens's table, or a local folder in sae.path"),
                )
    else:
        for key in ("release", "sae_id"):
            if sae[key] is not None:
                yield ("sae", "path"), f"and sae.{key} are both given: remove one (null takes away what is inherited)"


def corpus_source(config: Config) -> Iterator[Problem]:
    """Data set on the hub, or local files: each has keys of its own."""
    if "activations" in config:
        return
    corpus = config["corpus"]
    source = corpus["source"]
    if source is None:
        yield ("corpus", "source"), "is missing: one of huggingface, jsonl, text, parquet"
    elif source == "huggingface":
        if corpus["name"] is None:
            yield ("corpus", "name"), "is missing: source huggingface needs the name of a data set"
        if corpus["path"] is not None:
            yield ("corpus", "path"), "belongs to local sources (jsonl, text, parquet), not to huggingface: remove it"
    else:
        if corpus["path"] is None:
            yield ("corpus", "path"), f"is missing: source {source} needs a file, a folder or a glob"
        for key in ("name", "config_name", "revision"):
            if corpus[key] is not None:
                yield ("corpus", key), f"belongs to source huggingface, not to {source}: remove it"


def training_recipe(config: Config) -> Iterator[Problem]:
    """A recipe has its own section, and what it plants or sets apart has shares and contexts that fit."""
    training = config.get("training")
    if not training:
        return
    recipe = training["recipe"]
    if recipe not in training:
        yield ("training", recipe), f"is missing: recipe {recipe} needs it (config/README.md)"
    planted = training.get("planted")
    if planted and planted["ring_share"] + planted["simplex_share"] >= 1:
        yield ("training", "planted", "simplex_share"), "and ring_share together leave no share for the background"
    model, sae = training["model"], training["sae"]
    if planted and planted["words_per_document"] >= model["context_length"]:
        yield (
            ("training", "planted", "words_per_document"),
            f"is {planted['words_per_document']}, but a context holds training.model.context_length - 1 = "
            f"{model['context_length'] - 1} words beside its special token: a document must fit",
        )
    if model["d_model"] % model["n_heads"]:
        yield ("training", "model", "n_heads"), f"must divide training.model.d_model = {model['d_model']}"
    if int(sae["hook"].split(".")[1]) >= model["n_layers"]:
        yield ("training", "sae", "hook"), f"names a block that a model of {model['n_layers']} blocks does not have"
    if sae["architecture"] == "topk" and not isinstance(sae["k"], int):
        yield ("training", "sae", "k"), f"must be a whole number for topk, found {sae['k']}"
    if sae["k"] > sae["d_sae"]:
        yield ("training", "sae", "k"), f"is {sae['k']}, more than training.sae.d_sae = {sae['d_sae']}"
    corpus = config.get("corpus")
    if corpus and corpus["context_length"] > model["context_length"]:
        yield (
            ("corpus", "context_length"),
            f"is {corpus['context_length']}, longer than training.model.context_length = {model['context_length']}",
        )


def shard_count(config: Config) -> Iterator[Problem]:
    """A shard's name has six digits."""
    shards = n_shards(config)
    if shards > MAX_SHARDS:
        keys = ("activations", "shards") if "activations" in config else ("harvest", "tokens_per_shard")
        yield keys, f"gives {shards:,} shards, more than {MAX_SHARDS:,}; shards of about 250,000 tokens work best"


def device(config: Config) -> Iterator[Problem]:
    """A job that computes on a GPU asks the scheduler for one."""
    if "activations" in config:
        return
    harvest = config["harvest"]
    if harvest["device"].startswith("cuda") and harvest["gpus_per_job"] == 0:
        yield ("harvest", "gpus_per_job"), f"is 0, but harvest.device is {harvest['device']}: set it to 1 or more"
    if config["model"]["device_map"] is not None and harvest["device"] == "cpu":
        yield ("model", "device_map"), "spreads the model over GPUs, but harvest.device is cpu: remove one of the two"


def token_table(config: Config) -> Iterator[Problem]:
    """Only csr has a token table beside it."""
    activations = config.get("activations")
    if activations and activations["tokens"] is not None and activations["format"] != "csr":
        yield (
            ("activations", "tokens"),
            (f"belongs to format csr; {activations['format']} holds its token columns itself: remove it"),
        )


def clusterings(config: Config) -> Iterator[Problem]:
    """Names of the grammar, thresholds not below the floor, and not thousands of them."""
    if (problem := clustering_problem(config["clustering"]["headline"], config)) is not None:
        yield ("clustering", "headline"), problem
    for section, key in (("clustering", "sweep"), ("finds", "clusterings")):
        total = 0
        for position, pattern in enumerate(config[section][key] or ()):
            keys = (section, key, str(position))
            total += prod(len(choice) for choice in brace_choices(pattern))
            if total > MAX_SWEEP:
                yield keys, f"brings the sweep to {total:,} clusterings, more than {MAX_SWEEP:,}: sweep fewer values"
                break
            for name in expand_braces(pattern):
                if (problem := clustering_problem(name, config)) is not None:
                    yield keys, problem


def clustering_problem(name: str, config: Config) -> str | None:
    """What is wrong with one clustering's name, if anything."""
    try:
        check_clustering(name, config)
    except ConfigError as error:
        return str(error)
    return None


def sizes(config: Config) -> Iterator[Problem]:
    """The smallest size is not above the largest."""
    smallest, largest = config["clustering"]["min_size"], config["clustering"]["max_size"]
    if smallest > largest:
        yield ("clustering", "min_size"), f"is {smallest}, larger than clustering.max_size = {largest}"


def positions(config: Config) -> Iterator[Problem]:
    """A window of positions holds something."""
    window = config["counting"]["positions"]
    if window is not None and window[0] >= window[1]:
        yield ("counting", "positions"), f"{window} is empty: [first, last) counts first <= position < last"


CHECKS: tuple[tuple[tuple[Keys, ...], Check], ...] = (
    ((), one_source_of_activations),
    ((("model",), ("activations",)), model_source),
    ((("sae",), ("activations",)), sae_source),
    ((("corpus",), ("activations",)), corpus_source),
    ((("training",), ("corpus", "context_length")), training_recipe),
    ((("activations",), ("corpus", "n_tokens"), ("harvest", "tokens_per_shard")), shard_count),
    ((("activations",), ("model", "device_map"), ("harvest", "device"), ("harvest", "gpus_per_job")), device),
    ((("activations",),), token_table),
    ((("similarity", "jaccard_floor"), ("similarity", "max_density")), decimals),
    (
        (
            ("similarity", "jaccard_floor"),
            ("clustering", "headline"),
            ("clustering", "sweep"),
            ("finds", "clusterings"),
            ("activations", "decoder"),
        ),
        clusterings,
    ),
    ((("clustering", "min_size"), ("clustering", "max_size")), sizes),
    ((("counting", "positions"),), positions),
)
