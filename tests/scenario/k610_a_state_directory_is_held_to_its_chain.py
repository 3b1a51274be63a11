"""`twokey audit verify DIR`: whatever is flipped, deleted, inserted or cut in a state directory that a proxy wrote, is named."""
import json
import os
import shutil

import pytest

from support.people import enforced_proxy
from support.state import Database, run_verify, verify


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A state directory in which something has happened."""
    proxy = enforced_proxy(["127.0.0.1:9", "127.0.0.1:19"]).start()
    try:
        weight = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}
        proxy.run_change(weight)
        proxy.run_change({"pools": {"app": {"servers": {"s1": {"weight": 60}}}}})
        rejected = proxy.as_("ann").submit({"pools": {"app": {"servers": {"s2": {"weight": 97}}}}})
        proxy.as_("bob").veto(rejected)
        pending = proxy.as_("ann").submit({"pools": {"app": {"servers": {"s2": {"weight": 98}}}}})
        proxy.as_("bob").approve(pending)
        proxy.as_("ann").post("/v1/rollback", {"to": "previous", "reason": "a test"})
        proxy.nobody().get("/v1/status")
        assert verify(proxy.state_dir) == []          # while it runs
        proxy.stop()
        assert verify(proxy.state_dir) == []
        kept = str(tmp_path_factory.mktemp("history") / "state")
        shutil.copytree(proxy.state_dir, kept, ignore=lambda *_: ["run", "reserve"])
    finally:
        proxy.discard()
    return kept


@pytest.fixture
def state(history, tmp_path):
    return shutil.copytree(history, str(tmp_path / "state"))


@pytest.mark.timeout(240)
def test_each_record_and_each_blob(state):
    """One byte of each, at another place each time; every byte of a smaller one is flipped in the unit test."""
    with Database(state) as database:
        keys = database.keys("audit/") + database.keys("blob/")
    assert len(keys) > 15
    for number, key in enumerate(keys):
        with Database(state) as database:
            kept = database.get(key)
            database.flip(key, 37 * number)
        said = verify(state)
        assert said and any(key in line for line in said), (key, said)
        with Database(state) as database:
            database.put(key, kept)
    assert verify(state) == []


@pytest.mark.timeout(240)
def test_each_deleted_record_and_blob(state):
    with Database(state) as database:
        records, changes = database.keys("audit/"), [key for key in database.keys("change/") if key.count("/") == 1]
        revisions = database.keys("rev/")
    for key in records + changes + revisions:
        with Database(state) as database:
            kept = database.get(key)
            database.delete(key)
        said = verify(state)
        number = key.partition("/")[2].lstrip("0") or "0"
        assert said and any(number in line for line in said), (key, said)
        with Database(state) as database:
            database.put(key, kept)
    assert verify(state) == []


def test_a_blob_that_a_revision_needs(state):
    with Database(state) as database:
        digests = [json.loads(database.get(key))["digest"] for key in database.keys("rev/")]
        for digest in digests:
            database.delete("blob/" + digest.partition(":")[2])
    said = verify(state)
    assert sum("are missing or changed" in line for line in said) == len(digests), said


def test_an_approval_that_nobody_gave(state):
    with Database(state) as database:
        decision = next(key for key in database.keys("change/") if "/appr/" in key)
        database.put(decision.rpartition("/")[0] + "/mallory", database.get(decision))
    assert any("no record says that mallory decided: it was inserted" in line for line in verify(state))


def test_a_change_that_was_moved_by_hand(state):
    with Database(state) as database:
        for key in database.keys("change/"):
            if key.count("/") == 1 and json.loads(database.get(key))["state"] == "rejected":
                database.put(key, database.get(key).replace(b'"rejected"', b'"approved"'))
                break
    assert any("says that it is approved; the chain says rejected" in line for line in verify(state))


def test_a_pointer_that_was_moved_by_hand(state):
    with Database(state) as database:
        pointer = json.loads(database.get("boot"))
        pointer["digest"] = "sha256:" + "0" * 64
        database.put("boot", json.dumps(pointer))
    assert any("twokey.db boot" in line and "the chain says" in line for line in verify(state))


def test_a_cut_end(state):
    with Database(state) as database:
        last = database.keys("audit/")[-1]
        record = json.loads(database.get(last))
        database.delete(last)
    said = verify(state)
    assert any(f"record {record['seq']} is not in the database" in line for line in said), said
    mirror = os.path.join(state, "audit.jsonl")
    with open(mirror) as file:
        lines = file.readlines()
    with open(mirror, "w") as file:
        file.writelines(lines[:-1])
    assert verify(state) == []          # both were cut: nothing here knows better
    said = verify(state, "--head", f"{record['seq']}:{record['h']}")
    assert any("the end was cut off" in line for line in said), said


def test_the_mirror(state):
    mirror = os.path.join(state, "audit.jsonl")
    with open(mirror) as file:
        lines = file.readlines()

    def said_of(changed):
        with open(mirror, "w") as file:
            file.writelines(changed)
        return "\n".join(verify(state))
    assert "record 3 is missing" in said_of(lines[:3] + lines[4:])
    assert "audit.jsonl:4: record 3 was changed" in said_of(lines[:3] + [lines[3].replace('"ok"', '"ko"')] + lines[4:])
    assert "was inserted, or comes a second time" in said_of(lines[:4] + lines[3:])
    assert "begins at record 2" in said_of(lines[2:])
    assert f"ends before record {len(lines) - 2}" in said_of(lines[:-2])
    assert said_of(lines) == ""
    os.unlink(mirror)
    assert "is not there" in "\n".join(verify(state))


def test_a_state_directory_that_cannot_be_read(state):
    os.unlink(os.path.join(state, "twokey.db"))
    done = run_verify(state)
    assert done.returncode == 2 and "twokey.db" in done.stderr


def test_a_database_that_is_none(state):
    with open(os.path.join(state, "twokey.db"), "r+b") as file:
        file.write(b"no database any more" * 400)
    said = verify(state)
    assert any("is damaged" in line for line in said), said
