"""Lists are cut into pages: each thing once, newest first, with a Link to the rest."""
import re

import pytest

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(), make_origin()])


def pages(caller, path, member):
    """All pages, as lists."""
    found = []
    for _ in range(100):
        answer = caller.get(path)
        assert answer.status == 200, answer.body
        found.append(answer.json()[member])
        link = answer.headers.get("Link")
        if link is None:
            return found
        path = re.fullmatch(r'<(.*)>; rel="next"', link)[1]
    raise AssertionError("the pages do not end")


def test_changes(proxy):
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    made = [(ann if n % 3 else bob).post("/v1/changes", {"title": f"n {n}", "reason": "y", "patch": PATCH}).json()["id"] for n in range(11)]
    for limit in (1, 3, 10, 11, 200):
        found = pages(ann, f"/v1/changes?limit={limit}", "changes")
        assert [change["id"] for page in found for change in page] == made[::-1], limit
        assert all(len(page) <= limit for page in found)
    assert [c["id"] for page in pages(ann, "/v1/changes?author=bob&limit=2", "changes") for c in page] == made[0::3][::-1]
    ann.post(f"/v1/changes/{made[1]}/withdraw")
    assert [c["id"] for page in pages(ann, "/v1/changes?state=withdrawn&limit=2", "changes") for c in page] == [made[1]]
    assert len(sum(pages(ann, "/v1/changes?state=draft&limit=4", "changes"), [])) == 10
    for odd in ("limit=0", "limit=201", "limit=x", "limit=-1", "limit="):
        assert ann.get("/v1/changes?" + odd).status == 422, odd
    for odd in ("limits=1", "limit=1&limit=2"):
        assert ann.get("/v1/changes?" + odd).status == 400, odd


def test_revisions(proxy):
    for weight in (90, 95, 105):
        proxy.run_change({"pools": {"app": {"servers": {"s1": {"weight": weight}}}}}, approvers=("bob", "cat"))
    ann = proxy.as_("ann")
    found = sum(pages(ann, "/v1/revisions?limit=2", "revisions"), [])
    numbers = [revision["rev"] for revision in found]
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) == len(numbers) == 4
    newest = ann.get("/v1/revisions/running").json()
    assert newest["rev"] == numbers[0] and newest["digest"] == proxy.status()["running"]["digest"]
    assert ann.get(f"/v1/revisions/{numbers[1]}/config").json()["pools"]["app"]["servers"]["s1"]["weight"] == 95
    diff = ann.get(f"/v1/revisions/{numbers[1]}/diff/running").json()["diff"]
    assert [(one["pointer"], one["before"], one["after"]) for one in diff] == [("/pools/app/servers/s1/weight", 95, 105)]


def test_audit_records(proxy):
    dan = proxy.as_("dan")
    proxy.as_("ann").post("/v1/changes", {"title": "x", "reason": "y", "patch": PATCH})
    found = sum(pages(dan, "/v1/audit?limit=2", "records"), [])
    assert [record["seq"] for record in found] == list(range(len(found))) and len(found) >= 2
    assert found[-1]["event"] == "change.created" and found[-1]["actor"]["person"] == "ann"
    head = dan.get("/v1/audit/head").json()
    assert (head["seq"], head["h"]) == (found[-1]["seq"], found[-1]["h"]) and head["chain_whole"] and head["mirror_whole"]
    assert [r["seq"] for r in dan.get(f"/v1/audit?from_seq={head['seq']}").json()["records"]] == [head["seq"]]
    assert dan.get(f"/v1/audit?from_seq={head['seq'] + 1}").json()["records"] == []
