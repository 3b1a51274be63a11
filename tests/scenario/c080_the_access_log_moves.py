"""A reload may send the access log elsewhere, or stop it; no line is lost or written twice."""
import json
import os
import signal

from support.client import Client


def lines(path):
    with open(path) as file:
        return [json.loads(line)["path"] for line in file]


def test_to_another_file_and_back(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1})
    first, second = proxy.access_log_path, os.path.join(proxy.state_dir, "second.log")
    with Client(proxy.address) as client:
        client.request(target="/1")
        proxy.config["observe"]["access_log"]["path"] = second
        assert proxy.reload().status == 200
        client.request(target="/2")
        proxy.config["observe"]["access_log"]["path"] = "off"
        assert proxy.reload().status == 200
        client.request(target="/3")
        proxy.config["observe"]["access_log"]["path"] = first
        assert proxy.reload().status == 200
        client.request(target="/4")
    proxy.wait_for(lambda: lines(first) == ["/1", "/4"] and lines(second) == ["/2"])


def test_a_rotated_file_is_opened_again(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1})
    path = proxy.access_log_path
    with Client(proxy.address) as client:
        client.request(target="/1")
        proxy.access_log(1)
        os.rename(path, path + ".1")
        proxy.signal(signal.SIGUSR1)
        proxy.wait_for(lambda: os.path.exists(path))
        client.request(target="/2")
    proxy.wait_for(lambda: lines(path) == ["/2"])
    assert lines(path + ".1") == ["/1"]
