"""
Runs the proxy under test: a configuration directory from a dict, a state
directory, free ports, and everything a test asks of the process afterwards.

    proxy = simple_proxy([origin]).start()
    Client(proxy.address) ...
    proxy.stop()                    # exit code 0 and no sanitizer report, or it fails

The binary is $TWOKEY_BIN, or build/twokey.
"""
import copy
import errno
import fcntl
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from support.bounds import SCALE

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
READY_S = 20.0 * SCALE
STOP_S = 40.0 * SCALE
CALL_S = 15 * SCALE
REPORTS = re.compile(r'AddressSanitizer|LeakSanitizer|ThreadSanitizer|MemorySanitizer|runtime error:|"level":\s*"panic"|'
                     r"^panic: |CHECK failed", re.MULTILINE)


def binary():
    path = os.environ.get("TWOKEY_BIN") or os.path.join(ROOT, "build", "twokey")
    assert os.access(path, os.X_OK), f"no proxy to test at {path}: build it (./dev build) or set TWOKEY_BIN"
    return os.path.abspath(path)


_given_ports = set()
_ports_of_all = []  # the file in which each process that runs tests locks the ports that it gives


def _is_ours_alone(port):
    """No other process that runs tests has given this port; it stays ours until this one ends."""
    if not _ports_of_all:
        _ports_of_all.append(open(os.path.join(tempfile.gettempdir(), f"tk-ports-{os.getuid()}"), "ab"))
    try:
        fcntl.lockf(_ports_of_all[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def free_port(host="127.0.0.1"):
    """A port below the ephemeral range, so that no outgoing connection takes it meanwhile; none twice, also to two
    processes that test side by side: what is to listen there may do so late, and another's server would answer for it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        port = random.randint(11000, 31999)
        if port in _given_ports or not _is_ours_alone(port):
            continue
        with socket.socket(family) as probe:
            try:
                probe.bind((host, port))
                _given_ports.add(port)
                return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
    raise AssertionError("no free port found")


def merge(config, patch):
    """RFC 7396: None removes."""
    for key, value in patch.items():
        if value is None:
            config.pop(key, None)
        elif isinstance(value, dict) and isinstance(config.get(key), dict):
            merge(config[key], value)
        else:
            config[key] = copy.deepcopy(value)
    return config


def address_of(origin):
    return origin if isinstance(origin, str) else origin.address


def simple_config(origins, **overrides):
    """One listener `web`, one pool `app` with servers s1, s2, ..., one route `everything`.
    `pool`, `listener`, `route`, `process` merge into those; `config` into the whole."""
    if not isinstance(origins, (list, tuple, dict)):
        origins = [origins]
    if not isinstance(origins, dict):
        origins = {f"s{i}": origin for i, origin in enumerate(origins, 1)}
    servers = {name: value if isinstance(value, dict) else {"address": address_of(value)} for name, value in origins.items()}
    config = {
        "process": {"workers": 2, "shutdown_timeout": "5s"},
        "listeners": {"web": {"address": f"127.0.0.1:{free_port()}"}},
        "pools": {"app": {"servers": servers}},
        "routes": {"everything": {"pool": "app"}},
    }
    places = {"pool": config["pools"]["app"], "listener": config["listeners"]["web"],
              "route": config["routes"]["everything"], "process": config["process"], "config": config}
    for name, patch in overrides.items():
        merge(places[name], patch)
    return config


def simple_proxy(origins, **overrides):
    options = {name: overrides.pop(name) for name in ("env", "args") if name in overrides}
    return Proxy(simple_config(origins, **overrides), **options)


class Metrics:
    """Prometheus text, parsed."""

    LINE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$")
    LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text = text
        self.samples = []
        self.types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ", 3)
                self.types[name] = kind
            if not line or line.startswith("#"):
                continue
            match = self.LINE.match(line)
            assert match, f"not a line of the Prometheus text format: {line!r}"
            self.samples.append((match[1], dict(self.LABEL.findall(match[2] or "")), float(match[3])))

    def value(self, name, /, **labels):
        """The sum of all samples of this name that carry these labels."""
        return sum(value for key, has, value in self.samples
                   if key == name and all(has.get(label) == want for label, want in labels.items()))

    def names(self):
        return sorted({name for name, _, _ in self.samples})


class Answer:
    """What the admin listener said."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)


class Proxy:
    def __init__(self, config, env=None, args=()):
        self.config = copy.deepcopy(config)
        self.directory = tempfile.mkdtemp(prefix="tk-")
        self.conf_dir = os.path.join(self.directory, "conf.d")
        self.state_dir = os.path.join(self.directory, "state")
        self.access_log_path = os.path.join(self.state_dir, "access.log")
        self.stderr_path = os.path.join(self.directory, "stderr")
        os.mkdir(self.conf_dir)
        os.mkdir(self.state_dir)
        self.config.setdefault("admin", {}).setdefault("listen", f"127.0.0.1:{free_port()}")
        self.config.setdefault("observe", {}).setdefault("access_log", {}).setdefault("path", self.access_log_path)
        if "people" not in self.config:  # nobody could approve
            self.config.setdefault("policy", {}).setdefault("mode", "off")
        self.env = dict(os.environ, **(env or {}))
        self.args = list(args)
        self.process = None
        self.admin_headers = {}  # sent with each call that does not set them itself; None: not sent
        self.admin_context = None  # an ssl.SSLContext; None: any certificate will do, where admin.tls is configured
        self.write_config(self.config)

    # -- where

    def address_of(self, listener="web"):
        return self.config["listeners"][listener]["address"]

    @property
    def address(self):
        return self.address_of(next(iter(self.config["listeners"])))

    @property
    def admin_address(self):
        return self.config["admin"]["listen"]

    @property
    def admin_url(self):
        return ("https://" if self.config["admin"].get("tls") else "http://") + self.admin_address

    @property
    def socket_path(self):
        return os.path.join(self.state_dir, "run", "admin.sock")

    @property
    def pid(self):
        return self.process.pid

    # -- life

    def write_config(self, config):
        """One file a section, as a person would."""
        for name in os.listdir(self.conf_dir):
            os.unlink(os.path.join(self.conf_dir, name))
        for number, (section, value) in enumerate(config.items()):
            with open(os.path.join(self.conf_dir, f"{number}0-{section}.json"), "w") as file:
                json.dump({section: value}, file, indent=1)

    def start(self, attempts=3):
        """Returns when the admin listener says it is up."""
        for attempt in range(attempts):
            self._spawn()
            if self._wait_ready():
                return self
            said = self.stderr_text()
            self._kill()
            if "in use" not in said or attempt == attempts - 1:
                self.discard()
                raise AssertionError(f"the proxy did not start (exit code {self.process.returncode}):\n{said[-4000:]}")
            self._choose_other_ports()
        raise AssertionError("unreachable")

    def _spawn(self):
        with open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(
                [binary(), "serve", "--config", self.conf_dir, "--state", self.state_dir, *self.args],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err, env=self.env)

    def _wait_ready(self):
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.admin("GET", "/healthz", timeout=2 * SCALE).status == 200:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        return False

    def _choose_other_ports(self):
        for listener in self.config["listeners"].values():
            host, _, _ = listener["address"].rpartition(":")
            listener["address"] = f"{host}:{free_port(host.strip('[]'))}"
        host, _, _ = self.config["admin"]["listen"].rpartition(":")
        self.config["admin"]["listen"] = f"{host}:{free_port(host.strip('[]'))}"
        os.unlink(self.stderr_path)
        self.write_config(self.config)

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, timeout=STOP_S):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._kill()
            raise AssertionError(f"the proxy was still there {timeout} s after it should have ended:\n"
                                 f"{self.stderr_text()[-4000:]}") from None

    def stop(self):
        """SIGTERM; asserts that it ends with 0 and that no sanitizer, assertion or panic spoke up."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        code = self.wait_exit()
        self.process = None
        said = self.stderr_text()
        found = REPORTS.search(said)
        assert not found, f"the proxy reported a fault of its own:\n{said[max(0, found.start() - 500):][:8000]}"
        assert code == 0, f"the proxy ended with {code}:\n{said[-4000:]}"

    def kill9(self):
        self._kill()
        self.process = None

    def _kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def discard(self):
        """End it if it still runs, and remove its directory."""
        if self.process is not None:
            self._kill()
        if not os.environ.get("TWOKEY_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    # -- the admin listener

    def admin_connection(self, timeout=CALL_S, context=None):
        """To the admin listener, over TLS where admin.tls is configured; `context` instead of admin_context."""
        host, _, port = self.admin_address.rpartition(":")
        host = host.strip("[]").replace("0.0.0.0", "127.0.0.1")
        if not self.config["admin"].get("tls"):
            return http.client.HTTPConnection(host, int(port), timeout=timeout)
        if context is None and self.admin_context is None:
            self.admin_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.admin_context.check_hostname = False
            self.admin_context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(host, int(port), timeout=timeout, context=context or self.admin_context)

    def admin(self, method, path, body=None, headers=None, timeout=CALL_S):
        connection = self.admin_connection(timeout)
        try:
            data = json.dumps(body) if isinstance(body, (dict, list)) else body
            sent = {**self.admin_headers, **(headers or {})}
            connection.request(method, path, data, {key: value for key, value in sent.items() if value is not None})
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read().decode())
        finally:
            connection.close()

    def admin_get(self, path):
        answer = self.admin("GET", path)
        assert answer.status == 200, f"GET {path}: {answer.status} {answer.body[:500]}"
        return answer.json()

    def metrics(self):
        answer = self.admin("GET", "/metrics")
        assert answer.status == 200, f"/metrics: {answer.status} {answer.body[:300]}"
        return Metrics(answer.body)

    def pool(self, name="app"):
        return self.admin_get(f"/v1/pools/{name}")

    def server(self, name, pool="app"):
        return next(server for server in self.pool(pool)["servers"] if server["name"] == name)

    def status(self):
        return self.admin_get("/v1/status")

    def reload(self, config=None, by="api"):
        """Write `config` (the whole, or None for what was edited in place) and reload.
        by="api" returns the Answer; by="signal" returns when a new generation runs."""
        if config is not None:
            config = dict(config)
            for section in ("admin", "observe", "policy"):
                if section in self.config:
                    config.setdefault(section, self.config[section])
            self.config = copy.deepcopy(config)
        self.write_config(self.config)
        if by == "api":
            return self.admin("POST", "/v1/reload")
        before = self.status()["running"]["generation"]
        self.signal(signal.SIGHUP)
        self.wait_for(lambda: self.status()["running"]["generation"] > before)
        return None

    # -- waiting

    def wait_for(self, predicate, timeout=15.0, what=""):
        """Ask again until it is true; returns what it returned.  A sanitizer stretches the bound, as that of a whole test."""
        deadline = time.monotonic() + timeout * SCALE
        while True:
            result = predicate()
            if result:
                return result
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout} s in vain {what}; the proxy wrote:\n{self.stderr_text()[-3000:]}")
            assert self.process.poll() is None, f"the proxy ended:\n{self.stderr_text()[-4000:]}"
            time.sleep(0.02)

    def wait_event(self, event, timeout=15.0, nth=1, **fields):
        """Wait for a line of the structured log (the second of its kind: nth=2).  What it tells has happened:
        the next request meets it, which is not sure of what the admin listener says a moment before."""
        def found():
            lines = [line for line in self.log_events(event)
                     if all(line.get(key) == value for key, value in fields.items())]
            return lines[nth - 1] if len(lines) >= nth else None
        return self.wait_for(found, timeout, f"for the event {event} {fields or ''}")

    # -- what it wrote

    def stderr_text(self):
        try:
            with open(self.stderr_path, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log_events(self, event=None):
        """The structured log as dicts; only those of one event when given."""
        found = []
        for line in self.stderr_text().splitlines():
            if line.startswith("{"):
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if event is None or entry.get("event") == event:
                    found.append(entry)
        return found

    def access_log(self, count=1, timeout=15.0):
        """At least `count` lines of the access log, as dicts; waits for them."""
        def lines():
            try:
                with open(self.access_log_path) as file:
                    whole = [line for line in file.read().split("\n")[:-1] if line]
            except FileNotFoundError:
                whole = []
            return len(whole) >= count and whole
        return [json.loads(line) for line in self.wait_for(lines, timeout, f"for {count} access log lines")] if count else []

    # -- the process

    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))

    def peak_rss(self):
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))
