"""A revision is known as good after half an hour and a thousand requests; a younger one that ends in crashes gives way to it."""
from support.client import get
from support.clock import Clock
from support.load import Load
from support.origin import named


def test_earned_and_used(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    with Clock() as clock:
        proxy = make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}}, env=clock.env)
        Load(proxy.address, connections=4, total=1500).run()
        assert proxy.status()["lkg"] is None
        clock.pass_minutes(31)
        proxy.wait_for(lambda: proxy.status()["lkg"] is not None, timeout=60)
        assert proxy.status()["lkg"]["rev"] == 1
        records = proxy.as_("dan").get("/v1/audit?limit=200").json()["records"]
        assert any(record["event"] == "revision.lkg" and record["data"]["requests"] >= 1000 for record in records)

        change = proxy.run_change({"routes": {"everything": {"pool": "next"}}}, approvers=("bob", "cat"))
        assert change["state"] == "applied" and get(proxy.address).body == b"new"
        for _ in range(2):
            proxy.kill9()
            proxy.start()
            assert get(proxy.address).body == b"new", "twice may be chance"
        proxy.kill9()
        proxy.start()  # the third start in five minutes: the first of all is half an hour ago
        status = proxy.status()
        assert get(proxy.address).body == b"old"
        assert status["running"]["rev"] == status["boot"]["rev"] == status["lkg"]["rev"] == 1
        proxy.wait_for(lambda: any(alert["name"] == "CrashLoop" and alert["severity"] == "page"
                                   for alert in proxy.as_("ann").get("/v1/alerts").json()["alerts"]))
        proxy.kill9()
        proxy.start()
        assert get(proxy.address).body == b"old", "and it stays"
