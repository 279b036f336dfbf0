"""Train a small GPT-2-architecture model on documents, and save it as transformers does."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import ConfigError, InputError
from coactivation_manifolds.storage import PathLike, write_json
from coactivation_manifolds.training.contexts import Contexts, document_contexts, stream_contexts, tokenize
from coactivation_manifolds.training.recipes import read_documents, reference_losses
from coactivation_manifolds.training.tokenizers import load_tokenizer
from coactivation_manifolds.training.torch_setup import filled_folder, seeded_torch, work_offline

if TYPE_CHECKING:
    import torch
    from transformers import GPT2LMHeadModel

log = logging.getLogger(__name__)
PACKINGS = {"documents": document_contexts, "stream": stream_contexts}
MODEL_STREAM = 11
CURVE_EVERY = 50
EVALUATION_BATCH = 64


def train_language_model(
    training_path: PathLike,
    training: Mapping[str, Any],
    *,
    seed: int,
    tokenizer_folder: Path,
    model_folder: Path,
    losses_path: PathLike,
) -> None:
    """Train the model of an experiment's `training` section.

    Parameters
    ----------
    training_path
        JSONL documents; the last ``training.model.held_out_documents`` of them are not trained on, but measured.
    training
        The `training` section of an experiment file (config/README.md).
    seed
        Decides the result together with ``training.cpu_threads``.
    tokenizer_folder
        Saved tokenizer; copied beside the model.
    model_folder
        Written: config.json, model.safetensors, tokenizer.json, tokenizer_config.json, as transformers loads them.
    losses_path
        Written: the training curve, the loss on held-out documents, and where the source of the text is known, the loss
        of a perfect observer on the same words. Nats a token.

    Raises
    ------
    ConfigError
        Settings that contradict one another.
    InputError
        Too few documents.

    """
    work_offline()
    settings = training["model"]
    tokenizer = load_tokenizer(tokenizer_folder)
    texts = list(read_documents(training_path))
    n_held_out = int(settings["held_out_documents"])
    if len(texts) <= n_held_out:
        raise InputError(
            f"{training_path} has {len(texts)} documents, and training.model.held_out_documents holds back "
            f"{n_held_out}: nothing is left to train on"
        )
    split = len(texts) - n_held_out
    bos = int(tokenizer.bos_token_id)
    length = int(settings["context_length"])
    pack = PACKINGS[settings["packing"]]
    contexts = pack(tokenize(texts[:split], tokenizer), context_length=length, bos=bos)
    held_out = document_contexts(tokenize(texts[split:], tokenizer), context_length=length, bos=bos)
    log.info("%d contexts of %d tokens to train on", *contexts.token_ids.shape)
    with seeded_torch(seed, threads=int(training["cpu_threads"])):
        model = build_model(settings, vocabulary_size=len(tokenizer), bos=bos)
        curve = fit(model, contexts, settings, seed=seed)
        losses = token_losses(model, held_out)
    report = {
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "training_tokens_seen": int(settings["steps"]) * int(settings["batch_size"]) * (length - 1),
        "held_out": summarize_losses(losses, reference_losses(training, texts[split:], seed=seed)),
        "curve": curve,
    }
    with filled_folder(model_folder) as folder:
        model.save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes((tokenizer_folder / name).read_bytes())
    write_json(report, losses_path)


def build_model(settings: Mapping[str, Any], *, vocabulary_size: int, bos: int) -> GPT2LMHeadModel:
    """An untrained GPT-2 of the size asked for: no dropout, output weights of its own, float32."""
    from transformers import GPT2Config, GPT2LMHeadModel

    if int(settings["d_model"]) % int(settings["n_heads"]):
        raise ConfigError(
            f"training.model.d_model = {settings['d_model']} is no multiple of n_heads = {settings['n_heads']}"
        )
    config = GPT2Config(
        vocab_size=vocabulary_size,
        n_positions=int(settings["context_length"]),
        n_embd=int(settings["d_model"]),
        n_layer=int(settings["n_layers"]),
        n_head=int(settings["n_heads"]),
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=bos,
        eos_token_id=bos,
        tie_word_embeddings=False,
        use_cache=False,
    )
    return GPT2LMHeadModel(config)


def fit(
    model: GPT2LMHeadModel, contexts: Contexts, settings: Mapping[str, Any], *, seed: int
) -> list[dict[str, float]]:
    """Train in place with AdamW (weight decay on matrices only), warm-up and a cosine to the final learning rate.

    Returns
    -------
    list
        The mean training loss of every 50 steps: ``step`` and ``loss``.

    """
    import torch

    optimizer = torch.optim.AdamW(
        parameter_groups(model, float(settings["weight_decay"])),
        lr=float(settings["learning_rate"]),
        betas=(0.9, 0.95),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_share(step, settings))
    steps = int(settings["steps"])
    model.train()
    curve: list[dict[str, float]] = []
    recent: list[float] = []
    batches = shuffled_batches(len(contexts.lengths), int(settings["batch_size"]), seed=[seed, MODEL_STREAM])
    for step, rows in enumerate(itertools.islice(batches, steps), start=1):
        losses, mask = batch_losses(model, contexts, rows)
        loss = losses[mask].mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent.append(loss.item())
        if step % CURVE_EVERY == 0 or step == steps:
            curve.append({"step": step, "loss": float(np.mean(recent))})
            log.info("step %d of %d, loss %.4f nats a token", step, steps, curve[-1]["loss"])
            recent = []
    model.eval()
    return curve


def learning_rate_share(step: int, settings: Mapping[str, Any]) -> float:
    """The learning rate at a step as a share of the largest: linear warm-up, then a cosine to the final share."""
    warmup, steps = int(settings["warmup_steps"]), int(settings["steps"])
    final = float(settings["final_learning_rate_share"])
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices with weight decay, vectors without."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def shuffled_batches(n_rows: int, batch_size: int, *, seed: list[int]) -> Iterator[npt.NDArray[np.int64]]:
    """Batches of row numbers without end: every epoch is a new permutation, an incomplete last batch is left out.

    With fewer rows than a batch holds, every batch has all rows.
    """
    for epoch in itertools.count():
        order = np.random.default_rng([*seed, epoch]).permutation(n_rows)
        size = min(batch_size, n_rows)
        for start in range(0, n_rows - size + 1, size):
            yield order[start : start + size]


def batch_losses(
    model: GPT2LMHeadModel, contexts: Contexts, rows: npt.NDArray[np.int64]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of each predicted token of a batch and where it counts, both [n_rows, context_length - 1]."""
    import torch

    longest = int(contexts.lengths[rows].max())
    token_ids = torch.from_numpy(contexts.token_ids[rows, :longest])
    logits = model(input_ids=token_ids).logits[:, :-1]
    targets = token_ids[:, 1:]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return losses.view(targets.shape), torch.from_numpy(contexts.mask[rows, 1:longest])


