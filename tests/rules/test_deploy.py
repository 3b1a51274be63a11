"""What lies in deploy/ and conf.d/ agrees with the program: metrics that exist, ports and paths that match."""
import json
import os
import re
import shutil
import subprocess

import jsonschema
import pytest
import source_tree
import yaml

SHIPPED = ["conf.d", "deploy/compose/conf.d", "deploy/container/conf.d"]


def load(path):
    return yaml.safe_load(source_tree.text(path))


def configuration(folder):
    merged = {}
    for path in source_tree.files(r"^%s/[^/]*\.json$" % re.escape(folder)):
        for section, value in json.loads(source_tree.text(path)).items():
            if not section.startswith("//"):
                merged.setdefault(section, {}).update(value)
    return merged


def metric_names():
    """test_metrics.py holds that page against the program."""
    names = re.findall(r"^\| `(\w+)` \| (\w+) \|", source_tree.text("docs/metrics.md"), re.M)
    return {name for name, _ in names} | {name + "_bucket" for name, kind in names if kind == "histogram"}


def test_alert_rules_name_metrics_that_exist():
    known = metric_names()
    rules = [rule for group in load("deploy/prometheus/rules.yml")["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        for name in re.findall(r"[\w:]*twokey_[\w:]+", rule["expr"]):
            assert name in known | recorded, "%s: %s" % (rule.get("alert") or rule["record"], name)


def test_each_alert_has_a_severity_and_a_summary():
    for group in load("deploy/prometheus/rules.yml")["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["labels"]["severity"] in ("page", "ticket", "{{ $labels.severity }}"), rule["alert"]
                assert rule["annotations"]["summary"], rule["alert"]


def tool(name, *arguments):
    """What a tool of Prometheus says; it must find no fault."""
    program = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin")
    if program is None:
        pytest.skip("there is no %s: install what packages.txt lists for tests" % name)
    done = subprocess.run([program, *arguments], cwd=source_tree.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "FAILED" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_finds_no_fault():
    rules = [rule for group in load("deploy/prometheus/rules.yml")["groups"] for rule in group["rules"]]
    assert "%d rules found" % len(rules) in tool("promtool", "check", "rules", "deploy/prometheus/rules.yml")
    tool("promtool", "check", "config", "deploy/prometheus/prometheus.yml")
    assert "SUCCESS" in tool("promtool", "test", "rules", "deploy/prometheus/tests.yml")


def test_each_alert_rule_with_arithmetic_is_tested():
    tested = {case["alertname"] for test in load("deploy/prometheus/tests.yml")["tests"]
              for case in test.get("alert_rule_test", [])}
    wrong = [rule["alert"] for group in load("deploy/prometheus/rules.yml")["groups"] for rule in group["rules"]
             if "alert" in rule and re.search(r" / | and on | unless on |!=|=~", rule["expr"])
             and rule["alert"] not in tested | {"ServerFailing", "GateInconclusive", "DescriptorsShort"}]
    assert not wrong, ", ".join(wrong)


def test_amtool_finds_no_fault():
    assert "SUCCESS" in tool("amtool", "check-config", "deploy/alertmanager/alertmanager.yml")
    assert load("deploy/alertmanager/alertmanager.yml")["route"]["group_by"] == ["alertname", "pool"]


def test_compose_tells_the_alertmanager_that_it_starts():
    services = load("docker-compose.yml")["services"]
    told, = configuration("deploy/compose/conf.d")["observe"]["alerts"]["alertmanager"]
    host, port = told.split("//")[1].split(":")
    assert any(mapping.endswith(":%s:%s" % (port, port)) for mapping in services[host]["ports"])


def test_the_dashboard_is_well_formed():
    """Its panels lie beside each other, each asks something, and what it asks about exists."""
    dashboard = json.loads(source_tree.text("deploy/grafana/twokey.json"))
    taken, ids = set(), set()
    known = metric_names() | {rule["record"] for group in load("deploy/prometheus/rules.yml")["groups"]
                              for rule in group["rules"] if "record" in rule}
    for panel in dashboard["panels"]:
        assert panel["id"] not in ids and panel["title"], panel["title"]
        ids.add(panel["id"])
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken and max(cell[0] for cell in cells) < 24, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert target["expr"].count("(") == target["expr"].count(")"), target["expr"]
            for name in re.findall(r"[\w:]*twokey_[\w:]+", target["expr"]):
                assert name in known, target["expr"]


def test_promtool_understands_the_dashboard(tmp_path):
    dashboard = json.loads(source_tree.text("deploy/grafana/twokey.json"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    rules = [{"record": "panel:%d" % number, "expr": re.sub(r"\$\w+", "x", expr)} for number, expr in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert "%d rules found" % len(asked) in tool("promtool", "check", "rules", str(tmp_path / "rules.yml"))


def test_compose_mounts_and_builds_what_exists():
    services = load("docker-compose.yml")["services"]
    stages = re.findall(r"^FROM \S+ AS (\w+)", source_tree.text("Dockerfile"), re.M)
    for name, service in services.items():
        assert "build" not in service or service["build"]["target"] in stages, name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert os.path.isdir(os.path.join(source_tree.ROOT, source)), "%s: %s" % (name, volume)


def test_compose_servers_are_the_servers_of_its_configuration():
    services = load("docker-compose.yml")["services"]
    for server in configuration("deploy/compose/conf.d")["pools"]["demo"]["servers"].values():
        host, port = server["address"].split(":")
        assert services[host]["command"][1].split(":")[1] == port


def test_prometheus_reaches_the_admin_listener_by_loopback():
    services = load("docker-compose.yml")["services"]
    assert services["prometheus"]["network_mode"] == "service:twokey"
    targets = [target for job in load("deploy/prometheus/prometheus.yml")["scrape_configs"]
               for static in job["static_configs"] for target in static["targets"]]
    assert targets == [configuration("deploy/compose/conf.d")["admin"]["listen"]]


@pytest.mark.parametrize("folder", SHIPPED)
def test_a_shipped_configuration_follows_the_schema(folder):
    schema = json.loads(source_tree.text("docs/conf.schema.json"))
    for path in source_tree.files(r"^%s/[^/]*\.json$" % re.escape(folder)):
        jsonschema.validate(json.loads(source_tree.text(path)), schema)


@pytest.mark.parametrize("folder", SHIPPED)
def test_the_program_finds_nothing_wrong_with_a_shipped_configuration(folder):
    program = os.environ.get("TWOKEY_BIN") or os.path.join(source_tree.ROOT, "build", "twokey")
    check = subprocess.run([program, "check", "--config", folder], cwd=source_tree.ROOT,
                           capture_output=True, text=True)
    assert check.returncode == 0 and " 0 warnings" in check.stdout, check.stdout + check.stderr


@pytest.mark.parametrize("folder", SHIPPED)
def test_the_admin_listener_of_a_shipped_configuration_is_loopback(folder):
    assert configuration(folder)["admin"]["listen"].startswith("127.0.0.1:")


def test_each_copied_path_of_the_dockerfile_exists():
    for line in re.findall(r"^COPY (?!--from)(.+)$", source_tree.text("Dockerfile"), re.M):
        for path in line.split()[:-1]:
            assert os.path.exists(os.path.join(source_tree.ROOT, path)), line


def test_the_unit_gives_away_what_the_service_does_not_need():
    unit = source_tree.text("deploy/systemd/twokey.service")
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
                 "SystemCallFilter=@system-service", "StateDirectory=twokey"):
        assert line + "\n" in unit, line
    assert re.search(r"^ExecReload=/bin/kill -HUP \$MAINPID$", unit, re.M)
