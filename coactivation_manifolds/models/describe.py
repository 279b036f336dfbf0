"""What is recorded of an SAE: its decoder rows, and what it says of itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import ConfigError, InputError
from coactivation_manifolds.storage import PathLike, read_array, write_array, write_json

logger = logging.getLogger(__name__)

ROWS_CHECKED_AT_ONCE = 4096


def describe_sae(
    *,
    sae: Mapping[str, Any] | None,
    activations: Mapping[str, Any] | None,
    decoder_path: PathLike,
    description_path: PathLike,
) -> None:
    """Write decoder rows (float32 [n_latents, d_model]) and a description, of an SAE or of a decoder file given with
    activations.

    Rows are as in the SAE, with a folded normalisation factor undone, not scaled to unit length.

    Raises
    ------
    ConfigError, InputError
        The SAE or the decoder file can't be loaded or does not fit.

    """
    if activations is not None:
        if activations.get("decoder") is None:
            raise ConfigError("activations.decoder is not set, so there is no decoder to write")
        decoder = read_decoder(Path(activations["decoder"]), n_latents=int(activations["n_latents"]))
        description = describe_decoder_file(decoder)
    elif sae is not None:
        from coactivation_manifolds.models.sae_loader import load_sae

        loaded = load_sae(sae)
        decoder = check_decoder(loaded.sae.W_dec.detach().cpu().numpy(), "the SAE's decoder")
        description = describe_loaded(loaded, sae)
    else:
        raise ConfigError("give either sae or activations.decoder")
    write_array(decoder, decoder_path)
    write_json(description, description_path)


def describe_loaded(loaded: Any, sae: Mapping[str, Any]) -> dict[str, Any]:
    """What a ``LoadedSae`` says of itself."""
    stated = loaded.stated
    metadata = loaded.metadata
    return {
        "source": "sae-lens",
        "release": sae.get("release"),
        "sae_id": sae.get("sae_id"),
        "architecture": loaded.sae.cfg.architecture(),
        "n_latents": loaded.n_latents,
        "d_model": loaded.d_in,
        "hook_name": loaded.hook_name,
        "prepend_bos": loaded.prepend_bos,
        "center_writing_weights": loaded.centre_input,
        "normalize_activations": loaded.normalisation,
        "model_name": metadata.get("model_name"),
        "context_size": metadata.get("context_size"),
        "neuronpedia_id": metadata.get("neuronpedia_id") or (stated.neuronpedia if stated is not None else None),
        "stated_l0": stated.l0 if stated is not None else None,
        "stated_variance_explained": stated.variance_explained if stated is not None else None,
    }


def describe_decoder_file(decoder: npt.NDArray[np.float32]) -> dict[str, Any]:
    """What is known of an SAE of which only the decoder is given."""
    return {
        "source": "decoder file",
        "n_latents": int(decoder.shape[0]),
        "d_model": int(decoder.shape[1]),
        "hook_name": None,
        "neuronpedia_id": None,
    }


def read_decoder(path: Path, *, n_latents: int) -> npt.NDArray[np.float32]:
    """Read and check a decoder file.

    Raises
    ------
    InputError
        Missing, damaged, not [n_latents, d_model] floating-point numbers, or not finite.

    """
    array = read_array(path, mmap=True)
    if array.ndim != 2 or array.shape[0] != n_latents:
        shape = " x ".join(str(length) for length in array.shape)
        turned = "; it looks transposed" if array.ndim == 2 and array.shape[1] == n_latents else ""
        raise InputError(
            f"activations.decoder: {path} has the shape {shape}, expected [n_latents, d_model] with "
            f"activations.n_latents = {n_latents}{turned}"
        )
    return check_decoder(array, f"activations.decoder: {path}")


def check_decoder(array: npt.NDArray[Any], what: str) -> npt.NDArray[np.float32]:
    """Decoder rows as float32.

    Raises
    ------
    InputError
        They are not floating-point numbers, there are none, or some are not finite.

    """
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{what} holds {array.dtype}, expected floating-point numbers")
    if array.size == 0:
        raise InputError(f"{what} is empty")
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(array, dtype=np.float32)
    for start in range(0, len(rows), ROWS_CHECKED_AT_ONCE):
        finite = np.isfinite(rows[start : start + ROWS_CHECKED_AT_ONCE]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise InputError(f"{what}: row {row} holds infinite numbers or NaN, or numbers beyond float32")
    return rows
