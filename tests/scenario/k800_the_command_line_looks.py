"""`twokey status` and `pools` show what the API shows, over HTTP and over the Unix socket."""
import json
import os
import re

import pytest
from support.people import run_cli


@pytest.mark.parametrize("on_socket", [False, True])
def test_tables_and_json(make_enforced, origin, on_socket):
    proxy = make_enforced(origin)
    done = run_cli(proxy, "cat", "status", on_socket=on_socket)
    assert done.returncode == 0 and "mode enforced" in done.stdout and not done.stderr
    done = run_cli(proxy, "cat", "status", "--json", on_socket=on_socket)
    assert json.loads(done.stdout)["running"]["digest"] == proxy.status()["running"]["digest"]
    done = run_cli(proxy, "cat", "pools", on_socket=on_socket)
    assert done.returncode == 0 and re.search(r"^app +ok +round_robin", done.stdout, re.M)
    done = run_cli(proxy, "cat", "pools", "app", "s1", "--json", on_socket=on_socket)
    assert json.loads(done.stdout)["name"] == "s1"


def test_a_user_needs_no_token_on_the_socket(make_enforced, origin):
    proxy = make_enforced(origin, config={"people": {"cat": {"uids": [os.getuid()]}}})
    assert run_cli(proxy, None, "status", on_socket=True).returncode == 0
    assert run_cli(proxy, None, "status").returncode == 1


def test_options_come_before_the_environment(make_enforced, origin):
    proxy = make_enforced(origin)
    done = run_cli(proxy, "cat", "status", "--admin", "http://" + proxy.admin_address, env={"TWOKEY_ADMIN": "http://127.0.0.1:1"})
    assert done.returncode == 0
    assert run_cli(proxy, "cat", "status", env={"http_proxy": "http://127.0.0.1:1"}).returncode == 0
