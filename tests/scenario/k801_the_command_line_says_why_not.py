"""What the API refuses is shown as text with its remedy, exit code 1; who is not reached, exit code 2."""
import pytest
from support.people import make_token, run_cli


def test_a_problem_is_text(make_enforced, origin):
    proxy = make_enforced(origin)
    done = run_cli(proxy, "cat", "pools", "none")
    assert done.returncode == 1 and not done.stdout
    assert "There is nothing of that name (404)" in done.stderr and "next: GET /v1/pools" in done.stderr


def test_a_name_is_one_segment(make_enforced, origin):
    proxy = make_enforced(origin)
    assert run_cli(proxy, "cat", "pools", "../status").returncode == 1
    assert run_cli(proxy, "cat", "pools", "app?x=1").returncode == 1


def test_without_a_token(make_enforced, origin):
    proxy = make_enforced(origin)
    done = run_cli(proxy, None, "status")
    assert done.returncode == 1 and "(401)" in done.stderr
    token = make_token("ann")
    done = run_cli(proxy, None, "status", env={"TWOKEY_TOKEN": token})
    assert done.returncode == 1 and token not in done.stdout + done.stderr


@pytest.mark.parametrize("address,said", [("http://127.0.0.1:1", "no answer from http://127.0.0.1:1"),
                                          ("unix:/nonexistent/x.sock", "no answer from /nonexistent/x.sock"),
                                          ("https://127.0.0.1:1", "no answer from https://127.0.0.1:1"),
                                          ("ftp://127.0.0.1:9901", "is not an address"), ("localhost", "is not an address")])
def test_nobody_there(make_proxy, origin, address, said):
    done = run_cli(make_proxy(origin), None, "status", env={"TWOKEY_ADMIN": address})
    assert done.returncode == 2 and said in done.stderr and not done.stdout


def test_a_token_cannot_smuggle_a_header(make_enforced, origin):
    done = run_cli(make_enforced(origin), None, "status", env={"TWOKEY_TOKEN": "tk_a\r\nX-On-Behalf-Of: bob"})
    assert done.returncode == 2 and "has a space or a line end" in done.stderr
