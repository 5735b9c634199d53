"""Weights and vocabularies: one interface, one order of places, nothing unverified."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import assets, corpora
from course_utils.assets import (
    ASSETS,
    MINILM,
    MISTRAL,
    TIKTOKEN,
    Asset,
    AssetError,
    places,
    vocabulary,
)

ROOT = Path(__file__).parents[2]
SIZES = {
    "wordpiece": 30_522,
    "cl100k": 100_277,
    "o200k": 200_019,
    "tekken": 131_072,
    "sentencepiece": 32_000,
}
BYTE_LEVEL = ("cl100k", "o200k", "tekken")
SPECIAL_TEXTS = (
    "<|endoftext|>",
    "<|im_start|>system<|im_sep|>",
    "<s>[INST] be good [/INST]</s>",
    "<unk><pad>",
    "[CLS] a [SEP] [MASK] [PAD] [UNK]",
)
steady = settings(derandomize=True, deadline=None, max_examples=60)
any_text = st.text(st.characters(exclude_categories=()), max_size=60)
whole_text = st.text(max_size=60)

each_vocabulary = pytest.mark.parametrize("name", SIZES)
each_asset = pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.package)


@pytest.fixture(scope="module")
def vocabularies():
    return assets.vocabularies()


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# -- importing the package costs nothing -----------------------------------------------

HEAVY = {"torch", "transformers", "numpy", "pandas", "tokenizers", "tiktoken", "bs4"}


@pytest.mark.parametrize(
    "module", ["course_utils", "course_utils.assets", "course_utils.tokenization"]
)
def test_importing_the_package_loads_no_heavy_library(module):
    done = run_python(f"import {module}, sys; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "course_utils" in loaded
    assert not loaded & HEAVY


def test_importing_the_package_brings_one_module_in_less_than_a_tenth_of_a_second():
    done = run_python(
        "import os, sys, time\n"
        "before, begun = set(sys.modules), time.process_time()\n"
        "import course_utils\n"
        "print(time.process_time() - begun, *set(sys.modules) - before)"
    )
    seconds, *new = done.stdout.split()
    assert new == ["course_utils"]
    assert float(seconds) < 0.1


@pytest.mark.parametrize(
    "variable",
    ["OMP_WAIT_POLICY", "TOKENIZERS_PARALLELISM", "HF_HUB_DISABLE_PROGRESS_BARS"],
)
def test_the_environment_gets_a_default_that_never_overrides_yours(variable):
    code = f"import course_utils, os; print(os.environ[{variable!r}])"
    assert run_python(code, **{variable: "mine"}).stdout.strip() == "mine"
    unset = {k: v for k, v in os.environ.items() if k != variable}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=unset,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() not in ("", "mine")


# -- five vocabularies, one interface --------------------------------------------------


def test_there_are_five_vocabularies():
    assert list(assets.vocabularies()) == list(SIZES)
    assert len(assets.vocabularies()) == 5


def test_listing_the_names_loads_none_of_them():
    fresh = vocabulary._Vocabularies()
    assert sorted(fresh) == sorted(SIZES)
    assert fresh._loaded == {}


@each_vocabulary
def test_a_vocabulary_is_loaded_once(vocabularies, name):
    assert vocabularies[name] is vocabularies[name]
    assert vocabularies[name].name == name


@each_vocabulary
def test_the_length_is_the_number_of_ids(vocabularies, name):
    assert len(vocabularies[name]) == SIZES[name]


def test_an_unknown_name_is_answered_with_the_known_ones(vocabularies):
    with pytest.raises(KeyError) as caught:
        vocabularies["gpt2"]
    message = str(caught.value)
    assert "gpt2" in message
    assert all(name in message for name in SIZES)


@each_vocabulary
def test_empty_text_is_no_ids_and_no_ids_are_empty_text(vocabularies, name):
    vocabulary = vocabularies[name]
    assert vocabulary.encode("") == []
    assert vocabulary.pieces("") == []
    assert vocabulary.decode([]) == ""


@each_vocabulary
@steady
@given(text=any_text)
def test_there_is_one_readable_piece_per_id(vocabularies, name, text):
    vocabulary = vocabularies[name]
    ids, pieces = vocabulary.encode(text), vocabulary.pieces(text)
    assert len(pieces) == len(ids)
    assert all(type(i) is int and 0 <= i < len(vocabulary) for i in ids)
    assert all(isinstance(piece, str) and piece.encode("utf-8") for piece in pieces)


@pytest.mark.parametrize("name", BYTE_LEVEL)
@steady
@given(text=whole_text)
def test_byte_level_vocabularies_give_every_text_back(vocabularies, name, text):
    vocabulary = vocabularies[name]
    assert vocabulary.decode(vocabulary.encode(text)) == text


@steady
@given(text=whole_text.filter(lambda text: "▁" not in text))
def test_sentencepiece_gives_every_text_back_that_is_free_of_its_word_mark(
    vocabularies, text
):
    sentencepiece = vocabularies["sentencepiece"]
    assert sentencepiece.decode(sentencepiece.encode(text)) == text


def test_sentencepiece_takes_its_own_word_mark_for_a_space(vocabularies):
    sentencepiece = vocabularies["sentencepiece"]
    assert sentencepiece.decode(sentencepiece.encode("a▁b")) == "a b"


def test_wordpiece_gives_back_what_its_normaliser_left(vocabularies):
    wordpiece = vocabularies["wordpiece"]
    assert wordpiece.decode(wordpiece.encode("unbelievable embeddings")) == (
        "unbelievable embeddings"
    )
    assert wordpiece.decode(wordpiece.encode("Déjà   VU")) == "deja vu"


@each_vocabulary
@pytest.mark.parametrize("broken", ["\ud800", "a\udfffb", "\ude00\ud83d"], ids=ascii)
def test_a_lone_surrogate_is_read_as_the_replacement_character(
    vocabularies, name, broken
):
    mended = "".join("�" if "\ud800" <= c <= "\udfff" else c for c in broken)
    vocabulary = vocabularies[name]
    assert vocabulary.encode(broken) == vocabulary.encode(mended)


@each_vocabulary
def test_the_two_halves_of_a_character_are_read_as_the_character(vocabularies, name):
    vocabulary = vocabularies[name]
    assert vocabulary.encode("so \ud83d\ude00") == vocabulary.encode("so 😀")


@pytest.mark.parametrize("name", [name for name in SIZES if name != "wordpiece"])
def test_a_byte_order_mark_is_text_like_any_other(vocabularies, name):
    vocabulary = vocabularies[name]
    assert vocabulary.decode(vocabulary.encode("\ufeffa")) == "\ufeffa"


@pytest.mark.parametrize("name", [name for name in SIZES if name != "wordpiece"])
@pytest.mark.parametrize("text", SPECIAL_TEXTS)
def test_the_spelling_of_a_special_token_is_plain_text(vocabularies, name, text):
    vocabulary = vocabularies[name]
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert len(vocabulary.encode(text)) > 1


def test_wordpiece_reads_a_special_token_as_the_model_itself_does(vocabularies):
    text = "[CLS] a [SEP] [MASK] [PAD] [UNK]"
    expected = assets.tokenizer()(text, add_special_tokens=False)["input_ids"]
    assert vocabularies["wordpiece"].encode(text) == expected


@each_vocabulary
def test_no_special_token_is_added(vocabularies, name):
    vocabulary = vocabularies[name]
    pieces = vocabulary.pieces("hello")
    assert "".join(pieces).lstrip("▁") == "hello"


def test_a_text_beyond_the_limit_of_the_model_is_encoded_without_a_word(
    vocabularies, capfd, caplog
):
    assert len(vocabularies["wordpiece"].encode("word " * 600)) == 600
    printed = capfd.readouterr()
    assert (printed.out, printed.err, caplog.text) == ("", "", "")


def test_wordpiece_ids_are_those_of_the_library(vocabularies):
    for text in ("The pod was OOMKilled.", "naïve café", "你好", "  "):
        expected = assets.tokenizer()(text, add_special_tokens=False)["input_ids"]
        assert vocabularies["wordpiece"].encode(text) == expected


@pytest.mark.parametrize(
    "piece, shown",
    [
        (b"plain", "plain"),
        (" café".encode(), " café"),
        (b"\xf0\x9f", "<0xF0><0x9F>"),
        (b"a\xffb", "a<0xFF>b"),
        (b"", ""),
    ],
)
def test_bytes_that_are_no_text_are_spelt_out(piece, shown):
    assert assets.readable(piece) == shown


@steady
@given(st.binary(max_size=20))
def test_any_bytes_become_text_that_can_be_printed(piece):
    shown = assets.readable(piece)
    assert bool(shown.encode("utf-8")) == bool(piece)


# -- the weights -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights():
    return assets.weights()


def test_the_weights_are_all_tensors_of_the_six_layers(weights):
    config = assets.config()
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.")}
    assert layers == set(map(str, range(config["num_hidden_layers"])))
    assert len(weights) == 6 * 16 + 8


@pytest.mark.parametrize(
    "name, shape",
    {
        "embeddings.word_embeddings.weight": (30_522, 384),
        "embeddings.position_embeddings.weight": (512, 384),
        "embeddings.token_type_embeddings.weight": (2, 384),
        "embeddings.LayerNorm.weight": (384,),
        "encoder.layer.5.attention.self.query.weight": (384, 384),
        "encoder.layer.5.intermediate.dense.weight": (1_536, 384),
        "encoder.layer.5.output.dense.weight": (384, 1_536),
        "pooler.dense.bias": (384,),
    }.items(),
)
def test_a_tensor_has_the_shape_that_the_configuration_asks_for(weights, name, shape):
    assert tuple(weights[name].shape) == shape


def test_every_weight_is_a_finite_32_bit_number(weights):
    floats = {n: t for n, t in weights.items() if n != "embeddings.position_ids"}
    assert {str(tensor.dtype) for tensor in floats.values()} == {"torch.float32"}
    assert all(bool(tensor.isfinite().all()) for tensor in floats.values())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux only")
def test_the_weights_are_memory_mapped(weights):
    rows = [
        line.split()
        for line in Path("/proc/self/maps").read_text("utf-8").splitlines()
        if line.endswith("model.safetensors")
    ]
    spans = [[int(end, 16) for end in row[0].split("-")] for row in rows]
    for tensor in weights.values():
        place = tensor.data_ptr()
        assert any(low <= place < high for low, high in spans)


def test_the_file_of_the_weights_is_the_official_one():
    path = assets.folder(MINILM) / "model.safetensors"
    assert path.stat().st_size == 90_868_376
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    official = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert digest == official == MINILM.sha256["model.safetensors"]


def test_the_configuration_is_that_of_the_model():
    config = assets.config()
    assert (config["num_hidden_layers"], config["num_attention_heads"]) == (6, 12)
    assert (config["hidden_size"], config["intermediate_size"]) == (384, 1_536)


def test_the_library_loads_the_same_weights_for_evaluation_on_the_cpu(weights):
    model = assets.sentence_transformer()
    table = model[0].auto_model.embeddings.word_embeddings.weight
    assert table.equal(weights["embeddings.word_embeddings.weight"])
    assert (str(model.device), model.training) == ("cpu", False)
    assert assets.sentence_transformer() is model


# -- where an asset is looked for ------------------------------------------------------

CONTENT = b"the weights of a toy"
HUB_FILES = [  # what the Hub keeps beside the files that the course reads
    "1_Pooling/config.json",
    "README.md",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "onnx/model.onnx",
    "openvino/openvino_model.bin",
    "pytorch_model.bin",
    "rust_model.ot",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tf_model.h5",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
]
TOY = Asset(
    name="toy model",
    package="toy_package",
    requirement="toy-package==1.0",
    folder="model",
    sha256={"toy.safetensors": hashlib.sha256(CONTENT).hexdigest()},
    hub="someone/toy",
)


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    assets.folder.cache_clear()
    yield
    assets.folder.cache_clear()


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.delenv("COURSE_ONLINE", raising=False)


def model_folder(parent, content=CONTENT):
    folder = parent / "model"
    folder.mkdir(parents=True)
    (folder / "toy.safetensors").write_bytes(content)
    return folder


def install(monkeypatch, location):
    """Pretend that the toy's package is installed at this place, or nowhere."""

    def find_spec(name):
        assert name in ("toy_package", "toy_parent")
        if location is None:
            return None
        return SimpleNamespace(submodule_search_locations=[str(location)])

    monkeypatch.setattr(places, "find_spec", find_spec)


