"""Read-only, damaged, of another owner, taken away: told clearly, and traffic goes on wherever it can."""
import json
import os
import re
import shutil
import subprocess

import pytest

from support.client import get
from support.load import Load
from support.people import enforced_proxy
from support.proxy import binary
from support.state import MS_RDONLY, Database, small_disk, verify

WEIGHT = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}
REQUEST = {"title": "t", "reason": "r", "patch": WEIGHT}


@pytest.fixture
def proxy(make_enforced, make_origin):
    return make_enforced([make_origin(), make_origin()])


def propose(proxy):
    return proxy.as_("ann").post("/v1/changes", REQUEST)


def start_fails(proxy):
    """What a start says that does not start."""
    done = subprocess.run([binary(), "serve", "--config", proxy.conf_dir, "--state", proxy.state_dir],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, (done.returncode, done.stderr)
    return done.stderr


@pytest.mark.timeout(120)
def test_a_disk_that_is_read_only(make_origin):
    proxy = enforced_proxy([make_origin()], config={"observe": {"access_log": {"path": "off"}}})
    with small_disk(proxy.state_dir, 24) as disk:
        try:
            proxy.start()
            proxy.run_change({"pools": {"app": {"servers": {"s1": {"weight": 60}}}}})
            proxy.stop()                 # with files open for writing, it cannot be made read-only
            disk.remount(MS_RDONLY)
            proxy._spawn()
            assert proxy._wait_ready(), proxy.stderr_text()
            assert get(proxy.address).status == 200
            answer = propose(proxy)
            assert answer.status == 503 and answer.json()["type"].endswith("audit-unavailable"), answer.body
            assert proxy.admin_get("/v1/changes")["changes"]
            assert proxy.status()["running"]["rev"] == 2
            assert verify(proxy.state_dir) == []
            disk.remount(0)
            proxy.wait_for(lambda: propose(proxy).status == 201, timeout=30)
            proxy.stop()
            assert verify(proxy.state_dir) == []
        finally:
            proxy.discard()


def test_another_owner(proxy):
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    proxy.stop()
    os.chown(os.path.join(proxy.state_dir, "twokey.db"), 4242, 4242)
    said = start_fails(proxy)
    assert "twokey.db: belongs to uid 4242, and twokey runs as uid 0" in said and "chown" in said
    os.chown(os.path.join(proxy.state_dir, "twokey.db"), 0, 0)
    proxy.start()


def test_a_newer_schema(proxy):
    proxy.stop()
    proxy.is_damaged = True
    with open(os.path.join(proxy.state_dir, "twokey.db"), "r+b") as file:
        file.seek(60)
        file.write(b"\0\0\0\x09")
    assert "was written by a newer twokey (schema 9" in start_fails(proxy)


def test_a_database_that_is_none(proxy):
    """It is not taken for an empty one: nobody is let in by losing the history."""
    proxy.stop()
    proxy.is_damaged = True
    with open(os.path.join(proxy.state_dir, "twokey.db"), "r+b") as file:
        file.write(b"no database any more" * 1000)
    for leftover in ("twokey.db-wal", "twokey.db-shm"):
        shutil.rmtree(os.path.join(proxy.state_dir, leftover), ignore_errors=True)
    said = start_fails(proxy)
    assert "twokey.db" in said and "damaged" in said and "backup" in said, said


@pytest.mark.timeout(120)
def test_the_running_revision_was_changed(proxy):
    """An older one that verifies runs instead, and nothing may be changed."""
    proxy.run_change(WEIGHT)
    proxy.run_change({"pools": {"app": {"servers": {"s1": {"weight": 60}}}}})
    proxy.stop()
    proxy.is_damaged = True
    with Database(proxy.state_dir) as database:
        digest = json.loads(database.get("boot"))["digest"]
        database.flip("blob/" + digest.partition(":")[2], 50)
    proxy.start()
    assert get(proxy.address).status == 200
    status = proxy.status()
    assert status["integrity"] == "violated" and status["running"]["rev"] < 3
    answer = propose(proxy)
    assert answer.status == 503, answer.body
    assert verify(proxy.state_dir)


@pytest.mark.timeout(120)
def test_a_record_was_changed(proxy):
    proxy.run_change(WEIGHT)
    proxy.stop()
    proxy.is_damaged = True
    with Database(proxy.state_dir) as database:
        database.flip(database.keys("audit/")[-3], 60)
    proxy.start()
    assert get(proxy.address).status == 200
    assert proxy.status()["integrity"] == "violated"
    assert propose(proxy).status == 503
    assert any(re.search(r"record \d+ was changed", line) for line in verify(proxy.state_dir))


def test_the_database_is_taken_away_while_it_runs(proxy):
    path = os.path.join(proxy.state_dir, "twokey.db")
    load = Load(proxy.address, 4).start()
    os.rename(path, path + ".away")
    answer = propose(proxy)
    assert answer.status == 503 and "moved away" in answer.json()["detail"], answer.body
    os.rename(path + ".away", path)
    assert propose(proxy).status == 201
    load.stop()
    assert not load.broken and set(load.statuses) == {200}


@pytest.mark.timeout(120)
def test_the_mirror_is_moved_away_and_cannot_be_written(proxy):
    mirror = os.path.join(proxy.state_dir, "audit.jsonl")
    proxy.run_change(WEIGHT)
    os.rename(mirror, mirror + ".1")
    proxy.wait_for(lambda: os.path.exists(mirror))
    assert propose(proxy).status == 201
    proxy.wait_for(lambda: verify(proxy.state_dir) == [])
    assert verify(mirror + ".1", mirror) == []
    os.unlink(mirror)
    os.mkdir(mirror)
    proxy.wait_event("audit-mirror-failed")
    assert propose(proxy).status == 201      # nothing is refused for it
    os.rmdir(mirror)
    proxy.wait_event("audit-mirror-whole")


@pytest.mark.parametrize("mode", ["off", "advisory"])
def test_where_conf_d_counts_a_damaged_database_stops_no_start(make_proxy, make_origin, mode):
    proxy = make_proxy(make_origin(), config={"policy": {"mode": mode}})
    proxy.stop()
    with open(os.path.join(proxy.state_dir, "twokey.db"), "r+b") as file:
        file.write(b"no database any more" * 1000)
    proxy.start()
    assert get(proxy.address).status == 200
    assert proxy.status()["integrity"] == "violated"
    proxy.config["pools"]["app"]["servers"]["s1"]["weight"] = 50
    answer = proxy.reload()
    assert answer.status == 503 and "damaged" in answer.json()["detail"], answer.body
    assert get(proxy.address).status == 200
