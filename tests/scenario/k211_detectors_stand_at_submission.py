"""What the detectors find: told of a draft, in the way of submission, and who may pass it."""
import json

import subprocess

import pytest

from support.people import ROLES, enforced_config
from support.proxy import binary

ALL_TO_ONE = {"pools": {"app": {"servers": {"s1": {"weight": 256}, "s2": {"weight": 0}}}}}
MANY_RETRIES = {"pools": {"app": {"retry": {"attempts": 5}}}}
ONE_CHECK_DECIDES = {"pools": {"app": {"health_check": {"fall": 1}}}}


@pytest.fixture
def proxy(make_origin, make_enforced):
    origins = [make_origin(), make_origin()]
    return make_enforced(origins, roles={**ROLES, "eve": ["viewer", "author", "breakglass"]})


def propose(caller, patch, **fields):
    return caller.post("/v1/changes", {"title": "x", "reason": "y", "patch": patch, **fields})


def found(change):
    return {finding["rule"]: finding for finding in change["findings"]}


def submit(caller, change):
    return caller.post(f"/v1/changes/{change['id']}/submit")


def test_a_draft_is_told_with_rule_place_numbers_and_remedy(proxy):
    finding = found(propose(proxy.as_("ann"), ALL_TO_ONE).json())["D001"]
    assert finding["severity"] == "block" and finding["pointer"] == "/pools/app/servers/s1/weight"
    assert "100 %" in finding["message"] and "active_standby" in finding["fix"]


def test_a_block_is_not_submitted_even_when_named(proxy):
    ann = proxy.as_("ann")
    draft = propose(ann, ALL_TO_ONE, override=["D001", "X003"]).json()
    refused = submit(ann, draft)
    assert refused.status == 422 and refused.json()["type"].endswith("findings-block")
    assert [error["rule"] for error in refused.json()["errors"]] == ["D001"]
    assert ann.change(draft)["state"] == "draft"


def test_an_error_must_be_named_and_then_needs_two(proxy):
    ann = proxy.as_("ann")
    refused = submit(ann, propose(ann, MANY_RETRIES).json())
    assert refused.status == 422 and refused.json()["errors"][0]["rule"] == "M004"
    change = submit(ann, propose(ann, MANY_RETRIES, override=["M004"]).json()).json()
    assert change["state"] == "pending" and change["class"] == 3


def test_a_warning_is_told_and_hinders_nobody(proxy):
    ann = proxy.as_("ann")
    draft = propose(ann, ONE_CHECK_DECIDES).json()
    assert found(draft)["H004"]["severity"] == "warning"
    assert submit(ann, draft).status == 200


def test_in_an_emergency_an_effect_may_be_wanted(proxy):
    eve = proxy.as_("eve", on_socket=True)
    assert eve.post("/v1/breakglass", {"reason": "all is down", "incident": "INC-1"}).status in (200, 201)
    assert submit(eve, propose(eve, ALL_TO_ONE).json()).status == 422
    assert submit(eve, propose(eve, ALL_TO_ONE, override=["D001", "X003"]).json()).status == 200
    twins = {"routes": {"a": {"path": "/x", "pool": "app"}, "b": {"path": "/x", "pool": "app"}}}
    refused = submit(eve, propose(eve, twins, override=["R003"]).json())
    assert refused.status == 422 and refused.json()["errors"][0]["rule"] == "R003"


def test_nobody_cuts_his_own_access_without_saying_so(proxy):
    moved = {"admin": {"listen": "127.0.0.1:1"}}
    eve, over_tcp = proxy.as_("eve", on_socket=True), proxy.as_("ann")
    refused = submit(over_tcp, propose(over_tcp, moved).json())
    assert refused.status == 422 and [error["rule"] for error in refused.json()["errors"]] == ["X007"]
    assert submit(over_tcp, propose(over_tcp, moved, override=["X007"]).json()).status == 200
    assert submit(eve, propose(eve, moved).json()).status == 200


def test_what_runs_is_looked_at_once_at_the_start(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    told = [line for line in proxy.log_events("config-finding") if line.get("rule") == "H001"]
    assert len(told) == 1 and told[0]["severity"] == "warning" and "/pools/app" in told[0]["message"]


def test_a_first_start_takes_over_nothing_that_is_blocked(make_origin, make_enforced, tmp_path):
    origins = [make_origin(), make_origin()]
    config, _ = enforced_config(origins)
    config["pools"]["app"]["servers"]["s1"]["weight"] = 256
    config["pools"]["app"]["servers"]["s2"]["weight"] = 0
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.json").write_text(json.dumps(config))
    done = subprocess.run([binary(), "serve", "--first-start", "--config", str(tmp_path / "conf.d"),
                           "--state", str(tmp_path / "state")], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "1 findings of severity block" in done.stderr and "check" in done.stderr