@pytest.fixture
def hub(monkeypatch):
    """A Hub that has nothing and writes down what it is asked for."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = SimpleNamespace(calls=[], answer=None)

    def snapshot_download(repository, **options):
        asked.calls.append((repository, options))
        if asked.answer is None:
            raise LocalEntryNotFoundError("not in the cache")
        return str(asked.answer)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked


def test_the_installed_package_comes_first(monkeypatch, tmp_path, hub, offline):
    expected = model_folder(tmp_path)
    install(monkeypatch, tmp_path)
    assert assets.folder(TOY) == expected
    assert hub.calls == []


def test_a_package_inside_another_is_found_without_importing_the_outer_one(
    monkeypatch, tmp_path, hub, offline
):
    expected = model_folder(tmp_path / "inner")
    install(monkeypatch, tmp_path)
    assert assets.folder(replace(TOY, package="toy_parent.inner")) == expected


def test_the_local_cache_comes_second_and_the_network_stays_off(
    monkeypatch, tmp_path, hub, offline
):
    install(monkeypatch, None)
    hub.answer = model_folder(tmp_path)
    assert assets.folder(TOY) == hub.answer
    [(repository, options)] = hub.calls
    assert repository == "someone/toy"
    assert options["local_files_only"] is True


def test_a_snapshot_in_the_real_cache_of_the_library_is_found(
    monkeypatch, tmp_path, offline
):
    import huggingface_hub

    install(monkeypatch, None)
    home = tmp_path / "models--someone--toy"
    snapshot = home / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "toy.safetensors").write_bytes(CONTENT)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("a" * 40, encoding="utf-8")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert assets.folder(TOY) == snapshot


def test_the_hub_is_asked_only_with_course_online(monkeypatch, tmp_path, hub):
    install(monkeypatch, None)
    monkeypatch.setenv("COURSE_ONLINE", "1")
    hub.answer = model_folder(tmp_path)
    assert assets.folder(TOY) == hub.answer
    assert hub.calls[0][1]["local_files_only"] is False


@pytest.mark.parametrize("value", ["", "0", "true", "yes", " 1"])
def test_nothing_but_1_switches_the_network_on(monkeypatch, value):
    monkeypatch.setenv("COURSE_ONLINE", value)
    assert not assets.online()


def test_the_hub_is_asked_for_the_files_in_use_and_for_no_pickle(
    monkeypatch, tmp_path, hub
):
    """The repository holds the model in eleven formats: a gigabyte, pickles too."""
    from huggingface_hub.utils import filter_repo_objects

    install(monkeypatch, None)
    monkeypatch.setenv("COURSE_ONLINE", "1")
    with pytest.raises(AssetError):
        assets.folder(replace(MINILM, package="toy_package"))
    options = hub.calls[0][1]
    fetched = set(
        filter_repo_objects(
            HUB_FILES,
            allow_patterns=options.get("allow_patterns"),
            ignore_patterns=options.get("ignore_patterns"),
        )
    )
    assert fetched >= {*MINILM.sha256, "modules.json", "1_Pooling/config.json"}
    assert not [name for name in fetched if name.endswith((".bin", ".h5", ".ot"))]
    assert not [name for name in fetched if name.endswith(".onnx")]


def test_an_asset_without_a_place_on_the_hub_is_not_asked_for_there(
    monkeypatch, hub, offline
):
    install(monkeypatch, None)
    with pytest.raises(AssetError):
        assets.folder(replace(TOY, hub=None))
    assert hub.calls == []


def test_loading_everything_asks_nobody(monkeypatch):
    """Even with the network allowed: what is installed is not looked for elsewhere."""
    asked = []

    def refuse(*address, **_options):
        asked.append(address)
        raise OSError("no network in this test")

    monkeypatch.setenv("COURSE_ONLINE", "1")
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    fresh = vocabulary._Vocabularies()
    assert all(fresh[name].encode("hello") for name in SIZES)
    assert assets.sentence_transformer.__wrapped__() is not None
    assert assets.tokenizer.__wrapped__() is not None
    assert assets.weights()
    assert asked == []


def test_a_tiktoken_cache_of_your_own_does_not_bring_the_network_back(tmp_path):
    code = (
        "from course_utils import assets\n"
        "print(assets.vocabularies()['cl100k'].encode('hello'))"
    )
    done = run_python(code, TIKTOKEN_CACHE_DIR=str(tmp_path))
    assert done.stdout.strip() == "[15339]", done.stderr[-300:]


# -- what is wrong is named, with the command that mends it ----------------------------


def assert_teaches(error, asset, *reasons):
    """An asset's error names the asset, the reason and the command."""
    message = str(error)
    assert message.startswith(asset.name)
    assert error.asset == asset.name
    assert error.reason in message and error.command in message
    assert all(reason in error.reason for reason in reasons), error.reason
    assert error.command.startswith("python -m pip install ")
    assert asset.requirement in error.command


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch, hub, offline
):
    install(monkeypatch, None)
    with pytest.raises(AssetError) as caught:
        assets.folder(TOY)
    assert_teaches(caught.value, TOY, "not installed", "the network is off")
    assert caught.value.command == "python -m pip install 'toy-package==1.0'"


