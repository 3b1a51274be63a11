"""`twokey token`: a fresh token and its hash, which lets its person in."""
import re
import subprocess

from support.people import hash_of
from support.proxy import binary


def make(person):
    return subprocess.run([binary(), "token", person], capture_output=True, text=True, timeout=60)


def test_a_token_and_its_hash():
    done = make("ann")
    token, digest = done.stdout.splitlines()
    assert done.returncode == 0
    assert re.fullmatch(r"tk_ann_[A-Za-z0-9_-]{43}", token)
    assert digest == hash_of(token)
    assert token not in done.stderr and digest in done.stderr
    assert make("ann").stdout != done.stdout


def test_it_lets_its_person_in(make_enforced, origin):
    token, digest = make("cat").stdout.splitlines()
    proxy = make_enforced(origin, config={"people": {"cat": {"tokens": [{"id": "new", "hash": digest}]}}})
    me = proxy.with_token(token).get("/v1/whoami").json()
    assert (me["person"], me["principal"]) == ("cat", "token:new")


def test_names_are_names():
    for name in ("Ann", "a_b", "", "x" * 64, "../x"):
        done = make(name)
        assert done.returncode == 2 and "is not a name" in done.stderr, name
        assert not done.stdout
