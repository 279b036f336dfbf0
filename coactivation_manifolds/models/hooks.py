"""Where an SAE's hook lies in a model of transformers, and running the model just that far.

sae-lens names hooks as TransformerLens does. ``blocks.N.hook_resid_post`` is the output of block N, which is
``hidden_states[N + 1]`` in transformers, except that the last of those is taken after the final norm;
``hook_resid_pre`` is its input. In models that normalise the output of attention and MLP too (Gemma 2 and 3),
``hook_attn_out`` and ``hook_mlp_out`` are what is added to the residual stream, so behind those norms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import torch

from coactivation_manifolds.errors import ConfigError

FORMS = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out", "attn.hook_z")
BLOCK_HOOK = re.compile(r"blocks\.(\d+)\.(.+)")

# Attribute paths, tried in order: the module that runs the blocks, and its list of blocks.
TEXT_MODULES = (
    ("model.language_model", "layers"),  # Gemma 3 and other models inside a multimodal wrapper
    ("model.text_model", "layers"),
    ("transformer", "h"),  # GPT-2
    ("model", "layers"),  # Gemma, Llama, Mistral, Qwen
    ("gpt_neox", "layers"),
)


@dataclass(frozen=True)
class HookPoint:
    """A tensor inside a model: the input (``pre``) or output (``post``) of one of its modules."""

    hook_name: str
    module: torch.nn.Module
    side: Literal["pre", "post"]


def text_module(model: torch.nn.Module) -> tuple[torch.nn.Module, list[torch.nn.Module]]:
    """The module that embeds tokens and runs the blocks, and its blocks.

    Raises
    ------
    ConfigError
        The layout is not one of those known here.

    """
    for path, blocks in TEXT_MODULES:
        module = follow(model, path)
        if module is not None and isinstance(getattr(module, blocks, None), torch.nn.ModuleList):
            return module, list(getattr(module, blocks))
    raise ConfigError(
        f"models of class {type(model).__name__} have a layout that is not known here; known are GPT-2, Gemma 2 and 3, "
        "Llama and models that are laid out as these"
    )


def follow(module: torch.nn.Module, path: str) -> torch.nn.Module | None:
    """The submodule at a dotted path, or None."""
    found: Any = module
    for name in path.split("."):
        found = getattr(found, name, None)
        if found is None:
            return None
    return found if isinstance(found, torch.nn.Module) else None


def has_layer_norm(model: torch.nn.Module) -> bool:
    """Whether the blocks subtract the mean before they read the residual stream (LayerNorm), or not (RMSNorm).

    TransformerLens centres writing weights only where they do; elsewhere the mean is part of what is read.
    """
    _, blocks = text_module(model)
    return any(isinstance(module, torch.nn.LayerNorm) for module in blocks[0].modules())


def find_hook(model: torch.nn.Module, hook_name: str) -> HookPoint:
    """The place that a hook's name means in this model.

    Raises
    ------
    ConfigError
        The name has an unknown form, the model has no such layer, or this layout has no such place.

    """
    match = BLOCK_HOOK.fullmatch(hook_name)
    if match is None or match.group(2) not in FORMS:
        raise ConfigError(
            f'the SAE reads the hook "{hook_name}", a form that is not known here; known are '
            + ", ".join(f"blocks.N.{form}" for form in FORMS)
        )
    layer, form = int(match.group(1)), match.group(2)
    _, blocks = text_module(model)
    if layer >= len(blocks):
        raise ConfigError(
            f'the SAE reads the hook "{hook_name}", but the model has {len(blocks)} layers, 0 to {len(blocks) - 1}: '
            "this SAE "
            "belongs to another model, or sae.sae_id names the wrong layer"
        )
    block = blocks[layer]
    if form == "hook_resid_pre":
        return HookPoint(hook_name, block, "pre")
    if form == "hook_resid_post":
        return HookPoint(hook_name, block, "post")
    layout = LAYOUTS.get(type(block).__name__)
    if layout is None:
        raise ConfigError(
            f'the place of the hook "{hook_name}" is not known in a {type(block).__name__}; SAEs on the residual '
            "stream "
            "(hook_resid_pre, hook_resid_post) work with this model"
        )
    path, side = place_inside(layout, form)
    return HookPoint(hook_name, block.get_submodule(path), side)


@dataclass(frozen=True)
class BlockLayout:
    """Where the places inside a block lie: dotted paths of its submodules.

    ``norm_before_mlp`` receives the residual stream between attention and MLP; ``attention_out`` and ``mlp_out`` give
    what is added to the residual stream; ``attention_mix`` receives the heads' outputs side by side.
    """

    norm_before_mlp: str
    attention_out: str
    mlp_out: str
    attention_mix: str


GPT2_LAYOUT = BlockLayout("ln_2", "attn", "mlp", "attn.c_proj")
LLAMA_LAYOUT = BlockLayout("post_attention_layernorm", "self_attn", "mlp", "self_attn.o_proj")
GEMMA_LAYOUT = BlockLayout(
    "pre_feedforward_layernorm", "post_attention_layernorm", "post_feedforward_layernorm", "self_attn.o_proj"
)

# By class: the same attribute means different places in different models (post_attention_layernorm stands before the
# MLP
# in Llama and behind attention in Gemma 2), so nothing is guessed from names of attributes.
LAYOUTS: dict[str, BlockLayout] = {
    "GPT2Block": GPT2_LAYOUT,
    "LlamaDecoderLayer": LLAMA_LAYOUT,
    "MistralDecoderLayer": LLAMA_LAYOUT,
    "Qwen2DecoderLayer": LLAMA_LAYOUT,
    "Qwen3DecoderLayer": LLAMA_LAYOUT,
    "GemmaDecoderLayer": LLAMA_LAYOUT,
    "Gemma2DecoderLayer": GEMMA_LAYOUT,
    "Gemma3DecoderLayer": GEMMA_LAYOUT,
}


def place_inside(layout: BlockLayout, form: str) -> tuple[str, Literal["pre", "post"]]:
    """The submodule of a block, and its side, that a form of hook means."""
    places: dict[str, tuple[str, Literal["pre", "post"]]] = {
        "hook_resid_mid": (layout.norm_before_mlp, "pre"),
        "hook_attn_out": (layout.attention_out, "post"),
        "hook_mlp_out": (layout.mlp_out, "post"),
        "attn.hook_z": (layout.attention_mix, "pre"),
    }
    return places[form]


class _Reached(Exception):  # noqa: N818 - no error: it ends the forward pass at the hook
    """Raised inside the forward pass once the hook's tensor is there."""


def run_to_hook(
    model: torch.nn.Module, point: HookPoint, input_ids: torch.Tensor, attention_mask: torch.Tensor
) -> torch.Tensor:
    """Run a model on a batch until the hook's tensor is there, and no further.

    Parameters
    ----------
    model
        A causal language model of transformers; its head never runs.
    point
        From ``find_hook``.
    input_ids, attention_mask
        int64 [contexts, length]; the mask is 0 on padding, which stands on the right.

    Returns
    -------
    torch.Tensor
        [contexts, length, width], in the model's dtype.

    """
    caught: list[torch.Tensor] = []

    def keep(value: Any) -> None:
        caught.append(value[0] if isinstance(value, tuple) else value)
        raise _Reached

    def before(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        del module
        keep(args[0] if args else kwargs["hidden_states"])

    def after(module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> None:
        del module, args
        keep(output)

    if point.side == "pre":
        handle = point.module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = point.module.register_forward_hook(after)
    runner, _ = text_module(model)
    try:
        with torch.no_grad():
            runner(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)
    except _Reached:
        return caught[0]
    finally:
        handle.remove()
    raise ConfigError(f'the forward pass ended without reaching the hook "{point.hook_name}"')
