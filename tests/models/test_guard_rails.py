import logging

import numpy as np
import pytest
import torch
from tiny_models import D_MODEL, N_LATENTS, make_sae, save_sae

from coactivation_manifolds.errors import GuardRailError, InputError
from coactivation_manifolds.models.batches import front_token, make_batch
from coactivation_manifolds.models.encoding import sae_input, start_encoding
from coactivation_manifolds.models.guard_rails import GuardRails, check, check_width, measure
from coactivation_manifolds.models.sae_loader import load_sae


@pytest.fixture
def loaded(tmp_path):
    return load_sae({"path": str(save_sae(tmp_path))})


def inputs(n=20):
    return torch.randn(n, D_MODEL, generator=torch.Generator().manual_seed(1))


def rails(**changes):
    settings = {"fvu": 0.2, "mean_l0": 10.0, "n_tokens": 100, "stated_l0": None, "stated_fvu": None}
    return GuardRails(**settings | changes)


def test_measure(loaded, monkeypatch):
    from coactivation_manifolds.models import guard_rails

    x, sae = inputs(), make_sae()
    with torch.no_grad():
        latents = sae.encode(x)
        error = ((x - sae.decode(latents)) ** 2).sum()
    measured = measure(x, loaded)
    assert measured.fvu == pytest.approx(float(error / ((x - x.mean(0)) ** 2).sum()), rel=1e-5)
    assert measured.mean_l0 == float((latents > 0).sum()) / 20
    assert measured.n_tokens == 20
    monkeypatch.setattr(guard_rails, "DENSE_VALUES", 7 * 48)
    assert measure(x, loaded).fvu == pytest.approx(measured.fvu, rel=1e-6)
    assert measure(x[:1], loaded).fvu is None


def test_a_perfect_sae_explains_everything(loaded):
    with torch.no_grad():
        loaded.sae.W_enc[:] = 0
        loaded.sae.W_dec[:] = 0
        for latent in range(D_MODEL):
            for sign in (0, 1):
                loaded.sae.W_enc[latent, 2 * latent + sign] = 1 - 2 * sign
                loaded.sae.W_dec[2 * latent + sign, latent] = 1 - 2 * sign
        loaded.sae.b_enc[:] = 0
        loaded.sae.b_dec[:] = 0
    measured = measure(inputs(), loaded)
    assert measured.fvu == pytest.approx(0, abs=1e-10)
    assert measured.mean_l0 == D_MODEL
    check(measured, max_fvu=0.01, hook_name="h")


@pytest.mark.parametrize("fvu", [0.51, 40.0])
def test_fvu_over_the_bound(fvu):
    with pytest.raises(
        GuardRailError, match=r"more than harvest\.max_fvu = 0\.5: the usual causes are a wrong layer, .*prepend_bos"
    ):
        check(rails(fvu=fvu, stated_fvu=0.1), max_fvu=0.5, hook_name="blocks.1.hook_resid_pre")
    check(rails(fvu=0.5), max_fvu=0.5, hook_name="h")
    check(rails(fvu=None), max_fvu=0.5, hook_name="h")


@pytest.mark.parametrize("fvu", [float("nan"), float("inf")])
def test_fvu_that_is_no_number(fvu):
    with pytest.raises(GuardRailError, match=r"reconstruction at blocks.1.x holds NaN or infinite numbers"):
        check(rails(fvu=fvu), max_fvu=0.5, hook_name="blocks.1.x")


def test_no_latent_fires():
    with pytest.raises(GuardRailError, match="no latent fires on the 100 tokens of the first batch"):
        check(rails(mean_l0=0.0), max_fvu=0.5, hook_name="h")


def test_a_handful_of_tokens_stops_nothing(caplog):
    with caplog.at_level(logging.WARNING):
        check(rails(fvu=0.9, n_tokens=15), max_fvu=0.5, hook_name="h")
        check(rails(mean_l0=0.0, n_tokens=2), max_fvu=0.5, hook_name="h")
    assert "not stopped: the batch has 15 tokens only" in caplog.text
    assert "not stopped: the batch has 2 tokens only" in caplog.text
    with pytest.raises(GuardRailError):
        check(rails(fvu=0.9, n_tokens=16), max_fvu=0.5, hook_name="h")


def test_l0_far_from_the_stated_one_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        check(rails(mean_l0=10.0, stated_l0=25.0), max_fvu=0.5, hook_name="h")
        assert not caplog.records
        check(rails(mean_l0=10.0, stated_l0=54.0), max_fvu=0.5, hook_name="h")
    assert "10.0 latents fire on a token, where the SAE's makers state 54.0" in caplog.text


def test_widths(loaded):
    check_width(D_MODEL, loaded)
    with pytest.raises(GuardRailError, match="the model's d_model is 32, but the SAE reads vectors of 16"):
        check_width(32, loaded)
    with pytest.raises(GuardRailError, match="is 8 wide, but the SAE reads 16"):
        sae_input(torch.zeros(3, 8), loaded)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_activations_that_are_no_numbers(loaded, bad):
    x = inputs()
    x[3, 4] = bad
    pending = start_encoding(sae_input(x, loaded), loaded, entries_per_token=N_LATENTS)
    with pytest.raises(GuardRailError, match=r"hold infinite numbers or NaN; set model.dtype to bfloat16"):
        pending.collect()


def test_batch_of_unequal_contexts():
    contexts = [np.array([5, 6, 7]), np.array([8]), np.array([1, 9])]
    batch = make_batch(contexts, front=0, dropped=np.array([0, 1]), padding=2)
    assert batch.input_ids.tolist() == [[0, 5, 6, 7], [0, 8, 2, 2], [0, 1, 9, 2]]
    assert batch.attention.tolist() == [[True] * 4, [True, True, False, False], [True, True, True, False]]
    assert batch.kept.tolist() == [[False, True, True, True], [False, True, False, False], [False, False, True, False]]
    bare = make_batch(contexts, front=None, dropped=np.array([], dtype=int))
    assert bare.input_ids.shape == (3, 3)
    assert bare.kept.sum() == 6


def test_front_token():
    assert front_token(prepend_bos=False, bos_token_id=3, eos_token_id=4) is None
    assert front_token(prepend_bos=True, bos_token_id=3, eos_token_id=4) == 3
    assert front_token(prepend_bos=True, bos_token_id=None, eos_token_id=0) == 0
    with pytest.raises(InputError, match="the tokenizer has neither a BOS nor an EOS token"):
        front_token(prepend_bos=True, bos_token_id=None, eos_token_id=None)
