"""`twokey …` calls the admin API over HTTPS: it verifies whom it speaks to, and a certificate says who calls."""
import pytest
from support.people import run_cli
from support.tls import Authority, admin_tls


@pytest.fixture
def proxy(make_enforced, origin, authority):
    more = admin_tls(authority, authority.certificate("admin", "localhost", ip="127.0.0.1"), client_ca=authority)
    more["config"]["people"] = {"ann": {"certificate_names": ["ann.people"]}}
    return make_enforced([origin], **more)


def test_by_token_and_by_certificate(proxy, authority):
    ann = authority.certificate("ann", "ann.people")
    by_token = run_cli(proxy, "ann", "status", "--ca-file", authority.cert_file)
    assert by_token.returncode == 0 and "revision" in by_token.stdout, by_token
    files = {"TWOKEY_CA_FILE": authority.cert_file, "TWOKEY_CERT_FILE": ann.cert_file, "TWOKEY_KEY_FILE": ann.key_file}
    by_variables = run_cli(proxy, None, "drain", "app", "s1", "--reason", "test", env=files)
    assert "at least 1 must" in by_variables.stderr and by_variables.returncode == 1, by_variables  # known, and the guard says no
    by_options = run_cli(proxy, None, "status", "--json", "--ca-file", authority.cert_file, "--cert-file", ann.cert_file,
                         "--key-file", ann.key_file)
    assert by_options.returncode == 0 and '"running"' in by_options.stdout
    nobody = run_cli(proxy, None, "status", env={"TWOKEY_CA_FILE": authority.cert_file})
    assert nobody.returncode == 1 and "unauthenticated" in nobody.stderr.lower() or "Authorization" in nobody.stderr


def test_it_is_sure_whom_it_speaks_to(proxy, authority, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(str(tmp_path / "other"), "other")
    for options in ([], ["--ca-file", other.cert_file]):
        refused = run_cli(proxy, "ann", "status", *options)
        assert refused.returncode == 2 and "--ca-file says who may have signed" in refused.stderr, refused
    away = run_cli(proxy, "ann", "status", "--ca-file", str(tmp_path / "away.pem"))
    assert away.returncode == 2 and "--ca-file" in away.stderr
    clear = run_cli(proxy, "ann", "status", "--admin", f"http://{proxy.admin_address}")
    assert clear.returncode == 1 and "https://" in clear.stderr
    for url in ("ftp://127.0.0.1:9901", "https:/x"):
        assert run_cli(proxy, "ann", "status", "--admin", url).returncode == 2
