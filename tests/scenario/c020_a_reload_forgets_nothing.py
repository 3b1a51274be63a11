"""What is known of servers and clients lives on: health, turns, sessions, rates, what is under way."""
from support.client import Client, build, get
from support.load import Load
from support.origin import named, reset

CHECK = {"path": "/health", "interval": "10s", "fast_interval": "100ms", "timeout": "1s", "fall": 2, "rise": 2}


def touch(proxy, turn=[0]):
    """A change that has nothing to do with the pool."""
    turn[0] += 1
    proxy.config["routes"]["other"] = {"path": f"/other/{turn[0]}", "respond": {}}
    answer = proxy.reload()
    assert answer.status == 200 and answer.json()["changes"], answer.body


def sick(name):
    return {"/health": reset(), "*": named(name)}


def test_a_server_that_is_down_stays_down(make_proxy, make_origin):
    """Checks come every 10 s here: nothing but memory keeps it out."""
    well = {"/health": named("ok"), "*": named("well")}
    proxy = make_proxy({"well": make_origin(well), "sick": make_origin(sick("sick"))}, pool={"health_check": CHECK})
    proxy.wait_event("server-down", server="sick")
    since = proxy.server("sick")["oper"]["since"]
    for _ in range(5):
        touch(proxy)
        load = Load(proxy.address, 2, 20).run()
        assert load.bodies == {"well": 20}
    assert (proxy.server("sick")["oper"]["health"], proxy.server("sick")["oper"]["since"]) == ("down", since)
    assert len(proxy.log_events("server-down")) == 1


def test_a_server_that_is_ejected_stays_ejected(make_proxy, make_origin):
    gone = make_origin()
    gone.stop()
    proxy = make_proxy({"gone": gone, "well": make_origin(named("well"))}, pool={"ejection": {"consecutive_failures": 2, "base_time": "60s"}})
    Load(proxy.address, 2, 30).run()
    proxy.wait_event("server-ejected", server="gone")
    touch(proxy)
    assert proxy.server("gone")["oper"]["ejected"] is True
    before = proxy.metrics().value("twokey_server_requests_total", pool="app", server="gone")
    assert Load(proxy.address, 2, 20).run().bodies == {"well": 20}
    assert proxy.metrics().value("twokey_server_requests_total", pool="app", server="gone") == before


def test_turns_go_on_where_they_were(make_proxy, make_origin):
    proxy = make_proxy({f"s{i}": make_origin(named(f"s{i}")) for i in range(1, 6)}, process={"workers": 1})
    with Client(proxy.address) as client:
        order = []
        for _ in range(25):
            order.append(client.request().body)
            touch(proxy)
    assert all(order[i] == order[i % 5] for i in range(25)) and len(set(order)) == 5, order


def test_weighted_turns_too(make_proxy, make_origin):
    servers = {name: {"address": make_origin(named(name)).address, "weight": weight} for name, weight in (("a", 50), ("b", 30), ("c", 20))}
    proxy = make_proxy(servers, process={"workers": 1})
    counts = {b"a": 0, b"b": 0, b"c": 0}
    with Client(proxy.address) as client:
        for _ in range(40):
            counts[client.request().body] += 1
            touch(proxy)
    assert all(abs(counts[name] - want) <= 1 for name, want in ((b"a", 20), (b"b", 12), (b"c", 8))), counts


def test_a_new_server_serves_as_soon_as_the_reload_is_answered(make_proxy, make_origin):
    """Nobody checks it: it is up at once, not when the thread that checks gets round to it."""
    proxy = make_proxy({"steady": make_origin(named("steady"))}, process={"workers": 1}, pool={"slow_start": "0s"})
    origin = make_origin(named("new"))
    with Client(proxy.address) as client:
        for number in range(1, 31):
            servers = proxy.config["pools"]["app"]["servers"]
            servers.pop(f"s{number - 1}", None)
            servers[f"s{number}"] = {"address": origin.address}
            assert proxy.reload().status == 200
            assert {client.request().body for _ in range(2)} == {b"steady", b"new"}


