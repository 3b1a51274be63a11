"""Mode enforced with too few people to approve anything (S005) is refused by check, by a start, and by a reload."""
import copy
import subprocess

import pytest
from support.people import EnforcedProxy, enforced_config
from support.proxy import binary


def run(proxy, *arguments):
    return subprocess.run([binary(), *arguments, "--config", proxy.conf_dir], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("roles", [{}, {"ann": ["approver"]}, {"ann": ["approver"], "bob": ["approver"], "cat": ["viewer"]}])
def test_check_and_start_refuse(origin, roles):
    config, tokens = enforced_config(origin, roles={"dan": []} if not roles else roles)
    if not roles:
        del config["people"]
        config["policy"] = {"mode": "enforced"}
    proxy = EnforcedProxy(config, tokens)
    proxy.config["policy"] = config["policy"]
    proxy.write_config(proxy.config)
    try:
        for done in (run(proxy, "check"), run(proxy, "serve", "--first-start", "--state", proxy.state_dir)):
            assert done.returncode == 1
            assert "S005" in done.stdout or "can approve" in done.stderr
    finally:
        proxy.discard()


def test_a_reload_into_it_is_refused(make_proxy, origin):
    proxy = make_proxy(origin)
    config = copy.deepcopy(proxy.config)
    config["policy"] = {"mode": "enforced"}
    answer = proxy.reload(config)
    assert answer.status == 422
    assert any(finding["rule"] == "S005" for finding in answer.json()["errors"])
    assert proxy.status()["mode"] == "off"
