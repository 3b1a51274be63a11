"""testssl.sh against the default profile and `modern`: nothing worse than its "ok" in protocols, ciphers and vulnerabilities."""
import json
import os
import subprocess

import pytest
from support.tls import tls_listener

GOOD = {"OK", "INFO"}
# What testssl.sh says of itself, not of the server.
OF_THE_TOOL = {"scanTime", "scanProblem", "engine_problem", "clientsimulation-problem"}


def look(proxy, authority, path):
    """Its findings: protocols, cipher categories, order, forward secrecy, vulnerabilities."""
    host = proxy.address.replace("localhost", "127.0.0.1")
    subprocess.run(["testssl", "--quiet", "--warnings", "off", "--color", "0", "--add-ca", authority.cert_file, "-p", "-s", "-P", "-f",
                    "-U", "--jsonfile", path, host], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=900)
    with open(path) as file:
        return json.load(file)


@pytest.mark.timeout(1000)
@pytest.mark.parametrize("profile", ["intermediate", "modern"])
def test_nothing_is_worse_than_ok(make_proxy, origin, authority, tmp_path, profile):
    both = [authority.certificate("ec", "localhost"), authority.certificate("rsa", "localhost", key="rsa")]
    proxy = make_proxy([origin], **tls_listener(authority.directory, *both, profile=profile))
    findings = look(proxy, authority, os.path.join(tmp_path, "findings.json"))
    names = {one["id"] for one in findings}
    assert {"TLS1_2", "TLS1_3", "heartbleed", "ROBOT", "secure_client_renego", "LUCKY13", "cipherlist_NULL"} <= names, names
    worse = [f'{one["id"]}: {one["severity"]}: {one["finding"]}' for one in findings
             if one["severity"] not in GOOD and one["id"] not in OF_THE_TOOL]
    assert not worse, "\n".join(worse)
