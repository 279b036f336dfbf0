"""Train an SAE on one residual stream with sae-lens' own trainer, and save it as sae-lens does."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coactivation_manifolds.errors import ConfigError, InputError
from coactivation_manifolds.storage import PathLike, write_json
from coactivation_manifolds.training.contexts import Contexts, document_contexts, tokenize
from coactivation_manifolds.training.language_model import shuffled_batches
from coactivation_manifolds.training.recipes import read_documents
from coactivation_manifolds.training.tokenizers import load_tokenizer
from coactivation_manifolds.training.torch_setup import filled_folder, seeded_torch, work_offline

if TYPE_CHECKING:
    import torch
    from sae_lens import TrainingSAE

log = logging.getLogger(__name__)
SAE_STREAM = 12
NORM_BATCHES = 50
EVALUATION_VECTORS = 65_536
HOOK = re.compile(r"blocks\.(\d+)\.hook_resid_(pre|post)")


def train_sae(
    training_path: PathLike,
    training: Mapping[str, Any],
    *,
    seed: int,
    model_folder: Path,
    sae_folder: Path,
    losses_path: PathLike,
) -> None:
    """Train the SAE of an experiment's `training` section.

    Parameters
    ----------
    training_path
        JSONL documents; vectors are taken from the first of them, context by context as the harvest does, the special
        token's left out.
    training
        The `training` section of an experiment file (config/README.md).
    seed
        Decides the result together with ``training.cpu_threads``.
    model_folder
        Model and tokenizer saved by ``train_language_model``.
    sae_folder
        Written: cfg.json and sae_weights.safetensors, as sae-lens loads them; decoder rows have norm 1.
    losses_path
        Written: FVU, L0 and dead latents, measured on vectors with the SAE as saved.

    Raises
    ------
    ConfigError
        Unknown architecture or hook.
    InputError
        Too few documents for the vectors asked for.

    """
    work_offline()
    from transformers import GPT2LMHeadModel

    settings = training["sae"]
    tokenizer = load_tokenizer(model_folder)
    model = GPT2LMHeadModel.from_pretrained(str(model_folder), local_files_only=True).eval()
    length = int(training["model"]["context_length"])
    contexts = first_contexts(training_path, tokenizer, n_tokens=int(settings["n_vectors"]), context_length=length)
    with seeded_torch(seed, threads=int(training["cpu_threads"])):
        vectors = residual_vectors(model, contexts, hook=settings["hook"])[: int(settings["n_vectors"])]
        log.info("%d vectors of %d numbers at %s", *vectors.shape, settings["hook"])
        sae = build_sae(settings, d_in=vectors.shape[1], metadata=sae_metadata(settings, context_length=length))
        with_mean_bias(sae, vectors)
        fit_sae(sae, vectors, settings, seed=seed)
        with filled_folder(sae_folder) as folder:
            save_sae(sae, folder)
            report = measure_sae(folder, vectors[:EVALUATION_VECTORS])
    log.info("FVU %.4f, L0 %.2f, %d latents never fire", report["fvu"], report["l0"], report["n_dead"])
    write_json(report, losses_path)


def first_contexts(training_path: PathLike, tokenizer: Any, *, n_tokens: int, context_length: int) -> Contexts:
    """Contexts of the first documents that together have at least ``n_tokens`` tokens."""
    documents: list[list[int]] = []
    found = 0
    for text in read_documents(training_path):
        documents += tokenize([text], tokenizer)
        found += len(documents[-1])
        if found >= n_tokens:
            break
    if found < n_tokens:
        raise InputError(
            f"{training_path} has {found} tokens, training.sae.n_vectors asks for {n_tokens}: lower it or train on "
            "more text"
        )
    return document_contexts(documents, context_length=context_length, bos=int(tokenizer.bos_token_id))


def residual_vectors(model: Any, contexts: Contexts, *, hook: str, batch_size: int = 64) -> torch.Tensor:
    """The residual stream at a hook on every token of the text, float32 [n_tokens, d_model].

    ``blocks.L.hook_resid_post`` is the output of block L and ``hook_resid_pre`` its input, both before the final norm.
    """
    import torch

    module, is_input = hooked_block(model, hook)
    mask = torch.from_numpy(contexts.mask)
    caught: list[torch.Tensor] = []

    def keep(_: Any, arguments: tuple[Any, ...], output: Any) -> None:
        hidden = arguments[0] if is_input else output
        caught.append(hidden[0] if isinstance(hidden, tuple) else hidden)

    handle = module.register_forward_hook(keep)
    found: list[torch.Tensor] = []
    try:
        with torch.inference_mode():
            for start in range(0, len(mask), batch_size):
                longest = int(contexts.lengths[start : start + batch_size].max())
                model.transformer(input_ids=torch.from_numpy(contexts.token_ids[start : start + batch_size, :longest]))
                found.append(caught.pop()[mask[start : start + batch_size, :longest]])
    finally:
        handle.remove()
    return torch.cat(found).clone()


def hooked_block(model: Any, hook: str) -> tuple[Any, bool]:
    """The block that a hook names, and whether its input is meant.

    Raises
    ------
    ConfigError
        Another form of hook, or a layer that the model doesn't have.

    """
    found = HOOK.fullmatch(hook)
    blocks = model.transformer.h
    if found is None:
        raise ConfigError(f'training.sae.hook is "{hook}"; give blocks.L.hook_resid_post or blocks.L.hook_resid_pre')
    layer = int(found.group(1))
    if layer >= len(blocks):
        raise ConfigError(f"training.sae.hook names block {layer}, but the model has blocks 0 to {len(blocks) - 1}")
    return blocks[layer], found.group(2) == "pre"


def sae_metadata(settings: Mapping[str, Any], *, context_length: int) -> dict[str, Any]:
    """What sae-lens' loaders need to know of how the SAE is to be used."""
    return {
        "model_name": "gpt2",
        "model_class_name": "AutoModelForCausalLM",
        "hook_name": settings["hook"],
        "hook_head_index": None,
        "context_size": context_length,
        "prepend_bos": True,
        "seqpos_slice": [None],
        "model_from_pretrained_kwargs": {},
    }


