"""The proxies that are compared, and the origin behind them.

A side is started with what it has to stand in front of, and then looks the same to every case:
a port, CPU seconds, memory.
"""
import dataclasses
import http.client
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request

from harness.process import (BenchError, cpu_seconds, free_port, resident_bytes, scratch, start,
                             stop, wait_listening)

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclasses.dataclass
class Setup:
    """What a side has to do in a case."""
    server_port: int
    workers: int = 1
    log: bool = False
    tls: str = ""           # a file with a certificate and its key: TLS to clients
    certificates: int = 1   # twokey only: so many names have one; clients ask for the last, localhost
    h2: bool = False        # clients speak HTTP/2
    servers_h2: bool = False    # the servers do, in clear text
    cores: frozenset = frozenset()
    config: dict = None     # twokey only: the sections that stand for routes and pools


def anyone():
    """The certificate is the harness's own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def fill_in(template, directory, words):
    """Write a configuration into a scratch directory; its path."""
    with open(os.path.join(HERE, "peers", template), encoding="utf-8") as source:
        text = source.read()
    for word, value in {"SCRATCH": directory, **words}.items():
        text = text.replace(f"@{word}@", str(value))
    path = os.path.join(directory, template)
    with open(path, "w", encoding="utf-8") as target:
        target.write(text)
    return path


class Side:
    """A running proxy. `name` is its name in the table."""

    def __init__(self, bench, setup, name=None):
        self.bench = bench
        self.setup = setup
        self.name = name or self.kind
        self.scratch = scratch()
        self.port = free_port()
        self.log_path = os.path.join(self.scratch, "access.log")
        self.log_from = 0
        self.cores = setup.cores or bench.proxy_cores(setup.workers)
        self.process = self.launch()
        wait_listening(self.process, self.port)
        self.check_answer()

    @property
    def pid(self):
        return self.process.pid

    def check_answer(self):
        """The proxy passes a request on, or there is nothing to measure."""
        if self.setup.h2:
            self.check_h2()
            return
        try:
            with urllib.request.urlopen(self.url("/"), timeout=10, context=anyone()) as answer:
                if answer.status == 200 and len(answer.read()) == 11:
                    return
                raise BenchError(f"{self.name} does not pass the origin's answer on")
        except (OSError, http.client.HTTPException) as why:
            raise BenchError(f"{self.name} gives no answer: {why}") from None

    def check_h2(self):
        how = ["--http2"] if self.setup.tls else ["--http2-prior-knowledge"]
        done = subprocess.run(["curl", "-sSk", "-m", "10", "-w", "%{http_version}", *how, self.url("/")],
                              capture_output=True, check=False)
        if done.returncode or len(done.stdout) != 12 or not done.stdout.endswith(b"2"):
            raise BenchError(f"{self.name} does not speak HTTP/2: {(done.stderr or done.stdout)[:200]!r}")

    def mark_log(self):
        """check_log() counts from here."""
        self.log_from = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    def check_log(self):
        """How many lines came since mark_log(); the first is JSON."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_from)
            first = log.readline()
            lines = 1 + sum(1 for _ in log)
        try:
            json.loads(first)
        except ValueError:
            raise BenchError(f"{self.name} has no JSON access log: {first[:200]!r}") from None
        return lines

    def url(self, path):
        return f"http{'s' if self.setup.tls else ''}://127.0.0.1:{self.port}{path}"

    def cpu(self):
        return cpu_seconds(self.pid)

    def resident(self):
        return resident_bytes(self.pid)

    def stop(self):
        stop(self.process)

    def fill_in(self, template, words):
        """Write a peer's configuration into the scratch directory; its path."""
        return fill_in(template, self.scratch, {
            "PORT": self.port, "SERVER_PORT": self.setup.server_port, "WORKERS": self.setup.workers,
            "DESCRIPTORS": self.bench.descriptors, **words})


