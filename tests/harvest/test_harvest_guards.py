"""What stops a harvest, what is halved, and that nothing complete is touched."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch
from harvest_bench import files_of

from coactivation_manifolds.activations import activation_pipeline
from coactivation_manifolds.activations.activation_reader import read_manifest, read_shard
from coactivation_manifolds.errors import ConfigError, GuardRailError, ResultsError
from coactivation_manifolds.models import encoding


@pytest.fixture
def out(bench, tmp_path):
    bench.plan(tmp_path)
    return tmp_path


class TestStops:
    def test_widths_differ(self, bench, out):
        with pytest.raises(GuardRailError, match="the model's d_model is 16, but the SAE reads vectors of 24"):
            bench.harvest(out, sae=bench.sae(d_in=24))
        assert not (out / "activations").exists()

    def test_fvu_over_the_bound(self, bench, out):
        with pytest.raises(GuardRailError, match=r"more than harvest\.max_fvu = 0\.5: the usual causes are"):
            bench.harvest(out, max_fvu=0.5)
        assert not (out / "activations").exists()

    def test_fvu_recorded_by_an_earlier_attempt(self, bench, out):
        manifest = bench.harvest(out)
        before = files_of(manifest)
        manifest.unlink()
        (manifest.parent / "part-00001.parquet").unlink()
        with pytest.raises(GuardRailError, match=r"more than harvest\.max_fvu = 0\.5"):
            bench.harvest(out, max_fvu=0.5)
        assert files_of(manifest).items() <= before.items()

    def test_a_lower_bound_holds_for_a_finished_harvest_too(self, bench, out):
        manifest = bench.harvest(out)
        manifest.unlink()
        with pytest.raises(GuardRailError, match=r"more than harvest\.max_fvu = 0\.5"):
            bench.harvest(out, max_fvu=0.5)
        assert not manifest.exists()

    def test_another_commit_of_the_model(self, bench, out, monkeypatch):
        manifest = bench.harvest(out)
        record = {0: SimpleNamespace(extra={"model_commit": "a" * 40})}
        activation_pipeline.check_commit(record, "a" * 40, manifest)
        activation_pipeline.check_commit(record, None, manifest)
        with pytest.raises(
            ResultsError, match=r"with commit aaaa.* the hub now gives bbbb.*set model\.revision to aaaa"
        ):
            activation_pipeline.check_commit(record, "b" * 40, manifest)

    def test_layer_out_of_range(self, bench, out):
        with pytest.raises(ConfigError, match="the model has 3 layers, 0 to 2"):
            bench.harvest(out, sae=bench.sae(hook_name="blocks.7.hook_resid_post"))

    def test_unknown_hook(self, bench, out):
        with pytest.raises(ConfigError, match=r'the hook "blocks.1.hook_q", a form that is not known here'):
            bench.harvest(out, sae=bench.sae(hook_name="blocks.1.hook_q"))

    @pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
    def test_no_gpu_though_asked(self, bench, out):
        with pytest.raises(GuardRailError, match=r"harvest.device is cuda, but PyTorch sees no GPU here"):
            bench.harvest(out, device="cuda")

    def test_beyond_float16(self, bench, out):
        from safetensors.torch import load_file, save_file

        sae = bench.sae(seed=9)
        weights = f"{sae['path']}/sae_weights.safetensors"
        state = load_file(weights)
        state["W_enc"] *= 1e6
        save_file(state, weights)
        with pytest.raises(
            GuardRailError, match=r"token_index \d+, latent \d+: the activation .* is beyond float16's range"
        ):
            bench.harvest(out, sae=sae, max_fvu=1e30)

    def test_nan_weights(self, bench, out):
        from safetensors.torch import load_file, save_file

        sae = bench.sae(seed=10)
        weights = f"{sae['path']}/sae_weights.safetensors"
        state = load_file(weights)
        state["W_enc"][3, 5] = float("nan")
        save_file(state, weights)
        with pytest.raises(GuardRailError, match="NaN"):
            bench.harvest(out, sae=sae)

    def test_a_token_shard_that_was_changed(self, bench, out):
        bench.plan(out / "other", context_length=9)
        shard = out / "corpus" / "shard=000000.parquet"
        shard.write_bytes((out / "other" / "corpus" / shard.name).read_bytes())
        with pytest.raises(ResultsError, match="its SHA-256 differs"):
            bench.harvest(out)


class TestOutOfMemory:
    @pytest.fixture
    def small_device(self, monkeypatch):
        """A device that holds two contexts at once."""
        run, sizes = encoding.run_to_hook, []

        def limited(model, point, input_ids, attention_mask):
            sizes.append(len(input_ids))
            if len(input_ids) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
            return run(model, point, input_ids, attention_mask)

        monkeypatch.setattr(encoding, "run_to_hook", limited)
        return sizes

    def test_a_batch_is_halved_and_recorded(self, bench, out, small_device, caplog):
        with caplog.at_level(logging.WARNING):
            halved = bench.harvest(out, batch_size=8)
        assert "out of memory: batch 0 is tried again with 4 contexts at once" in caplog.text
        assert "with 2 contexts at once" in caplog.text
        notes = read_manifest(halved)["notes"]
        assert notes[0] == "batch 0 ran with 2 contexts at once, for want of memory"
        # later batches start small at once
        assert small_device.count(8) == small_device.count(4) == 1
        rows = read_shard(halved)
        assert rows.n_tokens >= 400

    def test_not_even_one_context(self, bench, out, monkeypatch):
        def never(*_):
            raise torch.OutOfMemoryError("CUDA out of memory.")

        monkeypatch.setattr(encoding, "run_to_hook", never)
        with pytest.raises(GuardRailError, match="not even one context fits into the memory"):
            bench.harvest(out)

    def test_other_errors_pass_through(self, bench, out, monkeypatch):
        def broken(*_):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

        monkeypatch.setattr(encoding, "run_to_hook", broken)
        with pytest.raises(RuntimeError, match="mat1 and mat2"):
            bench.harvest(out)


class TestWhatIsThereIsKept:
    def test_all_parts_there_needs_no_model(self, bench, out, monkeypatch):
        manifest = bench.harvest(out)
        before = files_of(manifest)
        manifest.unlink()

        def never(*_, **__):
            raise AssertionError("the model was loaded")

        monkeypatch.setattr(activation_pipeline, "open_reader", never)
        bench.harvest(out)
        assert files_of(manifest) == before

    @pytest.mark.parametrize("lost", ["part-00000.parquet", "part-00001.parquet"])
    def test_a_damaged_part_is_made_anew(self, bench, out, lost):
        manifest = bench.harvest(out)
        before = files_of(manifest)
        manifest.unlink()
        part = manifest.parent / lost
        part.write_bytes(part.read_bytes()[:200])
        bench.harvest(out)
        assert files_of(manifest) == before

    def test_other_settings_make_all_parts_anew(self, bench, out, caplog):
        manifest = bench.harvest(out)
        before = files_of(manifest)
        with caplog.at_level(logging.WARNING):
            bench.harvest(out, sae=bench.sae(seed=2))
        assert "it was made with other settings, model, SAE or corpus" in caplog.text
        assert files_of(manifest)["part-00000.parquet"] != before["part-00000.parquet"]
        bench.harvest(out)
        assert files_of(manifest) == before

    def test_another_special_token_in_front_makes_all_parts_anew(self, bench, out):
        manifest = bench.harvest(out)
        before = files_of(manifest)
        plan = out / "corpus" / "plan.json"
        facts = json.loads(plan.read_text())
        facts["tokenizer"]["bos_token_id"] = facts["tokenizer"]["bos_token_id"] + 1
        plan.write_text(json.dumps(facts))
        bench.harvest(out)
        after = files_of(manifest)
        assert all(after[name] != before[name] for name in before)

    def test_device_and_totals_are_no_settings(self, bench, out):
        manifest = bench.harvest(out)
        before = files_of(manifest)
        bench.harvest(out, device="auto" if not torch.cuda.is_available() else "cpu", gpus_per_job=4)
        assert files_of(manifest) == before

    def test_adding_shards_changes_no_earlier_one(self, bench, tmp_path):
        bench.plan(tmp_path / "a", tokens_per_shard=150, n_tokens=300)
        bench.plan(tmp_path / "b", tokens_per_shard=150, n_tokens=450)
        one = bench.harvest(tmp_path / "a", shard=1, corpus={"n_tokens": 300})
        other = bench.harvest(tmp_path / "b", shard=1, corpus={"n_tokens": 450})
        assert files_of(one) == files_of(other)

    def test_empty_shard(self, bench, tmp_path, caplog):
        bench.plan(tmp_path, n_tokens=4_000, tokens_per_shard=2_000)
        with caplog.at_level(logging.WARNING):
            manifest = bench.harvest(tmp_path, shard=1, corpus={"n_tokens": 4_000})
        assert "shard 1 holds no token: the corpus ended before it" in caplog.text
        content = json.loads(manifest.read_text())
        assert (content["n_tokens"], content["parts"], content["guard_rails"]) == (0, [], None)
        assert read_shard(manifest).n_tokens == 0
