"""E-33: what is wanted and cannot run is never shown as if it ran; the digest is that of the workers' snapshot."""
import socket

from support.proxy import free_port


def test_an_apply_that_fails(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    ann, port = proxy.as_("ann"), free_port()
    before = proxy.status()["running"]
    change = proxy.approve_fully(ann.submit({"listeners": {"second": {"address": f"127.0.0.1:{port}"}}}))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        answer = ann.post(f"/v1/changes/{change['id']}/apply")
        assert answer.status >= 400, answer.body
    status = proxy.status()
    assert (status["running"]["rev"], status["running"]["digest"]) == (before["rev"], before["digest"])
    assert status["pending_confirm"] is None and ann.get("/v1/config").headers["ETag"] == f'"{before["digest"]}"'
    shown = ann.change(change["id"])
    assert shown["state"] == "approved" and str(port) in shown["last_error"]
    assert ann.post(f"/v1/changes/{change['id']}/apply").json()["state"] == "confirming"  # the port is free now
    assert proxy.status()["running"]["digest"] == shown["target"]
