"""10,000 routes and 1,000 pools are taken in while requests go on; a stop in the middle of it ends well."""
import pytest

from support.client import get
from support.load import Load, QuickOrigin
from support.origin import named


def large(config, routes, pools):
    for number in range(pools):
        config["pools"][f"pool-{number}"] = {"servers": {f"s{i}": {"address": f"127.0.0.1:{1000 + number % 60000}", "weight": i + 1} for i in range(10)}}
    for number in range(routes):
        config["routes"][f"route-{number}"] = {"hosts": [f"h{number % 3000}.example"], "path_prefix": f"/p{number}", "pool": f"pool-{number % pools}"}
    return config


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_reload_of_it_under_load(make_proxy):
    origin = QuickOrigin("s1")
    try:
        proxy = make_proxy(origin, process={"workers": 2}, listener={"keepalive_requests": "unlimited"})
        load = Load(proxy.address, 8, seconds=100).start()
        load.wait_done(50)
        large(proxy.config, 10000, 1000)
        for turn in range(3):
            proxy.config["routes"]["route-1"]["path_prefix"] = f"/turn/{turn}"
            proxy.write_config(proxy.config)
            answer = proxy.admin("POST", "/v1/reload", timeout=60)
            assert answer.status == 200, answer.body[:500]
        load.wait_done(load.done + 50)
        load.stop()
        assert set(load.statuses) == {200} and not load.broken, (load.statuses, load.broken)
        assert get(proxy.address, "/turn/2/x", host="h1.example").status in (502, 503)
        assert get(proxy.address, "/turn/1/x", host="h1.example").status == 200
        proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1, timeout=60)
    finally:
        origin.stop()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("wait", [0, 0.02, 0.1])
def test_a_stop_while_it_is_read(make_proxy, make_origin, wait):
    import time
    proxy = make_proxy(make_origin(named("s1")))
    large(proxy.config, 3000, 300)
    proxy.write_config(proxy.config)
    proxy.signal(1)
    time.sleep(wait)  # somewhere in the middle of it, whatever the machine
    proxy.stop()