class Floor(Side):
    kind = "floor"

    def launch(self):
        return start([self.bench.program("floor"), "-w", str(self.setup.workers), str(self.port),
                      str(self.setup.server_port)], self.cores)


class Nginx(Side):
    kind = "nginx"

    def launch(self):
        log = f"{self.log_path} json buffer=64k flush=1s" if self.setup.log else "off"
        path = self.fill_in("nginx.conf", {
            "ACCESS_LOG": log,
            "TLS": (" ssl" if self.setup.tls else "") + (" http2" if self.setup.h2 else ""),
            "CERTIFICATE": f"ssl_certificate {self.setup.tls}; ssl_certificate_key {self.setup.tls};"
                           if self.setup.tls else "",
            # It has no other way to servers of HTTP/2, and one stream a connection on this one.
            "PASS": "grpc" if self.setup.servers_h2 else "proxy",
            "SCHEME": "grpc" if self.setup.servers_h2 else "http",
            "WORKER_CONNECTIONS": min(20000, self.bench.descriptors),
        })
        return start(["nginx", "-e", "stderr", "-c", path], self.cores)


class HAProxy(Side):
    kind = "haproxy"
    log_format = ('{"time":"%T","client":"%ci","request_id":"%ID","method":"%HM","path":"%HU",'
                  '"protocol":"%HV","status":%ST,"bytes_in":%U,"bytes_out":%B,"route":"%f",'
                  '"pool":"%b","server":"%s","queue":%Tw,"connect":%Tc,"first_byte":%Tr,'
                  '"duration":%Ta,"end":"%tsc"}').replace('"', '\\"')
    splice = ""

    def launch(self):
        path = self.fill_in("haproxy.cfg", {
            "LOG_TARGET": "log stdout format raw local0" if self.setup.log else "",
            "LOG_FORMAT": f'log global\n    log-format "{self.log_format}"'
                          if self.setup.log else "",
            "SPLICE": self.splice,
            "TLS": (f" ssl crt {self.setup.tls}" if self.setup.tls else "") + self.protocol(),
            "SERVER_PROTO": " proto h2" if self.setup.servers_h2 else "",
            "PROTO": "https" if self.setup.tls else "http",
        })
        # HAProxy writes lines as they are to a descriptor, not to a path.
        with open(self.log_path, "wb") as log:
            return start(["haproxy", "-db", "-f", path], self.cores, stdout=log,
                         stderr=self.bench.errors)

    def protocol(self):
        if not self.setup.h2:
            return ""
        return " alpn h2,http/1.1" if self.setup.tls else " proto h2"


class HAProxySplice(HAProxy):
    """Bodies moved inside the kernel, which HAProxy leaves to the operator to switch on."""
    kind = "haproxy-splice"
    splice = "option splice-auto"


