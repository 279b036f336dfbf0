"""Tiny random models, tokenizers and SAEs, saved as transformers and sae-lens save them."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

WORDS = [f"w{number}" for number in range(60)]
SPECIAL = ["<bos>", "<eos>", "<pad>", "<unk>"]
N_LAYERS = 3
D_MODEL = 16
N_LATENTS = 48


def save_tokenizer(folder: Path, *, bos: bool = True, eos: bool = True) -> Path:
    """A word-level tokenizer of 64 tokens: 60 words and four special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {"pad_token": "<pad>", "unk_token": "<unk>"}
    names |= {"bos_token": "<bos>"} if bos else {}
    names |= {"eos_token": "<eos>"} if eos else {}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    return folder


def model_config(kind: str) -> Any:
    """The configuration of a tiny model: gpt2, gemma2, gemma3_text, gemma3 (multimodal), llama."""
    import transformers as t

    common = {
        "vocab_size": 64,
        "hidden_size": D_MODEL,
        "intermediate_size": 32,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "max_position_embeddings": 64,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
    }
    if kind == "gpt2":
        return t.GPT2Config(
            vocab_size=64, n_positions=64, n_embd=D_MODEL, n_layer=N_LAYERS, n_head=2, bos_token_id=0, eos_token_id=1
        )
    if kind == "gemma2":
        return t.Gemma2Config(**common, sliding_window=8, query_pre_attn_scalar=8)
    if kind == "gemma3_text":
        return t.Gemma3TextConfig(**common, sliding_window=8, query_pre_attn_scalar=8)
    if kind == "gemma3":
        vision = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
        text = t.Gemma3TextConfig(**common, sliding_window=8, query_pre_attn_scalar=8)
        return t.Gemma3Config(text_config=text, vision_config=vision | {"image_size": 28, "patch_size": 14})
    return t.LlamaConfig(**common)


def save_model(folder: Path, kind: str = "gpt2", *, seed: int = 0) -> Path:
    """A random model with weights large enough that layers differ clearly, and its tokenizer."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(model_config(kind))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(folder)
    return save_tokenizer(folder)


def make_sae(
    architecture: str = "standard",
    *,
    hook_name: str = "blocks.1.hook_resid_post",
    d_in: int = D_MODEL,
    n_latents: int = N_LATENTS,
    normalize: str = "none",
    seed: int = 0,
    **metadata: Any,
) -> Any:
    """A random SAE of sae-lens whose latents fire on about a third of the tokens (topk: 5 a token)."""
    with warnings.catch_warnings():
        # sae-lens imports a module of TransformerLens that is to be renamed
        warnings.simplefilter("ignore")
        from sae_lens import SAE
        from sae_lens.saes.sae import SAEMetadata

    given = {"hook_name": hook_name, "prepend_bos": True, "model_name": "tiny"} | metadata
    config: dict[str, Any] = {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": n_latents,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": architecture != "jumprelu",
        "normalize_activations": normalize,
        "metadata": SAEMetadata(**given).to_dict(),
    }
    if architecture == "topk":
        config["k"] = 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sae = SAE.from_dict(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        sae.W_enc.copy_(torch.randn(sae.W_enc.shape, generator=generator) / d_in**0.5)
        sae.W_dec.copy_(torch.randn(sae.W_dec.shape, generator=generator) / n_latents**0.5)
        sae.b_dec.copy_(0.1 * torch.randn(sae.b_dec.shape, generator=generator))
        if getattr(sae, "b_enc", None) is not None:
            sae.b_enc.copy_(-0.3 * torch.rand(sae.b_enc.shape, generator=generator))
        if hasattr(sae, "threshold"):
            sae.threshold.copy_(0.3 + 0.3 * torch.rand(sae.threshold.shape, generator=generator))
    return sae


def save_sae(folder: Path, architecture: str = "standard", **settings: Any) -> Path:
    """The same, saved in a folder."""
    make_sae(architecture, **settings).save_model(folder)
    return folder


def random_texts(*, seed: int = 0, n: int = 30, longest: int = 40) -> list[str]:
    """Documents of random words, of unequal length, some of them empty."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, longest, n)
    return [" ".join(rng.choice(WORDS, length)) for length in lengths]


def save_jsonl(path: Path, texts: list[str]) -> Path:
    """Documents as JSONL with a column text."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path
