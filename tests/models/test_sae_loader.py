import json
import logging
import shutil

import pytest
import torch
from tiny_models import D_MODEL, N_LATENTS, make_sae, save_sae

from coactivation_manifolds.errors import ConfigError, InputError
from coactivation_manifolds.models.encoding import start_encoding
from coactivation_manifolds.models.sae_loader import load_sae, sae_fingerprint


def inputs(n=20, seed=3, scale=1.0):
    return scale * torch.randn(n, D_MODEL, generator=torch.Generator().manual_seed(seed))


def encode(x, loaded):
    return start_encoding(x, loaded, entries_per_token=N_LATENTS).collect()


def dense(latents):
    rows = torch.zeros(latents.n_tokens, N_LATENTS)
    for token in range(latents.n_tokens):
        entries = slice(latents.offsets[token], latents.offsets[token + 1])
        rows[token, latents.feature_ids[entries].astype(int)] = torch.from_numpy(latents.values[entries]).float()
    return rows


@pytest.mark.parametrize("normalize", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "topk", "gated"])
def test_latents_are_those_of_sae_lens(tmp_path, architecture, normalize):
    sae = make_sae(architecture, normalize=normalize)
    sae.save_model(tmp_path)
    loaded = load_sae({"path": str(tmp_path)})
    assert (loaded.n_latents, loaded.d_in, loaded.hook_name) == (N_LATENTS, D_MODEL, "blocks.1.hook_resid_post")
    assert loaded.normalisation == normalize
    x = inputs(scale=5.0)
    with torch.no_grad():
        expected = sae.encode(x)
    assert 0 < (expected > 0).float().mean() < 1
    torch.testing.assert_close(dense(encode(x, loaded)), expected.half().float(), rtol=1e-6, atol=1e-6)


def test_batchtopk_is_saved_as_jumprelu(tmp_path):
    from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig

    config = BatchTopKTrainingSAEConfig(d_in=D_MODEL, d_sae=N_LATENTS, k=4)
    config.metadata.hook_name = "blocks.0.hook_resid_pre"
    sae = BatchTopKTrainingSAE(config)
    with torch.no_grad():
        sae.topk_threshold.fill_(0.4)
        sae.W_enc.mul_(30)
    sae.save_inference_model(tmp_path)
    assert json.loads((tmp_path / "cfg.json").read_text())["architecture"] == "jumprelu"
    loaded = load_sae({"path": str(tmp_path)})
    latents = encode(inputs(), loaded)
    assert latents.values.min() > loaded.sae.threshold.min() > 0


def test_topk_in_units_of_the_decoder_s_norms(tmp_path):
    from sae_lens import SAE

    save_sae(tmp_path, "topk")
    config = json.loads((tmp_path / "cfg.json").read_text())
    (tmp_path / "cfg.json").write_text(json.dumps(config | {"rescale_acts_by_decoder_norm": True}))
    as_saved = SAE.load_from_disk(tmp_path, device="cpu")
    loaded = load_sae({"path": str(tmp_path)})
    x = inputs()
    with torch.no_grad():
        latents, output = as_saved.encode(x), as_saved.decode(as_saved.encode(x))
    torch.testing.assert_close(dense(encode(x, loaded)), latents.half().float())
    # latents times the decoder rows that geometry reads are the SAE's own reconstruction
    torch.testing.assert_close(latents @ loaded.sae.W_dec + loaded.sae.b_dec, output)
    torch.testing.assert_close(loaded.sae.W_dec.norm(dim=1), torch.ones(N_LATENTS))


class TestFixedFactor:
    def test_is_folded_in_from_the_file_beside_it(self, tmp_path):
        save_sae(tmp_path, normalize="expected_average_only_in")
        (tmp_path / "activation_scaler.json").write_text(json.dumps({"scaling_factor": 0.25}))
        loaded = load_sae({"path": str(tmp_path)})
        assert loaded.normalisation == "expected_average_only_in"
        plain = make_sae()
        x = inputs(scale=8.0)
        with torch.no_grad():
            # the raw weights see the scaled input
            hidden = torch.relu((0.25 * x - plain.b_dec) @ plain.W_enc + plain.b_enc)
            output = (hidden @ plain.W_dec + plain.b_dec) / 0.25
            torch.testing.assert_close(loaded.sae.encode(x), hidden, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(loaded.sae.decode(hidden), output, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "activation_scaler.json with the factor does not exist"),
            ('{"scaling_factor": null}', "holds no number scaling_factor"),
            ("{}", "holds no number scaling_factor"),
            ('{"scaling_factor": 0}', "it must be positive"),
        ],
    )
    def test_missing_or_wrong(self, tmp_path, content, message):
        save_sae(tmp_path, normalize="expected_average_only_in")
        if content is not None:
            (tmp_path / "activation_scaler.json").write_text(content)
        with pytest.raises(InputError, match=message):
            load_sae({"path": str(tmp_path)})


def test_whitening_that_is_not_folded_stops(tmp_path):
    save_sae(tmp_path, normalize="covariance_whitening")
    with pytest.raises(InputError, match="normalised by covariance_whitening"):
        load_sae({"path": str(tmp_path)})


