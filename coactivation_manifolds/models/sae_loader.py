"""Loading an SAE of sae-lens, from its table or a folder, with everything that it says about its input honoured.

Normalisation of the input is done by sae-lens's own code: ``layer_norm`` and ``constant_norm_rescale`` at run time
inside ``encode`` and ``decode``; the fixed factor of ``expected_average_only_in`` is folded into the weights at
loading.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coactivation_manifolds.errors import ConfigError, InputError
from coactivation_manifolds.experiment.pretrained_table import PretrainedSae, check_sae
from coactivation_manifolds.models.fingerprints import folder_hash

logger = logging.getLogger(__name__)

SAE_FILES = ("cfg.json", "sae_weights.safetensors", "activation_scaler.json")
SCALER_FILE = "activation_scaler.json"
ARCHITECTURES = ("standard", "jumprelu", "topk", "gated")
"""Those whose latents are a function of one token's input, not negative, with decoder rows as directions."""

STREAM_KEYWORDS = frozenset({"center_unembed", "fold_ln", "fold_value_biases", "n_devices"})
"""Keywords of TransformerLens that change weights but no tensor of the residual stream, or only where it runs."""

HEADS_HOOK = ".hook_z"
"""The hook inside attention: before the matrix that writes to the residual stream, after the value biases."""


@dataclass(frozen=True)
class LoadedSae:
    """An SAE in float32 and what is known of it.

    ``centre_input``: its input is the hook's tensor minus the mean over the width (``center_writing_weights``).
    ``prepend_bos``: it was trained on contexts with the special token in front. ``stated``: its row in sae-lens's
    table.
    """

    sae: Any
    n_latents: int
    d_in: int
    hook_name: str
    prepend_bos: bool
    centre_input: bool
    normalisation: str
    metadata: dict[str, Any]
    stated: PretrainedSae | None


def load_sae(sae: Mapping[str, Any], *, device: str | torch.device = "cpu") -> LoadedSae:
    """Load an SAE for inference, in float32.

    Parameters
    ----------
    sae
        The ``sae`` section of an experiment file: ``release`` and ``sae_id``, or ``path``.
    device
        Where its weights go.

    Raises
    ------
    ConfigError
        It is not in the table, or reads the model in a way that is not known here.
    InputError
        It can't be loaded, or its normalisation can't be honoured.

    """
    stated = check_sae(sae)
    where = str(sae["path"]) if sae.get("path") is not None else f"{sae['release']}, {sae['sae_id']}"
    with warnings.catch_warnings():
        # sae-lens warns of what is honoured or refused below
        warnings.simplefilter("ignore")
        loaded, normalisation = from_folder(Path(where)) if sae.get("path") is not None else from_table(sae)
    fold_decoder_norms(loaded)
    loaded = loaded.to(device)
    loaded.eval()
    loaded.requires_grad_(False)
    metadata = plain_metadata(loaded.cfg.metadata.to_dict())
    if metadata.get("hook_head_index") is not None:
        raise ConfigError(f"the SAE {where} reads a single attention head (hook_head_index), which is not known here")
    hook_name = metadata.get("hook_name")
    if not hook_name:
        raise InputError(f"the SAE {where} does not say which hook it reads (metadata.hook_name in its cfg.json)")
    if loaded.cfg.reshape_activations == "hook_z":
        # the hook gives the heads side by side already
        loaded.turn_off_forward_pass_hook_z_reshaping()
    return LoadedSae(
        sae=loaded,
        n_latents=int(loaded.cfg.d_sae),
        d_in=int(loaded.cfg.d_in),
        hook_name=str(hook_name),
        prepend_bos=prepends_bos(metadata, where),
        centre_input=centres_input(metadata, str(hook_name), where),
        normalisation=normalisation,
        metadata=metadata,
        stated=stated,
    )


def from_folder(folder: Path) -> tuple[Any, str]:
    """An SAE saved by sae-lens and the name of its normalisation, which is folded in where it can be."""
    from sae_lens import SAE

    for name in ("cfg.json", "sae_weights.safetensors"):
        if not (folder / name).is_file():
            raise InputError(f"sae.path: {folder / name} does not exist; the folder must hold an SAE saved by sae-lens")
    check_architecture(read_config(folder).get("architecture", "standard"), str(folder))
    try:
        loaded = SAE.load_from_disk(folder, device="cpu", dtype="float32")
    except Exception as error:  # KeyError, RuntimeError, safetensors' own errors, ...
        raise cannot_load(str(folder), error) from error
    normalisation = str(loaded.cfg.normalize_activations)
    if normalisation == "expected_average_only_in":
        loaded.fold_activation_norm_scaling_factor(scaling_factor(folder))
    check_normalisation(loaded.cfg.normalize_activations, str(folder))
    return loaded, normalisation


