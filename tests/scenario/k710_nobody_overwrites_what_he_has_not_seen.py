"""ETag and If-Match: an edit needs the version that it replaces, and one of two simultaneous edits loses."""
import threading

import pytest

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(), make_origin()])


@pytest.fixture
def draft(proxy):
    return proxy.as_("ann").post("/v1/changes", {"title": "x", "reason": "y", "patch": PATCH}).json()


def named(answer):
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_an_edit_names_what_it_replaces(proxy, draft):
    ann, path = proxy.as_("ann"), f"/v1/changes/{draft['id']}"
    assert ann.get(path).headers["ETag"] == f'"{draft["etag"]}"'
    assert named(ann.patch(path, {"title": "z"})) == (428, "precondition-required")
    assert named(ann.patch(path, {"title": "z"}, headers={"If-Match": '"sha256:' + "0" * 64 + '"'})) == (412, "digest-mismatch")
    assert named(ann.patch(path, {"title": "z"}, headers={"If-Match": f'W/"{draft["etag"]}"'})) == (412, "digest-mismatch")
    for odd in ("*", f'"{draft["etag"]}", "b"', '"', '""'):
        assert ann.patch(path, {"title": "z"}, headers={"If-Match": odd}).status in (412, 422, 428), odd
    assert ann.change(draft["id"])["title"] == "x"
    quoted = ann.patch(path, {"title": "z"}, headers={"If-Match": f'"{draft["etag"]}"'})
    assert quoted.status == 200 and quoted.json()["iteration"] == 2
    bare = ann.patch(path, {"title": "zz"}, headers={"If-Match": quoted.json()["etag"]})
    assert bare.status == 200 and bare.json()["iteration"] == 3
    assert named(ann.patch(path, {"title": "old"}, headers={"If-Match": f'"{draft["etag"]}"'})) == (412, "digest-mismatch")


def test_put_gives_the_content_anew(proxy, draft):
    ann, path = proxy.as_("ann"), f"/v1/changes/{draft['id']}"
    answer = ann.put(path, {"title": "whole", "reason": "anew", "patch": {"pools": {"app": {"servers": {"s2": {"weight": 7}}}}}},
                     headers={"If-Match": f'"{draft["etag"]}"'})
    assert answer.status == 200, answer.body
    diff = ann.get(path + "/diff").json()["diff"]
    assert {one["pointer"] for one in diff} == {"/pools/app/servers/s2/weight"}


def test_one_of_two_edits_loses(proxy, draft):
    path, statuses = f"/v1/changes/{draft['id']}", []

    def edit(number):
        statuses.append(proxy.as_("ann").patch(path, {"title": f"n {number}"}, headers={"If-Match": f'"{draft["etag"]}"'}).status)

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 15
    assert proxy.as_("ann").change(draft["id"])["iteration"] == 2


def test_a_change_may_insist_on_what_runs(proxy):
    ann, running = proxy.as_("ann"), proxy.status()["running"]["digest"]
    body = {"title": "x", "reason": "y", "patch": PATCH}
    assert named(ann.post("/v1/changes", body, headers={"If-Match": '"sha256:' + "0" * 64 + '"'}))[0] == 412
    assert ann.post("/v1/changes", body, headers={"If-Match": f'"{running}"'}).status == 201
    assert ann.get("/v1/config").headers["ETag"] == f'"{running}"'


def test_what_has_not_changed_is_not_sent_again(proxy, draft):
    ann = proxy.as_("ann")
    change = ann.post(f"/v1/changes/{draft['id']}/submit").json()
    for path in ("/v1/config", "/v1/revisions/running/config", f"/v1/changes/{change['id']}/bound"):
        first = ann.get(path)
        again = ann.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (first.status, again.status, again.body) == (200, 304, ""), path
        assert ann.get(path, headers={"If-None-Match": '"other"'}).status == 200
    # the etag of a change is its content's: its state may have moved all the same
    assert ann.get(f"/v1/changes/{change['id']}", headers={"If-None-Match": f'"{change["etag"]}"'}).status == 200


def test_head_and_options(proxy, draft):
    ann = proxy.as_("ann")
    for path in ("/v1/changes", f"/v1/changes/{draft['id']}", "/v1/revisions", "/v1/freeze", "/v1/alerts", "/v1/events"):
        head = ann.call("HEAD", path)
        assert head.status == 200 and head.body == "", path
    options = ann.call("OPTIONS", f"/v1/changes/{draft['id']}")
    assert options.status == 204 and set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "PUT", "PATCH"}
    assert set(ann.call("OPTIONS", "/v1/freeze").headers["Allow"].split(", ")) == {"GET", "HEAD", "PUT", "DELETE"}
    assert ann.delete("/v1/changes").status == 405
