"""How much of a model's own speed a harvest keeps.

    .venv/bin/python benchmarks/harvest.py               on the CPU, and on a GPU where there is one
    .venv/bin/python benchmarks/harvest.py --only gpu

Random weights: a model laid out as Gemma 2, run up to the hook, and a JumpReLU SAE with its threshold set for a mean
L0. On the CPU both are small; on a GPU they have the sizes of Gemma-2-2b (bfloat16, up to the output of block 12) and
of an SAE of 65,536 latents. Three tools take turns on the same batches: the forward pass up to the hook; the same with
the SAE's encoder, nothing taken out of it; and the harvest of the shard, with its files and manifest, from the second
part on. Guard rails, which come once in a shard, are measured by themselves: shards are shorter here than a real one.
Loading is left out. Batches are what ``batch_size: auto`` makes of contexts of 128 and of 1,024 tokens. Without a GPU,
its numbers stay those of the last run on one.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import parser_of, recorded, run_sections, take_turns

from coactivation_manifolds.activations.activation_pipeline import cpu_threads
from coactivation_manifolds.activations.activation_reader import read_shard
from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.activations.batch_plan import BatchPlan
from coactivation_manifolds.activations.part_harvest import first_batch, harvest_parts
from coactivation_manifolds.activations.part_records import part_name
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.corpus.plan import CorpusShard
from coactivation_manifolds.experiment.config import AUTO, batches_per_part, contexts_per_batch
from coactivation_manifolds.models import encoding
from coactivation_manifolds.models.encoding import LatentReader
from coactivation_manifolds.models.hooks import find_hook
from coactivation_manifolds.models.model_loader import attention_for
from coactivation_manifolds.models.sae_loader import LoadedSae

FORWARD, ENCODE, HARVEST, GUARD_RAILS = "forward to the hook", "forward and encode", "harvest", "guard rails"
LENGTHS = (128, 1024)
TOKENS_PER_PART = 8_192
SECTIONS = ("cpu", "gpu")
BOS, FIRST_WORD = 0, 4


@dataclass(frozen=True)
class Shape:
    """Sizes of model, SAE and shard; ``model`` as in Gemma2Config."""

    model: dict[str, int]
    n_latents: int
    mean_l0: int
    n_tokens: int
    dtype: torch.dtype = torch.float32
    lengths: tuple[int, ...] = field(default=LENGTHS)

    @property
    def hook_name(self) -> str:
        """The output of the last block that the model has: blocks behind the hook never run."""
        return f"blocks.{self.model['num_hidden_layers'] - 1}.hook_resid_post"


def sizes(width: int, inner: int, layers: int, heads: int, head: int, vocabulary: int) -> dict[str, int]:
    """Sizes of a model, two query heads for each head of keys and values as in Gemma 2."""
    return {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2,
        "head_dim": head,
        "query_pre_attn_scalar": head,
        "vocab_size": vocabulary,
    }


SHAPES = {
    "tiny": Shape(sizes(16, 32, 2, 2, 8, 64), n_latents=48, mean_l0=5, n_tokens=10_000, lengths=(12, 24)),
    "small": Shape(sizes(128, 512, 2, 2, 64, 4_096), n_latents=4_096, mean_l0=48, n_tokens=32_768),
    "gemma-2-2b": Shape(
        sizes(2_304, 9_216, 13, 8, 256, 256_000), n_latents=65_536, mean_l0=80, n_tokens=262_144, dtype=torch.bfloat16
    ),
}


def main() -> int:
    """Run the sections that are asked for."""
    parser = parser_of(__doc__, SECTIONS)
    parser.add_argument("--shape", choices=SHAPES, help="instead of each section's own")
    parser.add_argument("--device", default="cuda", help="of the section gpu; cpu tries out its code")
    arguments = parser.parse_args()
    run_sections("harvest", arguments, {"cpu": measure_cpu, "gpu": measure_gpu})
    return 0


def measure_cpu(arguments: argparse.Namespace) -> dict[str, Any]:
    """On the CPU, with as many threads as are asked for."""
    with cpu_threads(arguments.threads):
        return measure(SHAPES[arguments.shape or "small"], torch.device("cpu"), min(2, arguments.repetitions))


def measure_gpu(arguments: argparse.Namespace) -> dict[str, Any]:
    """On a GPU; where there is none, what was measured on one before."""
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return dict(recorded("harvest").get("gpu") or {"missing": ["GPU"]})
    with cpu_threads(arguments.threads):
        return measure(SHAPES[arguments.shape or "gemma-2-2b"], device, arguments.repetitions)


def measure(shape: Shape, device: torch.device, repetitions: int) -> dict[str, Any]:
    """All tools at all lengths of contexts."""
    reader = make_reader(shape, device)
    by_length = {length: measure_length(shape, reader, length, repetitions) for length in shape.lengths}
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else f"CPU, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "dtype": str(shape.dtype).removeprefix("torch."),
        "d_model": shape.model["hidden_size"],
        "blocks": shape.model["num_hidden_layers"],
        "n_latents": shape.n_latents,
        "device_memory_gib": round(torch.cuda.max_memory_allocated(device) / 2**30, 2) if on_gpu else None,
        "lengths": by_length,
    }


def measure_length(shape: Shape, reader: LatentReader, length: int, repetitions: int) -> dict[str, Any]:
    """All tools on contexts of one length; the files' first tokens are compared with the dense latents."""
    plan = make_plan(shape, length)
    with tempfile.TemporaryDirectory() as folder:
        whole = run_harvest(plan, reader, Path(folder))
        rows = read_shard(whole)
        check_first_batch(plan, reader, rows)
        tools = {
            FORWARD: partial(run_bare, plan, reader, encode=False),
            ENCODE: partial(run_bare, plan, reader, encode=True),
            HARVEST: partial(run_harvest, plan, reader, Path(folder), first_part=whole.parent / part_name(0)),
            GUARD_RAILS: partial(first_batch, plan.contexts(0), reader, max_fvu=math.inf),
        }
        times, last = take_turns(tools, repetitions)
        assert last[HARVEST].read_bytes() == whole.read_bytes()
        size = sum(path.stat().st_size for path in whole.parent.glob("*.parquet"))
    return {
        "batch_size": plan.batch_size,
        "n_tokens": plan.tokens.n_tokens - plan.tokens_of_part(0),
        "mean_l0": round(rows.n_entries / rows.n_tokens, 2),
        "bytes_a_token": round(size / rows.n_tokens, 1),
        "seconds": times,
    }


