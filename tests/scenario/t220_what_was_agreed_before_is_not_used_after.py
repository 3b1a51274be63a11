"""A reload that changes TLS to servers is in force for the next request: no connection of before is used again."""
import copy

from support.client import get
from support.tls import Authority, server_context, tls_pool


def test_a_kept_connection_is_not_used_when_trust_changes(make_origin, make_proxy, authority):
    stranger = Authority(authority.directory, "stranger").certificate("origin", "localhost", ip="127.0.0.1")
    origin = make_origin(tls=server_context(stranger))
    proxy = make_proxy([origin], **tls_pool(authority, verify=False))
    for _ in range(4):
        assert get(proxy.address).status == 200
    config = copy.deepcopy(proxy.config)
    config["pools"]["app"]["tls"]["verify"] = True
    assert proxy.reload(config).status == 200
    for _ in range(4):
        assert get(proxy.address).status == 502
    config["pools"]["app"]["tls"]["verify"] = False
    assert proxy.reload(config).status == 200
    assert get(proxy.address).status == 200


def test_nor_when_the_server_is_known_by_another_name(make_origin, make_proxy, authority):
    origin = make_origin(tls=server_context(authority.certificate("origin", ip="127.0.0.1")))
    proxy = make_proxy([origin], **tls_pool(authority))
    for _ in range(4):
        assert get(proxy.address).status == 200
    config = copy.deepcopy(proxy.config)
    config["pools"]["app"]["servers"]["s1"]["address"] = origin.address.replace("127.0.0.1", "localhost")
    assert proxy.reload(config).status == 200
    assert get(proxy.address).status == 502, "nobody has shown a certificate for localhost"
