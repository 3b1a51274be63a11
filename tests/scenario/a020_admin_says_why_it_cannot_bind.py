"""An admin address that cannot be used ends the start, and says which and why."""
import socket
import subprocess

import pytest
from support.proxy import Proxy, binary, simple_config


def start_fails(origin, admin):
    proxy = Proxy(simple_config(origin, config={"admin": admin}))
    try:
        done = subprocess.run([binary(), "serve", "--config", proxy.conf_dir, "--state", proxy.state_dir],
                              capture_output=True, text=True, timeout=20)
        assert done.returncode != 0
        return done.stderr + done.stdout
    finally:
        proxy.discard()


def test_an_address_in_use_is_named(origin):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        said = start_fails(origin, {"listen": address})
    assert address in said and "in use" in said


@pytest.mark.parametrize("address", ["0.0.0.0:9901", "10.0.0.1:9901", "[::]:9901"])
def test_an_address_that_others_can_reach_is_refused(origin, address):
    said = start_fails(origin, {"listen": address})
    assert "loopback" in said


def test_a_file_in_the_sockets_place_is_not_removed(origin, tmp_path):
    place = tmp_path / "precious"
    place.write_text("keep me")
    said = start_fails(origin, {"socket": str(place)})
    assert str(place) in said
    assert place.read_text() == "keep me"