def test_a_new_server_takes_its_turn_and_the_others_keep_theirs(make_proxy, make_origin):
    proxy = make_proxy({f"s{i}": make_origin(named(f"s{i}")) for i in range(1, 4)}, process={"workers": 1}, pool={"slow_start": "0s"})
    with Client(proxy.address) as client:
        first = [client.request().body for _ in range(3)]
        proxy.config["pools"]["app"]["servers"]["s9"] = {"address": make_origin(named("s9")).address}
        assert proxy.reload().status == 200
        following = [client.request().body for _ in range(8)]
    assert sorted(first) == [b"s1", b"s2", b"s3"]
    assert all(following.count(name) == 2 for name in (b"s1", b"s2", b"s3", b"s9")), following


def test_requests_under_way_are_still_counted(make_proxy, make_origin):
    import threading
    go_on = threading.Event()

    def slow(conn, request):
        assert go_on.wait(30)
        return named("slow")(conn, request)

    slow_one, quick = make_origin(slow), make_origin(named("quick"))
    proxy = make_proxy({"slow": slow_one, "quick": quick}, pool={"balance": "least_requests"}, process={"workers": 1})
    with Client(proxy.address) as busy, Client(proxy.address) as client:
        while not slow_one.heads:
            if busy.sock.fileno() >= 0:
                busy.send(build())
                if not _came_quick(busy):
                    break
        for _ in range(4):
            touch(proxy)
            assert proxy.server("slow")["now"]["in_flight"] == 1
            assert [client.request().body for _ in range(5)] == [b"quick"] * 5
        go_on.set()
        assert busy.response().body == b"slow"
    proxy.wait_for(lambda: proxy.server("slow")["now"]["in_flight"] == 0)


def _came_quick(client):
    """True when the answer came at once (the other server's)."""
    client.sock.settimeout(0.3)
    try:
        client.response()
        return True
    except TimeoutError:
        return False
    finally:
        client.sock.settimeout(15)


def test_rates_are_remembered(make_proxy, origin):
    proxy = make_proxy(origin, route={"rate_limit": {"requests_per_second": 1, "burst": 3}})
    assert [get(proxy.address).status for _ in range(3)] == [200] * 3
    touch(proxy)
    assert get(proxy.address).status == 429


def test_the_queue_lives_on(make_proxy, make_origin):
    import threading
    permits = threading.Semaphore(0)

    def gate(conn, request):
        assert permits.acquire(timeout=30)
        return named("gate")(conn, request)

    origin = make_origin(gate)
    proxy = make_proxy({"s1": {"address": origin.address, "max_connections": 1}}, pool={"queue": {"timeout": "30s"}})
    clients = [Client(proxy.address) for _ in range(4)]
    for client in clients:
        client.send(build())
    proxy.wait_for(lambda: proxy.metrics().value("twokey_pool_queue_length", pool="app") == 3)
    touch(proxy)
    with Client(proxy.address) as late:
        late.send(build())
        proxy.wait_for(lambda: proxy.metrics().value("twokey_pool_queue_length", pool="app") == 4)
        for _ in range(5):
            permits.release()
        assert [client.response().status for client in [*clients, late]] == [200] * 5


def test_counters_go_on(make_proxy, origin):
    proxy = make_proxy(origin)
    Load(proxy.address, 2, 20).run()
    touch(proxy)
    Load(proxy.address, 2, 20).run()
    metrics = proxy.metrics()
    for name, labels in (("twokey_pool_requests_total", {"pool": "app"}), ("twokey_server_requests_total", {"server": "s1"}),
                         ("twokey_route_requests_total", {"route": "everything"}), ("twokey_listener_requests_total", {"listener": "web"})):
        assert metrics.value(name, **labels) == 40, name
