"""`twokey init --people`: a starter in mode enforced, with fresh tokens, approvals fitted to the number of people."""
import json
import re
import subprocess

import pytest
from support.people import EnforcedProxy, hash_of
from support.proxy import binary, free_port


def init(directory, *arguments):
    return subprocess.run([binary(), "init", *arguments, str(directory)], capture_output=True, text=True, timeout=60)


def tokens_of(done):
    return dict(re.findall(r"^  (\w+) +(tk_\S+)$", done.stdout, re.M))


@pytest.mark.parametrize("names,high", [("ann,bob", 1), ("ann,bob,cat", 2)])
def test_people_and_policy(tmp_path, names, high):
    done = init(tmp_path / "conf.d", "--people", names)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "conf.d" / "05-people.json").read_text())
    tokens = tokens_of(done)
    assert list(tokens) == names.split(",")
    assert document["policy"]["mode"] == "enforced"
    assert document["policy"]["approvals"] == {"normal": 1, "high": high}
    for name, token in tokens.items():
        assert document["people"][name]["tokens"] == [{"id": "first", "hash": hash_of(token)}]
        assert not any(token in path.read_text() for path in (tmp_path / "conf.d").iterdir())
    checked = subprocess.run([binary(), "check", "--config", str(tmp_path / "conf.d")], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout


def test_it_starts_and_knows_them(tmp_path, request):
    done = init(tmp_path / "conf.d", "--people", "ann,bob")
    config = {}
    for path in sorted((tmp_path / "conf.d").iterdir()):
        config.update({key: value for key, value in json.loads(path.read_text()).items() if not key.startswith("//")})
    config["listeners"]["web"]["address"] = f"127.0.0.1:{free_port()}"
    config["admin"]["listen"] = f"127.0.0.1:{free_port()}"
    proxy = EnforcedProxy(config, tokens_of(done)).start()
    try:
        assert proxy.as_("bob").get("/v1/whoami").json()["person"] == "bob"
        assert proxy.status()["mode"] == "enforced"
        proxy.stop()
    finally:
        proxy.discard()


@pytest.mark.parametrize("names,why", [("ann", "at least two people"), ("ann,ann", "is there twice"), ("ann,", "is not a name"),
                                       ("ann,Bob", "is not a name"), ("ann,system", "somebody else")])
def test_who_cannot_be(tmp_path, names, why):
    done = init(tmp_path / "conf.d", "--people", names)
    assert done.returncode == 2 and why in done.stderr
    assert not (tmp_path / "conf.d").exists()
