"""Models, SAEs and arrays of others: nothing in them runs, and what only a pickle holds is refused."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import save_model, save_sae

from coactivation_manifolds.activations.importers.npz_files import read_members
from coactivation_manifolds.corpus.tokenizer import load_model_config, load_tokenizer
from coactivation_manifolds.errors import CoactivationError, ConfigError, InputError
from coactivation_manifolds.experiment.yaml_file import read_yaml
from coactivation_manifolds.models.model_loader import load_model
from coactivation_manifolds.models.sae_loader import load_sae
from coactivation_manifolds.storage import read_array


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "gpt2")


def test_arrays(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    np.savez(tmp_path / "a.npz", token_indices=np.array([Touch(ran)], dtype=object))
    np.save(tmp_path / "a.npy", np.array([Touch(ran)], dtype=object), allow_pickle=True)
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Touch(ran)))
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Touch(ran)))
    for name in ("a.npz", "b.npz"):
        with pytest.raises(InputError, match=r"damaged or no \.npz file of plain arrays"):
            read_members(tmp_path / name, ["token_indices"])
    for name in ("a.npy", "b.npy"):
        with pytest.raises(InputError, match=r"damaged or no \.npy file"):
            read_array(tmp_path / name)
    assert not ran.exists()


def test_an_archive_that_unpacks_to_far_more_than_it_is(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, token_indices=np.zeros(1 << 26, np.int64))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(InputError, match="unpack to 536,871,"):
        read_members(path, ["token_indices"])


@pytest.mark.parametrize("shape", ["(99999999999999,)", "(3, 3)", "(-3,)", "(-1, -3)", "(2,)"])
def test_an_array_whose_header_lies(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(24)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("token_indices.npy", content)
    with pytest.raises(InputError, match="are there"):
        read_members(tmp_path / "a.npz", ["token_indices"])
    (tmp_path / "a.npy").write_bytes(content)
    if shape != "(2,)":  # a file may be longer than its array
        with pytest.raises(InputError, match=r"damaged or no \.npy file"):
            read_array(tmp_path / "a.npy")


def test_a_model_with_weights_in_a_pickle_only_is_refused(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    weights = load_model({"path": str(model)}, device="cpu").model.state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"can't load the model .*safetensors"):
        load_model({"path": str(folder)}, device="cpu")
    ran = tmp_path / "ran"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Touch(ran)))
    with pytest.raises(InputError, match="can't load the model"):
        load_model({"path": str(folder)}, device="cpu")
    assert not ran.exists()


def test_code_beside_a_model_is_not_run(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    ran = tmp_path / "ran"
    code = f"from transformers import GPT2Config as Mine, GPT2LMHeadModel as Model\nopen({str(ran)!r}, 'w')\n"
    (folder / "mine.py").write_text(code)
    names = {"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Model", "AutoTokenizer": ["mine.Mine", None]}
    for model_type in ("gpt2", "unheard_of"):
        for name in ("config.json", "tokenizer_config.json"):
            content = json.loads((folder / name).read_text())
            kept = content | ({"model_type": model_type} if name == "config.json" else {})
            (folder / name).write_text(json.dumps(kept | {"auto_map": names}))
        settings = {"path": str(folder)}
        for load in (load_tokenizer, load_model_config, lambda given: load_model(given, device="cpu")):
            try:
                load(settings)
            except CoactivationError as error:
                assert "\n" not in str(error)
    assert not ran.exists()


def test_an_sae_is_read_from_safetensors_only(tmp_path: Path) -> None:
    folder = save_sae(tmp_path / "sae")
    assert load_sae({"path": str(folder)}).n_latents == 48
    ran = tmp_path / "ran"
    (folder / "sae_weights.safetensors").write_bytes(pickle.dumps(Touch(ran)))
    with pytest.raises(InputError, match="can't load the SAE"):
        load_sae({"path": str(folder)})
    (folder / "sae_weights.safetensors").rename(folder / "ae.pt")
    with pytest.raises(InputError, match=r"sae_weights.safetensors does not exist"):
        load_sae({"path": str(folder)})
    assert not ran.exists()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"architecture": ' + "9" * 5_000 + "}", "[]", "\xff", ""])
def test_a_damaged_configuration_of_an_sae(tmp_path: Path, content: str) -> None:
    folder = save_sae(tmp_path / "sae")
    (folder / "cfg.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"cfg.json is damaged"):
        load_sae({"path": str(folder)})


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system [ls]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/object/new:os.system [ls]",
    ],
)
def test_yaml_makes_plain_values_only(tmp_path: Path, value: str) -> None:
    (tmp_path / "a.yaml").write_text(f"seed: {value}\n")
    with pytest.raises(ConfigError, match="not YAML"):
        read_yaml(tmp_path / "a.yaml")
