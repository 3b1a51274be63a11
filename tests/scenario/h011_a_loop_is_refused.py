"""A request that has been here twice already is in a loop: 508."""
from support.client import get


def test_own_pseudonym_twice_is_508(make_proxy, origin):
    proxy = make_proxy(origin)
    assert get(proxy.address).status == 200
    own = origin.wait_requests(1)[0].header("via")
    assert get(proxy.address, headers=[("Via", own)]).status == 200, "once may be a proxy in front of itself"
    before = len(origin.requests)
    assert get(proxy.address, headers=[("Via", f"{own}, 1.1 other, {own}")]).status == 508
    assert get(proxy.address, headers=[("Via", own), ("Via", own)]).status == 508
    assert get(proxy.address, headers=[("Via", "1.1 other, 1.0 another")]).status == 200
    assert len(origin.requests) == before + 1


def test_two_proxies_that_send_to_each_other_stop(make_proxy, origin):
    from support.proxy import free_port
    back = f"127.0.0.1:{free_port()}"
    first = make_proxy(back, pool={"ejection": {"consecutive_failures": 0}})
    make_proxy(first.address, listener={"address": back}, pool={"ejection": {"consecutive_failures": 0}})
    assert get(first.address).status == 508


def test_a_server_that_is_our_own_listener_is_refused_at_start(make_proxy):
    import pytest
    from support.proxy import free_port
    own = f"127.0.0.1:{free_port()}"
    with pytest.raises(AssertionError, match="own listener"):
        make_proxy(own, listener={"address": own})