def test_a_missing_package_with_the_network_allowed_does_not_blame_the_network(
    monkeypatch, hub
):
    install(monkeypatch, None)
    monkeypatch.setenv("COURSE_ONLINE", "1")
    with pytest.raises(AssetError) as caught:
        assets.folder(TOY)
    assert_teaches(caught.value, TOY, "not installed")
    assert "off" not in caught.value.reason


def test_a_package_without_its_folder_is_installed_again_by_force(
    monkeypatch, tmp_path, hub, offline
):
    """A plain ``pip install`` would find the package there and do nothing."""
    install(monkeypatch, tmp_path)
    with pytest.raises(AssetError) as caught:
        assets.folder(TOY)
    assert_teaches(caught.value, TOY)
    assert "--force-reinstall" in caught.value.command


@pytest.mark.parametrize(
    "content", [CONTENT[:-1], CONTENT + b"!", b"", CONTENT.replace(b"toy", b"tox")]
)
def test_a_truncated_or_altered_file_is_refused(
    monkeypatch, tmp_path, hub, offline, content
):
    model_folder(tmp_path, content)
    install(monkeypatch, tmp_path)
    with pytest.raises(AssetError) as caught:
        assets.folder(TOY)
    assert_teaches(caught.value, TOY, "toy.safetensors", "truncated or altered")
    assert f"{len(content)} bytes" in caught.value.reason
    assert "--force-reinstall" in caught.value.command


