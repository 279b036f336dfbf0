import shutil

import pytest
import torch
from tiny_models import D_MODEL

from coactivation_manifolds.errors import ConfigError, GuardRailError, InputError
from coactivation_manifolds.models.model_loader import attention_for, choose_device, load_model, model_fingerprint

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")


@pytest.mark.parametrize("kind", ["gpt2", "gemma2", "gemma3", "llama"])
def test_ready_to_run_and_never_to_train(load, kind):
    loaded = load(kind)
    assert loaded.d_model == D_MODEL
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert loaded.model.config.get_text_config()._attn_implementation == "eager"


def test_dtype(model_folders):
    loaded = load_model({"path": str(model_folders["gpt2"]), "dtype": "bfloat16"}, device="cpu")
    assert next(loaded.model.parameters()).dtype == torch.bfloat16


def test_devices():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert attention_for(torch.device("cuda")) is None


@without_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_no_gpu_though_asked(model_folders, device):
    with pytest.raises(GuardRailError, match=f"harvest.device is {device}, but PyTorch sees no GPU here"):
        load_model({"path": str(model_folders["gpt2"])}, device=device)


def test_no_such_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(GuardRailError, match=r"this machine has 2 GPU\(s\), cuda:0 to cuda:1"):
        choose_device("cuda:2")


def test_device_map(model_folders):
    path = str(model_folders["gpt2"])
    with pytest.raises(ConfigError, match=r"model.device_map spreads a model over GPUs, but harvest.device is cpu"):
        load_model({"path": path, "device_map": "auto"}, device="cpu")


def test_wrong_models(tmp_path, model_folders):
    with pytest.raises(InputError, match=r"the folder .* does not exist"):
        load_model({"path": str(tmp_path / "none")}, device="cpu")
    with pytest.raises(ConfigError, match=r"give either model.name"):
        load_model({"path": str(tmp_path), "name": "also"}, device="cpu")
    with pytest.raises(ConfigError, match=r"model.dtype is 'int8'"):
        load_model({"path": str(model_folders["gpt2"]), "dtype": "int8"}, device="cpu")
    hollow = tmp_path / "hollow"
    hollow.mkdir()
    shutil.copy(model_folders["gpt2"] / "config.json", hollow)
    with pytest.raises(InputError, match="can't load the model of"):
        load_model({"path": str(hollow)}, device="cpu")
    shutil.copy(model_folders["gpt2"] / "model.safetensors", hollow)
    weights = hollow / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="can't load the model of"):
        load_model({"path": str(hollow)}, device="cpu")


def test_a_name_on_the_hub_that_can_not_be_reached():
    with pytest.raises(InputError, match=r"can't load the model of nobody/no-such-model .*that the hub can be reached"):
        load_model({"name": "nobody/no-such-model"}, device="cpu")


def test_code_in_a_model_folder_is_never_run(tmp_path, model_folders):
    folder = shutil.copytree(model_folders["gpt2"], tmp_path / "model")
    (folder / "evil.py").write_text("raise SystemExit('ran')\n")
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(
        config.replace('"model_type": "gpt2"', '"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil"}')
    )
    with pytest.raises(InputError, match="can't load the model of"):
        load_model({"path": str(folder)}, device="cpu")


def test_fingerprint_follows_the_files_not_the_place(tmp_path, model_folders):
    one = model_fingerprint({"path": str(model_folders["gpt2"]), "dtype": "float32"})
    copy = shutil.copytree(model_folders["gpt2"], tmp_path / "copy")
    assert model_fingerprint({"path": str(copy), "dtype": "float32"}) == one
    assert model_fingerprint({"path": str(copy), "dtype": "bfloat16"}) != one
    (copy / "config.json").write_text((copy / "config.json").read_text() + " ")
    assert model_fingerprint({"path": str(copy), "dtype": "float32"}) != one
    assert model_fingerprint({"name": "a/b", "revision": "c"}) == {"name": "a/b", "revision": "c", "dtype": "float32"}
