"""Loading a causal language model of transformers, from a folder or the hub, ready to run and never to train."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coactivation_manifolds.corpus.tokenizer import cannot_load, model_source
from coactivation_manifolds.errors import ConfigError, GuardRailError
from coactivation_manifolds.models.fingerprints import folder_hash

logger = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
WEIGHT_FILES = ("config.json", "*.safetensors", "*.safetensors.index.json")


@dataclass(frozen=True)
class LoadedModel:
    """A model and what is known of it.

    ``d_model`` is the width of its residual stream, ``commit`` the hub's commit where it came from there.
    """

    model: torch.nn.Module
    d_model: int
    device: torch.device
    commit: str | None


def choose_device(device: str) -> torch.device:
    """The device that the configuration means.

    Raises
    ------
    GuardRailError
        A GPU is asked for that this machine does not have.

    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chosen = torch.device(device)
    if chosen.type == "cuda":
        if not torch.cuda.is_available():
            raise GuardRailError(
                f"harvest.device is {device}, but PyTorch sees no GPU here; check nvidia-smi, that PyTorch was "
                "installed with CUDA, and that the job asks for a GPU, or set harvest.device to auto or cpu"
            )
        if chosen.index is not None and chosen.index >= torch.cuda.device_count():
            raise GuardRailError(
                f"harvest.device is {device}, but this machine has {torch.cuda.device_count()} GPU(s), cuda:0 to "
                f"cuda:{torch.cuda.device_count() - 1}"
            )
    return chosen


def attention_for(device: torch.device) -> str | None:
    """The attention implementation: on a CPU the plain one, whose results don't depend on fused kernels; else the
    model's own choice.

    transformers itself picks the plain one for Gemma 2, whose capped attention scores the fused ones don't have.
    """
    return "eager" if device.type == "cpu" else None


def load_model(model: Mapping[str, Any], *, device: str) -> LoadedModel:
    """Load a model for inference, from safetensors only.

    Parameters
    ----------
    model
        The ``model`` section of an experiment file. With ``device_map`` transformers and accelerate spread the model
        over the GPUs that the job sees.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ConfigError
        ``device_map`` together with the CPU, or an unknown dtype.
    GuardRailError
        No such GPU.
    InputError
        The model can't be loaded.

    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as transformers_logging

    where, keywords = model_source(model)
    chosen = choose_device(device)
    device_map = model.get("device_map")
    if device_map is not None and device == "cpu":
        raise ConfigError(
            "model.device_map spreads a model over GPUs, but harvest.device is cpu; set device_map to null, or device "
            "to auto"
        )
    dtype = str(model.get("dtype", "float32"))
    if dtype not in DTYPES:
        raise ConfigError(f"model.dtype is {dtype!r}; it must be one of {', '.join(DTYPES)}")
    if chosen.type == "cpu":
        # with no GPU accelerate would spread the model over memory and disk
        device_map = None
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                where,
                dtype=DTYPES[dtype],
                attn_implementation=attention_for(chosen),
                device_map=device_map,
                use_safetensors=True,  # PyTorch's own format is a pickle
                **keywords,
            )
    except Exception as error:  # OSError, ValueError, KeyError, safetensors' own errors, ...
        raise cannot_load("model", where, error) from error
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
    if device_map is None:
        loaded = loaded.to(chosen)
    loaded.eval()
    loaded.requires_grad_(False)
    text_config = loaded.config.get_text_config()
    logger.info("model %s: %s, %s, on %s", where, type(loaded).__name__, dtype, device_map or chosen)
    return LoadedModel(
        model=loaded,
        d_model=int(text_config.hidden_size),
        device=chosen,
        commit=getattr(loaded.config, "_commit_hash", None),
    )


def model_fingerprint(model: Mapping[str, Any]) -> dict[str, Any]:
    """What of a model decides its activations: for a local folder the hash of its files, else name and revision."""
    facts: dict[str, Any] = {"dtype": model.get("dtype", "float32")}
    if model.get("path") is not None:
        facts["sha256"] = folder_hash(Path(model["path"]), WEIGHT_FILES)
    else:
        facts |= {"name": model.get("name"), "revision": model.get("revision")}
    return facts
