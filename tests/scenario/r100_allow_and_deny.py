"""Who may use a route: by the client's address, as trusted proxies tell it."""
import pytest

from support.client import get
from support.origin import named
from support.proxy import free_port


@pytest.mark.parametrize("route, client, status", [
    ({"allow": ["10.0.0.0/8"]}, "10.1.2.3", 200), ({"allow": ["10.0.0.0/8"]}, "11.1.2.3", 403),
    ({"allow": ["10.0.0.0/8", "2001:db8::/32"]}, "2001:db8::1", 200), ({"allow": ["2001:db8::/32"]}, "2001:db9::1", 403),
    ({"deny": ["10.0.0.1"]}, "10.0.0.1", 403), ({"deny": ["10.0.0.1"]}, "10.0.0.2", 200),
    ({"allow": ["10.0.0.0/8"], "deny": ["10.0.0.0/30"]}, "10.0.0.3", 403),
    ({"allow": ["10.0.0.0/8"], "deny": ["10.0.0.0/30"]}, "10.0.0.4", 200),
    ({"allow": ["10.0.0.0/8"]}, "::ffff:10.0.0.1", 200), ({"allow": ["0.0.0.0/0"]}, "2001:db8::1", 403),
    ({"allow": ["::/0"]}, "10.0.0.1", 200), ({"allow": []}, "10.0.0.1", 403)])
def test_by_network(make_proxy, origin, route, client, status):
    proxy = make_proxy(origin, route=route, listener={"trusted_proxies": ["127.0.0.1"]})
    assert get(proxy.address, headers={"X-Forwarded-For": client}).status == status


def test_an_untrusted_peer_cannot_choose_its_address(make_proxy, origin):
    proxy = make_proxy(origin, route={"allow": ["10.0.0.0/8"]}, listener={"trusted_proxies": ["192.0.2.1"]})
    for headers in ({"X-Forwarded-For": "10.0.0.1"}, {"Forwarded": "for=10.0.0.1"}, {"X-Real-IP": "10.0.0.1"}):
        assert get(proxy.address, headers=headers).status == 403
    assert proxy.metrics().value("twokey_route_denied_total", route="everything") == 3


def test_only_what_trusted_proxies_added_is_believed(make_proxy, origin):
    proxy = make_proxy(origin, route={"allow": ["10.0.0.0/8"]}, listener={"trusted_proxies": ["127.0.0.1", "192.0.2.0/24"]})
    assert get(proxy.address, headers={"X-Forwarded-For": "10.0.0.1, 203.0.113.9"}).status == 403
    assert get(proxy.address, headers={"X-Forwarded-For": "203.0.113.9, 10.0.0.1, 192.0.2.7"}).status == 200
    assert get(proxy.address, headers={"X-Forwarded-For": "10.0.0.1, nonsense"}).status == 403


def test_the_peer_itself_counts_without_trusted_proxies(make_proxy, make_origin):
    proxy = make_proxy(make_origin(named("v6")), route={"allow": ["::1"]}, listener={"address": f"[::1]:{free_port('::1')}"})
    assert get(proxy.address).status == 200
