"""sample_percent and "off": what is written, and that a failure always is."""
from support.client import Client, build, get
from support.origin import ok


def with_log(proxy_path=None, **access_log):
    return {"observe": {"access_log": access_log}}


def test_a_sample_of_none_still_holds_the_failures(make_proxy, make_origin):
    origin = make_origin({"/bad": ok(b"no", status=500), "/good": ok()})
    proxy = make_proxy(origin, config=with_log(sample_percent=0))
    for _ in range(20):
        get(proxy.address, "/good")
    assert get(proxy.address, "/bad").status == 500
    with Client(proxy.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
        client.response()
    assert sorted(line["status"] for line in proxy.access_log(2)) == [400, 500]


def test_a_sample_is_about_as_large_as_asked_for(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1}, config=with_log(sample_percent=30))
    with Client(proxy.address) as client:
        for _ in range(10):
            client.send(build() * 50)
            for _ in range(50):
                assert client.response().status == 200
        client.send(b"BROKEN\r\n\r\n")
        client.response()
    lines = proxy.access_log(2)
    proxy.wait_for(lambda: any(line["status"] != 200 for line in proxy.access_log(1)))
    lines = [line for line in proxy.access_log(2) if line["status"] == 200]
    assert 90 <= len(lines) <= 220


def test_off_writes_nothing(make_proxy, origin):
    import os
    proxy = make_proxy(origin, config=with_log(path="off"))
    for _ in range(5):
        assert get(proxy.address).status == 200
    proxy.stop()
    assert not os.path.exists(proxy.access_log_path) and not os.path.exists("off")
