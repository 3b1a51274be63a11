"""What capacity is judged by is the most requests a second of the last days, also those before a restart."""
from support.client import get


def guard(proxy):
    """The numbers that an order for s1 goes by; the order is taken back."""
    answer = proxy.as_("bob").put("/v1/pools/app/servers/s1/state", {"state": "drain"})
    if answer.status == 200:
        assert proxy.as_("bob").put("/v1/pools/app/servers/s1/state", {"state": "ready"}).status == 200
        return answer.json()["guard"]
    assert answer.status == 409, answer.body
    return answer.json()["guard"]


def test_a_restart_forgets_no_peak(make_origin, make_enforced):
    servers = {f"s{i}": {"address": make_origin().address, "capacity_rps": 100000} for i in (1, 2, 3)}
    proxy = make_enforced(servers)

    def peak_after_more():
        for _ in range(30):
            get(proxy.address)
        peak = guard(proxy)["peak"]
        return peak if peak["rps"] > 0 else None

    before = proxy.wait_for(peak_after_more, timeout=60, what="a peak")
    proxy.stop()
    proxy.start()
    after = guard(proxy)["peak"]
    assert after["rps"] >= before["rps"]
    assert after["since"] == before["since"] < proxy.status()["running"]["since"]
