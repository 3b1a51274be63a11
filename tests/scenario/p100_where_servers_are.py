"""Servers at IPv4 and IPv6 addresses, on Unix sockets, and by name."""
import os
import socket

from support.client import Client, get
from support.load import Load
from support.origin import named


def test_one_pool_may_mix_them(make_proxy, make_origin):
    four, six, local = (make_origin(named(kind), kind=kind) for kind in ("inet", "inet6", "unix"))
    by_name = make_origin(named("name"))
    proxy = make_proxy({"four": four, "six": six, "local": local, "name": f"localhost:{by_name.port}"}, process={"workers": 1})
    load = Load(proxy.address, 2, 100).run()
    assert load.statuses == {200: 100}
    assert load.bodies == {"inet": 25, "inet6": 25, "unix": 25, "name": 25}


def test_the_host_field_of_a_request_stays_what_the_client_said(make_proxy, make_origin):
    local = make_origin(kind="unix")
    assert get(make_proxy(local).address, host="shop.example").status == 200
    assert local.wait_requests(1)[0].header("host") == "shop.example"


def test_a_unix_socket_that_is_not_there_yet(make_proxy, make_origin, tmp_path):
    missing = str(tmp_path / "late.sock")
    proxy = make_proxy({"s1": "unix:" + missing}, pool={"ejection": {"consecutive_failures": 0}})
    assert get(proxy.address).status == 502
    origin = make_origin(named("late"), kind="unix")
    os.symlink(origin.path, missing)
    assert get(proxy.address).body == b"late"


def test_a_file_that_is_no_socket_is_a_502(make_proxy, tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    assert get(make_proxy({"s1": f"unix:{path}"}).address).status == 502


def test_connections_to_unix_sockets_are_reused(make_proxy, make_origin):
    local = make_origin(kind="unix")
    proxy = make_proxy(local, process={"workers": 1})
    with Client(proxy.address) as client:
        for _ in range(20):
            assert client.request().status == 200
    assert len(local.connections) == 1


def test_a_name_without_an_address_does_not_keep_others_from_serving(make_proxy, make_origin):
    proxy = make_proxy({"s1": make_origin(named("s1")), "s2": "does-not-exist.invalid:80"})
    load = Load(proxy.address, 2, 50).run()
    assert load.statuses == {200: 50} and load.bodies == {"s1": 50}
    server = proxy.server("s2")
    assert server["oper"]["eligible"] is False


def test_addresses_of_ipv6_listeners_and_servers_are_written_with_brackets(make_proxy, make_origin):
    six = make_origin(named("six"), kind="inet6")
    proxy = make_proxy(six)
    assert get(proxy.address).status == 200
    assert proxy.access_log(1)[0]["server_address"] == f"[::1]:{six.port}"
    assert socket.inet_pton(socket.AF_INET6, "::1")
