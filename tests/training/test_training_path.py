"""The whole training path at toy size: what it saves is what the harvest's own loaders read."""

import json
import os

import numpy as np
import pytest
import torch
from training_data import TINY, tiny, write_corpus

from coactivation_manifolds.errors import ConfigError, InputError
from coactivation_manifolds.models.model_loader import load_model
from coactivation_manifolds.models.sae_loader import load_sae
from coactivation_manifolds.storage import read_json
from coactivation_manifolds.training.contexts import document_contexts, tokenize
from coactivation_manifolds.training.language_model import (
    learning_rate_share,
    shuffled_batches,
    summarize_losses,
    train_language_model,
)
from coactivation_manifolds.training.recipes import read_documents
from coactivation_manifolds.training.sparse_autoencoder import hooked_block, residual_vectors, train_sae
from coactivation_manifolds.training.tokenizers import load_tokenizer


def train(training, folder, *, corpus, seed=0):
    """Train model and SAE on a corpus."""
    train_language_model(
        corpus / "training.jsonl",
        training,
        seed=seed,
        tokenizer_folder=corpus / "tokenizer",
        model_folder=folder / "model",
        losses_path=folder / "model_losses.json",
    )
    train_only_sae(training, folder, corpus=corpus, model=folder / "model", seed=seed)
    return folder


