"""Mode enforced: what runs is the copy that was approved, whatever becomes of the file; keys stay out of the store."""
import os

from support.proxy import free_port
from support.tls import TlsClient


def add_tls(proxy, authority, shop, port):
    return {"certificates": {"c1": shop.section()},
            "listeners": {"secure": {"address": f"127.0.0.1:{port}", "tls": {"certificates": ["c1"]}}}}


def serial_at(address, authority):
    with TlsClient(address, name="shop.example", ca=authority) as client:
        assert client.request(host="shop.example").status == 200
        return client.peer_serial()


def test_the_file_is_changed_after_it_was_approved(make_enforced, origin, authority):
    proxy = make_enforced([origin], process={"file_roots": [authority.directory]})
    shop = authority.certificate("shop", "shop.example")
    approved = shop.serial()
    port = free_port()
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = ann.submit(add_tls(proxy, authority, shop, port), title="TLS")
    bob.approve(change)
    proxy.as_("dan").approve(change)
    with open(shop.key_file, "rb") as file:
        key = file.read()
    shop.replace(authority.certificate("evil", "shop.example"))
    ann.apply(change)
    assert serial_at(f"127.0.0.1:{port}", authority) == approved
    ann.confirm(change)
    os.unlink(shop.cert_file)
    os.unlink(shop.key_file)
    proxy.stop()
    proxy.start()
    assert serial_at(f"127.0.0.1:{port}", authority) == approved
    for name in os.listdir(proxy.state_dir):
        path = os.path.join(proxy.state_dir, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                assert key.strip() not in file.read(), name
    kept = [os.path.join(proxy.state_dir, "keys", name) for name in os.listdir(os.path.join(proxy.state_dir, "keys"))]
    assert all(os.stat(path).st_mode & 0o077 == 0 for path in kept)


def test_a_key_of_another_certificate_cannot_be_submitted(make_enforced, origin, authority):
    proxy = make_enforced([origin], process={"file_roots": [authority.directory]})
    shop = authority.certificate("shop", "shop.example")
    shop.key_file = authority.key_file
    answer = proxy.as_("ann").post("/v1/changes?submit=true", {"title": "TLS", "reason": "test",
                                                              "patch": add_tls(proxy, authority, shop, free_port())})
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json()["errors"] if error["rule"] == "T002"] == ["/certificates/c1"]
