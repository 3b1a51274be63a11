"""A full disk and a crash cost what they must: log lines, not requests; and a start afterwards works."""
import os
import subprocess

import pytest

from support.client import get
from support.load import Load, QuickOrigin
from support.proxy import Proxy, binary, simple_config


@pytest.fixture
def origin_process():
    origin = QuickOrigin("s1")
    yield origin
    origin.stop()


def test_requests_go_on_when_the_access_logs_disk_is_full(make_proxy, origin_process):
    proxy = make_proxy(origin_process, config={"observe": {"access_log": {"path": "/dev/full"}}})
    load = Load(proxy.address, 8, 4000).run()
    assert load.statuses == {200: 4000} and not load.broken
    proxy.wait_event("log-failed")
    proxy.config["observe"]["access_log"]["path"] = proxy.access_log_path
    assert proxy.reload().status == 200
    assert get(proxy.address, "/after").status == 200
    proxy.wait_for(lambda: os.path.exists(proxy.access_log_path) and "/after" in open(proxy.access_log_path).read())


def test_requests_go_on_when_nobody_reads_the_access_log(make_proxy, origin_process, tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    proxy = make_proxy(origin_process, config={"observe": {"access_log": {"path": fifo}}})
    load = Load(proxy.address, 8, 4000).run()
    assert load.statuses == {200: 4000} and not load.broken
    proxy.config["observe"]["access_log"]["path"] = "off"
    assert proxy.reload().status == 200
    assert get(proxy.address).status == 200


def test_a_state_directory_without_room_is_told(tmp_path):
    """ulimit -f 0: no file may grow."""
    proxy = Proxy(simple_config(["127.0.0.1:9"], config={"observe": {"access_log": {"path": "off"}}}))
    try:
        done = subprocess.run(["sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh", binary(), "serve", "--config", proxy.conf_dir, "--state", proxy.state_dir],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and "sticky.key" in done.stderr, done.stderr
        assert not os.path.exists(os.path.join(proxy.state_dir, "keys", "sticky.key"))
        proxy.start()
    finally:
        proxy.discard()


def test_killed_under_load_it_starts_again_at_once(make_proxy, origin_process):
    proxy = make_proxy(origin_process, process={"workers": 3})
    for _ in range(5):
        load = Load(proxy.address, 8).start()
        load.wait_done(50)
        proxy.signal(1)
        proxy._kill()
        load.stop()
        proxy.process = None
        proxy.start(attempts=1)
        assert get(proxy.address).status == 200


def test_a_reload_right_after_a_start(make_proxy, origin_process):
    """A signal that comes while the first configuration is still taken in is not lost and does no harm."""
    proxy = make_proxy(origin_process)
    for _ in range(5):
        proxy.stop()
        proxy._spawn()
        proxy.wait_for(lambda: proxy.log_events("listening") or True)
        assert proxy._wait_ready()
        for _ in range(20):
            proxy.signal(1)
        assert get(proxy.address).status == 200
