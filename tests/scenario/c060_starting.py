"""What keeps it from starting is said in one line: which address, which directory, and why."""
import os
import resource
import socket
import stat
import subprocess

import pytest

from support.client import get
from support.origin import named
from support.proxy import Proxy, binary, free_port, simple_config, simple_proxy


def fails(config, *more, prepare=None):
    """What it says when it does not start."""
    proxy = Proxy(config)
    try:
        if prepare:
            prepare(proxy)
        done = subprocess.run([binary(), "serve", "--config", proxy.conf_dir, "--state", proxy.state_dir, *more],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode in (1, 2), (done.returncode, done.stderr)
        return done.stderr
    finally:
        proxy.discard()


@pytest.fixture
def taken():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield "127.0.0.1:%d" % sock.getsockname()[1]


def test_a_listeners_address_is_taken(taken):
    said = fails(simple_config(["127.0.0.1:9"], listener={"address": taken}))
    assert taken in said and "web" in said and "in use" in said


def test_the_admin_listeners_address_is_taken(taken):
    said = fails(simple_config(["127.0.0.1:9"], config={"admin": {"listen": taken}}))
    assert taken in said and "admin" in said


def test_an_address_that_is_not_ours():
    said = fails(simple_config(["127.0.0.1:9"], listener={"address": f"192.0.2.1:{free_port()}"}))
    assert "192.0.2.1" in said and "assign" in said


def test_a_unix_socket_somebody_listens_on(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()
        assert path in fails(simple_config(["127.0.0.1:9"], listener={"address": "unix:" + path}))
        assert os.path.exists(path)


def test_a_file_where_the_unix_socket_should_be_is_not_removed(tmp_path):
    path = tmp_path / "precious"
    path.write_text("keep me")
    said = fails(simple_config(["127.0.0.1:9"], listener={"address": f"unix:{path}"}))
    assert str(path) in said and path.read_text() == "keep me"


def test_a_socket_left_by_a_crash_is_taken_over(make_proxy, origin, tmp_path):
    path = str(tmp_path / "s")
    proxy = make_proxy(origin, config={"listeners": {"local": {"address": "unix:" + path}}})
    proxy.kill9()
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    proxy.start()


def test_a_second_process_on_one_state_directory(make_proxy, origin):
    proxy = make_proxy(origin)
    said = fails(simple_config([origin]), "--state", proxy.state_dir)
    assert proxy.state_dir in said and "another" in said
    assert get(proxy.address).status == 200


def test_a_state_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    said = fails(simple_config(["127.0.0.1:9"]), "--state", str(tmp_path / "file" / "state"))
    assert "state" in said and str(tmp_path / "file") in said and "--state" in said


def test_a_state_directory_of_somebody_else_is_told_with_the_way_out(tmp_path):
    state = tmp_path / "state"
    (state / "lock").mkdir(parents=True)  # root may open anything but this
    said = fails(simple_config(["127.0.0.1:9"]), "--state", str(state))
    assert str(state / "lock") in said and "--state" in said


def test_a_key_that_was_cut_short_is_told_not_guessed():
    def prepare(proxy):
        os.mkdir(os.path.join(proxy.state_dir, "keys"))
        with open(os.path.join(proxy.state_dir, "keys", "sticky.key"), "wb") as file:
            file.write(b"short")
    said = fails(simple_config(["127.0.0.1:9"]), prepare=prepare)
    assert "sticky.key" in said and "remove" in said


def test_a_wrong_configuration_is_told_whole():
    said = fails(simple_config(["127.0.0.1:9"], pool={"balance": "roundrobin", "slow_start": 5}))
    assert "/pools/app/balance" in said and "/pools/app/slow_start" in said and "round_robin" in said


def test_a_name_that_does_not_resolve_does_not_keep_it_from_starting(make_proxy, make_origin):
    proxy = make_proxy({"s1": "does-not-exist.invalid:80"}, config={
        "pools": {"good": {"servers": {"s1": {"address": make_origin(named("good")).address}}}},
        "routes": {"good": {"path": "/good", "pool": "good"}}})
    assert get(proxy.address).status == 503
    assert get(proxy.address, "/good").body == b"good"
    assert proxy.wait_event("resolve-failed", name="does-not-exist.invalid")


def test_workers_auto_is_the_number_of_cores(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": "auto"})
    assert proxy.status()["workers"] == len(os.sched_getaffinity(0))


def test_a_low_limit_of_descriptors_is_told_and_lived_with(origin):
    proxy = simple_proxy([origin])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (700, hard))
        proxy.args = []
        proxy._spawn = _limited(proxy, 700)
        proxy.start()
        assert any("descriptors" in line["message"] for line in proxy.log_events("config-finding"))
        assert get(proxy.address).status == 200
        proxy.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        proxy.discard()


def _limited(proxy, limit):
    def spawn():
        with open(proxy.stderr_path, "ab") as err:
            proxy.process = subprocess.Popen(["prlimit", f"--nofile={limit}:{limit}", binary(), "serve", "--config", proxy.conf_dir, "--state", proxy.state_dir],
                                             stdin=subprocess.DEVNULL, stdout=err, stderr=err, env=proxy.env)
    return spawn
