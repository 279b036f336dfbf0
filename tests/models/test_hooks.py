import warnings

import pytest
import torch
from tiny_models import D_MODEL, N_LAYERS

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.models.hooks import find_hook, has_layer_norm, run_to_hook, text_module
from coactivation_manifolds.models.model_loader import LoadedModel

KINDS = ("gpt2", "gemma2", "gemma3_text", "gemma3", "llama")
IDS = torch.tensor([[0, 9, 30, 41, 12, 8, 25, 50, 51, 7, 33, 20], [0, 14, 15, 16, 17, 18, 2, 2, 2, 2, 2, 2]])
MASK = (IDS != 2).long()


def at(loaded: LoadedModel, hook_name: str) -> torch.Tensor:
    return run_to_hook(loaded.model, find_hook(loaded.model, hook_name), IDS, MASK)


def real(tensor: torch.Tensor) -> torch.Tensor:
    """Without padding."""
    return tensor[MASK.bool()]


@pytest.mark.parametrize("kind", KINDS)
class TestEveryArchitecture:
    def test_resid_post_of_block_n_is_hidden_state_n_plus_1(self, load, kind):
        loaded = load(kind)
        with torch.no_grad():
            states = loaded.model(input_ids=IDS, attention_mask=MASK, output_hidden_states=True).hidden_states
        for layer in range(N_LAYERS):
            before, after = at(loaded, f"blocks.{layer}.hook_resid_pre"), at(loaded, f"blocks.{layer}.hook_resid_post")
            torch.testing.assert_close(real(before), real(states[layer]), rtol=0, atol=0)
            if layer < N_LAYERS - 1:
                torch.testing.assert_close(real(after), real(states[layer + 1]), rtol=0, atol=0)
                assert not torch.allclose(real(after), real(states[layer]), atol=1e-2)
            else:
                # the last hidden state is taken after the final norm
                runner, _ = text_module(loaded.model)
                norm = runner.ln_f if hasattr(runner, "ln_f") else runner.norm
                with torch.no_grad():
                    torch.testing.assert_close(norm(after), states[-1], rtol=1e-5, atol=1e-5)
                assert not torch.allclose(real(after), real(states[-1]), atol=1e-2)

    def test_the_parts_of_a_block_add_up(self, load, kind):
        loaded = load(kind)
        pre, mid, post = (at(loaded, f"blocks.1.hook_resid_{place}") for place in ("pre", "mid", "post"))
        torch.testing.assert_close(pre + at(loaded, "blocks.1.hook_attn_out"), mid)
        torch.testing.assert_close(mid + at(loaded, "blocks.1.hook_mlp_out"), post)

    def test_hook_z_is_what_the_output_projection_mixes(self, load, kind):
        loaded = load(kind)
        z = at(loaded, "blocks.1.attn.hook_z")
        block = text_module(loaded.model)[1][1]
        attention = block.attn if hasattr(block, "attn") else block.self_attn
        with torch.no_grad():
            mixed = (attention.c_proj if hasattr(attention, "c_proj") else attention.o_proj)(z)
            if hasattr(block, "post_feedforward_layernorm"):
                mixed = block.post_attention_layernorm(mixed)
        torch.testing.assert_close(mixed, at(loaded, "blocks.1.hook_attn_out"))

    def test_padding_and_neighbours_in_the_batch_change_nothing(self, load, kind):
        loaded = load(kind)
        point = find_hook(loaded.model, "blocks.1.hook_resid_post")
        together = at(loaded, "blocks.1.hook_resid_post")[1, :6]
        alone = run_to_hook(loaded.model, point, IDS[1:, :6], MASK[1:, :6])[0]
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)

    def test_the_forward_pass_stops_at_the_hook(self, load, kind):
        loaded = load(kind)
        seen = []
        _, blocks = text_module(loaded.model)
        standing = [(len(block._forward_hooks), len(block._forward_pre_hooks)) for block in blocks]
        handles = [
            block.register_forward_pre_hook(lambda *_, layer=layer: seen.append(layer))
            for layer, block in enumerate(blocks)
        ]
        at(loaded, "blocks.1.hook_resid_pre")
        for handle in handles:
            handle.remove()
        assert seen in ([0], [0, 1])
        # and leaves no hook behind
        assert [(len(block._forward_hooks), len(block._forward_pre_hooks)) for block in blocks] == standing

    def test_layer_out_of_range(self, load, kind):
        with pytest.raises(ConfigError, match="the model has 3 layers, 0 to 2: this SAE belongs to another model"):
            find_hook(load(kind).model, "blocks.3.hook_resid_pre")


@pytest.mark.parametrize("name", ["hook_embed", "blocks.1.hook_mlp_in", "blocks.x.hook_resid_pre", "model.layers.1"])
def test_unknown_form(load, name):
    with pytest.raises(ConfigError, match=rf'the hook "{name}", a form that is not known here; known are blocks'):
        find_hook(load("gpt2").model, name)


@pytest.mark.parametrize(("kind", "expected"), [("gpt2", True), ("gemma2", False), ("gemma3", False), ("llama", False)])
def test_which_models_subtract_the_mean_before_they_read(load, kind, expected):
    assert has_layer_norm(load(kind).model) == expected


def test_unknown_layouts():
    with pytest.raises(ConfigError, match="models of class Linear have a layout that is not known here"):
        text_module(torch.nn.Linear(2, 2))


@pytest.fixture(scope="module")
def lens(load):
    """The tiny GPT-2 in TransformerLens, plain and with its writing weights centred."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformer_lens import HookedTransformer, HookedTransformerConfig
        from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights

        model = load("gpt2").model
        config = HookedTransformerConfig(
            n_layers=N_LAYERS,
            d_model=D_MODEL,
            n_heads=2,
            d_head=8,
            d_mlp=4 * D_MODEL,
            n_ctx=64,
            d_vocab=64,
            act_fn="gelu_new",
            normalization_type="LN",
            eps=model.config.layer_norm_epsilon,
            device="cpu",
        )
        state = convert_gpt2_weights(model, config)
        hooked = {}
        for centred in (False, True):
            hooked[centred] = HookedTransformer(config)
            hooked[centred].load_and_process_state_dict(
                {name: tensor.clone() for name, tensor in state.items()},
                fold_ln=False,
                center_writing_weights=centred,
                center_unembed=False,
                fold_value_biases=False,
            )
    return hooked


@pytest.mark.parametrize(
    "form", ["hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out"]
)
@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_against_transformer_lens(load, lens, form, layer):
    name = f"blocks.{layer}.{form}"
    ours = at(load("gpt2"), name)
    _, plain = lens[False].run_with_cache(IDS[:1])
    torch.testing.assert_close(ours[:1], plain[name], rtol=1e-4, atol=1e-4)
    _, centred = lens[True].run_with_cache(IDS[:1])
    torch.testing.assert_close(ours[:1] - ours[:1].mean(-1, keepdim=True), centred[name], rtol=1e-4, atol=1e-4)
    assert ours.mean(-1).abs().max() > 1e-2


def test_hook_z_against_transformer_lens(load, lens):
    _, cache = lens[False].run_with_cache(IDS[:1])
    theirs = cache["blocks.2.attn.hook_z"].flatten(-2)
    torch.testing.assert_close(at(load("gpt2"), "blocks.2.attn.hook_z")[:1], theirs, rtol=1e-4, atol=1e-4)