def token_losses(model: GPT2LMHeadModel, contexts: Contexts) -> npt.NDArray[np.float64]:
    """The loss of every token of the text, in nats, NaN where filling stands, [n_contexts, context_length - 1]."""
    import torch

    found = np.full((len(contexts.lengths), contexts.token_ids.shape[1] - 1), np.nan)
    with torch.inference_mode():
        for start in range(0, len(found), EVALUATION_BATCH):
            rows = np.arange(start, min(start + EVALUATION_BATCH, len(found)))
            losses, mask = batch_losses(model, contexts, rows)
            found[rows, : losses.shape[1]] = torch.where(mask, losses, torch.nan).numpy()
    return found


def summarize_losses(
    losses: npt.NDArray[np.float64], reference: dict[str, npt.NDArray[Any]] | None
) -> dict[str, dict[str, float]]:
    """Mean loss on held-out tokens; with a reference, for each group of documents beside the perfect observer's.

    ``gap`` is how far the model is above the perfect observer, nats a token.
    """
    summary = {"all": {"model": float(np.nanmean(losses)), "n_tokens": int(np.isfinite(losses).sum())}}
    if reference is None:
        return summary
    optimal = reference["losses"]
    groups = {"all": np.arange(len(optimal)), **{key: rows for key, rows in reference.items() if key != "losses"}}
    for name, rows in groups.items():
        if len(rows) == 0:
            continue
        model_loss, best = float(np.nanmean(losses[rows])), float(optimal[rows].mean())
        summary[name] = {
            "model": model_loss,
            "optimal": best,
            "gap": model_loss - best,
            "n_tokens": int(optimal[rows].size),
        }
    return summary