def test_a_missing_file_is_refused(monkeypatch, tmp_path, hub, offline):
    (model_folder(tmp_path) / "toy.safetensors").unlink()
    install(monkeypatch, tmp_path)
    with pytest.raises(AssetError) as caught:
        assets.folder(TOY)
    assert_teaches(caught.value, TOY, "toy.safetensors is missing")


def test_a_snapshot_of_the_cache_is_verified_too(monkeypatch, tmp_path, hub, offline):
    install(monkeypatch, None)
    hub.answer = model_folder(tmp_path, b"something else")
    with pytest.raises(AssetError, match="truncated or altered"):
        assets.folder(TOY)


def test_a_failure_is_not_remembered(monkeypatch, tmp_path, hub, offline):
    folder = model_folder(tmp_path, b"half")
    install(monkeypatch, tmp_path)
    with pytest.raises(AssetError):
        assets.folder(TOY)
    (folder / "toy.safetensors").write_bytes(CONTENT)
    assert assets.folder(TOY) == folder


def test_a_folder_is_verified_once_per_process(monkeypatch, tmp_path, hub, offline):
    folder = model_folder(tmp_path)
    install(monkeypatch, tmp_path)
    assets.folder(TOY)
    (folder / "toy.safetensors").unlink()
    assert assets.folder(TOY) == folder


