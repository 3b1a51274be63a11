"""The Unix socket below the state directory answers too, and only to this user."""
import http.client
import os
import socket
import stat


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def ask(path, target, headers=None):
    connection = UnixConnection(path)
    connection.request("GET", target, headers=headers or {})
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, body


def test_it_answers_and_is_closed_to_others(make_origin, make_proxy):
    proxy = make_proxy(make_origin(), config={"admin": {"socket": "run/admin.sock"}})
    path = os.path.join(proxy.state_dir, "run", "admin.sock")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert ask(path, "/healthz") == (200, b"ok\n")
    assert ask(path, "/v1/status", {"Host": "whatever"})[0] == 200
    proxy.stop()
    assert not os.path.exists(path)


def test_a_socket_left_by_a_killed_process_is_replaced(make_origin, make_proxy):
    proxy = make_proxy(make_origin(), config={"admin": {"socket": "run/admin.sock"}})
    path = os.path.join(proxy.state_dir, "run", "admin.sock")
    proxy.kill9()
    assert os.path.exists(path)
    proxy.start()
    assert ask(path, "/healthz")[0] == 200
