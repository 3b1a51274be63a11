"""A private key that the state directory has lost is taken from its file where that is the approved one; else a start says what to do."""
import os
import shutil
import subprocess

from support.proxy import binary
from support.tls import TlsClient, tls_listener


def lose_keys(proxy):
    for name in os.listdir(os.path.join(proxy.state_dir, "keys")):
        if name.endswith(".pem"):
            os.unlink(os.path.join(proxy.state_dir, "keys", name))


def test_the_file_will_do_where_it_is_what_was_approved(make_enforced, origin, authority):
    shop = authority.certificate("shop", "shop.example")
    shutil.copy(shop.key_file, shop.key_file + ".mine")
    proxy = make_enforced([origin], **tls_listener(authority.directory, shop))
    proxy.stop()
    lose_keys(proxy)
    proxy.start()
    with TlsClient(proxy.address, name="shop.example", ca=authority) as client:
        assert client.request(host="shop.example").status == 200
    # It is kept again: the file is not needed any more.
    proxy.stop()
    os.unlink(shop.key_file)
    proxy.start()
    proxy.stop()
    lose_keys(proxy)
    shutil.copy(authority.key_file, shop.key_file)
    said = subprocess.run([binary(), "serve", "--config", proxy.conf_dir, "--state", proxy.state_dir], env=proxy.env,
                          capture_output=True, text=True, check=False, timeout=60)
    refused = said.stderr
    assert said.returncode == 2
    command = refused.partition("put it back: ")[2].split()
    assert command[:4] == ["install", "-m", "600", "KEY"], refused
    shutil.copy(shop.key_file + ".mine", command[4])
    proxy.start()
    with TlsClient(proxy.address, name="shop.example", ca=authority) as client:
        assert client.peer_serial() == shop.serial()