def run_bare(plan: BatchPlan, reader: LatentReader, *, encode: bool) -> None:
    """What a harvest can't do without: the forward pass of each batch, and the SAE's encoder on it."""
    sae = reader.loaded.sae
    for batch in range(plan.batches_per_part, plan.n_batches):
        x = reader.inputs(plan.contexts(batch))
        if encode:
            with torch.no_grad():
                for rows in x.split(max(1, encoding.DENSE_VALUES // reader.loaded.n_latents)):
                    sae.encode(rows)
    if reader.device.type == "cuda":
        torch.cuda.synchronize(reader.device)


def run_harvest(plan: BatchPlan, reader: LatentReader, home: Path, *, first_part: Path | None = None) -> Path:
    """The product's harvest of a shard into a new folder, the first part copied if given; gives the manifest."""
    folder = Path(tempfile.mkdtemp(dir=home))
    writer = ShardWriter(folder, shard=0, n_latents=reader.loaded.n_latents, fingerprint={})
    if first_part is not None:
        shutil.copy(first_part, folder)
    # random weights explain nothing, so no bound is set to what stays unexplained
    parts = range(0 if first_part is None else 1, plan.n_parts)
    harvest_parts(parts, plan, reader, writer, max_fvu=math.inf, commit=None)
    manifest = folder / "manifest.json"
    writer.commit(manifest, expected_parts=plan.n_parts)
    return manifest


def check_first_batch(plan: BatchPlan, reader: LatentReader, rows: TokenRows) -> None:
    """Stop where the files differ from the dense latents of the first slice."""
    x = reader.inputs(plan.contexts(0))[: max(1, encoding.DENSE_VALUES // reader.loaded.n_latents)]
    with torch.no_grad():
        dense = reader.loaded.sae.encode(x).cpu().numpy()
    tokens, ids = np.nonzero(dense)
    found = rows.rows(0, len(dense))
    np.testing.assert_array_equal(found.row_of_entries(), tokens)
    np.testing.assert_array_equal(found.feature_ids, ids)
    np.testing.assert_array_equal(found.activations, dense[tokens, ids].astype(np.float16))


def make_plan(shape: Shape, length: int) -> BatchPlan:
    """Full contexts of random tokens, in the batches that the configuration makes of them."""
    own = length - 1
    n_tokens = -(-shape.n_tokens // own) * own
    numbers = np.arange(n_tokens)
    words = np.random.default_rng(0).integers(FIRST_WORD, shape.model["vocab_size"], n_tokens)
    tokens = CorpusShard(
        sha256="",
        doc_id=numbers // own,
        token_index=numbers,
        position_in_doc=(numbers % own).astype(np.int32),
        token_id=words.astype(np.int32),
        context_offsets=np.arange(0, n_tokens + 1, own),
        tokenizer={"special_token_ids": [BOS], "bos_token_id": BOS, "eos_token_id": None},
    )
    config = {
        "corpus": {"context_length": length},
        "harvest": {"batch_size": AUTO, "tokens_per_part": TOKENS_PER_PART},
    }
    return BatchPlan(
        tokens=tokens,
        batch_size=contexts_per_batch(config),
        batches_per_part=batches_per_part(config),
        keep_special_tokens=False,
    )


def make_reader(shape: Shape, device: torch.device) -> LatentReader:
    """Model and SAE of random weights."""
    from transformers import AutoModelForCausalLM, Gemma2Config

    torch.manual_seed(0)
    config = Gemma2Config(**shape.model, max_position_embeddings=max(LENGTHS), bos_token_id=BOS)
    with device:
        model = AutoModelForCausalLM.from_config(
            config, dtype=shape.dtype, attn_implementation=attention_for(device)
        ).eval()
    model.requires_grad_(False)
    reader = LatentReader(
        model=model,
        point=find_hook(model, shape.hook_name),
        loaded=make_sae(shape, device),
        device=device,
        front=BOS,
        dropped=np.array([BOS]),
    )
    set_threshold(reader, make_plan(shape, shape.lengths[0]).contexts(0), shape.mean_l0)
    return reader


def make_sae(shape: Shape, device: torch.device) -> LoadedSae:
    """A JumpReLU SAE without biases; rows of its decoder are those of its encoder."""
    width = shape.model["hidden_size"]
    with warnings.catch_warnings():
        # sae-lens imports a module of TransformerLens that is to be renamed
        warnings.simplefilter("ignore")
        from sae_lens import SAE

        config = {"architecture": "jumprelu", "d_in": width, "d_sae": shape.n_latents, "dtype": "float32"}
        sae = SAE.from_dict({**config, "device": str(device), "metadata": {"hook_name": shape.hook_name}})
    sae.requires_grad_(False)
    generator = torch.Generator(device).manual_seed(1)
    sae.W_enc.copy_(torch.randn(sae.W_enc.shape, generator=generator, device=device) / width**0.5)
    sae.W_dec.copy_(sae.W_enc.T)
    return LoadedSae(
        sae=sae.eval(),
        n_latents=shape.n_latents,
        d_in=width,
        hook_name=shape.hook_name,
        prepend_bos=True,
        centre_input=False,
        normalisation="none",
        metadata={},
        stated=None,
    )


def set_threshold(reader: LatentReader, contexts: list[Any], mean_l0: int) -> None:
    """The threshold above which ``mean_l0`` latents lie, on average over the first tokens."""
    sae = reader.loaded.sae
    x = reader.inputs(contexts)[: max(1, encoding.DENSE_VALUES // reader.loaded.n_latents)]
    before = (x @ sae.W_enc).flatten()
    sae.threshold.fill_(float(torch.topk(before, mean_l0 * len(x)).values[-1]))


if __name__ == "__main__":
    sys.exit(main())