def build_sae(settings: Mapping[str, Any], *, d_in: int, metadata: dict[str, Any]) -> TrainingSAE[Any]:
    """An untrained SAE: ``topk`` keeps k latents on each token, ``batchtopk`` k on average over a batch."""
    from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    shared: dict[str, Any] = {
        "d_in": d_in,
        "d_sae": int(settings["d_sae"]),
        "dtype": "float32",
        "device": "cpu",
        "normalize_activations": "expected_average_only_in",
        "metadata": SAEMetadata(**metadata),
    }
    if settings["architecture"] == "batchtopk":
        return BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(k=float(settings["k"]), **shared))
    if settings["architecture"] == "topk":
        return TopKTrainingSAE(TopKTrainingSAEConfig(k=int(settings["k"]), **shared))
    raise ConfigError(f'training.sae.architecture is "{settings["architecture"]}"; it may be batchtopk or topk')


def with_mean_bias(sae: TrainingSAE[Any], vectors: torch.Tensor) -> None:
    """Start the decoder's bias at the vectors' mean, in the units that the trainer scales to (mean norm sqrt(d_in))."""
    import torch

    with torch.no_grad():
        scale = vectors.shape[1] ** 0.5 / vectors.norm(dim=1).mean()
        sae.b_dec.copy_(vectors.mean(dim=0) * scale)


def vector_batches(vectors: torch.Tensor, batch_size: int, *, seed: int) -> Iterator[torch.Tensor]:
    """Shuffled batches of vectors without end; every 500th is told in the log."""
    import torch

    for number, rows in enumerate(shuffled_batches(len(vectors), batch_size, seed=[seed, SAE_STREAM]), start=1):
        if number % 500 == 0:
            log.info("batch %d", number)
        yield vectors[torch.from_numpy(rows)]


def fit_sae(sae: TrainingSAE[Any], vectors: torch.Tensor, settings: Mapping[str, Any], *, seed: int) -> None:
    """Train in place with sae-lens' trainer; at the end the scale of the inputs is folded into the weights."""
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    steps, batch_size = int(settings["steps"]), int(settings["batch_size"])
    rate = float(settings["learning_rate"])
    config = SAETrainerConfig(
        total_training_samples=steps * batch_size,
        train_batch_size_samples=batch_size,
        lr=rate,
        lr_end=rate / 10.0,
        lr_scheduler_name="constant",
        lr_warm_up_steps=0,
        lr_decay_steps=steps // 5,
        dead_feature_window=int(settings["dead_feature_window"]),
        feature_sampling_window=max(1, steps),
        logger=LoggingConfig(log_to_wandb=False),
        n_batches_for_norm_estimate=NORM_BATCHES,
    )
    SAETrainer(cfg=config, sae=sae, data_provider=vector_batches(vectors, batch_size, seed=seed)).fit()


def save_sae(sae: TrainingSAE[Any], folder: Path) -> None:
    """Write cfg.json and sae_weights.safetensors for inference, keys of the configuration in a fixed order."""
    _, config_path = sae.save_inference_model(folder)
    config = json.loads(config_path.read_text(encoding="utf-8"))
    config_path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def measure_sae(folder: Path, vectors: torch.Tensor) -> dict[str, float | int | str]:
    """FVU, mean L0, dead latents and the decoder's norms of a saved SAE on vectors.

    FVU is the squared error summed over tokens and dimensions over the sum of squares about the mean.
    """
    import torch
    from sae_lens import SAE

    sae = SAE.load_from_disk(folder, device="cpu")
    with torch.inference_mode():
        features = sae.encode(vectors)
        error = (sae.decode(features) - vectors).double().square().sum()
        spread = (vectors.double() - vectors.double().mean(dim=0)).square().sum()
        firing = features > 0
        norms = sae.W_dec.norm(dim=1)
        return {
            "architecture": sae.cfg.architecture(),
            "n_vectors": len(vectors),
            "fvu": float(error / spread),
            "l0": float(firing.sum(dim=1).double().mean()),
            "n_latents": int(firing.shape[1]),
            "n_dead": int((~firing.any(dim=0)).sum()),
            "decoder_norm_min": float(norms.min()),
            "decoder_norm_max": float(norms.max()),
        }
