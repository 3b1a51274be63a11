"""A certificate that ends within 14 days is a ticket, within 2 a page; a renewed one ends it."""
import time

import pytest

from support.origin import ok
from support.tls import tls_listener

DAY = 24 * 3600


def told(proxy):
    return {one["certificate"]: one["severity"] for one in proxy.admin_get("/v1/alerts")["alerts"]
            if one["name"] == "CertificateExpiring"}


def test_it_is_told_until_it_is_renewed(make_proxy, make_origin, authority):
    soon, urgent, later = (authority.certificate(f"d{days}", f"d{days}.example", days=days) for days in (5, 1, 20))
    proxy = make_proxy([make_origin(ok())], **tls_listener(authority.directory, soon, urgent, later))
    proxy.wait_for(lambda: told(proxy))
    assert told(proxy) == {"c1": "ticket", "c2": "page"}
    ends = {labels["certificate"]: value for name, labels, value in proxy.metrics().samples
            if name == "twokey_certificate_not_after_seconds"}
    for name, days in (("c1", 5), ("c2", 1), ("c3", 20)):
        assert ends[name] - time.time() == pytest.approx(days * DAY, abs=300)
    soon.replace(later)
    urgent.replace(later)
    proxy.reload(proxy.config)
    proxy.wait_for(lambda: not told(proxy))