def fold_decoder_norms(loaded: Any) -> None:
    """Where an SAE's latents are in units of its decoder's norms (TopK with ``rescale_acts_by_decoder_norm``), make its
    decoder rows unit vectors: then latents times decoder rows are its reconstruction, as for every other SAE.

    The latents stay as they are: sae-lens multiplies them by the norms in either form.
    """
    if getattr(loaded.cfg, "rescale_acts_by_decoder_norm", False):
        loaded.fold_W_dec_norm()


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration that sae-lens saved beside the weights."""
    try:
        content = json.loads((folder / "cfg.json").read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{folder / 'cfg.json'} is damaged (not JSON: {error}); restore it or save the SAE anew"
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{folder / 'cfg.json'} is damaged (not a JSON object); restore it or save the SAE anew")
    return content


def from_table(sae: Mapping[str, Any]) -> tuple[Any, str]:
    """An SAE of sae-lens's table (or of a hub repository) and the name of its normalisation."""
    from sae_lens import SAE

    where = f"{sae['release']}, {sae['sae_id']}"
    try:
        loaded, config, _ = SAE.from_pretrained_with_cfg_and_sparsity(
            str(sae["release"]), str(sae["sae_id"]), device="cpu", dtype="float32"
        )
    except Exception as error:  # the hub's client and sae-lens raise many kinds
        raise cannot_load(where, error) from error
    check_architecture(loaded.cfg.architecture(), where)
    check_normalisation(loaded.cfg.normalize_activations, where)
    return loaded, str(config.get("normalize_activations") or "none")


def cannot_load(where: str, error: Exception) -> InputError:
    """The error for an SAE that sae-lens can't load."""
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return InputError(
        f"can't load the SAE {where} ({type(error).__name__}: {reason}); check sae.path, or sae.release and "
        "sae.sae_id, and that the hub can be reached"
    )


def check_architecture(architecture: str, where: str) -> None:
    """Stop at SAEs that are none: transcoders, crosscoders and what looks at several tokens at once."""
    if architecture not in ARCHITECTURES:
        raise ConfigError(
            f"the SAE {where} is of architecture {architecture}, which is not known here; known are "
            f"{', '.join(ARCHITECTURES)} (save a BatchTopK SAE with save_inference_model)"
        )


def check_normalisation(normalisation: str, where: str) -> None:
    """Stop where the input would have to be normalised by numbers that the SAE does not bring along."""
    if normalisation not in ("none", "layer_norm", "constant_norm_rescale"):
        raise InputError(
            f"the SAE {where} was trained on inputs normalised by {normalisation}, and the numbers for it are not with "
            "it; save it with that normalisation folded into its weights"
        )


def scaling_factor(folder: Path) -> float:
    """The factor that sae-lens's trainer estimated and saved beside a checkpoint.

    Raises
    ------
    InputError
        There is no such file, or no positive number in it.

    """
    file = folder / SCALER_FILE
    if not file.is_file():
        raise InputError(
            f"the SAE {folder} scales its input to an average norm (normalize_activations: expected_average_only_in), "
            f"but {file} with the factor does not exist; save the SAE with the factor folded in "
            "(fold_activation_norm_scaling_factor)"
        )
    try:
        factor = float(json.loads(file.read_text(encoding="utf-8"))["scaling_factor"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"{file} holds no number scaling_factor; restore it or save the SAE anew") from error
    if not factor > 0:
        raise InputError(f"{file}: scaling_factor is {factor}; it must be positive")
    return factor


def prepends_bos(metadata: Mapping[str, Any], where: str) -> bool:
    """Whether contexts begin with the special token; sae-lens's own default is yes."""
    value = metadata.get("prepend_bos")
    if value is None:
        logger.warning(
            "the SAE %s does not say whether contexts began with a special token (prepend_bos); yes is assumed, as in "
            "sae-lens",
            where,
        )
        return True
    return bool(value)


def centres_input(metadata: Mapping[str, Any], hook_name: str, where: str) -> bool:
    """What ``model_from_pretrained_kwargs`` asks of the input at a hook.

    Centred weights write to the residual stream with mean 0; what enters them (``hook_z``) is as it was.

    Raises
    ------
    ConfigError
        It holds a keyword whose meaning is not known here, so that the input could be wrong in silence.

    """
    keywords = dict(metadata.get("model_from_pretrained_kwargs") or {})
    centre = bool(keywords.pop("center_writing_weights", False))
    unknown = sorted(set(keywords) - STREAM_KEYWORDS)
    if unknown:
        raise ConfigError(
            f"the SAE {where} was trained on a model loaded with {unknown[0]}={keywords[unknown[0]]!r} "
            "(model_from_pretrained_kwargs), which is not known here; without it its input would be another"
        )
    if hook_name.endswith(HEADS_HOOK) and keywords.get("fold_value_biases"):
        raise ConfigError(
            f"the SAE {where} reads {hook_name} of a model loaded with fold_value_biases=True, which takes the value "
            "biases out of that tensor; this is not known here"
        )
    return centre and not hook_name.endswith(HEADS_HOOK)


def plain_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as JSON can hold it."""
    kept: dict[str, Any] = json.loads(json.dumps(dict(metadata), default=str))
    return kept


def sae_fingerprint(sae: Mapping[str, Any]) -> dict[str, Any]:
    """What of an SAE decides its latents: for a local folder the hash of its files, else release and id."""
    if sae.get("path") is not None:
        return {"sha256": folder_hash(Path(sae["path"]), SAE_FILES)}
    return {"release": sae.get("release"), "sae_id": sae.get("sae_id")}
