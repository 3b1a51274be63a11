"""`twokey diff A B`: what differs by its meaning, exit code 0, 1 or 2, without a server."""
import json
import subprocess

from support.people import hash_of
from support.proxy import binary


def diff(*arguments):
    return subprocess.run([binary(), "diff", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def write(directory, **config):
    directory.mkdir()
    (directory / "all.json").write_text(json.dumps({"policy": {"mode": "off"}, **config}))
    return directory


def pools(**server):
    return {"app": {"servers": {"s1": {"address": "127.0.0.1:1", **server}}}}


def test_what_differs(tmp_path):
    a, b = write(tmp_path / "a", pools=pools()), write(tmp_path / "b", pools=pools(weight=50))
    done = diff(a, b)
    assert done.returncode == 1 and done.stdout == "pool app: server s1: weight 100 -> 50\n"
    assert json.loads(diff(a, b, "--format", "json").stdout) == [
        {"op": "change", "pointer": "/pools/app/servers/s1/weight", "before": "100", "after": "50",
         "text": "pool app: server s1: weight 100 -> 50"}]


def test_nothing_differs(tmp_path):
    a, b = write(tmp_path / "a", pools=pools()), write(tmp_path / "b", pools=pools(weight=100))
    done = diff(a, b)
    assert done.returncode == 0 and not done.stdout


def test_hashes_are_not_shown(tmp_path):
    def people(token):
        return {"ann": {"tokens": [{"id": "x", "hash": hash_of(token)}]}}
    done = diff(write(tmp_path / "a", people=people("1")), write(tmp_path / "b", people=people("2")))
    assert done.returncode == 1 and "people: ann: tokens" in done.stdout
    assert hash_of("1")[7:] not in done.stdout and hash_of("2")[7:] not in done.stdout


def test_what_cannot_be_read(tmp_path):
    good = write(tmp_path / "a", pools=pools())
    assert diff(good, tmp_path / "none").returncode == 2
    done = diff(good, write(tmp_path / "b", pools={"app": {"servers": {}}}))
    assert done.returncode == 2 and "has no servers" in done.stderr
