"""Harvesting one shard: token shard in, parts and a manifest out, resumed from the parts that are there.

A part is a fixed number of batches and a batch a fixed number of contexts, in the shard's order: a resumed run computes
the batches that an undisturbed one would have computed. On the CPU, with the same number of threads, the files are the
same byte for byte.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coactivation_manifolds.activations.activation_writer import PartRecord, ShardWriter
from coactivation_manifolds.activations.batch_plan import BatchPlan
from coactivation_manifolds.activations.part_harvest import harvest_parts
from coactivation_manifolds.algorithm_versions import ALGORITHM_VERSION
from coactivation_manifolds.corpus.plan import CorpusShard, read_corpus_shard
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.storage import PathLike

if TYPE_CHECKING:
    from coactivation_manifolds.models.encoding import LatentReader
    from coactivation_manifolds.models.sae_loader import LoadedSae

logger = logging.getLogger(__name__)

NOT_FINGERPRINTED = ("n_tokens", "shard_tokens", "path")
"""Keys of the corpus section that are left out: totals, and where the text lies (the shard's tokens are hashed)."""


def harvest_shard(
    shard: int,
    *,
    plan_path: PathLike,
    manifest_path: PathLike,
    model: Mapping[str, Any],
    sae: Mapping[str, Any],
    corpus: Mapping[str, Any],
    harvest: Mapping[str, Any],
    n_gpus: int = 0,
) -> None:
    """Run the model to the SAE's hook on a shard's tokens and write the firing latents.

    Parts that an earlier attempt completed with the same fingerprint are kept; where all are there, no model is loaded.

    Parameters
    ----------
    shard
        Number of the shard.
    plan_path
        The corpus plan; the token shard lies beside it.
    manifest_path
        Written last; the parts go into its folder.
    model, sae, corpus, harvest
        Sections of the experiment file, ``harvest`` with ``batches_per_part`` in addition and ``batch_size`` a number.
    n_gpus
        GPUs to take for this process alone, where it sees more; 0 leaves the choice to PyTorch.

    Raises
    ------
    ConfigError
        The SAE's hook or the model's layout is not known, or the layer is out of range.
    InputError
        Model, SAE or corpus can't be read.
    ResultsError
        The token shard is not the one that the plan recorded.
    GuardRailError
        No GPU though asked, widths differ, FVU over the bound, or numbers out of range.
    StorageError
        Disk full, or a folder can't be written.

    """
    from coactivation_manifolds.models.gpu_lease import lease_gpus
    from coactivation_manifolds.models.sae_loader import load_sae

    tokens = read_corpus_shard(plan_path, shard)
    plan = BatchPlan(
        tokens=tokens,
        batch_size=int(harvest["batch_size"]),
        batches_per_part=int(harvest["batches_per_part"]),
        keep_special_tokens=bool(harvest["keep_special_tokens"]),
    )
    with lease_gpus(n_gpus, device=str(harvest["device"])), cpu_threads(int(harvest["cpu_threads"])):
        loaded = load_sae(sae)
        writer = ShardWriter(
            Path(manifest_path).parent,
            shard=shard,
            n_latents=loaded.n_latents,
            fingerprint=fingerprint(tokens, loaded, model=model, sae=sae, corpus=corpus, harvest=harvest),
        )
        records = writer.completed_parts(plan.rows_of_parts())
        check_recorded(records, max_fvu=float(harvest["max_fvu"]), hook_name=loaded.hook_name)
        missing = [part for part in range(plan.n_parts) if part not in records]
        if plan.n_parts == 0:
            logger.warning("shard %d holds no token: the corpus ended before it", shard)
        elif missing:
            logger.info("shard %d: %d of %d parts to harvest", shard, len(missing), plan.n_parts)
            reader, commit = open_reader(plan, loaded, model=model, device=str(harvest["device"]))
            check_commit(records, commit, manifest_path)
            records |= harvest_parts(missing, plan, reader, writer, max_fvu=float(harvest["max_fvu"]), commit=commit)
        else:
            logger.info("shard %d: all %d parts are there; only the manifest is written", shard, plan.n_parts)
        writer.commit(manifest_path, expected_parts=plan.n_parts, extra=manifest_extra(tokens, loaded, records))


def fingerprint(
    tokens: CorpusShard,
    loaded: LoadedSae,
    *,
    model: Mapping[str, Any],
    sae: Mapping[str, Any],
    corpus: Mapping[str, Any],
    harvest: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that decides a shard's rows, and nothing else: no device, no number of GPUs, no totals.

    ``corpus_shard`` alone differs from shard to shard.
    """
    from coactivation_manifolds.models.model_loader import model_fingerprint
    from coactivation_manifolds.models.sae_loader import sae_fingerprint

    return {
        "version": ALGORITHM_VERSION["activations"],
        "model": model_fingerprint(model),
        "sae": sae_fingerprint(sae),
        "corpus": {key: value for key, value in sorted(corpus.items()) if key not in NOT_FINGERPRINTED},
        "batch_size": int(harvest["batch_size"]),
        "batches_per_part": int(harvest["batches_per_part"]),
        "cpu_threads": int(harvest["cpu_threads"]),
        "keep_special_tokens": bool(harvest["keep_special_tokens"]),
        "front_token": front_token_of(tokens, loaded),
        "special_token_ids": tokens.tokenizer["special_token_ids"],
        "corpus_shard": {"sha256": tokens.sha256},
    }


@contextmanager
def cpu_threads(threads: int) -> Iterator[None]:
    """Run PyTorch with this many CPU threads: sums in another order can differ in the last digit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def front_token_of(tokens: CorpusShard, loaded: LoadedSae) -> int | None:
    """The special token in front of every context, None where the SAE was trained without one."""
    from coactivation_manifolds.models.batches import front_token

    facts = tokens.tokenizer
    return front_token(
        prepend_bos=loaded.prepend_bos, bos_token_id=facts["bos_token_id"], eos_token_id=facts["eos_token_id"]
    )


def open_reader(
    plan: BatchPlan, loaded: LoadedSae, *, model: Mapping[str, Any], device: str
) -> tuple[LatentReader, str | None]:
    """Load the model and find the hook; also gives the hub's commit of the model."""
    from coactivation_manifolds.models.encoding import LatentReader
    from coactivation_manifolds.models.guard_rails import check_width
    from coactivation_manifolds.models.hooks import find_hook, has_layer_norm
    from coactivation_manifolds.models.model_loader import load_model

    opened = load_model(model, device=device)
    check_width(opened.d_model, loaded)
    if loaded.centre_input and not has_layer_norm(opened.model):
        logger.warning("center_writing_weights has no meaning for a model without LayerNorm: the input is not centred")
        loaded = replace(loaded, centre_input=False)
    point = find_hook(opened.model, loaded.hook_name)
    loaded.sae.to(opened.device)
    reader = LatentReader(
        model=opened.model,
        point=point,
        loaded=loaded,
        device=opened.device,
        front=front_token_of(plan.tokens, loaded),
        dropped=plan.dropped,
    )
    return reader, opened.commit


def check_recorded(records: Mapping[int, PartRecord], *, max_fvu: float, hook_name: str) -> None:
    """Check the guard rails that an earlier attempt recorded against this run's bound."""
    from coactivation_manifolds.models.guard_rails import GuardRails, check

    recorded = records[0].extra.get("guard_rails") if 0 in records else None
    if recorded is not None:
        check(GuardRails(**recorded), max_fvu=max_fvu, hook_name=hook_name)


def check_commit(records: Mapping[int, PartRecord], commit: str | None, manifest_path: PathLike) -> None:
    """Stop where an earlier attempt read another commit of the hub's model: its branch has moved since.

    Raises
    ------
    ResultsError
        The commits differ.

    """
    earlier = records[0].extra.get("model_commit") if 0 in records else None
    if None not in (earlier, commit) and earlier != commit:
        raise ResultsError(
            f"parts beside {manifest_path} were harvested with commit {earlier} of the model, the hub now gives "
            f"{commit}: set model.revision to {earlier}, or delete the folder and run the same command again"
        )


def manifest_extra(tokens: CorpusShard, loaded: LoadedSae, records: Mapping[int, PartRecord]) -> dict[str, Any]:
    """What the manifest says beside its parts: guard rails, halved batches, hook and tokenizer."""
    first = records[0].extra if 0 in records else {}
    halved = [note for part in sorted(records) for note in records[part].extra.get("halved_batches", [])]
    return {
        "guard_rails": first.get("guard_rails"),
        "notes": [
            f"batch {note['batch']} ran with {note['contexts_at_once']} contexts at once, for want of memory"
            for note in halved
        ],
        "model_commit": first.get("model_commit"),
        "hook_name": loaded.hook_name,
        "prepend_bos": loaded.prepend_bos,
        "tokenizer": tokens.tokenizer,
    }
