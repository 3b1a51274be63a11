"""A signed cookie brings a client back to its server."""
from support.client import get
from support.origin import named


def origins_by_name(make_origin, count=4):
    return {f"s{i}": make_origin(named(f"s{i}")) for i in range(1, count + 1)}


def cookie_of(answer):
    """The name=value that a client would send back, or None."""
    value = answer.header("set-cookie")
    return value.split(";")[0] if value else None


STICKY = {"sticky": {"cookie": "tk_app", "ttl": "1h"}}


def test_a_client_that_shows_its_cookie_comes_back(make_proxy, make_origin):
    proxy = make_proxy(origins_by_name(make_origin), pool=STICKY)
    first = get(proxy.address)
    cookie = cookie_of(first)
    assert cookie.startswith("tk_app=") and first.body.decode() in cookie
    attributes = {part.strip().lower() for part in first.header("set-cookie").split(";")[1:]}
    assert {"path=/", "httponly", "samesite=lax", "max-age=3600"} <= attributes and "secure" not in attributes
    for _ in range(20):
        again = get(proxy.address, headers={"Cookie": f"a=b; {cookie}; c=d"})
        assert (again.body, again.header("set-cookie")) == (first.body, None)


def test_without_a_cookie_all_servers_get_clients(make_proxy, make_origin):
    proxy = make_proxy(origins_by_name(make_origin), pool=STICKY)
    assert {get(proxy.address).body for _ in range(20)} == {b"s1", b"s2", b"s3", b"s4"}


def test_nobody_can_choose_a_server(make_proxy, make_origin):
    """Each forged value is ignored: balanced as if it were not there, and a new cookie is given."""
    proxy = make_proxy(origins_by_name(make_origin), pool=STICKY)
    cookie = cookie_of(get(proxy.address))
    name, _, signature = cookie.partition("=")[2].partition(".")
    other = "s2" if name != "s2" else "s3"
    flipped = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    for value in (f"{other}.{signature}", f"{name}.{flipped}", name, f"{name}.", f".{signature}", "", f"{name}.{signature}0",
                  f"{name}.{signature.upper()}0", "x" * 200, f"{name}/.{signature}"):
        seen = set()
        for _ in range(12):
            answer = get(proxy.address, headers={"Cookie": f"tk_app={value}"})
            assert answer.status == 200 and cookie_of(answer), value
            seen.add(answer.body)
        assert len(seen) == 4, value


def test_a_cookie_is_good_for_its_pool_only(make_proxy, make_origin):
    servers = {name: {"address": origin.address} for name, origin in origins_by_name(make_origin).items()}
    proxy = make_proxy([], config={
        "pools": {"app": {"servers": servers, **STICKY}, "two": {"servers": servers, **STICKY}},
        "routes": {"two": {"path_prefix": "/two", "pool": "two"}}})
    cookie = cookie_of(get(proxy.address))
    assert len({get(proxy.address, "/two", headers={"Cookie": cookie}).body for _ in range(12)}) == 4


def test_whoever_loses_his_server_gets_another_and_its_cookie(make_proxy, make_origin):
    origins = origins_by_name(make_origin)
    proxy = make_proxy(origins, pool=STICKY)
    first = get(proxy.address)
    origins[first.body.decode()].stop()
    second = get(proxy.address, headers={"Cookie": cookie_of(first)})
    assert second.status == 200 and second.body != first.body
    for _ in range(5):
        assert get(proxy.address, headers={"Cookie": cookie_of(second)}).body == second.body


def test_a_server_that_drains_keeps_its_clients_and_gets_no_new_ones(make_proxy, make_origin):
    proxy = make_proxy(origins_by_name(make_origin), pool=STICKY)
    first = get(proxy.address)
    name = first.body.decode()
    proxy.config["pools"]["app"]["servers"][name]["state"] = "drain"
    assert proxy.reload().status == 200
    for _ in range(8):
        assert get(proxy.address, headers={"Cookie": cookie_of(first)}).body == first.body
        assert get(proxy.address).body != first.body


def test_a_removed_servers_clients_are_balanced_anew(make_proxy, make_origin):
    proxy = make_proxy(origins_by_name(make_origin), pool=STICKY)
    first = get(proxy.address)
    del proxy.config["pools"]["app"]["servers"][first.body.decode()]
    assert proxy.reload().status == 200
    second = get(proxy.address, headers={"Cookie": cookie_of(first)})
    assert second.status == 200 and second.body != first.body and cookie_of(second)


def test_it_survives_a_restart_and_a_crash(make_proxy, make_origin):
    proxy = make_proxy(origins_by_name(make_origin), pool=STICKY)
    first = get(proxy.address)
    for end in (proxy.stop, proxy.kill9):
        end()
        proxy.start()
        for _ in range(5):
            assert get(proxy.address, headers={"Cookie": cookie_of(first)}).body == first.body


def test_another_installation_does_not_take_it(make_proxy, make_origin):
    origins = origins_by_name(make_origin)
    cookie = cookie_of(get(make_proxy(origins, pool=STICKY).address))
    other = make_proxy(origins, pool=STICKY)
    assert len({get(other.address, headers={"Cookie": cookie}).body for _ in range(12)}) == 4


def test_a_server_with_several_addresses_is_one_server(make_proxy, make_origin):
    """Its clients are spread over its addresses, each stays with one, and moves on when that one fails."""
    from support.names import Names
    from support.origin import Origin
    first = make_origin(named("one"), address="127.0.0.2:0")
    second = make_origin(named("two"), address=f"127.0.0.3:{first.port}")
    other = make_origin(named("other"))
    with Names() as names:
        names.set("app.test", "127.0.0.2", "127.0.0.3")
        proxy = make_proxy({"many": f"app.test:{first.port}", "other": other}, pool={**STICKY, "slow_start": "0s"}, env=names.env,
                           listener={"trusted_proxies": ["127.0.0.1"]})
        cookie = None
        while cookie is None or "many" not in cookie:
            cookie = cookie_of(get(proxy.address))

        def ask(client):
            answer = get(proxy.address, headers={"Cookie": cookie, "X-Forwarded-For": client})
            assert answer.status == 200 and answer.header("set-cookie") is None
            return answer.body

        clients = [f"10.0.0.{i}" for i in range(30)]
        where = {client: ask(client) for client in clients}
        assert set(where.values()) == {b"one", b"two"}
        assert {client: ask(client) for client in clients} == where
        first.stop()
        assert isinstance(first, Origin)
        proxy.wait_for(lambda: [get(proxy.address, headers={"Cookie": cookie, "X-Forwarded-For": client}).status for client in clients] and
                       proxy.log_events("server-ejected"))
        assert {ask(client) for client in clients} == {b"two"}
        assert len(second.requests) > 0


def test_the_key_is_readable_by_its_owner_only(make_proxy, origin):
    import os
    import stat
    proxy = make_proxy(origin, pool=STICKY)
    path = os.path.join(proxy.state_dir, "keys", "sticky.key")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_the_origins_own_cookies_stay(make_proxy, make_origin):
    from support.origin import ok
    proxy = make_proxy(make_origin(ok(b"x", [("Set-Cookie", "own=1"), ("Set-Cookie", "two=2")])), pool=STICKY)
    cookies = get(proxy.address).headers.all("set-cookie")
    assert sorted(value.partition("=")[0] for value in cookies) == ["own", "tk_app", "two"]