@pytest.fixture(scope="module")
def truncated_model(tmp_path_factory):
    """A copy of the real model whose weights lost their last kilobyte."""
    copy = tmp_path_factory.mktemp("minilm") / "model"
    shutil.copytree(places._package_folder(MINILM), copy)
    path = copy / "model.safetensors"
    os.truncate(path, path.stat().st_size - 1024)
    return copy


def test_truncated_weights_of_the_real_model_are_refused(monkeypatch, truncated_model):
    monkeypatch.setattr(places, "_package_folder", lambda asset: truncated_model)
    with pytest.raises(AssetError) as caught:
        assets.weights()
    assert_teaches(caught.value, MINILM, "model.safetensors", "90,867,352 bytes")


def test_no_loader_of_the_model_passes_by_the_verification(
    monkeypatch, truncated_model
):
    monkeypatch.setattr(places, "_package_folder", lambda asset: truncated_model)
    for load in (
        assets.weights,
        assets.config,
        assets.tokenizer.__wrapped__,
        assets.sentence_transformer.__wrapped__,
    ):
        with pytest.raises(AssetError, match="truncated or altered"):
            load()


@pytest.mark.parametrize(
    "name, asset",
    [
        ("cl100k", TIKTOKEN),
        ("o200k", TIKTOKEN),
        ("tekken", MISTRAL),
        ("sentencepiece", MISTRAL),
    ],
)
def test_a_vocabulary_without_its_package_says_so(monkeypatch, offline, name, asset):
    monkeypatch.setattr(places, "find_spec", lambda name: None)
    with pytest.raises(AssetError) as caught:
        vocabulary._Vocabularies()[name]
    assert_teaches(caught.value, asset, "not installed")


