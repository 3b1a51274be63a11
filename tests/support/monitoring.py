"""
A real Alertmanager and a real Prometheus, on free ports of loopback, their data in a directory of their own.

    with Alertmanager() as am:      # am.url, am.alerts(), am.wait_alert("ServerDown")
    with Prometheus(proxy, rules) as prometheus:

A test that needs a program that is not there is skipped, and says so (`./dev test` installs them).
"""
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest

from support.bounds import SCALE
from support.proxy import free_port


def need(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin")
    if path is None:
        pytest.skip(f"there is no {name}: install what packages.txt lists for tests")
    return path


def get_json(url, timeout=10):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=timeout) as answer:
        return json.load(answer)


def wait_until(predicate, what, timeout=60):
    """What `predicate` says, once it says something; its connection errors are waited out."""
    end, last = time.monotonic() + timeout * SCALE, None
    while time.monotonic() < end:
        try:
            last = predicate()
            if last:
                return last
        except (OSError, ValueError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {timeout} s; last: {last!r}")


class Program:
    """A program with a web server, in a scratch directory, from `with` to its end."""

    ready = "/-/ready"

    def __init__(self, port=None):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.directory = None
        self.process = None

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def arguments(self):
        raise NotImplementedError

    def start(self):
        self.directory = self.directory or tempfile.mkdtemp(prefix="tk-monitoring-")
        arguments = self.arguments()
        self.log = open(os.path.join(self.directory, "log"), "ab")
        self.process = subprocess.Popen(arguments, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                        cwd=self.directory)
        try:
            wait_until(self.is_ready, f"{arguments[0]} is ready")
        except AssertionError:
            self.stop()
            raise
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}: {self.said()[-2000:]}")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url + self.ready, timeout=5).close()
        return True

    def said(self):
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
        self.process = None
        self.log.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class Alertmanager(Program):
    CONFIG = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n"

    def arguments(self):
        return [need("prometheus-alertmanager"), "--config.file=" + self.write("alertmanager.yml", self.CONFIG),
                "--storage.path=" + os.path.join(self.directory, "data"), f"--web.listen-address=127.0.0.1:{self.port}",
                "--cluster.listen-address="]

    def alerts(self):
        return get_json(self.url + "/api/v2/alerts")

    def find(self, name):
        return next((one for one in self.alerts() if one["labels"]["alertname"] == name), None)

    def wait_alert(self, name, timeout=60):
        return wait_until(lambda: self.find(name), f"{name} at the Alertmanager", timeout)

    def wait_no_alert(self, name, timeout=60):
        """It lists what has ended no longer."""
        wait_until(lambda: self.find(name) is None, f"no {name} at the Alertmanager", timeout)


class Prometheus(Program):
    """Scrapes `targets` each second, and evaluates the rules of `rules_file` as often."""

    def __init__(self, targets, rules_text, alertmanagers=(), port=None):
        super().__init__(port)
        self.targets, self.rules_text, self.alertmanagers = targets, rules_text, alertmanagers

    def arguments(self):
        program = need("prometheus")
        self.write("rules.yml", self.rules_text)
        config = self.write("prometheus.yml", json.dumps({  # JSON is YAML
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [one.split("//")[1] for one in
                                                                            self.alertmanagers]}]}]},
            "scrape_configs": [{"job_name": "twokey", "static_configs": [{"targets": self.targets}]}]}))
        return [program, "--config.file=" + config, "--storage.tsdb.path=" + os.path.join(self.directory, "data"),
                f"--web.listen-address=127.0.0.1:{self.port}"]

    def query(self, expression):
        answer = get_json(self.url + "/api/v1/query?query=" + urllib.request.quote(expression))
        return answer["data"]["result"]

    def rules(self):
        return [rule for group in get_json(self.url + "/api/v1/rules")["data"]["groups"] for rule in group["rules"]]

    def target(self):
        targets = get_json(self.url + "/api/v1/targets")["data"]["activeTargets"]
        return targets[0] if targets else None
