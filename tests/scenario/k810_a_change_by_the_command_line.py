"""submit, approve, apply, confirm, rollback: a change the whole way with the command line alone."""
import json
import re

import pytest
from support.people import run_cli

PATCH = json.dumps({"pools": {"app": {"servers": {"s2": {"weight": 50}}}}})


@pytest.fixture
def proxy(make_enforced, make_origin):
    return make_enforced([make_origin(), make_origin(), make_origin()])


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def submit(proxy, *more):
    said = good(run_cli(proxy, "ann", "submit", "-", "--title", "half for s2", "--reason", "it is slow", *more, stdin=PATCH))
    return re.match(r"(chg_\w+) is (\w+)", said).groups()


def test_the_whole_way(proxy):
    change, state = submit(proxy)
    assert state == "pending"
    assert change in good(run_cli(proxy, "bob", "changes", "--state", "pending"))
    shown = good(run_cli(proxy, "bob", "approve", change, "--yes", "--comment", "looked at it"))
    assert "half for s2" in shown and "/pools/app/servers/s2/weight" in shown and "is approved, 1 of 1" in shown
    assert "is confirming, revision 2" in good(run_cli(proxy, "ann", "apply", change))
    assert "is applied" in good(run_cli(proxy, "ann", "confirm", change, "--wait", "1m"))
    assert proxy.server("s2")["config"]["weight"] == 50
    assert "revision 3 runs" in good(run_cli(proxy, "bob", "rollback", "--reason", "no better"))
    assert proxy.server("s2")["config"]["weight"] == 100


def test_what_was_shown_is_what_is_approved(proxy):
    change, _ = submit(proxy)
    seen = proxy.as_("bob").change(change)["digest"]
    done = run_cli(proxy, "bob", "approve", change)
    assert done.returncode == 1 and f"--digest {seen}" in done.stderr  # nobody there to be asked
    proxy.as_("ann").post(f"/v1/changes/{change}/reopen")
    etag = proxy.as_("ann").change(change)["etag"]
    assert proxy.as_("ann").patch(f"/v1/changes/{change}", {"reason": "another"}, headers={"If-Match": f'"{etag}"'}).status == 200
    assert proxy.as_("ann").post(f"/v1/changes/{change}/submit").status == 200
    done = run_cli(proxy, "bob", "approve", change, "--digest", seen)
    assert done.returncode == 1 and "is not the one you name" in done.stderr
    assert proxy.as_("bob").change(change)["approvals"]["given"] == []


def test_a_draft_has_nothing_to_approve(proxy):
    change, state = submit(proxy, "--draft")
    assert state == "draft"
    done = run_cli(proxy, "bob", "approve", change, "--yes")
    assert done.returncode == 1 and "is draft: there is nothing to decide on yet" in done.stderr
    assert "is withdrawn" in good(run_cli(proxy, "ann", "withdraw", change, "--reason", "no"))


def test_a_veto_ends_it(proxy):
    change, _ = submit(proxy)
    assert run_cli(proxy, "bob", "veto", change, "--yes").returncode == 2
    assert "is rejected" in good(run_cli(proxy, "bob", "veto", change, "--yes", "--reason", "too much"))


def test_nobody_approves_his_own(proxy):
    change, _ = submit(proxy)
    done = run_cli(proxy, "ann", "approve", change, "--yes")
    assert done.returncode == 1 and "Nobody approves what he contributed to (403)" in done.stderr
    done = run_cli(proxy, "ann", "apply", change)
    assert done.returncode == 1 and "(409)" in done.stderr and "who can: bob, cat, dan" in done.stderr


def test_cancel_takes_it_back(proxy):
    change, _ = submit(proxy)
    good(run_cli(proxy, "bob", "approve", change, "--yes"))
    good(run_cli(proxy, "ann", "apply", change))
    assert "is rolled_back" in good(run_cli(proxy, "bob", "cancel", change, "--reason", "errors"))
    assert proxy.server("s2")["config"]["weight"] == 100


def test_what_is_wrong_is_listed(proxy):
    done = run_cli(proxy, "ann", "submit", "-", "--title", "x", "--reason", "x", stdin='{"routes":{"everything":{"pool":"ap"}}}')
    assert done.returncode == 1
    assert '/routes/everything/pool: there is no pool "ap"; did you mean "app"? [block R004]' in done.stderr
    assert run_cli(proxy, "ann", "submit", "-", "--title", "x", "--reason", "x", stdin="{").returncode == 2
    assert run_cli(proxy, "ann", "submit", "-", "--title", "x", stdin="{}").returncode == 2


def test_a_whole_directory(proxy, tmp_path):
    good(run_cli(proxy, "dan", "export", str(tmp_path)))
    path = tmp_path / "30-pools.json"
    path.write_text(path.read_text().replace('"s1": {', '"s1": { "weight": 70,'))
    said = good(run_cli(proxy, "ann", "submit", "--config", str(tmp_path), "--title", "s1", "--reason", "slow"))
    assert " is pending: class 2" in said
    change = proxy.as_("bob").change(said.split()[0])
    assert [(row["op"], row["pointer"]) for row in proxy.as_("bob").get(f"/v1/changes/{change['id']}/diff").json()["diff"]] == [
        ("add", "/pools/app/servers/s1/weight")]
