"""Receivers that hang, talk nonsense, close or pour: the others are told, requests and the admin API answer at once."""
import time

import pytest

from support.client import get
from support.monitoring import wait_until
from support.origin import close_now, drip, greeting, ok, raw, reset, stall
from support.proxy import free_port
from support.tls import server_context

ENDLESS_HEAD = b"HTTP/1.1 200 OK\r\n" + b"x-more: %s\r\n" % (b"y" * 1000) * 200
BAD = {
    "hangs": stall(),
    "hangs after half a head": stall(b"HTTP/1.1 200 O"),
    "hangs in the body": stall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"),
    "is no HTTP": raw(b"\x00\xff\x16\x03\x01 SSH-2.0-x\r\n\r\n" * 50),
    "has a status beyond all": raw(b"HTTP/1.1 99999 \r\ncontent-length: -1\r\n\r\n"),
    "closes": close_now(),
    "resets": reset(),
    "pours a head": stall(ENDLESS_HEAD),
    "pours a body": stall(b"HTTP/1.1 500 No\r\n\r\n" + b"z" * 400000),
    "drips": drip(b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b"s" * 2000, gap=0.1),
    "speaks first": greeting(b"220 mail.example ESMTP\r\n"),
    "promises chunks": raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
}


@pytest.mark.race
@pytest.mark.timeout(120)
def test_nobody_waits_for_it(make_enforced, make_origin):
    good = make_origin(ok())
    bad = {what: make_origin(behaviour, keep=False) for what, behaviour in BAD.items()}
    urls = [f"http://{one.address}/" for one in bad.values()]
    urls += [f"https://{good.address}/", f"http://127.0.0.1:{free_port()}/", "http://no-such-host.invalid/"]
    proxy = make_enforced([make_origin(ok(b"well"))], config={
        "observe": {"alerts": {"webhook": urls + [f"http://{good.address}/good"], "alertmanager": urls[:4]}}})
    wait_until(lambda: any(request.target == "/good" for request in good.requests), "the good one is told")
    slowest = 0.0
    until = time.monotonic() + 4
    while time.monotonic() < until:
        began = time.monotonic()
        assert get(proxy.address).body == b"well"
        assert proxy.as_("ann").get("/v1/status").status == 200
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.02)
    assert slowest < 6, slowest  # they are waited for 10 s
    for one in bad.values():
        one.wait_for(lambda origin: origin.connections)
    wait_until(lambda: proxy.metrics().value("twokey_alert_notifications_total", outcome="failed") >= 5, "five failed")
    began = time.monotonic()
    proxy.stop()  # some still hang
    assert time.monotonic() - began < 8


def test_a_certificate_that_nobody_vouches_for_gets_nothing(make_enforced, make_origin, authority):
    """Alerts go to whom the configuration names, or to nobody."""
    stranger = make_origin(ok(), tls=server_context(authority.certificate("am", "localhost", ip="127.0.0.1")))
    proxy = make_enforced([make_origin()], config={"observe": {"alerts": {"webhook": [f"https://{stranger.address}/"]}}})
    why = proxy.wait_event("alerts-undelivered")["why"]
    assert "certificate" in why, why
    assert not stranger.heads
