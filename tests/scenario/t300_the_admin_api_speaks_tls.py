"""The admin listener speaks TLS: with whom, which versions, how much at once; clear text is told so."""
import http.client
import json
import os
import socket
import ssl
import subprocess

import pytest
from support import wire
from support.client import Client, build
from support.tls import TlsByHand, TlsClient, admin_tls, client_context


@pytest.fixture
def admin(authority):
    return authority.certificate("admin", "localhost", "admin.example", ip="127.0.0.1")


def curl(proxy, authority, path, *options):
    done = subprocess.run(["curl", "-sS", "--cacert", authority.cert_file, *options, f"https://{proxy.admin_address}{path}"],
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_curl_verifies_it_and_tokens_are_taken(make_enforced, origin, authority, admin):
    proxy = make_enforced([origin], **admin_tls(authority, admin))
    assert curl(proxy, authority, "/healthz") == "ok\n"
    who = json.loads(curl(proxy, authority, "/v1/whoami", "-H", f"Authorization: Bearer {proxy.tokens['ann']}"))
    assert (who["person"], who["auth"], who["source"]) == ("ann", "token", "127.0.0.1"), who
    assert "unauthenticated" in curl(proxy, authority, "/v1/whoami")
    change = proxy.run_change({"pools": {"app": {"servers": {"s1": {"weight": 50}}}}})
    assert change["state"] == "applied", change
    assert proxy.metrics().value("twokey_admin_tls_handshakes_total") > 3
    proxy.wait_for(lambda: proxy.metrics().value("twokey_certificate_not_after_seconds", certificate="admin.tls") > 0)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_long_answers_and_large_bodies_pass_in_both_directions(make_proxy, origin, authority, admin, version):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    connection = proxy.admin_connection(context=client_context(authority, version=version))
    sizes = []
    for _ in range(5):
        connection.request("GET", "/v1/openapi.json")
        reply = connection.getresponse()
        sizes.append(len(reply.read()))
        assert reply.status == 200
        connection.request("POST", "/v1/explain", json.dumps({"path": "/", "host": "x" * 3_000_000}))
        reply = connection.getresponse()
        assert reply.status == 422 and b"host" in reply.read()
    connection.request("POST", "/v1/explain", b"x" * 9_000_000)
    reply = connection.getresponse()
    assert reply.status == 413 and reply.read()
    assert min(sizes) > 50_000
    connection.close()


def test_who_does_not_read_holds_up_nobody_and_gets_all_in_the_end(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    before, many = proxy.rss(), 100
    with TlsClient(proxy.admin_address, name="localhost", ca=authority) as slow:
        slow.send(build("GET", "/v1/openapi.json", host="localhost") * many)
        for _ in range(20):
            assert proxy.admin("GET", "/v1/status").status == 200
        if "TWOKEY_TEST_SCALE" not in os.environ:  # a sanitizer gives back late
            assert proxy.rss() - before < 32 * 1024 * 1024
        answers = [slow.response() for _ in range(many)]
    assert {(answer.status, len(answer.body)) for answer in answers} == {(200, len(answers[0].body))}


def test_who_stops_speaking_still_gets_his_answer(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    for notify in (True, False):
        with wire.connect(proxy.admin_address, 30) as plain:
            hand = TlsByHand(client_context(authority), "localhost", plain)
            hand.shake_hands()
            hand.flush()
            hand.tls.write(build("GET", "/v1/openapi.json", host="localhost"))
            if notify:
                hand.say_end()
            hand.flush()
            plain.shutdown(socket.SHUT_WR)
            got = hand.rest()
        if notify:  # OpenSSL reads no more behind its own end: it is there by its size
            assert len(got) > 50_000
            continue
        hand.into.write(got)
        text = bytearray()
        while b"twokey admin API" not in text:
            text += hand.tls.read(65536)
        assert text.startswith(b"HTTP/1.1 200 OK")


def test_clear_text_is_answered_in_clear_text(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    with Client(proxy.admin_address) as client:
        client.send(build("GET", "/healthz", host="localhost"))
        answer = client.response()
    assert answer.status == 400 and b"https://" in answer.body
    assert proxy.wait_event("admin-handshake-failed")["source"] == "127.0.0.1"
    assert proxy.metrics().value("twokey_admin_tls_failures_total") == 1


def test_old_versions_and_other_protocols_are_refused(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))

    def s_client(*options):
        done = subprocess.run(["openssl", "s_client", "-connect", proxy.admin_address, "-CAfile", authority.cert_file, *options],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        return done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    assert "Verify return code: 0" in s_client("-tls1_2")
    assert "Verify return code: 0" in s_client("-tls1_3")
    assert "alert protocol version" in s_client("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    assert "ALPN protocol: http/1.1" in s_client("-alpn", "h2,http/1.1")
    assert "no application protocol" in s_client("-alpn", "h2")
    assert "Secure Renegotiation IS NOT supported" in s_client("-tls1_3") or "No ALPN" in s_client("-tls1_3")
    assert "alert handshake failure" in s_client("-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0")


def test_names_that_are_not_the_certificates_are_not_this_host(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    for host, status in (("localhost", 200), ("admin.example", 200), ("ADMIN.example:9901", 200), ("192.0.2.1", 200),
                         ("[2001:db8::1]:9901", 200), ("evil.example", 421)):
        assert proxy.admin("GET", "/healthz", headers={"Host": host}).status == (403 if status != 200 else 200), host
    reload = proxy.admin("POST", "/v1/reload", headers={"Host": "admin.example", "Origin": "https://admin.example"})
    assert reload.status == 200, reload.body
    for wrong in ("http://admin.example", "https://evil.example"):
        assert proxy.admin("POST", "/v1/reload", headers={"Host": "admin.example", "Origin": wrong}).status == 403


def test_events_are_told_over_tls_and_a_stop_ends_them(make_enforced, origin, authority, admin):
    proxy = make_enforced([origin], **admin_tls(authority, admin))
    connection = proxy.admin_connection(context=client_context(authority), timeout=30)
    connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {proxy.tokens['dan']}"})
    stream = connection.getresponse()
    assert stream.status == 200 and stream.readline() == b"retry: 2000\n"
    proxy.as_("ann").submit({"pools": {"app": {"servers": {"s1": {"weight": 50}}}}})
    seen = []
    while "change.submitted" not in seen:
        line = stream.readline().decode()
        assert line, seen
        if line.startswith("event: "):
            seen.append(line[7:].strip())
    proxy.stop()
    with pytest.raises(http.client.IncompleteRead):  # cut, and said so: no chunk of length 0
        stream.read()