class TestMetadata:
    def test_bos(self, tmp_path, caplog):
        assert load_sae({"path": str(save_sae(tmp_path / "a", prepend_bos=True))}).prepend_bos
        assert not load_sae({"path": str(save_sae(tmp_path / "b", prepend_bos=False))}).prepend_bos
        with caplog.at_level(logging.WARNING):
            assert load_sae({"path": str(save_sae(tmp_path / "c", prepend_bos=None))}).prepend_bos
        assert "does not say whether contexts began with a special token" in caplog.text

    def test_center_writing_weights(self, tmp_path):
        folder = save_sae(tmp_path / "a", model_from_pretrained_kwargs={"center_writing_weights": True})
        assert load_sae({"path": str(folder)}).centre_input
        folder = save_sae(
            tmp_path / "b", model_from_pretrained_kwargs={"center_writing_weights": False, "fold_ln": True}
        )
        assert not load_sae({"path": str(folder)}).centre_input

    def test_what_enters_the_writing_weights_is_not_centred(self, tmp_path):
        folder = save_sae(
            tmp_path / "a",
            hook_name="blocks.1.attn.hook_z",
            model_from_pretrained_kwargs={"center_writing_weights": True},
        )
        assert not load_sae({"path": str(folder)}).centre_input
        folder = save_sae(
            tmp_path / "b",
            hook_name="blocks.1.attn.hook_z",
            model_from_pretrained_kwargs={"fold_value_biases": True},
        )
        with pytest.raises(ConfigError, match="takes the value biases out of that tensor"):
            load_sae({"path": str(folder)})

    def test_unknown_keyword_stops(self, tmp_path):
        folder = save_sae(tmp_path, model_from_pretrained_kwargs={"refactor_factored_attn_matrices": True})
        with pytest.raises(ConfigError, match=r"refactor_factored_attn_matrices=True .*which is not known here"):
            load_sae({"path": str(folder)})

    def test_single_head_and_no_hook(self, tmp_path):
        with pytest.raises(ConfigError, match="a single attention head"):
            load_sae({"path": str(save_sae(tmp_path / "a", hook_head_index=1))})
        with pytest.raises(InputError, match="does not say which hook it reads"):
            load_sae({"path": str(save_sae(tmp_path / "b", hook_name=None))})

    def test_hook_z_takes_the_heads_side_by_side(self, tmp_path):
        folder = save_sae(tmp_path, hook_name="blocks.1.attn.hook_z")
        config = json.loads((folder / "cfg.json").read_text())
        (folder / "cfg.json").write_text(json.dumps(config | {"reshape_activations": "hook_z"}))
        loaded = load_sae({"path": str(folder)})
        with torch.no_grad():
            torch.testing.assert_close(loaded.sae.encode(inputs()), make_sae().encode(inputs()))


class TestFolders:
    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match=r"cfg.json does not exist; the folder must hold an SAE saved by sae-lens"):
            load_sae({"path": str(tmp_path)})
        save_sae(tmp_path)
        (tmp_path / "sae_weights.safetensors").unlink()
        with pytest.raises(InputError, match=r"sae_weights.safetensors does not exist"):
            load_sae({"path": str(tmp_path)})

    def test_damaged(self, tmp_path):
        save_sae(tmp_path)
        weights = tmp_path / "sae_weights.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-100])
        with pytest.raises(InputError, match="can't load the SAE"):
            load_sae({"path": str(tmp_path)})
        weights.write_bytes(whole)
        (tmp_path / "cfg.json").write_text("{")
        with pytest.raises(InputError, match=r"cfg.json is damaged"):
            load_sae({"path": str(tmp_path)})

    def test_other_architectures(self, tmp_path):
        save_sae(tmp_path)
        config = json.loads((tmp_path / "cfg.json").read_text())
        for architecture in ("transcoder", "batchtopk", "temporal"):
            (tmp_path / "cfg.json").write_text(json.dumps(config | {"architecture": architecture}))
            with pytest.raises(ConfigError, match=f"architecture {architecture}, which is not known here"):
                load_sae({"path": str(tmp_path)})

    def test_wrong_keys(self, tmp_path):
        for sae in ({}, {"release": "x"}, {"path": "x", "release": "y", "sae_id": "z"}):
            with pytest.raises(ConfigError, match=r"give either sae.release with sae.sae_id, or sae.path"):
                load_sae(sae)

    def test_fingerprint(self, tmp_path):
        one = sae_fingerprint({"path": str(save_sae(tmp_path / "a"))})
        assert sae_fingerprint({"path": str(shutil.copytree(tmp_path / "a", tmp_path / "b"))}) == one
        assert sae_fingerprint({"path": str(save_sae(tmp_path / "c", seed=1))}) != one
        assert sae_fingerprint({"release": "r", "sae_id": "i"}) == {"release": "r", "sae_id": "i"}


def test_one_of_the_table_that_can_not_be_downloaded():
    with pytest.raises(InputError, match=r"can't load the SAE gpt2-small-res-jb, blocks\.7\.hook_resid_pre"):
        load_sae({"release": "gpt2-small-res-jb", "sae_id": "blocks.7.hook_resid_pre"})


def test_slices_of_tokens_give_the_same_latents(tmp_path, monkeypatch):
    from coactivation_manifolds.models import encoding

    loaded = load_sae({"path": str(save_sae(tmp_path))})
    whole = encode(inputs(n=23), loaded)
    monkeypatch.setattr(encoding, "DENSE_VALUES", 5 * N_LATENTS)
    sliced = encode(inputs(n=23), loaded)
    assert whole.offsets.tolist() == sliced.offsets.tolist()
    assert whole.feature_ids.tolist() == sliced.feature_ids.tolist()
    torch.testing.assert_close(torch.from_numpy(whole.values), torch.from_numpy(sliced.values))
    assert encode(inputs(n=0), loaded).offsets.tolist() == [0]
