"""Configurations that haproxy -c and nginx -t call valid: each mistake in them is found, by its id and place."""
import json
import os
import re
import shutil
import subprocess

import pytest

from support.proxy import binary

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support", "valid_elsewhere")
ORIGINALS = {"a": "haproxy.cfg", "c": "haproxy.cfg", "f": "haproxy.cfg", "nginx": "nginx.conf"}
WHERE = {
    "a": {"R008": "/listeners/f2/address", "D004": "/pools/nosrv", "D001": "/pools/b1/servers/s1/weight", "H001": "/pools/b1",
          "D007": "/pools/dup/servers/s2/address", "R005": "/pools/dup", "D005": "/pools/allbackup/servers",
          "D003": "/pools/allzero/servers", "R007": "/pools/selfloop/servers/me/address"},
    "c": {"M002": "/pools/b1/timeouts/connect", "C009": "/pools/b1/queue/timeout", "R001": "/routes/second",
          "D010": "/pools/b1/hash_on", "M004": "/pools/b1/retry/attempts", "H003": "/pools/b1/health_check/interval",
          "C007": "/pools/b1/servers/s2/max_connections", "H002": "/pools/b1-slow/health_check", "D006": "/pools/b2/servers"},
    "f": {"T004": "/pools/b1/tls/verify", "R001": "/routes/never", "H003": "/pools/b1/health_check/interval", "H004": "/pools/b1/health_check",
          "D007": "/pools/b1/servers/s2/address", "R007": "/pools/b1/servers/s3/address"},
    "nginx": {"D001": "/pools/one/servers", "D006": "/pools/alldown/servers", "D007": "/pools/dup/servers/b/address",
              "D008": "/pools/skew/servers/a/weight", "R003": "/routes/b", "R007": "/pools/loop/servers/a/address"},
}


def ids_on_the_right(name):
    with open(os.path.join(HERE, name, ORIGINALS[name]), encoding="utf-8") as original:
        comments = [line.partition("#")[2] for line in original if line.partition("#")[0].strip()]
    return set(re.findall(r"\b[A-Z]\d{3}\b", " ".join(comments)))


def findings(directory):
    done = subprocess.run([binary(), "check", "--config", str(directory), "--format", "json"],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout)["findings"]


def haproxy(path):
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed (packages.txt): what it says cannot be shown")
    done = subprocess.run(["haproxy", "-c", "-V", "-dW", "-f", path], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def nginx(path, tmp_path):
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed (packages.txt): what it says cannot be shown")
    done = subprocess.run(["nginx", "-t", "-p", str(tmp_path), "-c", path, "-e", str(tmp_path / "error.log"),
                           "-g", f"pid {tmp_path}/pid;"], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", ORIGINALS)
def test_each_mistake_is_found_at_its_place(name):
    code, found = findings(os.path.join(HERE, name, "conf.d"))
    places = {(finding["rule"], finding["pointer"]) for finding in found}
    assert code == 1 and set(WHERE[name]) == ids_on_the_right(name)
    assert set(WHERE[name].items()) <= places, set(WHERE[name].items()) - places


@pytest.mark.parametrize("name", ORIGINALS)
def test_what_must_be_mended_says_how(name):
    _, found = findings(os.path.join(HERE, name, "conf.d"))
    assert all(finding["message"] and finding["fix"] for finding in found if finding["severity"] in ("error", "block")), found


@pytest.mark.parametrize("name", ["a", "c", "f"])
def test_haproxy_calls_it_valid_and_warns_of_nothing(name):
    code, said = haproxy(os.path.join(HERE, name, "haproxy.cfg"))
    assert code == 0 and said.strip() == "Configuration file is valid", said


def test_nginx_calls_it_valid_and_warns_of_one_thing(tmp_path):
    code, said = nginx(os.path.join(HERE, "nginx", "nginx.conf"), tmp_path)
    warnings = re.findall(r"\[\w+\].*", said)
    assert code == 0 and "test is successful" in said and len(warnings) == 1, said
    assert 'conflicting server name "a"' in warnings[0] and "ignored" in warnings[0]


# ---- what they do report, twokey reports too

HAPROXY_HEAD = "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"
REPORTED = {
    "a default backend that is not there": (
        "haproxy", HAPROXY_HEAD + "frontend f\n  bind 127.0.0.1:18081\n  default_backend nowhere\n", "unable to find required default_backend",
        '{"listeners": {"f": {"address": "127.0.0.1:18081"}}, "routes": {"r": {"pool": "nowhere"}}}', "R004", "/routes/r/pool"),
    "two servers of one name": (
        "haproxy", HAPROXY_HEAD + "backend b\n  server s 10.0.0.1:80\n  server s 10.0.0.2:80\n", "another server named",
        '{"pools": {"b": {"servers": {"s": {"address": "10.0.0.1:80"}, "s": {"address": "10.0.0.2:80"}}}}}', "config", None),
    "a pool of backups alone": (
        "nginx", "events { }\nhttp { upstream u { server 10.0.0.1 backup; } }\n", "no servers in upstream",
        '{"pools": {"u": {"servers": {"a": {"address": "10.0.0.1:80", "backup": true}}}}}', "D005", "/pools/u/servers"),
    "a pool of weight 0": (
        "nginx", "events { }\nhttp { upstream u { server 10.0.0.1 weight=0; } }\n", "invalid parameter",
        '{"pools": {"u": {"servers": {"a": {"address": "10.0.0.1:80", "weight": 0}}}}}', "D003", "/pools/u/servers"),
}


@pytest.mark.parametrize("mistake", REPORTED)
def test_what_another_checker_reports_is_reported(mistake, tmp_path):
    checker, original, says, document, rule, place = REPORTED[mistake]
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.json").write_text(document)
    code, found = findings(tmp_path / "conf.d")
    named = [finding for finding in found if finding["rule"] == rule and finding["severity"] in ("error", "block")]
    assert code == 1 and named and (place is None or named[0]["pointer"] == place), found
    path = tmp_path / "original"
    path.write_text(original)
    code, said = haproxy(str(path)) if checker == "haproxy" else nginx(str(path), tmp_path)
    assert code != 0 and says in said, said
