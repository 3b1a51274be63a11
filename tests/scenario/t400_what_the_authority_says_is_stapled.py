"""What an authority says of a certificate is shown to clients that ask, and taken up when it is renewed, without a change."""
import os

from support.tls import Authority, Responder, TlsClient, stapled, tls_listener


def with_issuer(authority, certificate):
    with open(authority.cert_file) as issuer, open(certificate.cert_file, "a") as chain:
        chain.write(issuer.read())
    return certificate


def listener(authority, *certificates, files):
    options = tls_listener(authority.directory, *certificates)
    for name, path in files.items():
        options["config"]["certificates"][name]["ocsp_file"] = path
    return options


def serial_of(text):
    return text.partition("Serial Number: ")[2].split()[0]


def alert(proxy):
    return [one for one in proxy.admin_get("/v1/alerts")["alerts"] if one["name"] == "StapleMissing"]


def test_each_certificate_has_its_own_and_news_are_taken_up(make_proxy, origin, authority):
    responder, path = Responder(authority), os.path.join(authority.directory, "shop.ocsp")
    shop = with_issuer(authority, authority.certificate("shop", "shop.example"))
    blog = authority.certificate("blog", "blog.example")
    responder.answer(shop, path)
    proxy = make_proxy([origin], **listener(authority, blog, shop, files={"c2": path}))
    said = stapled(proxy.address, "shop.example")
    assert "Cert Status: good" in said and serial_of(said) == shop.serial()
    assert stapled(proxy.address, "blog.example") is None
    ends = proxy.metrics().value("twokey_certificate_staple_next_update_seconds", certificate="c2")
    revision = proxy.admin_get("/v1/status")["running"]
    with TlsClient(proxy.address, name="shop.example", ca=authority) as old:
        responder.answer(shop, path, minutes=600)
        event = proxy.wait_for(lambda: proxy.metrics().value("twokey_certificate_staple_next_update_seconds", certificate="c2") > ends)
        assert event and "Cert Status: good" in stapled(proxy.address, "shop.example")
        assert old.request(host="shop.example").status == 200
    now = proxy.admin_get("/v1/status")["running"]
    assert now["rev"] == revision["rev"] and now["digest"] == revision["digest"] and not alert(proxy)


def test_what_is_no_good_is_not_shown_and_told(make_proxy, origin, authority):
    responder, path = Responder(authority), os.path.join(authority.directory, "shop.ocsp")
    shop = with_issuer(authority, authority.certificate("shop", "shop.example"))
    other = with_issuer(authority, authority.certificate("other", "other.example"))
    responder.answer(shop, path)
    proxy = make_proxy([origin], **listener(authority, shop, files={"c1": path}))
    assert stapled(proxy.address, "shop.example")
    bad = [
        (lambda: responder.answer(other, path), "about another certificate"),
        (lambda: responder.answer(shop, path, signer=Authority(authority.directory, "stranger")), "not signed by"),
        (lambda: open(path, "wb").close(), "no OCSP response in DER"),
    ]
    for turn, (spoil, why) in enumerate(bad):
        spoil()
        proxy.wait_event("staple-refused", certificate="c1", nth=turn + 1)
        assert why in proxy.wait_for(lambda: alert(proxy) and alert(proxy)[0]["summary"])  # the one before goes on
        assert "Cert Status: good" in stapled(proxy.address, "shop.example")
    responder.answer(shop, path, revoked=True)
    proxy.wait_event("staple-refused", certificate="c1", nth=len(bad) + 1)
    proxy.wait_for(lambda: stapled(proxy.address, "shop.example") is None)
    told = proxy.wait_for(lambda: [one for one in alert(proxy) if one["severity"] == "page"])[0]
    assert "has revoked" in told["summary"] and told["certificate"] == "c1"
    assert proxy.metrics().value("twokey_certificate_staple_next_update_seconds", certificate="c1") == 0
    responder.answer(shop, path)
    proxy.wait_for(lambda: stapled(proxy.address, "shop.example"))
    proxy.wait_for(lambda: not alert(proxy))
