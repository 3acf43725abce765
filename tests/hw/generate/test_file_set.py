"""dorefa.hw.generate.file_set: every file has its hash, and a mixture is refused by name."""

import hashlib
import json
import os
import re
import shutil

import pytest

from dorefa.golden import files as file_writing
from dorefa.golden import lower, random_network
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import preset
from dorefa.hw.generate.file_set import NAMES, file_set, interface_sha256, read_set, write_set


def compiled_of(seed, **changes):
    network = lower(random_network(seed, a_bits=2, conv_layers=1, max_macs=20_000, max_size=6))
    return compile_network(network, fit(network, lanes=16, rows=2, **changes))


@pytest.fixture(scope="module")
def sets(request):
    """Sets of files by name: of two networks, one of them also preloaded, streamed and with macros."""
    seed = request.config.getoption("--seed")
    print(f"seed {seed}")
    one, other, streamed = compiled_of(seed), compiled_of(seed + 1), compiled_of(seed, weights="stream")
    return {
        "one": file_set(one.config, one),
        "other": file_set(other.config, other),
        "preloaded": file_set(one.config, one, preload=True),
        "streamed": file_set(streamed.config, streamed),
        "macros": file_set(one.config, one, memory="macro", librelane_period_ns=10),
        "engine": file_set(one.config),
    }


def names(folder):
    return sorted(os.listdir(folder))


def hashes(contents):
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


@pytest.mark.parametrize("kind", ["one", "other", "preloaded", "streamed", "macros", "engine"])
def test_every_file_has_its_hash(kind, sets, tmp_path):
    contents = sets[kind]
    write_set(tmp_path, contents)
    assert set(names(tmp_path)) == set(contents) <= set(NAMES)
    described = json.loads(contents["engine.json"])
    assert described["sha256"] == hashes({k: v for k, v in contents.items() if k != "engine.json"})
    found = read_set(tmp_path)
    assert found.contents == contents and found.engine == described
    assert found.config.as_dict() == described["config"]
    if kind == "engine":
        assert found.network is None
        return
    network = found.network
    assert network == json.loads(contents["network.json"])
    assert network["sha256"] == hashes({name: contents[name] for name in network["files"]})
    assert network["preloaded"] is (kind == "preloaded")
    assert network["engine"] == {
        "interface_sha256": described["interface_sha256"],
        "sha256": described["sha256"]["engine.v"],
    }


def test_one_interface_for_all_networks_of_an_engine(sets, seed):
    """What may be loaded into what: the Verilog of a preloaded engine differs, its interface does not."""
    interface = {kind: json.loads(sets[kind]["engine.json"])["interface_sha256"] for kind in sets}
    assert interface["one"] == interface["preloaded"] == interface["macros"] == interface["engine"]
    assert interface["one"] != interface["streamed"]
    assert sets["one"]["engine.v"] != sets["preloaded"]["engine.v"]
    config = preset("tiny")
    assert interface_sha256(config) == interface_sha256(preset("tiny"))
    assert len({interface_sha256(config.replace(rows=rows)) for rows in (1, 2, 4)}) == 3


@pytest.mark.parametrize(
    ("kind", "foreign"),
    [("one", "other"), ("one", "preloaded"), ("streamed", "one"), ("preloaded", "one"), ("macros", "one")],
)
def test_a_mixture_is_refused_by_name(kind, foreign, sets, tmp_path):
    """One file of another set at a time."""
    for name in NAMES:
        if sets[foreign].get(name) == sets[kind].get(name) or name not in sets[foreign]:
            continue
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        write_set(tmp_path, sets[kind])
        (tmp_path / name).write_bytes(sets[foreign][name])
        with pytest.raises(InputError) as caught:
            read_set(tmp_path)
        message = str(caught.value)
        assert "; accepted: " in message and "\n" not in message
        if name != "engine.json":
            assert message.startswith(f"{tmp_path / name}: ")
        if name in sets[kind] and name != "engine.json":
            found = hashlib.sha256(sets[foreign][name]).hexdigest()
            expected = hashlib.sha256(sets[kind][name]).hexdigest()
            assert f"SHA-256 is {found}; accepted: {expected}, as engine.json says" in message


def test_a_network_of_another_engine(sets, tmp_path):
    """Both manifests are consistent in themselves."""
    contents = dict(sets["one"])
    for name in ("network.json", "load.bin"):
        contents[name] = sets["other"][name]
    engine = json.loads(contents["engine.json"])
    engine["sha256"] = hashes({k: v for k, v in contents.items() if k != "engine.json"})
    contents["engine.json"] = json.dumps(engine).encode()
    write_set(tmp_path, contents)
    with pytest.raises(
        InputError, match=r"network\.json: engine (interface_)?sha256 is .*; accepted: .*, as eng"
    ):
        read_set(tmp_path)


