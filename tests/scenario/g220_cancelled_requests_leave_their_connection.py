"""A connection that was being opened for a request that is cancelled serves the next one: who begins streams and resets
them, again and again, has no more connections opened than he asked for at once."""
import ssl
import threading

import pytest
from support import h2
from support.client import get
from support.h2 import H2Client
from support.h2_origin import H2Conn, H2Origin, h2_ok, h2_pool
from support.origin import Conn, Origin, ok
from support.tls import server_context, tls_pool

RESETS = 450  # under the budget of them, as ROUNDS is under that of PING
ROUNDS = 150
SPOKEN = pytest.mark.parametrize("spoken", ["HTTP/1", "HTTP/2"])


def gated(conn_class, origin_class):
    """Takes connections, and says nothing before its gate is open: none of TLS is open until then, nor one of HTTP/2."""
    class GatedConn(conn_class):
        def _run(self):
            self.origin.gate.wait(60)
            super()._run()

    class Gated(origin_class):
        def __init__(self, *args, **options):
            self.gate = threading.Event()
            super().__init__(*args, **options)

        def stop(self):
            self.gate.set()
            super().stop()
    Gated.conn_class = GatedConn
    return Gated


def slow_to_open(make_origin, make_proxy, authority, spoken, **pool):
    """An origin of whose connections none is open before its gate is, and a proxy before it.  In TLS 1.3 it would say
    something more on a connection that is open (tickets), and one where something waits to be read is not used."""
    if spoken == "HTTP/1":
        certificate = authority.certificate("origin", "localhost", ip="127.0.0.1")
        origin = make_origin(ok(b"ok"), speaks=gated(Conn, Origin), tls=server_context(certificate, version=ssl.TLSVersion.TLSv1_2))
        more = tls_pool(authority)
    else:
        origin = make_origin(h2_ok(b"ok"), speaks=gated(H2Conn, H2Origin))
        more = {"pool": h2_pool(), "process": {}}
    more["pool"].update(pool)
    more["process"]["workers"] = 1
    return origin, make_proxy([origin], **more)


def cancel(client, together, rounds):
    """Begins streams and resets them, `rounds` times; the number that the next one may have."""
    stream = 1
    for _ in range(rounds):
        numbers = range(stream, stream + 2 * together, 2)
        client.send(b"".join(h2.headers(number, h2.request()) for number in numbers))
        client.send(b"".join(h2.reset(number) for number in numbers))
        assert client.sync()
        stream += 2 * together
    return stream


def opened(proxy):
    return proxy.metrics().value("twokey_server_connections_total", server="s1")


@SPOKEN
def test_many_rounds_of_resets_open_as_many_as_one(make_origin, make_proxy, authority, spoken):
    origin, proxy = slow_to_open(make_origin, make_proxy, authority, spoken, timeouts={"connect": "60s"})
    most = 3 if spoken == "HTTP/1" else 1
    with H2Client(proxy.address) as client:
        stream = cancel(client, RESETS // ROUNDS, ROUNDS)
        assert opened(proxy) == most
        origin.gate.set()
        assert client.request(stream).body == b"ok"
        proxy.wait_for(lambda: proxy.metrics().value("twokey_server_connections_idle", server="s1") == most)
        assert client.request(stream + 2).body == b"ok"
    assert opened(proxy) == len(origin.connections) == most
    assert proxy.metrics().value("twokey_server_failures_total", server="s1") == 0


@SPOKEN
def test_a_read_full_of_resets_opens_few(make_origin, make_proxy, spoken):
    if spoken == "HTTP/1":
        origin = make_origin(ok(b"ok"))
        proxy = make_proxy([origin], process={"workers": 1})
    else:
        origin = make_origin(h2_ok(b"ok"), speaks=H2Origin)
        proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with H2Client(proxy.address) as client:
        client.wait_settings()
        client.send(b"".join(h2.headers(stream, h2.request()) + h2.reset(stream) for stream in range(1, 2 * RESETS, 2)))
        assert client.request(2 * RESETS + 1).body == b"ok"
    # One for each time that the proxy reads, at most; how often that is the sockets decide.
    assert opened(proxy) < RESETS / 10


def test_no_more_are_kept_than_may_be_idle(make_origin, make_proxy, authority):
    _, proxy = slow_to_open(make_origin, make_proxy, authority, "HTTP/1", timeouts={"connect": "60s"}, keepalive={"idle_per_worker": 2})
    with H2Client(proxy.address) as client:
        cancel(client, together=5, rounds=3)
    assert opened(proxy) == 5 + 3 + 3


@SPOKEN
def test_none_is_where_none_may_be_idle(make_origin, make_proxy, authority, spoken):
    _, proxy = slow_to_open(make_origin, make_proxy, authority, spoken, timeouts={"connect": "60s"}, keepalive={"idle_per_worker": 0})
    with H2Client(proxy.address) as client:
        cancel(client, together=1, rounds=3)
    assert opened(proxy) == 3


@SPOKEN
def test_what_nobody_waits_for_has_its_time_too(make_origin, make_proxy, authority, spoken):
    _, proxy = slow_to_open(make_origin, make_proxy, authority, spoken, timeouts={"connect": "2s"})
    with H2Client(proxy.address) as client:
        client.sync()
        before = proxy.descriptors()
        cancel(client, together=2, rounds=1)
        assert opened(proxy) >= 1
        proxy.wait_for(lambda: proxy.descriptors() <= before)
    assert proxy.metrics().value("twokey_server_failures_total", server="s1") == 0, "nobody's fault"


@SPOKEN
@pytest.mark.parametrize("stays", [True, False], ids=["the server stays", "the server goes"])
def test_it_is_opened_while_the_configuration_changes(make_origin, make_proxy, authority, spoken, stays):
    origin, proxy = slow_to_open(make_origin, make_proxy, authority, spoken, timeouts={"connect": "60s"})
    with H2Client(proxy.address) as client:
        cancel(client, together=1, rounds=1)
    other = make_origin(ok(b"other")) if spoken == "HTTP/1" else make_origin(h2_ok(b"other"), speaks=H2Origin)
    config = proxy.config
    config["routes"]["everything"]["timeouts"] = {"response": "50s"}
    if not stays:
        config["pools"]["app"].pop("tls", None)
        config["pools"]["app"]["servers"] = {"s2": {"address": other.address}}
    assert proxy.reload(config).status == 200
    origin.gate.set()
    assert get(proxy.address).body == (b"ok" if stays else b"other")
    if stays:
        assert opened(proxy) == 1
