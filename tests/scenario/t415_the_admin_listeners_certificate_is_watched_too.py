"""policy.certificate_watch: the files of admin.tls are taken up by the same rules as those of the section certificates."""
import os

import pytest
from support.chain import audit_lines
from support.tls import TlsClient, admin_serial, admin_tls, client_context, tls_listener

WATCH = {"certificate_watch": True}


@pytest.fixture
def admin(authority):
    return authority.certificate("admin", "localhost", ip="127.0.0.1", days=10)


def alerts(proxy):
    return [one for one in proxy.as_("ann").get("/v1/alerts").json()["alerts"] if one["name"] == "CertificateRefused"]


def renewed(authority, name, days=20):
    return authority.certificate(name, "localhost", ip="127.0.0.1", days=days)


def test_what_only_lives_longer_is_taken_up_and_stays(make_enforced, origin, authority, admin):
    proxy = make_enforced([origin], policy=WATCH, **admin_tls(authority, admin))
    revision = proxy.as_("ann").get("/v1/status").json()["running"]
    old = proxy.admin_connection(context=client_context(authority))
    old.connect()
    assert admin_serial(proxy, authority) == admin.serial()
    admin.replace(renewed(authority, "next"))
    second = admin.serial()
    proxy.wait_event("certificate-renewed", certificate="admin.tls")
    proxy.wait_for(lambda: admin_serial(proxy, authority) == second)
    old.request("GET", "/healthz")
    assert old.getresponse().status == 200
    now = proxy.as_("ann").get("/v1/status").json()["running"]
    assert (now["rev"], now["digest"]) == (revision["rev"], revision["digest"]) and not alerts(proxy)
    assert len([one for one in audit_lines(proxy.as_("dan")) if '"certificate.renewed"' in one]) == 1
    # What was taken up is what a start runs, whatever lies at the path by then.
    proxy.stop()
    os.unlink(admin.key_file)
    os.unlink(admin.cert_file)
    proxy.start()
    assert admin_serial(proxy, authority) == second


def test_anything_else_wants_a_change(make_enforced, origin, authority, admin):
    proxy = make_enforced([origin], policy=WATCH, **admin_tls(authority, admin))
    first = admin.serial()
    for certificate, why in [
            (authority.certificate("names", "localhost", "other.example", ip="127.0.0.1"), "it is for other names"),
            (authority.certificate("addresses", "localhost", ip="127.0.0.2"), "it is for other addresses"),
            (authority.certificate("none", "localhost"), "it is for other addresses"),
            (authority.certificate("kind", "localhost", ip="127.0.0.1", key="rsa"), "it has another kind of key"),
            (renewed(authority, "sooner", days=5), "it expires sooner than the one that runs")]:
        admin.replace(certificate)
        proxy.wait_event("certificate-refused", certificate="admin.tls", why=why)
        told = proxy.wait_for(lambda why=why: [one for one in alerts(proxy) if one["summary"].endswith(why)])
        assert [one["certificate"] for one in told] == ["admin.tls"]
        assert admin_serial(proxy, authority) == first


def test_one_whose_file_is_believed_too_wants_a_change(make_enforced, origin, authority, admin):
    proxy = make_enforced([origin], policy=WATCH, **admin_tls(authority, admin, client_ca=admin))
    first = admin.serial()
    admin.replace(renewed(authority, "next"))
    proxy.wait_event("certificate-refused", certificate="admin.tls", why="its file is trusted too")
    assert admin_serial(proxy, authority) == first


def test_files_that_a_listener_shows_too_are_taken_up_for_both(make_enforced, origin, authority):
    one = authority.certificate("one", "localhost", "shop.example", ip="127.0.0.1", days=10)
    options = tls_listener(authority.directory, one)
    options["config"]["admin"] = {"tls": one.section()}
    proxy = make_enforced([origin], policy=WATCH, **options)
    one.replace(authority.certificate("next", "localhost", "shop.example", ip="127.0.0.1", days=20))
    proxy.wait_event("certificate-renewed", certificate="admin.tls")
    proxy.wait_event("certificate-renewed", certificate="c1")
    proxy.wait_for(lambda: admin_serial(proxy, authority) == one.serial())
    with TlsClient(proxy.address, name="shop.example", ca=authority) as client:
        assert client.request(host="shop.example").status == 200 and client.peer_serial() == one.serial()
    assert not alerts(proxy)