def train_only_sae(training, folder, *, corpus, model, seed=0):
    train_sae(
        corpus / "training.jsonl",
        training,
        seed=seed,
        model_folder=model,
        sae_folder=folder / "sae",
        losses_path=folder / "sae_losses.json",
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(TINY, tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, corpus):
    return train(TINY, tmp_path_factory.mktemp("trained"), corpus=corpus)


def test_the_harvest_s_loaders_read_what_was_saved(trained):
    model = load_model({"name": None, "path": str(trained / "model"), "dtype": "float32"}, device="cpu")
    sae = load_sae({"path": str(trained / "sae")})
    assert (sae.n_latents, sae.d_in, sae.hook_name) == (24, 16, "blocks.0.hook_resid_post")
    assert sae.prepend_bos and not sae.centre_input
    assert model.model.config.n_embd == 16
    assert sae.sae.cfg.architecture() == "jumprelu"  # what batchtopk is saved as
    np.testing.assert_allclose(sae.sae.W_dec.norm(dim=1).numpy(), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(trained, corpus, tmp_path):
    again = train(TINY, tmp_path / "again", corpus=corpus)
    other = train(TINY, tmp_path / "other", corpus=corpus, seed=1)
    files = ["model/model.safetensors", "sae/sae_weights.safetensors", "model_losses.json", "sae_losses.json"]
    for name in [*files, "model/config.json", "model/tokenizer.json", "sae/cfg.json"]:
        assert (trained / name).read_bytes() == (again / name).read_bytes(), name
    for name in files:
        assert (trained / name).read_bytes() != (other / name).read_bytes(), name


def test_nothing_else_is_left_in_the_folders(trained):
    assert {path.name for path in trained.iterdir()} == {"model", "sae", "model_losses.json", "sae_losses.json"}
    assert {path.name for path in (trained / "sae").iterdir()} == {"cfg.json", "sae_weights.safetensors"}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= {
        path.name for path in (trained / "model").iterdir()
    }


def test_libraries_are_told_to_stay_offline(trained):
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["WANDB_MODE"] == "disabled"


def test_losses_stand_beside_the_perfect_observer_s(trained):
    losses = read_json(trained / "model_losses.json")
    assert [point["step"] for point in losses["curve"]] == [12]
    for group in ("all", "ring", "simplex", "background"):
        held_out = losses["held_out"][group]
        assert held_out["gap"] == pytest.approx(held_out["model"] - held_out["optimal"])
        assert 1 < held_out["optimal"] < held_out["model"] < np.log(91) + 0.2
    assert losses["held_out"]["all"]["n_tokens"] == 16 * 15
    sae = read_json(trained / "sae_losses.json")
    assert sae["n_vectors"] == 600
    assert sae["fvu"] > 0 and 0 < sae["l0"] < 24
    assert json.loads((trained / "sae/cfg.json").read_text())["metadata"]["context_size"] == 16


def test_topk_keeps_k_latents_at_most(trained, corpus, tmp_path):
    training = tiny(sae={"architecture": "topk", "k": 3, "hook": "blocks.1.hook_resid_pre"})
    train_only_sae(training, tmp_path, corpus=corpus, model=trained / "model")
    sae = load_sae({"path": str(tmp_path / "sae")})
    assert sae.sae.cfg.architecture() == "topk"
    assert sae.hook_name == "blocks.1.hook_resid_pre"
    firing = (sae.sae.encode(torch.randn(50, 16)) > 0).sum(dim=1)
    assert int(firing.max()) <= 3
    np.testing.assert_allclose(sae.sae.W_dec.norm(dim=1).numpy(), 1, rtol=1e-5)


def test_residual_vectors_are_transformers_hidden_states(trained, corpus):
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(trained / "model").eval()
    tokenizer = load_tokenizer(trained / "model")
    documents = tokenize(list(read_documents(corpus / "harvest.jsonl"))[:5], tokenizer)
    documents[1] = documents[1][:4]
    contexts = document_contexts(documents, context_length=16, bos=tokenizer.bos_token_id)
    with torch.inference_mode():
        hidden = model(input_ids=torch.from_numpy(contexts.token_ids), output_hidden_states=True).hidden_states
    for hook, place in (
        ("blocks.0.hook_resid_post", 1),
        ("blocks.1.hook_resid_pre", 1),
        ("blocks.0.hook_resid_pre", 0),
    ):
        vectors = residual_vectors(model, contexts, hook=hook, batch_size=2)
        assert len(vectors) == contexts.mask.sum() == 4 * 15 + 4
        torch.testing.assert_close(vectors, hidden[place][torch.from_numpy(contexts.mask)], rtol=1e-5, atol=1e-5)
    with pytest.raises(ConfigError, match=r"give blocks.L.hook_resid_post"):
        hooked_block(model, "blocks.0.hook_mlp_out")
    with pytest.raises(ConfigError, match=r"names block 7, but the model has blocks 0 to 1"):
        hooked_block(model, "blocks.7.hook_resid_post")


def test_training_on_a_stream(corpus, tmp_path):
    training = tiny(model={"packing": "stream", "steps": 2})
    train_language_model(
        corpus / "training.jsonl",
        {**training, "recipe": "python_docs"},
        seed=0,
        tokenizer_folder=corpus / "tokenizer",
        model_folder=tmp_path / "model",
        losses_path=tmp_path / "losses.json",
    )
    assert list(read_json(tmp_path / "losses.json")["held_out"]) == ["all"]


def test_too_few_documents_are_told(trained, corpus, tmp_path):
    with pytest.raises(InputError, match=r"has 80 documents, and training.model.held_out_documents holds back 80"):
        train(tiny(model={"held_out_documents": 80}), tmp_path, corpus=corpus)
    with pytest.raises(InputError, match=r"has 1200 tokens, training.sae.n_vectors asks for 5000"):
        train_only_sae(tiny(sae={"n_vectors": 5000}), tmp_path, corpus=corpus, model=trained / "model")


def test_the_random_state_and_the_threads_are_given_back(corpus, tmp_path):
    torch.manual_seed(5)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    training = {**tiny(model={"steps": 1}, sae={"steps": 5}), "cpu_threads": threads + 1}
    train(training, tmp_path, corpus=corpus)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_the_learning_rate_warms_up_and_falls_to_its_share():
    settings = {"warmup_steps": 10, "steps": 100, "final_learning_rate_share": 0.02}
    rates = [learning_rate_share(step, settings) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0.02)
    assert (np.diff(rates[10:]) < 0).all()


def test_batches_show_every_row_once_an_epoch():
    batches = shuffled_batches(10, 3, seed=[1])
    epoch = np.concatenate([next(batches) for _ in range(3)])
    assert len(set(epoch.tolist())) == 9
    assert len(next(shuffled_batches(4, 100, seed=[1]))) == 4


def test_losses_without_a_reference_are_means_over_real_tokens():
    losses = np.array([[1.0, 3.0], [5.0, np.nan]])
    assert summarize_losses(losses, None) == {"all": {"model": 3.0, "n_tokens": 3}}
