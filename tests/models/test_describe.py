import json

import numpy as np
import pytest
from tiny_models import D_MODEL, N_LATENTS, make_sae, save_sae

from coactivation_manifolds.errors import ConfigError, InputError
from coactivation_manifolds.models.describe import describe_sae


def describe(tmp_path, *, sae=None, activations=None):
    decoder, description = tmp_path / "out" / "decoder.npy", tmp_path / "out" / "sae.json"
    describe_sae(sae=sae, activations=activations, decoder_path=decoder, description_path=description)
    return np.load(decoder), json.loads(description.read_text())


def test_of_an_sae(tmp_path):
    folder = save_sae(tmp_path / "sae", neuronpedia_id="tiny/1-res", context_size=32)
    decoder, description = describe(tmp_path, sae={"path": str(folder)})
    np.testing.assert_array_equal(decoder, make_sae().W_dec.detach().numpy())
    assert decoder.dtype == np.float32
    assert description["n_latents"] == N_LATENTS
    assert description["d_model"] == D_MODEL
    assert description["hook_name"] == "blocks.1.hook_resid_post"
    assert description["neuronpedia_id"] == "tiny/1-res"
    assert description["architecture"] == "standard"


def test_of_a_decoder_file(tmp_path):
    rows = np.random.default_rng(0).normal(size=(10, 4))
    np.save(tmp_path / "d.npy", rows)
    decoder, description = describe(tmp_path, activations={"decoder": str(tmp_path / "d.npy"), "n_latents": 10})
    np.testing.assert_array_equal(decoder, rows.astype(np.float32))
    assert (description["n_latents"], description["d_model"]) == (10, 4)


def with_nan():
    rows = np.zeros((10, 4))
    rows[7, 2] = np.nan
    return rows


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((9, 4)), r"has the shape 9 x 4, expected \[n_latents, d_model\] with activations.n_latents = 10"),
        (np.zeros((4, 10)), "it looks transposed"),
        (np.zeros(10), "has the shape 10, expected"),
        (np.zeros((10, 0)), "is empty"),
        (np.zeros((10, 4), dtype=int), "holds int64, expected floating-point numbers"),
        (with_nan(), "row 7 holds infinite numbers or NaN"),
    ],
)
def test_wrong_decoder_files(tmp_path, array, message):
    np.save(tmp_path / "d.npy", array)
    with pytest.raises(InputError, match=message):
        describe(tmp_path, activations={"decoder": str(tmp_path / "d.npy"), "n_latents": 10})
    assert not (tmp_path / "out").exists()


def test_no_decoder_file(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        describe(tmp_path, activations={"decoder": str(tmp_path / "none.npy"), "n_latents": 10})
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"damaged or no \.npy file"):
        describe(tmp_path, activations={"decoder": str(tmp_path / "bad.npy"), "n_latents": 10})
    with pytest.raises(ConfigError, match="decoder is not set"):
        describe(tmp_path, activations={"decoder": None, "n_latents": 10})