@each_asset
def test_every_asset_is_installed_and_verified(asset):
    folder = assets.folder(asset)
    assert all((folder / name).is_file() for name in asset.sha256)


@each_asset
def test_the_requirement_of_an_asset_is_the_one_that_the_course_installs(asset):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert asset.requirement in settings["project"]["dependencies"]
    assert asset.requirement in asset.repair


def test_the_vocabulary_file_and_the_tokenizer_agree():
    rows = (assets.folder(MINILM) / "vocab.txt").read_text("utf-8").splitlines()
    fast = json.loads((assets.folder(MINILM) / "tokenizer.json").read_text("utf-8"))
    assert fast["model"]["vocab"] == {piece: i for i, piece in enumerate(rows)}


# -- the model's tokenizer, without transformers ---------------------------------------


@steady
@given(text=any_text)
def test_the_light_tokenizer_gives_the_ids_and_places_of_the_library(text):
    text = assets.encodable(text)
    wanted = assets.tokenizer()(text, return_offsets_mapping=True, verbose=False)
    found = assets.fast_tokenizer().encode(text)
    assert found.ids == wanted["input_ids"]
    assert found.offsets == wanted["offset_mapping"]


def test_the_light_tokenizer_agrees_on_everything_the_course_reads():
    texts = [article.text for article in corpora.load_news()]
    texts += [page.text for page in corpora.load_runbooks()]
    texts += [*SPECIAL_TEXTS, "", " ", "word " * 600]
    wanted = assets.tokenizer()(texts, truncation=False, verbose=False)["input_ids"]
    found = assets.fast_tokenizer().encode_batch_fast(texts)
    assert [one.ids for one in found] == wanted


def test_the_light_tokenizer_neither_cuts_nor_pads():
    one, other = assets.fast_tokenizer().encode_batch(["cat " * 300, "cat"])
    assert (len(one.ids), len(other.ids)) == (302, 3)


def test_the_model_reads_a_text_without_loading_transformers():
    done = run_python(
        "import sys\n"
        "from course_utils.encoder import MiniLM\n"
        "print(MiniLM.load().encode(['a cat']).shape, 'transformers' in sys.modules)"
    )
    assert done.stdout.strip() == "(1, 384) False", done.stderr
