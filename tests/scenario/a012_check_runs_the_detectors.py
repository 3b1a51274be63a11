"""`twokey check` runs the detectors: ids, places, what is accepted, and what only --all shows."""
import copy
import json
import subprocess

from support.proxy import binary

OFF = {"mode": "off"}
GOOD = {"policy": OFF,
        "listeners": {"web": {"address": "127.0.0.1:18080"}},
        "pools": {"app": {"health_check": {},
                          "servers": {"s1": {"address": "10.0.0.1:80"}, "s2": {"address": "10.0.0.2:80"}}}},
        "routes": {"everything": {"pool": "app"}}}


def check(directory, document, *options):
    (directory / "10-all.json").write_text(json.dumps(document))
    return subprocess.run([binary(), "check", "--config", str(directory), *options],
                          capture_output=True, text=True, timeout=60)


def of(done):
    return {finding["rule"]: finding for finding in json.loads(done.stdout)["findings"]}


def with_pool(**keys):
    document = copy.deepcopy(GOOD)
    document["pools"]["app"].update(keys)
    return document


def servers(**weights):
    return {name: {"address": f"10.0.0.{number}:80", "weight": weight}
            for number, (name, weight) in enumerate(weights.items(), 1)}


def test_everything_to_one_server_is_1_with_the_rule_named(tmp_path):
    done = check(tmp_path, with_pool(servers=servers(s1=256, s2=0, s3=0)))
    assert done.returncode == 1
    assert "10-all.json: /pools/app/servers/s1/weight: weight 256 gives s1 100 %" in done.stdout
    assert "[block D001]" in done.stdout and "active_standby" in done.stdout


def test_an_intent_that_is_declared_is_0(tmp_path):
    done = check(tmp_path, with_pool(servers=servers(s1=256, s2=0), intent="active_standby"))
    assert done.returncode == 0, done.stdout


def test_programs_get_rule_place_numbers_and_what_to_do(tmp_path):
    done = check(tmp_path, with_pool(retry={"attempts": 5}), "--format", "json")
    finding = of(done)["M004"]
    assert done.returncode == 1 and finding["severity"] == "error"
    assert finding["pointer"] == "/pools/app/retry/attempts" and "6 tries" in finding["message"]
    assert finding["fix"] and finding["file"].endswith("10-all.json")


def test_a_warning_is_shown_and_0(tmp_path):
    document = with_pool()
    del document["pools"]["app"]["health_check"]
    done = check(tmp_path, document)
    assert done.returncode == 0 and "[warning H001]" in done.stdout and "1 warnings" in done.stdout


def test_what_is_not_known_is_shown_when_asked_for(tmp_path):
    assert "C001" not in check(tmp_path, GOOD).stdout
    assert "unknown: not every server declares capacity_rps [info C001]" in check(tmp_path, GOOD, "--all").stdout
    assert of(check(tmp_path, GOOD, "--format", "json"))["C001"]["severity"] == "info"


def test_what_somebody_accepted_is_no_error_until_then(tmp_path):
    def accepted(expires):
        document = with_pool(retry={"attempts": 5})
        document["policy"] = {**OFF, "suppressions": [
            {"rule": "M004", "pointer": "/pools/app", "owner": "ann", "reason": "a lab", "expires": expires}]}
        return check(tmp_path, document, "--format", "json")

    later, past = accepted("2099-01-01T00:00:00Z"), accepted("2001-01-01T00:00:00Z")
    assert later.returncode == 0 and "accepted by ann" in of(later)["M004"]["message"]
    assert past.returncode == 1 and "has expired" in of(past)["S006"]["message"]


def test_what_blocks_by_its_meaning_hides_nothing_else(tmp_path):
    document = with_pool(servers=servers(s1=256, s2=0))
    document["routes"]["lost"] = {"path": "/x", "pool": "nowhere"}
    found = of(check(tmp_path, document, "--format", "json"))
    assert {"R004", "D001"} <= set(found)


def test_the_way_from_what_runs_is_looked_at_too(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir(), after.mkdir()
    (before / "a.json").write_text(json.dumps(with_pool(servers=servers(s1=100, s2=100, s3=100, s4=100))))
    done = check(after, with_pool(servers=servers(s1=100, s2=100)), "--base", str(before))
    assert done.returncode == 1 and "2 of 4 servers are removed: 50 % [error X001]" in done.stdout
    assert check(after, with_pool(servers=servers(s1=100, s2=100))).returncode == 0
    missing = check(after, GOOD, "--base", str(tmp_path / "none"))
    assert missing.returncode == 2 and "No such file" in missing.stderr
