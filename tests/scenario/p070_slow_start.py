"""A server that comes back gets its share little by little."""
from support.load import Load, QuickOrigin
from support.proxy import free_port

CHECK = {"path": "/", "interval": "1s", "fast_interval": "100ms", "timeout": "1s", "fall": 2, "rise": 2}


def test_the_share_grows(make_proxy):
    steady = QuickOrigin("steady")
    port = free_port()
    proxy = make_proxy({"steady": steady, "late": f"127.0.0.1:{port}"}, process={"workers": 2},
                       pool={"slow_start": "6s", "panic_percent": 0, "health_check": CHECK}, listener={"keepalive_requests": "unlimited"})
    late = None
    try:
        proxy.wait_event("server-down", server="late")
        assert Load(proxy.address, 4, 100).run().bodies == {"steady": 100}
        late = QuickOrigin("late", port=port)
        proxy.wait_event("server-up", server="late")
        early = Load(proxy.address, 4, 300).run()
        percent = proxy.server("late")["oper"]["slow_start_percent"]
        assert early.statuses == {200: 300}
        # No more than the ramp gives in the end: 10 % of its weight at first, and 100 % only where the load took 6 s.
        assert 10 <= percent
        assert 0 < early.bodies["late"] < (percent / (100 + percent) + 0.05) * 300, (early.bodies, percent)
        proxy.wait_for(lambda: proxy.server("late")["oper"]["slow_start_percent"] == 100)
        full = Load(proxy.address, 4, 400).run()
        assert 0.45 * 400 < full.bodies["late"] < 0.55 * 400, full.bodies
    finally:
        steady.stop()
        if late:
            late.stop()


def test_nobody_starts_slowly_when_the_proxy_starts(make_proxy):
    origins = {name: QuickOrigin(name) for name in ("s1", "s2")}
    try:
        proxy = make_proxy(origins, pool={"slow_start": "60s", "health_check": CHECK}, process={"workers": 1})
        for name in origins:
            proxy.wait_event("server-up", server=name)
        load = Load(proxy.address, 2, 100).run()
        assert load.bodies == {"s1": 50, "s2": 50}
    finally:
        for origin in origins.values():
            origin.stop()
