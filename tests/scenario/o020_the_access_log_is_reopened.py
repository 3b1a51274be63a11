"""Rotation: after the file was moved away, SIGUSR1 begins a new one, and no line is lost."""
import os
import signal
import threading

import pytest
from support.client import Client, get


def lines_of(path):
    try:
        with open(path) as file:
            return file.read().count("\n")
    except FileNotFoundError:
        return 0


def test_lines_before_go_to_the_old_file_and_later_ones_to_the_new(make_proxy, origin):
    proxy = make_proxy(origin)
    for _ in range(5):
        get(proxy.address, "/before")
    proxy.access_log(5)
    old = proxy.access_log_path + ".1"
    os.rename(proxy.access_log_path, old)
    get(proxy.address, "/between")
    proxy.wait_for(lambda: lines_of(old) == 6)
    proxy.signal(signal.SIGUSR1)
    proxy.wait_for(lambda: os.path.exists(proxy.access_log_path))
    get(proxy.address, "/after")
    assert [line["path"] for line in proxy.access_log(1)] == ["/after"]
    assert lines_of(old) == 6


@pytest.mark.race
def test_rotation_under_load_loses_no_line(make_proxy, origin):
    proxy = make_proxy(origin)
    done = []

    def send():
        with Client(proxy.address) as client:
            for number in range(300):
                client.request(target=f"/{number}")
                done.append(1)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(5):
        wanted = len(done) + 100
        proxy.wait_for(lambda: len(done) >= min(wanted, 1200))
        os.rename(proxy.access_log_path, f"{proxy.access_log_path}.{turn}")
        proxy.signal(signal.SIGUSR1)
        proxy.wait_for(lambda: os.path.exists(proxy.access_log_path))
    for thread in threads:
        thread.join()
    folder = os.path.dirname(proxy.access_log_path)
    name = os.path.basename(proxy.access_log_path)
    proxy.wait_for(lambda: sum(lines_of(os.path.join(folder, entry)) for entry in os.listdir(folder)
                               if entry.startswith(name)) == 1200)


def test_the_path_can_be_changed_by_a_reload(make_proxy, origin):
    proxy = make_proxy(origin)
    get(proxy.address, "/first")
    proxy.access_log(1)
    other = os.path.join(proxy.directory, "other.log")
    config = dict(proxy.config, observe={"access_log": {"path": other}})
    assert proxy.reload(config).status == 200

    def arrived():
        get(proxy.address, "/second")
        return lines_of(other) > 0

    proxy.wait_for(arrived)
    with open(other) as file:
        assert "/second" in file.read()


def test_a_path_that_cannot_be_opened_is_refused_by_the_reload(make_proxy, origin):
    proxy = make_proxy(origin)
    before = proxy.config
    config = dict(proxy.config, observe={"access_log": {"path": os.path.join(proxy.directory, "no/such/folder/x.log")}})
    answer = proxy.reload(config)
    assert answer.status >= 400 and "No such file" in answer.body
    proxy.config = before
    get(proxy.address, "/still")
    assert proxy.access_log(1)[0]["path"] == "/still"
