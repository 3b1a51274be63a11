"""A certificate without its key, or a file that is not there, is refused before anything changes; what ran goes on."""
import json
import os
import subprocess

import pytest
from support.proxy import binary
from support.tls import Certificate, TlsClient, tls_listener


def wrong_key(authority, shop):
    shop.key_file = authority.key_file
    return "belongs to another certificate"


def no_file(authority, shop):
    shop.cert_file = os.path.join(authority.directory, "away.pem")
    return "No such file"


def no_certificate(authority, shop):
    shop.cert_file = shop.key_file
    return "there is no certificate"


def outside(_, shop):
    shop.cert_file = "/etc/hostname"
    return "not in a folder of process.file_roots"


@pytest.mark.parametrize("spoil", [wrong_key, no_file, no_certificate, outside])
def test_a_reload_is_refused_and_check_says_why(make_proxy, origin, authority, spoil):
    shop = authority.certificate("shop", "shop.example")
    proxy = make_proxy([origin], **tls_listener(authority.directory, shop))
    bad = Certificate(authority.directory, "shop")
    says = spoil(authority, bad)
    proxy.write_config(dict(proxy.config, certificates={"c1": bad.section()}))
    answer = proxy.admin("POST", "/v1/reload")
    assert answer.status == 422 and says in answer.body
    checked = subprocess.run([binary(), "check", "--config", proxy.conf_dir, "--format", "json"], capture_output=True, check=False)
    found = [finding for finding in json.loads(checked.stdout)["findings"] if finding["severity"] == "block"]
    assert checked.returncode == 1 and any(says in finding["message"] for finding in found)
    with TlsClient(proxy.address, name="shop.example", ca=authority) as client:
        assert client.request().status == 200
