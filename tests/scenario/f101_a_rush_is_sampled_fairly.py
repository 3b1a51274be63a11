"""Above a thousand requests a second and worker a part of them is told, and stands for the rest."""
import socket
import threading

import pytest

SORTS = ("/a", "/a", "/a", "/b")  # three to one, in a pattern that a regular choice would fall for
ROUNDS, WINDOW, CLIENTS = 150, 64, 2


def rush(address, failures):
    """Pipelined, as fast as it goes; a client reads all answers before it sends more."""
    requests = b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % SORTS[i % 4].encode() for i in range(WINDOW))
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        for _ in range(ROUNDS):
            client.sendall(requests)
            got = b""
            while got.count(b"HTTP/1.1 200") < WINDOW or not got.endswith(b"\r\n\r\nx"):
                data = client.recv(1 << 20)
                if not data:
                    failures.append(got[-200:])
                    return
                got += data


@pytest.mark.race
@pytest.mark.timeout(120)
def test_weights_stand_for_what_is_left_out(make_proxy):
    proxy = make_proxy([], process={"workers": 1}, listener={"keepalive_requests": 0}, config={
        "observe": {"access_log": {"path": "off"}}, "pools": None,
        "routes": {"everything": None, "fixed": {"respond": {"status": 200, "body": "x"}}}})
    failures = []
    clients = [threading.Thread(target=rush, args=(proxy.address, failures)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert not failures
    all_of_them = ROUNDS * WINDOW * CLIENTS
    assert proxy.metrics().value("twokey_route_requests_total", route="fixed") == all_of_them

    def settled():
        sample = proxy.admin_get("/v1/sample")
        return sample if abs(sample["requests"] / all_of_them - 1) < 0.05 else None
    sample = proxy.wait_for(settled, timeout=30, what="until the weights add up")
    by_path = {kind["path"]: kind["requests"] for kind in sample["kinds"]}
    dropped = proxy.metrics().value("twokey_process_samples_dropped_total")
    assert set(by_path) == {"/a", "/b"}
    assert sum(by_path.values()) + sample["other_requests"] == sample["requests"]
    # what a full tap lost is among the others: of what was told, a quarter
    assert abs(by_path["/b"] / sum(by_path.values()) - 0.25) < 0.05, (by_path, dropped)
    assert len(sample["singles"]) < all_of_them
    assert max(one["weight"] for one in sample["singles"]) > 1
