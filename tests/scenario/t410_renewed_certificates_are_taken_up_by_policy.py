"""policy.certificate_watch: renewed files are taken up without a change when only their time differs; they outlive a restart."""
import os

from support.chain import audit_lines
from support.tls import TlsClient, tls_listener


def shown(proxy, authority, name="shop.example"):
    with TlsClient(proxy.address, name=name, ca=authority) as client:
        assert client.request(host=name).status == 200
        return client.peer_serial()


def alerts(proxy):
    return [one for one in proxy.admin_get("/v1/alerts")["alerts"] if one["name"] == "CertificateRefused"]


def start(make, origin, authority, certificate, **policy):
    options = tls_listener(authority.directory, certificate)
    return make([origin], policy={"certificate_watch": True, **policy}, **options)


def test_what_only_lives_longer_is_taken_up_and_stays(make_enforced, origin, authority):
    shop = authority.certificate("shop", "shop.example", "www.shop.example", days=10)
    proxy = start(make_enforced, origin, authority, shop)
    revision = proxy.admin_get("/v1/status")["running"]
    first = shop.serial()
    assert shown(proxy, authority) == first
    with TlsClient(proxy.address, name="shop.example", ca=authority) as old:
        for turn in range(2):
            shop.replace(authority.certificate(f"next{turn}", "www.shop.example", "shop.example", days=20))
            proxy.wait_event("certificate-renewed", certificate="c1", nth=turn + 1)
            proxy.wait_for(lambda: shown(proxy, authority) == shop.serial())
        assert old.request(host="shop.example").status == 200 and old.peer_serial() == first
    now = proxy.admin_get("/v1/status")["running"]
    assert (now["rev"], now["digest"]) == (revision["rev"], revision["digest"]) and not alerts(proxy)
    records = [one for one in audit_lines(proxy.as_("dan")) if '"certificate.renewed"' in one]
    assert len(records) == 2
    # What was taken up is what a start runs, whatever lies at the path by then.
    second = shop.serial()
    proxy.stop()
    os.unlink(shop.key_file)
    os.unlink(shop.cert_file)
    proxy.start()
    assert shown(proxy, authority) == second


def test_a_change_that_was_approved_before_runs_with_it_and_one_after_stands_for_itself(make_enforced, origin, authority):
    shop = authority.certificate("shop", "shop.example", days=10)
    before = authority.certificate("before", "shop.example", days=5)
    before.replace(shop)
    proxy = start(make_enforced, origin, authority, shop)
    change = proxy.as_("ann").submit({"routes": {"everything": {"response_headers": {"set": {"x-new": "1"}}}}}, title="a header")
    shop.replace(authority.certificate("next", "shop.example", days=20))
    proxy.wait_event("certificate-renewed", certificate="c1")
    proxy.as_("bob").approve(change)
    proxy.as_("ann").apply(change)
    proxy.as_("ann").confirm(change)
    assert shown(proxy, authority) == shop.serial()
    # Whoever puts the old files back is not followed, until people say so.
    renewed = shop.serial()
    shop.replace(before)
    proxy.wait_event("certificate-refused", certificate="c1")
    assert shown(proxy, authority) == renewed
    proxy.run_change({"routes": {"everything": {"response_headers": {"set": {"x-new": "2"}}}}})
    assert shown(proxy, authority) == before.serial()


def test_anything_else_wants_a_change(make_proxy, origin, authority):
    shop = authority.certificate("shop", "shop.example", days=10)
    options = tls_listener(authority.directory, shop)
    options["config"]["policy"] = {"mode": "off", "certificate_watch": True}
    proxy = make_proxy([origin], **options)
    first = shop.serial()
    rows = [
        (authority.certificate("names", "shop.example", "other.example"), "it is for other names"),
        (authority.certificate("kind", "shop.example", key="rsa"), "it has another kind of key"),
        (authority.certificate("sooner", "shop.example", days=5), "it expires sooner than the one that runs"),
        (authority.certificate("over", "shop.example", days=-1), "it has expired"),
    ]
    wrong = authority.certificate("wrong", "shop.example")
    wrong.key_file = shop.key_file + ".old"
    os.link(shop.key_file, wrong.key_file)
    for certificate, why in [*rows, (wrong, "the key belongs to another certificate")]:
        shop.replace(certificate)
        proxy.wait_event("certificate-refused", certificate="c1", why=why)
        assert proxy.wait_for(lambda: alerts(proxy))[0]["summary"].endswith(why)
        assert shown(proxy, authority) == first
    shop.replace(authority.certificate("good", "shop.example", days=20))
    proxy.wait_event("certificate-renewed", certificate="c1")
    proxy.wait_for(lambda: shown(proxy, authority) == shop.serial())
    proxy.wait_for(lambda: not alerts(proxy))


def test_without_the_policy_files_are_left_alone(make_proxy, origin, authority):
    shop, other = authority.certificate("shop", "shop.example", days=10), authority.certificate("other", "other.example", days=10)
    proxy = make_proxy([origin], **tls_listener(authority.directory, shop))
    first = shop.serial()
    shop.replace(authority.certificate("next", "shop.example", days=20))
    watched = tls_listener(authority.directory, other)
    watched["config"]["policy"] = {"mode": "off", "certificate_watch": True}
    beside = make_proxy([origin], **watched)  # takes it up in the same time, and more
    other.replace(authority.certificate("more", "other.example", days=20))
    beside.wait_event("certificate-renewed")
    assert shown(proxy, authority) == first and not proxy.log_events("certificate-renewed")
