"""Accept: text/plain gives tables: a change, the list, difference, impact, findings, revisions, audit, alerts."""
import pytest

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}
TEXT = {"Accept": "text/plain"}


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(), make_origin()])


def text(caller, path):
    answer = caller.get(path, headers=TEXT)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain"), answer.body
    assert answer.body.endswith("\n") and not any(line.endswith(" ") for line in answer.body.split("\n"))
    return answer.body


def test_tables(proxy):
    ann = proxy.as_("ann")
    change = ann.submit(PATCH, title="half of s1")
    path = f"/v1/changes/{change['id']}"
    one = text(ann, path)
    assert change["id"] in one and "pending" in one and "half of s1" in one and change["digest"] in one and "next:" in one
    listed = text(ann, "/v1/changes").split("\n")
    assert listed[0].split()[:2] == ["id", "state"] and change["id"] in listed[1] and "half of s1" in listed[1]
    assert "/pools/app/servers/s1/weight" in text(ann, path + "/diff")
    impact = text(ann, path + "/impact")
    assert "->" in impact and "s1" in impact and "share" in impact and "capacity" in impact
    assert text(ann, path + "/findings")
    proxy.as_("bob").approve(change, "looks right")
    assert "bob approve" in text(ann, path) and "looks right" in text(ann, path)
    assert change["base"]["digest"] in text(ann, "/v1/revisions")
    assert "change.created" in text(proxy.as_("dan"), "/v1/audit")
    assert text(ann, "/v1/alerts")
    assert "revision" in text(ann, "/v1/status")
    ann.apply(change)
    for shown in (text(ann, "/v1/status"), text(ann, path)):
        assert "\ngate           inconclusive since " in shown and "\n               errors: inconclusive: " in shown, shown


def test_refusals_are_problems_in_any_case(proxy):
    answer = proxy.as_("ann").get("/v1/changes/chg_none", headers=TEXT)
    assert answer.status == 404 and answer.headers["Content-Type"] == "application/problem+json"
