"""Health checks speak to a server as requests do; a certificate that is not good is why it is down."""
import pytest
from support.client import get
from support.tls import Authority, server_context, tls_pool

CHECK = {"interval": "200ms", "timeout": "1s", "fall": 1, "rise": 1}


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_a_check_passes_or_says_what_is_wrong(make_origin, make_proxy, authority, kind):
    good = make_origin(tls=server_context(authority.certificate("good", "localhost", ip="127.0.0.1")))
    stranger = Authority(authority.directory, "stranger").certificate("bad", "localhost", ip="127.0.0.1")
    bad = make_origin(tls=server_context(stranger))
    options = tls_pool(authority)
    options["pool"]["health_check"] = dict(CHECK, type=kind)
    proxy = make_proxy([good, bad], **options)
    proxy.wait_event("server-down", server="s2")
    down = proxy.wait_for(lambda: [one for one in proxy.pool()["servers"] if one["oper"]["health"] == "down"])
    assert [one["name"] for one in down] == ["s2"]
    shown = proxy.admin_get("/v1/pools/app/servers/s2")
    assert "issuer certificate" in shown["addresses"][0]["last_check"]
    for _ in range(6):
        assert get(proxy.address).status == 200
    assert not bad.requests