def test_files_that_miss_or_were_changed(sets, tmp_path):
    for name in sets["one"]:
        write_set(tmp_path, sets["one"])
        (tmp_path / name).write_bytes(sets["one"][name][:-2])
        with pytest.raises(InputError, match=re.escape(str(tmp_path / name))):
            read_set(tmp_path)
        (tmp_path / name).unlink()
        with pytest.raises(
            InputError,
            match=rf"{re.escape(str(tmp_path / name))}: cannot be read \(No such file .*accepted: the files",
        ):
            read_set(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "has no 'sha256' of its files"),
        (b'{"sha256": []}', "has no 'sha256' of its files"),
        (b'{"sha256": {}}', "config is not that of an engine"),
        (b'{"sha256": {}, "config": {"lanes": "many"}}', "config is not that of an engine"),
    ],
)
def test_manifests_that_are_none(content, message, tmp_path):
    (tmp_path / "engine.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"engine\.json: {message}") as caught:
        read_set(tmp_path)
    assert "accepted: the files of one `dorefa generate`" in str(caught.value)


HOSTILE = {
    "input_shape": ([None, [1, 2], [0, 1, 1], "3x3x1"], "network.json", "input_shape"),
    "classes": ([None, "ten", -1, 1.5], "network.json", "classes"),
    "network": ([None, 7], "network.json", "network is"),
    "logit_scale": ([None, [], ["1"], [True]], "network.json", "logit_scale is"),
    "logit_bias": ([None, 0.5], "network.json", "logit_bias is"),
    "preloaded": ([False, 7], "engine.json", "preloaded is"),
    "module": ([None, 7, "", "engine", "wire", "dorefa_engine("], "engine.json", "module is"),
}


def rehashed(contents):
    """A set with the hashes of what is in it, as somebody makes it who wants it to be read."""
    described = {name: json.loads(contents[name]) for name in ("network.json", "engine.json")}
    network, engine = described["network.json"], described["engine.json"]
    network["sha256"] = hashes({name: contents[name] for name in network["sha256"]})
    contents = {**contents, "network.json": json.dumps(network).encode()}
    engine["sha256"] = hashes({name: contents[name] for name in engine["sha256"]})
    return contents | {"engine.json": json.dumps(engine).encode()}


@pytest.mark.parametrize("key", HOSTILE)
def test_descriptions_of_no_use_with_right_hashes(key, sets, tmp_path):
    values, name, message = HOSTILE[key]
    for value in values:
        described = json.loads(sets["one"][name]) | {key: value}
        contents = rehashed(sets["one"] | {name: json.dumps(described).encode()})
        for file, content in contents.items():
            (tmp_path / file).write_bytes(content)
        with pytest.raises(InputError, match=f"{re.escape(str(tmp_path / name))}: {message}") as caught:
            read_set(tmp_path)
        assert "\n" not in str(caught.value) and "; accepted: " in str(caught.value)


def test_half_a_write_in_load_bin(sets, tmp_path):
    contents = rehashed(sets["one"] | {"load.bin": sets["one"]["load.bin"][:-4]})
    for file, content in contents.items():
        (tmp_path / file).write_bytes(content)
    with pytest.raises(
        InputError, match=r"load\.bin: has \d+ bytes; accepted: pairs of an address and a word"
    ):
        read_set(tmp_path)


def test_an_engine_of_another_release(sets, tmp_path, monkeypatch):
    from dorefa.hw.generate import file_set as module

    write_set(tmp_path, sets["engine"])
    monkeypatch.setattr(module, "generator_version", lambda: "another")
    with pytest.raises(InputError, match=r"interface_sha256 is .*; accepted: .*, as this release says"):
        read_set(tmp_path)


@pytest.mark.parametrize(("before", "after"), [("one", "other"), ("macros", "preloaded"), ("engine", "one")])
def test_ended_between_two_files(before, after, sets, tmp_path, monkeypatch):
    """At every step the folder is the old set, the new one, or refused; and writing again mends it."""
    replace, unlink = os.replace, os.unlink
    outcomes = []
    for step in range(20):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        write_set(tmp_path, sets[before])
        left = [step]

        def counted(function, left=left):
            def run(*arguments):
                # Files beside their names go in any case.
                if not str(arguments[-1]).endswith(".part"):
                    if left[0] == 0:
                        raise KeyboardInterrupt
                    left[0] -= 1
                return function(*arguments)

            return run

        with monkeypatch.context() as patch:
            patch.setattr(file_writing.os, "replace", counted(replace))
            patch.setattr(file_writing.os, "unlink", counted(unlink))
            try:
                write_set(tmp_path, sets[after])
                ended = False
            except KeyboardInterrupt:
                ended = True
        assert not [name for name in names(tmp_path) if name.endswith(".part")]
        try:
            found = read_set(tmp_path).contents
        except InputError as error:
            outcomes.append("refused")
            assert str(tmp_path) in str(error)
        else:
            assert found in (sets[before], sets[after])
            outcomes.append("old" if found == sets[before] else "new")
        if not ended:
            break
        write_set(tmp_path, sets[after])
        assert read_set(tmp_path).contents == sets[after]
    assert outcomes[0] == "old" and outcomes[-1] == "new" and "refused" in outcomes
    assert outcomes == sorted(outcomes, key=["old", "refused", "new"].index)


def test_what_the_new_set_has_not_goes_and_a_users_files_stay(sets, tmp_path):
    write_set(tmp_path, sets["macros"])
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "config.json").write_text("changed by hand")
    write_set(tmp_path, sets["preloaded"])
    assert names(tmp_path) == sorted({*sets["preloaded"], "notes.txt", "config.json"})
    assert read_set(tmp_path).contents == sets["preloaded"]
    (tmp_path / "load.bin").write_bytes(sets["one"]["load.bin"])
    with pytest.raises(InputError, match=r"load\.bin: is not in engine\.json's list of files; accepted: "):
        read_set(tmp_path)
    with pytest.raises(InputError, match="'' is no folder; accepted: "):
        read_set("")
