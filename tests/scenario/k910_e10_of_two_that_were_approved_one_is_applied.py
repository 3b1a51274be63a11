"""E-10, E-19: applies at the same moment: one wins, the others are told why, and nothing is lost or done twice."""
import collections
import threading


def test_one_wins(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann = proxy.as_("ann")
    changes = [proxy.approve_fully(ann.submit({"pools": {"app": {"servers": {"s1": {"weight": 90 + n}}}}})) for n in range(6)]
    statuses = collections.defaultdict(list)

    def apply(change):
        statuses[change["id"]].append(ann.post(f"/v1/changes/{change['id']}/apply").status)

    threads = [threading.Thread(target=apply, args=(change,)) for change in changes for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [change for change in changes if 200 in statuses[change["id"]]]
    assert len(won) == 1, dict(statuses)
    assert all(status in (409, 412) for change in changes if change not in won for status in statuses[change["id"]]), dict(statuses)
    status = proxy.status()
    assert status["pending_confirm"]["change"] == won[0]["id"] and status["running"]["change"] == won[0]["id"]
    assert len(ann.get("/v1/revisions").json()["revisions"]) == 2
    ann.confirm(won[0])
    assert {ann.change(change["id"])["state"] for change in changes if change not in won} == {"stale"}
