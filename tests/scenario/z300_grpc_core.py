"""A gRPC client and servers that somebody else wrote (Debian's python3-grpcio, gRPC's core), through the proxy."""
import queue

import pytest
from support.greeter import NOT_SERVING, SERVICE, Caller, Greeter, RpcError, StatusCode, grpc, server_credentials
from support.h2_origin import h2_pool
from support.tls import tls_listener, tls_pool

BOUND = 40  # of a call that is to end well


@pytest.fixture
def greeter():
    started = []

    def make(name="s1", **options):
        started.append(Greeter(name, **options))
        return started[-1]
    yield make
    for each in started:
        each.stop()


@pytest.fixture
def caller():
    opened = []

    def make(proxy, **options):
        opened.append(Caller(proxy.address, **options))
        return opened[-1]
    yield make
    for each in opened:
        each.channel.close()


def says(messages):
    """A stream of messages that is fed by hand; None ends it."""
    return iter(messages.get, None)


def test_metadata_and_trailers_pass_both_ways(greeter, caller, make_proxy):
    proxy = make_proxy([greeter().address], pool=h2_pool())
    told, call = caller(proxy).hello.with_call(b"ann", timeout=BOUND, metadata=(("x-said-bin", bytes(range(256))),))
    assert told == b"hello ann" and call.code() is StatusCode.OK
    assert dict(call.initial_metadata())["x-begun"] == "s1"
    assert dict(call.trailing_metadata()) == {"x-server": "s1", "x-heard-bin": bytes(range(256))}


def test_the_same_over_tls_on_both_sides(greeter, caller, make_proxy, authority):
    shop, inner = authority.certificate("shop", "shop.example"), authority.certificate("inner", "inner.example")
    server = greeter(credentials=server_credentials(inner))
    listens, speaks = tls_listener(authority.directory, shop), tls_pool(authority, sni="inner.example")
    proxy = make_proxy([server.address], pool={**h2_pool(), **speaks["pool"]}, **listens)
    calls = caller(proxy, ca=authority, name="shop.example")
    assert calls.hello(b"ann", timeout=BOUND) == b"hello ann"
    assert len(list(calls.count(b"200 1000", timeout=BOUND))) == 200


def test_a_failure_keeps_its_code_and_its_words(greeter, caller, make_proxy):
    proxy = make_proxy([greeter().address], pool=h2_pool())
    with pytest.raises(RpcError) as failed:
        caller(proxy).fail("nicht heute: 50 % später".encode(), timeout=BOUND)
    assert (failed.value.code(), failed.value.details()) == (StatusCode.FAILED_PRECONDITION, "nicht heute: 50 % später")


def test_a_server_streams(greeter, caller, make_proxy):
    proxy = make_proxy([greeter().address], pool=h2_pool())
    got = [message.strip() for message in caller(proxy).count(b"2000 1000", timeout=BOUND)]
    assert got == [b"%d" % number for number in range(1, 2001)]


def test_a_client_streams(greeter, caller, make_proxy):
    proxy = make_proxy([greeter().address], pool=h2_pool())
    assert caller(proxy).gather((b"x" * 1000 for _ in range(2000)), timeout=BOUND) == b"2000 messages, 2000000 bytes"


def test_both_stream_each_waiting_for_the_other(greeter, caller, make_proxy):
    proxy = make_proxy([greeter().address], pool=h2_pool())
    said = queue.Queue()
    heard = caller(proxy).chat(says(said), timeout=BOUND)
    for number in range(50):
        said.put(b"%d" % number)
        assert next(heard) == b"s1 heard %d" % number
    said.put(None)
    assert list(heard) == [] and heard.code() is StatusCode.OK


def test_large_messages_pass_both_ways(greeter, caller, make_proxy):
    """While they do, the core measures the way with PINGs of its own."""
    proxy = make_proxy([greeter().address], pool=h2_pool())
    calls = caller(proxy)
    assert [len(message) for message in calls.count(b"8 4000000", timeout=BOUND)] == [4000001] * 8
    assert calls.gather((bytes(4_000_000) for _ in range(8)), timeout=BOUND) == b"8 messages, 32000000 bytes"


def test_compressed_messages_pass_as_they_are(greeter, caller, make_proxy):
    proxy = make_proxy([greeter().address], pool=h2_pool())
    calls = caller(proxy, compression=grpc.Compression.Gzip)
    assert calls.hello(b"ann" * 10_000, timeout=BOUND) == b"hello " + b"ann" * 10_000


