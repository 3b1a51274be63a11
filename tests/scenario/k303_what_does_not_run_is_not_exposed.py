"""An apply that cannot bind leaves all as it was: approved again, the third time failed."""
import socket

from support.client import get
from support.proxy import free_port


def test_an_address_that_is_taken(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    ann = proxy.as_("ann")
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        change = ann.submit({"listeners": {"more": {"address": f"127.0.0.1:{port}"}}})
        proxy.approve_fully(change)
        before = proxy.status()["running"]
        for left in (2, 1, 0):
            refused = ann.post(f"/v1/changes/{change['id']}/apply")
            assert refused.status == 409 and str(port) in refused.json()["detail"], refused.body
            now = ann.change(change)
            assert now["state"] == ("approved" if left else "failed") and str(port) in now["last_error"]
            assert get(proxy.address).status == 200
        assert proxy.status()["running"] == before and proxy.status()["pending_confirm"] is None


def test_the_number_of_a_failed_apply_is_not_used_again(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    ann = proxy.as_("ann")
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        change = ann.submit({"listeners": {"more": {"address": f"127.0.0.1:{port}"}}})
        proxy.approve_fully(change)
        first = proxy.status()["running"]["rev"]
        ann.post(f"/v1/changes/{change['id']}/apply")
    ann.apply(change)
    assert proxy.status()["running"]["rev"] == first + 2
    ann.confirm(change)
