"""A log that nobody reads: requests go on at once, what is not written is counted and told."""
import os
import time

import pytest
from support.client import Client, build
from support.proxy import free_port

REQUESTS, BATCH = 20000, 200


def config_with(log):
    return {
        "process": {"workers": 1, "shutdown_timeout": "5s"},
        "listeners": {"web": {"address": f"127.0.0.1:{free_port()}", "keepalive_requests": 10 * REQUESTS}},
        "routes": {"hello": {"respond": {"status": 200, "body": "hi"}}},
        "observe": {"access_log": {"path": log}}}


def send_many(proxy):
    batch = build(target="/some/path", headers={"User-Agent": "a" * 60}) * BATCH
    with Client(proxy.address) as client:
        for _ in range(REQUESTS // BATCH):
            client.send(batch)
            for _ in range(BATCH):
                assert client.response().status == 200


@pytest.mark.slow
@pytest.mark.race
def test_drops_are_counted_and_requests_do_not_wait(start_proxy, tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    proxy = start_proxy(config_with(fifo))
    began = time.monotonic()
    send_many(proxy)
    took = time.monotonic() - began
    event = proxy.wait_event("log-dropped")
    assert event["lines"] > 0
    proxy.wait_for(lambda: proxy.log_events("log-dropped")[-1]["total"]
                   == proxy.metrics().value("twokey_process_log_records_dropped_total"))
    dropped = proxy.metrics().value("twokey_process_log_records_dropped_total")
    assert 1000 < dropped < REQUESTS
    # What was kept can still be read, every line of it whole.
    with open(fifo, "rb", buffering=0) as reader:
        os.set_blocking(reader.fileno(), False)
        got = bytearray()

        def all_kept():
            while part := reader.read(1 << 20):
                got.extend(part)
            return got.count(b"\n") >= REQUESTS - dropped

        proxy.wait_for(all_kept)
    assert got.count(b"\n") == REQUESTS - dropped
    assert all(line.startswith(b"{") and line.endswith(b"}") for line in got.split(b"\n")[:-1])
    assert took < 60


def test_the_end_does_not_wait_for_a_reader(start_proxy, tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    proxy = start_proxy(config_with(fifo))
    with Client(proxy.address) as client:
        for _ in range(2000):
            client.send(build())
        for _ in range(2000):
            client.response()
    began = time.monotonic()
    proxy.stop()
    assert time.monotonic() - began < 20


def test_lines_of_the_last_requests_are_written_before_the_end(start_proxy, tmp_path):
    log = str(tmp_path / "log")
    proxy = start_proxy(config_with(log))
    with Client(proxy.address) as client:
        client.send(build() * 500)
        for _ in range(500):
            client.response()
    proxy.stop()
    with open(log) as file:
        assert file.read().count("\n") == 500
