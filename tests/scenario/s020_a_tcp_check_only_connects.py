"""Checks of type tcp: whoever accepts is up; nothing is sent."""
from support.health import CHECK, served_by
from support.origin import Origin, named

TCP = {**{key: CHECK[key] for key in ("interval", "fast_interval", "timeout", "fall", "rise")}, "type": "tcp"}


def test_down_when_nobody_listens_and_up_again(make_origin, make_proxy):
    first, second = make_origin(named("s1")), make_origin(named("s2"))
    proxy = make_proxy([first, second], pool={"health_check": TCP, "slow_start": "0s"})
    proxy.wait_event("server-up", server="s1")
    proxy.wait_event("server-up", server="s2")
    assert not second.heads
    second.stop()
    assert proxy.wait_event("server-down", server="s2")["why"] == "connection refused"
    assert served_by(proxy.address, 10) == {"s1": 10}
    with Origin(named("s2"), address=second.address):
        proxy.wait_event("server-up", server="s2", nth=2)
        assert set(served_by(proxy.address, 20)) == {"s1", "s2"}