def test_a_deadline_reaches_the_server(greeter, caller, make_proxy):
    server = greeter()
    proxy = make_proxy([server.address], pool=h2_pool())
    with pytest.raises(RpcError) as failed:
        caller(proxy).slow(b"", timeout=5)
    assert failed.value.code() is StatusCode.DEADLINE_EXCEEDED
    server.wait("slow begun, deadline set")
    server.wait("slow ended")
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0)


def test_a_call_that_is_cancelled_ends_at_the_server(greeter, caller, make_proxy):
    server = greeter()
    proxy = make_proxy([server.address], pool=h2_pool())
    call = caller(proxy).slow.future(b"")
    server.wait("slow begun, deadline none")
    assert call.cancel() and call.code() is StatusCode.CANCELLED
    server.wait("slow ended")
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0)


def test_more_calls_at_once_than_a_connection_has_streams(greeter, caller, make_proxy):
    proxy = make_proxy([greeter().address], pool=h2_pool())
    calls = caller(proxy)
    under_way = [calls.hello.future(b"%d" % number, timeout=BOUND) for number in range(400)]
    assert [call.result() for call in under_way] == [b"hello %d" % number for number in range(400)]


def test_calls_are_balanced_each_by_itself(greeter, caller, make_proxy):
    servers = {name: {"address": greeter(name).address} for name in ("s1", "s2", "s3")}
    proxy = make_proxy(servers, pool=h2_pool(), process={"workers": 1})
    calls = caller(proxy)
    by = [dict(calls.hello.with_call(b"", timeout=BOUND)[1].trailing_metadata())["x-server"] for _ in range(30)]
    assert {name: by.count(name) for name in by} == {"s1": 10, "s2": 10, "s3": 10}


def test_a_server_that_leaves_loses_no_call(greeter, caller, make_proxy):
    """It says GOAWAY, and refuses connections from then on."""
    leaving = greeter("s1")
    proxy = make_proxy({"s1": {"address": leaving.address}, "s2": {"address": greeter("s2").address}}, pool=h2_pool())
    calls, by, gone = caller(proxy), [], []
    for turn in range(1000):
        if turn == 300:
            gone.append(leaving.leave())
        by.append(dict(calls.hello.with_call(b"", timeout=BOUND)[1].trailing_metadata())["x-server"])
    assert gone[0].wait(30) and set(by[:300]) == {"s1", "s2"} and by[-1] == "s2"


def test_a_long_call_lives_through_a_reload(greeter, caller, make_proxy):
    proxy = make_proxy({"s1": {"address": greeter("s1").address}}, pool=h2_pool())
    calls, said = caller(proxy), queue.Queue()
    heard = calls.chat(says(said), timeout=BOUND)
    said.put(b"before")
    assert next(heard) == b"s1 heard before"
    proxy.config["pools"]["app"]["servers"] = {"s2": {"address": greeter("s2").address}}
    proxy.reload()
    said.put(b"behind")
    assert next(heard) == b"s1 heard behind"
    assert dict(calls.hello.with_call(b"", timeout=BOUND)[1].trailing_metadata())["x-server"] == "s2"
    said.put(None)
    assert list(heard) == [] and heard.code() is StatusCode.OK


def test_no_server_is_unavailable(caller, make_proxy):
    proxy = make_proxy(["127.0.0.1:1"], pool=h2_pool())
    with pytest.raises(RpcError) as failed:
        caller(proxy).hello(b"", timeout=BOUND)
    assert (failed.value.code(), failed.value.details()) == (StatusCode.UNAVAILABLE, "the server refused the connection")


def test_its_health_service_is_asked(greeter, make_proxy):
    server = greeter()
    proxy = make_proxy([server.address], pool=h2_pool(health_check={"type": "grpc", "service": SERVICE, "interval": "100ms", "fast_interval": "100ms",
                                                                    "timeout": "1s", "fall": 1, "rise": 1}))

    def check():
        return proxy.server("s1")["addresses"][0]
    proxy.wait_event("server-up", server="s1")
    server.wait(f"checked {SERVICE}")
    for health, why in ((NOT_SERVING, "NOT_SERVING"), (None, "NOT_FOUND")):
        server.health = health
        proxy.wait_for(lambda why=why: check()["health"] == "down" and why in check()["last_check"])
