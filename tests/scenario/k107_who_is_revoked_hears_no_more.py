"""A stream of events ends when its caller is not known any more."""
import socket


def open_stream(proxy, token):
    host, _, port = proxy.admin_address.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=20)
    sock.sendall(f"GET /v1/events HTTP/1.1\r\nHost: {proxy.admin_address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode())
    got = b""
    while b"\r\n\r\n" not in got:
        got += sock.recv(4096)
    assert got.startswith(b"HTTP/1.1 200")
    return sock


def test_a_disabled_person_is_cut_off(make_enforced, origin):
    proxy = make_enforced([origin], roles={"ann": ["author", "operator", "approver"], "bob": ["author", "approver"], "cat": ["approver"],
                                           "dan": ["approver"], "eve": ["viewer"]})
    eve, bob = open_stream(proxy, proxy.tokens["eve"]), open_stream(proxy, proxy.tokens["bob"])
    proxy.run_change({"people": {"eve": {"disabled": True}}}, approvers=("bob", "cat"))
    got = b""
    while piece := eve.recv(65536):  # to its end
        got += piece
    assert b"change.applied\n" not in got
    got = b""
    while b"event: change.applied\n" not in got:
        got += bob.recv(65536)
    eve.close()
    bob.close()
