"""E-23: `twokey audit report` tells how quickly people approve, and who approves whom."""
import os
import subprocess

from support.proxy import binary


def report(*arguments):
    done = subprocess.run([binary(), "audit", "report", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def propose(proxy, author, weight):
    return proxy.as_(author).submit({"pools": {"app": {"servers": {"s1": {"weight": weight}}}}})


def test_hasty_approvals_and_pairs_are_named(make_enforced, origin):
    proxy = make_enforced(origin)
    mirror = os.path.join(proxy.state_dir, "audit.jsonl")
    changes = {}
    for author, approver in (("ann", "bob"), ("ann", "bob"), ("bob", "ann"), ("bob", "ann")):
        change = propose(proxy, author, 90 + len(changes))
        assert proxy.as_(approver).approve(change)["state"] == "approved"
        changes[change["id"]] = (author, approver)
        if len(changes) < 4:
            assert "each other" not in report(mirror)[1]
    code, said, _ = report(mirror)
    assert code == 0
    lines = said.splitlines()
    assert lines[0].startswith("4 approvals from ")
    assert lines[1].startswith("median time from submission to approval: ")
    assert "ann's changes were approved by bob 2 of 2" in lines
    assert "bob's changes were approved by ann 2 of 2" in lines
    assert "ann and bob approve all of each other's changes: let others look too" in lines
    hasty = [line.split() for line in lines if line.startswith("  chg_")]
    assert f"less than 10 s after submission: {len(hasty)}" in lines
    for change, _, person, *_ in hasty:
        assert changes[change][1] == person


def test_what_cannot_be_read_is_said(tmp_path):
    code, _, why = report(str(tmp_path / "none"))
    assert code == 2 and "No such file" in why
    code, _, why = report(str(tmp_path))
    assert code == 2 and "directory" in why
    empty = tmp_path / "audit.jsonl"
    empty.write_text("")
    code, said, _ = report(str(empty), "--days", "30")
    assert code == 0 and said.startswith("0 approvals from ")
    code, _, why = report(str(empty), "--days", "0")
    assert code == 2 and "number of days" in why
