"""How large model and SAE are, from the configuration and local folders alone: no download, no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log2
from pathlib import Path
from typing import Any

from coactivation_manifolds.errors import ConfigError, nearest
from coactivation_manifolds.estimate.rates import Rates
from coactivation_manifolds.experiment.config import Config, is_imported
from coactivation_manifolds.experiment.pretrained_table import check_sae

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
THOUSANDS = {"k": 1e3, "m": 1e6}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What model and SAE are, as far as it decides the work.

    Attributes
    ----------
    n_latents, d_model
        F, and columns of the decoder; d_model 0 without a decoder.
    weight_bytes
        Of all that a harvest job loads.
    flops
        Floating-point operations for one token: 2 for each parameter of the layers up to the hook, 2 d_model F for the
        SAE's encoder (attention over the context, a few percent at 1,024 tokens, is left out).
    mean_l0
        What the SAE's makers state; None where they do not.
    assumptions
        What had to be assumed.

    """

    n_latents: int
    d_model: int = 0
    weight_bytes: float = 0.0
    flops: float = 0.0
    mean_l0: float | None = None
    assumptions: list[str] = field(default_factory=list)


def shape_of(config: Config, rates: Rates, *, n_latents: int | None = None) -> Shape:
    """Shapes from local folders, from the rates' tables, and from the SAE's name.

    Raises
    ------
    ConfigError
        The model or the SAE is not known here.

    """
    if is_imported(config):
        decoder = config["activations"]["decoder"]
        width = array_shape(Path(decoder))[1] if decoder and Path(decoder).is_file() else 0
        notes = ["the decoder is not here: its width is taken as 0"] if decoder and not width else []
        return Shape(n_latents=int(config["activations"]["n_latents"]), d_model=width, assumptions=notes)
    model, notes = model_shape(config, rates)
    stated = check_sae(config["sae"])
    latents, hook, l0 = sae_facts(config, rates, n_latents, None if stated is None else stated.path)
    l0 = stated.l0 if stated is not None and stated.l0 is not None else l0
    layers = model["layers"]
    if hook is None:
        notes.append("the SAE's layer is not known: the whole model is counted")
    run = layers if hook is None else min(hook, layers)
    parameters, sae = run * model["layer_parameters"], 2 * model["d_model"] * latents
    n_bytes = BYTES[config["model"]["dtype"]]
    return Shape(
        n_latents=latents,
        d_model=int(model["d_model"]),
        weight_bytes=n_bytes * (layers * model["layer_parameters"] + model["embedding_parameters"]) + 4 * sae,
        flops=2 * parameters + sae,
        mean_l0=l0,
        assumptions=notes,
    )


def model_shape(config: Config, rates: Rates) -> tuple[Mapping[str, float], list[str]]:
    """Width, layers and parameters of the model, and what had to be assumed.

    Raises
    ------
    ConfigError
        It is neither here nor in the rates' table.

    """
    model = config["model"]
    if model["path"] is not None:
        if (Path(model["path"]) / "config.json").is_file():
            return shape_of_transformer(read_object(Path(model["path"]) / "config.json")), []
        trained = (config.get("training") or {}).get("model")
        if trained:
            return shape_of_transformer(
                {"hidden_size": trained["d_model"], "num_hidden_layers": trained["n_layers"], "vocab_size": 8_192}
            ), []
        raise ConfigError(f"model.path: there is no config.json in {model['path']}, so the model's size is not known")
    known = rates.models
    if model["name"] not in known:
        raise ConfigError(
            f'the size of the model "{model["name"]}" is not known{nearest(str(model["name"]), known)}: add it under '
            "`models` in a file for --rates, with d_model, layers, layer_parameters and embedding_parameters"
        )
    return known[model["name"]], []


def shape_of_transformer(stated: Mapping[str, Any]) -> dict[str, float]:
    """Width, layers and parameters from the model's own configuration; a layer has 4 d^2 + the feed-forward part."""
    width = float(stated.get("hidden_size") or stated.get("n_embd") or 0)
    layers = float(stated.get("num_hidden_layers") or stated.get("n_layer") or 0)
    inner = float(stated.get("intermediate_size") or stated.get("n_inner") or 4 * width)
    gated = "intermediate_size" in stated
    return {
        "d_model": width,
        "layers": layers,
        "layer_parameters": 4 * width**2 + (3 if gated else 2) * width * inner,
        "embedding_parameters": float(stated.get("vocab_size") or 0) * width,
    }


def sae_facts(
    config: Config, rates: Rates, given: int | None, path: str | None
) -> tuple[int, int | None, float | None]:
    """Latents, layers that run before the hook, and L0 as the SAE's name or folder states them.

    Raises
    ------
    ConfigError
        The number of latents can't be told.

    """
    sae = config["sae"]
    trained = (config.get("training") or {}).get("sae")
    if sae["path"] is not None and (Path(sae["path"]) / "cfg.json").is_file():
        stated = read_object(Path(sae["path"]) / "cfg.json")
        hook = str((stated.get("metadata") or stated).get("hook_name"))
        return int(given or stated["d_sae"]), layers_before(hook), number_or_none(stated.get("k"))
    if trained:
        return int(trained["d_sae"]), layers_before(trained["hook"]), number_or_none(trained.get("k"))
    name = f"{sae['sae_id']} {path or ''}"
    width = re.search(r"width_(\d+)(k|m)", name)
    named = 2 ** round(log2(int(width[1]) * THOUSANDS[width[2]])) if width else None  # 65k is 65,536
    latents = given or named or rates.saes.get(str(sae["release"]))
    if latents is None:
        raise ConfigError(
            f"the number of latents of {sae['path'] or sae['sae_id']} can't be told from its name: give --latents"
        )
    l0 = re.search(r"average_l0_(\d+)", name)
    return latents, layers_before(name), float(l0[1]) if l0 else None


def layers_before(hook: str) -> int | None:
    """How many layers run up to a hook; None where its name does not say."""
    found = re.search(r"(?:layer_|blocks\.|layers\.)(\d+)", hook)
    if found is None:
        return None
    return int(found[1]) + ("resid_pre" not in hook)


def number_or_none(value: object) -> float | None:
    """A number that may be missing."""
    return float(value) if isinstance(value, int | float) else None


def read_object(path: Path) -> dict[str, Any]:
    """A model's or an SAE's own JSON file.

    Raises
    ------
    ConfigError
        It can't be read.

    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error


def array_shape(path: Path) -> tuple[int, ...]:
    """Shape of a .npy file, of which only the beginning is read."""
    from coactivation_manifolds.storage import read_array

    return tuple(read_array(path, mmap=True).shape)
