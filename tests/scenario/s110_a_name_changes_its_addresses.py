"""The addresses behind a name change while it runs: traffic follows, and no request fails."""
import threading

import pytest
from support.client import Client
from support.health import CHECK, served_by
from support.names import Names
from support.origin import named


class Load:
    """Requests until told to stop; what was not 200."""

    def __init__(self, address):
        self.address, self.wrong, self.count, self.over = address, [], 0, False
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()

    def _run(self):
        while not self.over:
            with Client(self.address) as client:
                for _ in range(100):  # below keepalive_requests
                    self._ask(client)

    def _ask(self, client):
        try:
            status = client.request().status
        except Exception as fault:  # whatever it is, it is not a 200
            status = fault
        self.count += 1
        if status != 200:
            self.wrong.append(status)


def two_origins(make_origin):
    """On one port of two addresses."""
    for _ in range(20):
        first = make_origin(named("one"))
        try:
            return first, make_origin(named("two"), address=f"127.0.0.2:{first.port}")
        except OSError:
            continue
    pytest.skip("127.0.0.2 cannot be bound here")
    return None


@pytest.mark.waits
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_traffic_follows(make_origin, make_proxy):
    first, second = two_origins(make_origin)
    with Names() as names:
        names.set("app.test", "127.0.0.1")
        proxy = make_proxy({"s1": f"app.test:{first.port}"}, pool={"slow_start": "0s"}, env=names.env)
        with Load(proxy.address) as load:
            assert served_by(proxy.address, 10) == {"one": 10}
            # Asked again after 9 to 11 s.
            names.set("app.test", "127.0.0.2", "127.0.0.1")
            proxy.wait_for(lambda: len(proxy.server("s1")["addresses"]) == 2, 20)
            # The load takes turns too: how many of a few requests each gets is chance.
            proxy.wait_for(lambda: set(served_by(proxy.address, 20)) == {"one", "two"})
            names.set("app.test", "127.0.0.2")
            proxy.wait_for(lambda: len(proxy.server("s1")["addresses"]) == 1, 20)
            assert served_by(proxy.address, 10) == {"two": 10}
            names.set("app.test")
            proxy.wait_event("resolve-failed", 20, name="app.test", kept=1)
            assert served_by(proxy.address, 10) == {"two": 10}
        assert load.count > 100 and not load.wrong
        assert proxy.metrics().value("twokey_server_requests_total", server="s1") > 100


def test_a_name_that_fails_at_the_start_serves_once_it_resolves(make_origin, make_proxy):
    origin, _ = two_origins(make_origin)
    with Names() as names:
        names.set("app.test")
        proxy = make_proxy({"s1": f"app.test:{origin.port}"}, env=names.env)
        assert served_by(proxy.address, 2) == {503: 2}
        names.set("app.test", "127.0.0.1")
        proxy.wait_event("resolved", name="app.test")
        proxy.wait_for(lambda: served_by(proxy.address, 1) == {"one": 1})


def test_checks_ask_for_the_name(make_origin, make_proxy):
    origin, _ = two_origins(make_origin)
    with Names() as names:
        names.set("app.test", "127.0.0.1")
        proxy = make_proxy({"s1": f"app.test:{origin.port}"}, pool={"health_check": CHECK}, env=names.env)
        proxy.wait_event("server-up", server="s1", address=origin.address)
        assert origin.wait_requests(1)[0].header("host") == f"app.test:{origin.port}"


def test_e28_fewer_than_discovery_allows_changes_nothing(make_origin, make_proxy):
    first, _ = two_origins(make_origin)
    with Names() as names:
        names.set("app.test")
        proxy = make_proxy({"s1": f"app.test:{first.port}"}, env=names.env,
                           pool={"discovery": {"min_endpoints": 2}})
        names.set("app.test", "127.0.0.1", "127.0.0.2")
        proxy.wait_for(lambda: len(proxy.server("s1")["addresses"]) == 2, 20)
        names.set("app.test", "127.0.0.1")
        event = proxy.wait_event("resolve-failed", 20, name="app.test", answered=1)
        assert event["kept"] == 2
        assert served_by(proxy.address, 20) == {"one": 10, "two": 10}