class Twokey(Side):
    kind = "twokey"

    def launch(self):
        self.conf = os.path.join(self.scratch, "conf.d")
        self.state = os.path.join(self.scratch, "state")
        self.admin = free_port()
        os.mkdir(self.conf)
        os.mkdir(self.state)
        more = {"protocol": "h2"} if self.setup.servers_h2 else {}
        self.write_config(self.setup.config
                          or one_pool(["127.0.0.1"], self.setup.server_port, **more))
        return start([*self.bench.wrapper, self.bench.twokey, "serve", "--config", self.conf,
                      "--state", self.state],
                     self.cores, stderr=self.bench.errors)

    def write_config(self, routing):
        """conf.d with the given pools and routes; a running twokey sees it at the next reload."""
        sections = {
            "00-process": {
                "process": {"workers": self.setup.workers, "shutdown_timeout": "1s",
                            "max_connections": 16000},
                "admin": {"listen": f"127.0.0.1:{self.admin}"},
                "observe": {"access_log": {"path": self.log_path if self.setup.log else "off"}},
                "policy": {"mode": "off"}},
            "10-listeners": {"listeners": {"web": {
                "address": f"127.0.0.1:{self.port}", "keepalive_requests": 1000000000}}},
            **routing,
        }
        if self.setup.tls:
            names = [f"n{i}" for i in range(1, self.setup.certificates)] + ["bench"]
            sections["10-listeners"]["listeners"]["web"]["tls"] = {"certificates": names}
            sections["20-certificates"] = {"certificates": {name: {
                "cert_file": self.setup.tls, "key_file": self.setup.tls,
                "names": ["localhost" if name == "bench" else f"{name}.example"]} for name in names}}
            sections["00-process"]["process"]["file_roots"] = [os.path.dirname(self.setup.tls)]
        for name, section in sections.items():
            path = os.path.join(self.conf, name + ".json")
            with open(path + ".new", "w", encoding="utf-8") as target:
                json.dump(section, target)
            os.replace(path + ".new", path)

    def call(self, method, path):
        """One call of the admin API: status, text."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()

    def metric(self, name):
        """The sum of all samples of this name."""
        return sum(float(line.split()[-1]) for line in self.call("GET", "/metrics")[1].splitlines()
                   if line.startswith(name + "{"))


class TwokeyByName(Twokey):
    """Clients say whom they look for (SNI)."""

    def url(self, path):
        return super().url(path).replace("127.0.0.1", "localhost")


def pool(addresses, port, **more):
    servers = {f"s{i + 1}": {"address": f"{a}:{port}"} for i, a in enumerate(addresses)}
    return {"servers": servers,
            "keepalive": {"idle_per_worker": 1024, "max_requests": 1000000000}, **more}


def one_pool(addresses, port, **more):
    return {"30-pools": {"pools": {"web": pool(addresses, port, **more)}},
            "40-routes": {"routes": {"everything": {"pool": "web"}}}}


def many_routes(port, routes, pools, servers, note="1"):
    """Each host has two routes; pool p's servers are 127.1.x.y, all of them the one origin."""
    def address(p, s):
        n = p * servers + s
        return f"127.{1 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}"

    all_pools = {f"p{p}": pool([address(p, s) for s in range(servers)], port)
                 for p in range(pools)}
    all_routes = {}
    for r in range(routes):
        conditions = {"hosts": [f"h{r // 2}.bench.example"], "pool": f"p{r // 2 % pools}"}
        if r % 2:
            conditions["path_prefix"] = f"/api/{r}"
        all_routes[f"r{r}"] = conditions
    all_routes[f"r{routes - 1}"] = {"pool": "p0"}  # any host: what check_answer() asks for
    all_routes["r0"]["request_headers"] = {"set": {"x-bench": note}}
    return {"30-pools": {"pools": all_pools}, "40-routes": {"routes": all_routes}}


class Origin:
    """The server behind every side. It shares its cores with the load generators."""

    def __init__(self, bench, ports=1):
        self.ports = [free_port() for _ in range(ports)]
        self.port = self.ports[0]
        self.process = start([bench.program("origin"), *map(str, self.ports)], bench.load_cores)
        wait_listening(self.process, self.ports[-1])

    def served(self):
        """Requests so far, by port."""
        counts = []
        for port in self.ports:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/served", timeout=10) as answer:
                counts.append(int(answer.read()))
        return counts

    def stop(self):
        stop(self.process)


class OriginH2:
    """The same over HTTP/2 in clear text, for the small answer."""

    def __init__(self, bench):
        self.port = free_port()
        directory = scratch()
        path = fill_in("origin-h2.conf", directory, {"PORT": self.port})
        self.process = start(["nginx", "-e", "stderr", "-c", path], bench.load_cores)
        wait_listening(self.process, self.port)


class Direct:
    """No proxy at all: the load goes straight to the origin."""
    name = "no proxy"

    def __init__(self, port):
        self.port = port

    def cpu(self):
        return 0.0, 0.0

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self):
        pass
