"""E-19: of two applies at the same moment one wins, the other is told; the same one twice is one."""
import threading


def at_once(*calls):
    answers = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(i, call):
        barrier.wait()
        answers[i] = call()

    threads = [threading.Thread(target=run, args=(i, call)) for i, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def approved(proxy, patch):
    change = proxy.as_("ann").submit(patch)
    proxy.approve_fully(change)
    return change


def test_two_changes(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    one, two = approved(proxy, {"pools": {"app": {"slow_start": "1s"}}}), approved(proxy, {"pools": {"app": {"slow_start": "2s"}}})
    answers = at_once(*(lambda c=c: proxy.as_("ann").post(f"/v1/changes/{c['id']}/apply") for c in (one, two)))
    assert sorted(answer.status for answer in answers) in ([200, 409], [200, 412]), [a.body for a in answers]
    assert sorted(proxy.as_("ann").change(c)["state"] for c in (one, two)) == ["approved", "confirming"]


def test_the_same_change(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    change = approved(proxy, {"pools": {"app": {"slow_start": "1s"}}})
    before = proxy.status()["running"]["rev"]
    answers = at_once(*[lambda: proxy.as_("ann").post(f"/v1/changes/{change['id']}/apply")] * 4)
    assert [answer.status for answer in answers] == [200] * 4, [a.body for a in answers]
    assert proxy.status()["running"]["rev"] == before + 1, "it was applied once"


def test_two_ways_back(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    change = approved(proxy, {"pools": {"app": {"slow_start": "1s"}}})
    proxy.as_("ann").apply(change)
    before = proxy.status()["running"]["rev"]
    answers = at_once(lambda: proxy.as_("ann").post(f"/v1/changes/{change['id']}/cancel"),
                      lambda: proxy.as_("bob").post("/v1/rollback", {"to": "previous"}),
                      lambda: proxy.as_("bob").post(f"/v1/changes/{change['id']}/confirm"))
    assert sum(answer.status == 200 for answer in answers) >= 1, [a.body for a in answers]
    assert proxy.as_("ann").change(change)["state"] in ("rolled_back", "applied")
    assert proxy.status()["pending_confirm"] is None and proxy.status()["running"]["rev"] <= before + 1
