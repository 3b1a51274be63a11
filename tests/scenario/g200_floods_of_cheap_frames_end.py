"""What costs a client little and us more has a budget: beyond it the connection ends with ENHANCE_YOUR_CALM, and others notice nothing."""
import pytest

from support.floods import Cost, GoodClient
from support.h2 import (ENHANCE_YOUR_CALM, GET, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_WINDOW, NO_ERROR, POST, H2Client, block, continuation, data, frame,
                        goaway, headers, indexed, literal, ping, priority, request, reset, settings, window)
from support.origin import before_body, ok, stall

MIB = 1 << 20
STALLED = request(path="/stall")


def streams(one, count=50):
    """A frame, or several, for each stream number."""
    return lambda turn: b"".join(one(1 + 2 * (turn * count + number)) for number in range(count))


def provoked(one):
    """So few at a time that the resets go out before there are too many streams."""
    return streams(one, 10)


def again(octets):
    return lambda _turn: octets * 200


HALF_A_HEAD = headers(1, block(GET)[:5], end_headers=False)
BOMB = headers(1, GET + [("x", "y")]) + headers(3, block(GET) + literal("x-b", "v" * 4000, kind="keep"))

# name: (budget, what comes first, what then comes in turns)
FLOODS = {
    "rapid reset": ("resets", b"", streams(lambda n: headers(n, GET) + reset(n))),
    "rapid reset of requests that a server works on": ("resets", b"", streams(lambda n: headers(n, STALLED) + reset(n))),
    "rapid reset of uploads": ("resets", b"", streams(lambda n: headers(n, POST, end=False) + data(n, b"x") + reset(n))),
    "DATA after the end": ("protocol", b"", provoked(lambda n: headers(n, STALLED) + data(n, b"x"))),
    "HEADERS after the end": ("protocol", b"", provoked(lambda n: headers(n, STALLED) + headers(n, [("x", "y")]))),
    "made you reset: a window too large": ("provoked_resets", b"", provoked(lambda n: headers(n, STALLED) + window(n, MAX_WINDOW))),
    "made you reset: a bad length": ("provoked_resets", b"", provoked(lambda n: headers(n, [*POST, ("content-length", "5")], end=False) +
                                                                     data(n, b"x", end=True))),
    "made you reset: malformed requests": ("provoked_resets", b"", provoked(lambda n: headers(n, request(path=None)))),
    "CONTINUATION without end": ("continuation", HALF_A_HEAD, again(continuation(1, b"", end=False))),
    "CONTINUATION of a byte": ("continuation", HALF_A_HEAD, again(continuation(1, b"\x00", end=False))),
    "CONTINUATION of much": ("header_list", headers(1, GET, end_headers=False),
                             lambda _turn: continuation(1, literal("x", "v" * 16000), end=False) * 10),
    "SETTINGS": ("settings", b"", again(settings((INITIAL_WINDOW_SIZE, 1000)))),
    "SETTINGS that change the table": ("settings", b"", again(settings((HEADER_TABLE_SIZE, 0)) + settings((HEADER_TABLE_SIZE, 4096)))),
    "PING": ("ping", b"", again(ping())),
    "PING ACK": ("ping", b"", again(ping(ack=True))),
    "empty DATA": ("empty_data", headers(1, request("POST", "/stall"), end=False), again(data(1, b""))),
    "DATA of padding": ("empty_data", headers(1, request("POST", "/stall"), end=False), again(data(1, b"", pad=10))),
    "PRIORITY": ("priority", b"", again(priority(5, 3))),
    "PRIORITY of many streams": ("priority", b"", streams(lambda n: priority(n, 0))),
    "WINDOW_UPDATE of the connection": ("window_update", b"", again(window(0, 1))),
    "WINDOW_UPDATE of a stream": ("window_update", headers(1, STALLED), again(window(1, 1))),
    "frames that nobody knows": ("unknown", b"", again(frame(0xBE, 0, 0, b"x"))),
    "PRIORITY_UPDATE": ("unknown", b"", again(frame(0x10, 0, 0, b"\0\0\0\1u=1"))),
    "heads for closed streams": ("closed", headers(1, GET) + reset(1), again(headers(1, [("x", "y")]))),
    "HPACK bombs": ("header_list", BOMB, streams(lambda n: headers(n + 4, block(GET) + indexed(62) * 10000) if n % 20 == 1 else b"")),
    "heads over the limit": ("header_list", b"", streams(lambda n: headers(n, [*GET, *[(f"x-{i}", "v") for i in range(200)]]))),
}


@pytest.fixture(scope="module")
def shared():
    from support.origin import Origin
    from support.proxy import simple_proxy
    origin = Origin({"/stall": before_body(stall()), "*": ok()}, keep=False)
    proxy = simple_proxy(origin, process={"workers": 1}, pool={"ejection": {"consecutive_failures": 0}}).start()
    yield proxy
    origin.stop()
    try:
        proxy.stop()
    finally:
        proxy.discard()


def attack(address, first, turn_of, turns=300):
    """Until the connection is ended; the code it is ended with."""
    with H2Client(address, timeout=10) as client:
        client.wait_settings()
        alive = client.pour(first) if first else True
        for turn in range(turns):
            octets = turn_of(turn)
            if not alive or not client.pour(octets) or len(octets) < 2000 and not client.sync():
                break
        client.wait_goaway()
        assert client.goaways, f"{turns} turns changed nothing: {str(client)[:300]}"
        return client.goaways[-1][1]


@pytest.mark.parametrize("name", FLOODS)
def test_flood(shared, name):
    budget, first, turn_of = FLOODS[name]
    before = violations(shared, budget)
    with Cost(shared) as cost, GoodClient(shared.address) as good:
        codes = [attack(shared.address, first, turn_of) for _ in range(3)]
    assert all(code == ENHANCE_YOUR_CALM for code in codes) or budget == "protocol" and NO_ERROR not in codes, codes
    good.check()
    cost.check(cpu_s=2.0, grown_bytes=16 * MIB)
    assert violations(shared, budget) == before + 3
    shared.wait_for(lambda: shared.server("s1")["now"]["in_flight"] == 0)


def violations(proxy, budget):
    return proxy.metrics().value("twokey_listener_h2_violations_total", budget=budget)


def test_the_log_says_who_it_was(make_proxy, origin):
    proxy = make_proxy(origin)
    attack(proxy.address, b"", again(ping()))
    told = proxy.wait_event("h2-violation")
    assert (told["listener"], told["client"], told["budget"]) == ("web", "127.0.0.1", "ping")


def test_a_goaway_of_the_client_many_times(shared):
    with Cost(shared) as cost, GoodClient(shared.address) as good:
        with H2Client(shared.address) as client:
            client.wait_settings()
            for _ in range(100):
                if not client.pour(goaway(0) * 200):
                    break
    good.check()
    cost.check(cpu_s=2.0, grown_bytes=8 * MIB)


def test_what_busy_clients_do_is_no_flood(shared):
    """Much of everything, with work in between: no budget is used up."""
    with H2Client(shared.address) as client:
        client.wait_settings()
        stream = 1
        for turn in range(35):
            many = [stream + 2 * number for number in range(20)]
            client.send(b"".join(headers(number, GET) for number in many) + ping(b"%08d" % turn) + priority(many[0]))
            client.send(headers(many[-1] + 2, STALLED) + reset(many[-1] + 2))
            for number in many:
                assert client.answer(number).status == 200
            stream = many[-1] + 4
        assert not client.goaways and client.request(stream).status == 200
