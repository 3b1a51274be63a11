"""The cases: what is measured, and against which goal.

A case is a function that starts what it needs, fills in a report.Section, and may leave its
processes running: the caller stops them. To add one, write the function and a row in CASES.
"""
import dataclasses
import os
import socket
import statistics
import subprocess
import threading
import time
import typing

from harness import load
from harness.process import BenchError, forget_peak, peak_bytes, scratch
from harness.sides import (Direct, Floor, HAProxy, HAProxySplice, Nginx, Origin, OriginH2, Setup,
                           Twokey, TwokeyByName, many_routes, one_pool)

MIB = 1 << 20
IDLE_CLIENTS = 10000
SHARE_REQUESTS = 10000
SHARE_SERVERS = 4
BIG_ROUTES, BIG_POOLS, BIG_SERVERS = 10000, 1000, 10
MANY_CERTIFICATES, RENEWALS = 1000, 20


@dataclasses.dataclass
class Case:
    title: str
    run: typing.Callable


def start_sides(bench, kinds, **setup):
    """One origin and the given sides in front of it; no twokey where it is not built."""
    origin = OriginH2(bench) if setup.get("servers_h2") else Origin(bench)
    return [kind(bench, Setup(origin.port, bench.workers, **setup))
            for kind in kinds if kind is not Twokey or bench.twokey]


def need_twokey(bench):
    if not bench.twokey:
        raise BenchError("needs build/twokey")


def interleave(bench, sides, measure):
    """Measure every side in every round, the order turned by one each time."""
    results = {side.name: [] for side in sides}
    for number in range(bench.rounds):
        turn = number % len(sides)
        for side in sides[turn:] + sides[:turn]:
            results[side.name].append(measure(side))
    return results


def with_cpu(side, make_load):
    """One run of load with the proxy's CPU time around it, per request."""
    user, system = side.cpu()
    run = make_load()
    user_after, system_after = side.cpu()
    count = max(1, run["requests"])
    run["user_us"] = (user_after - user) * 1e6 / count
    run["system_us"] = (system_after - system) * 1e6 / count
    run["cpu_us"] = run["user_us"] + run["system_us"]
    return run


def under_wrk(bench, side, path, connections, **more):
    return with_cpu(side, lambda: load.wrk(bench, side.url(path), connections, bench.seconds,
                                           **more))


def warm_up(bench, sides, path, connections):
    for side in sides:
        load.wrk(bench, side.url(path), connections, 1)


def get(connections, goals, log=False):
    """Small GETs over kept-alive connections, as many as go through."""
    def run(bench, section):
        kinds = [Nginx, HAProxy, Twokey] if log else [Nginx, HAProxy, Floor, Twokey]
        sides = start_sides(bench, kinds, log=log)
        warm_up(bench, sides, "/", connections)

        def measure(side):
            if log:
                side.mark_log()
            measured = under_wrk(bench, side, "/", connections)
            if log:
                time.sleep(1.2)     # what is still buffered
                lines = side.check_log()
                if lines < measured["requests"]:
                    section.trouble.append(
                        f"{side.name}: {lines} log lines for {measured['requests']} requests")
            return measured

        results = interleave(bench, sides, measure)
        section.measures(results, ["cpu_us", "user_us", "system_us", "rps", "p50_us", "p99_us"])
        section.ratios(results, "cpu_us", goals)
    return run


def certificate():
    """ECDSA, P-256, with its key in one file, as HAProxy wants it."""
    path = os.path.join(scratch(), "bench.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                           "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                           "/CN=bench.example", "-keyout", path + ".key", "-out", path],
                          capture_output=True, check=False)
    if made.returncode:
        raise BenchError("openssl makes no certificate: " + made.stderr.decode())
    with open(path + ".key", encoding="ascii") as key, open(path, "a", encoding="ascii") as both:
        both.write(key.read())
    return path


def closing_script(bench):
    path = os.path.join(bench.bin, "close.lua")
    with open(path, "w", encoding="ascii") as target:
        target.write('wrk.headers["Connection"] = "close"\n')
    return path


def many_certificates(bench, section):
    """twokey against itself: a full handshake among one certificate, and among very many."""
    need_twokey(bench)
    origin = Origin(bench)
    sides = [TwokeyByName(bench, Setup(origin.port, bench.workers, tls=certificate(), certificates=count), name)
             for count, name in ((1, "one certificate"), (MANY_CERTIFICATES, "many certificates"))]
    script = closing_script(bench)
    warm_up(bench, sides, "/", 64)
    results = interleave(bench, sides, lambda side: under_wrk(bench, side, "/", 64, script=script))
    section.measures(results, ["cpu_us", "user_us", "system_us", "rps", "p99_us"])
    section.ratios(results, "cpu_us", {"one certificate": 1.05}, of="many certificates")


def renewals(bench, section):
    """A certificate replaced again and again under full handshakes: none may fail."""
    need_twokey(bench)
    origin = Origin(bench)
    path = certificate()
    side = TwokeyByName(bench, Setup(origin.port, bench.workers, tls=path))
    failed_before = side.metric("twokey_listener_tls_failures_total")
    handshakes_before = side.metric("twokey_listener_tls_handshakes_total")
    replaced = []

    def replace():
        for _ in range(RENEWALS):
            certificate()
            replaced.append(side.call("POST", "/v1/reload")[0])
            time.sleep(bench.seconds / RENEWALS / 2)

    worker = threading.Thread(target=replace)
    worker.start()
    while worker.is_alive():
        run = load.wrk(bench, side.url("/"), 64, bench.seconds, script=closing_script(bench))
        if run["errors"]:
            raise BenchError(f"{run['errors']} requests failed")
    worker.join()
    if replaced != [200] * RENEWALS:
        raise BenchError(f"reloads were answered {replaced}")
    handshakes = side.metric("twokey_listener_tls_handshakes_total") - handshakes_before
    failed = side.metric("twokey_listener_tls_failures_total") - failed_before
    section.add("", f"{handshakes:,.0f} full handshakes while the certificate was replaced {RENEWALS} times: "
                    f"**{failed:.0f}** failed, goal 0: {'met' if not failed else 'not met'}")


def tls(goals, closes=False):
    """TLS 1.3 to clients: requests on kept connections, or a full handshake for each."""
    def run(bench, section):
        sides = start_sides(bench, [Nginx, HAProxy, Twokey], tls=certificate())
        more = {"script": closing_script(bench)} if closes else {}
        warm_up(bench, sides, "/", 64)
        results = interleave(bench, sides,
                             lambda side: under_wrk(bench, side, "/", 64, **more))
        section.measures(results, ["cpu_us", "user_us", "system_us", "rps", "p50_us", "p99_us"])
        section.ratios(results, "cpu_us", goals)
    return run


def h2(goals, over_tls):
    """Small GETs over HTTP/2, 100 streams at once on each of four connections."""
    def run(bench, section):
        more = {"tls": certificate()} if over_tls else {}
        sides = start_sides(bench, [Nginx, HAProxy, Twokey], h2=True, **more)

        def measure(side):
            return with_cpu(side, lambda: load.h2(bench, side.url("/"), 4, 100, bench.seconds))

        for side in sides:
            measure(side)
        results = interleave(bench, sides, measure)
        section.measures(results, ["cpu_us", "user_us", "system_us", "rps"])
        section.ratios(results, "cpu_us", goals)
    return run


def h2_body(over_tls):
    """1 MiB answers over HTTP/2, four at once on each of four connections: CPU time by the MiB."""
    def run(bench, section):
        more = {"tls": certificate()} if over_tls else {}
        sides = start_sides(bench, [Nginx, HAProxy, Twokey], h2=True, **more)

        def measure(side):
            measured = with_cpu(side, lambda: load.h2(bench, side.url("/1m"), 4, 4, bench.seconds))
            measured["cpu_us_per_mib"] = measured["cpu_us"]
            return measured

        for side in sides:
            measure(side)
        results = interleave(bench, sides, measure)
        section.measures(results, ["cpu_us_per_mib", "user_us", "system_us", "rps"])
        section.ratios(results, "cpu_us_per_mib", {"nginx|haproxy": 0.9, "nginx": None})
    return run


def h2_servers(bench, section):
    """Small GETs of HTTP/1.1 clients, to a server that speaks HTTP/2."""
    sides = start_sides(bench, [Nginx, HAProxy, Twokey], servers_h2=True)
    warm_up(bench, sides, "/", 64)
    results = interleave(bench, sides, lambda side: under_wrk(bench, side, "/", 64))
    section.measures(results, ["cpu_us", "user_us", "system_us", "rps", "p50_us", "p99_us"])
    section.ratios(results, "cpu_us", {"nginx": None, "haproxy": None})


def body(path, size, connections, script=None):
    """Bodies: CPU time by the MiB."""
    def run(bench, section):
        sides = start_sides(bench, [Nginx, HAProxy, HAProxySplice, Floor, Twokey])
        more = {}
        if script:
            more["script"] = os.path.join(bench.bin, "upload.lua")
            with open(more["script"], "w", encoding="ascii") as target:
                target.write(script)
        warm_up(bench, sides, path, connections)

        def measure(side):
            measured = under_wrk(bench, side, path, connections, **more)
            measured["cpu_us_per_mib"] = measured["cpu_us"] * MIB / size
            return measured

        results = interleave(bench, sides, measure)
        section.measures(results, ["cpu_us_per_mib", "cpu_us", "user_us", "system_us", "rps",
                                   "p99_us"])
        section.ratios(results, "cpu_us_per_mib",
                       {"nginx|haproxy": 0.9, "haproxy-splice": None, "floor": None})
    return run


def p99_half(bench, section):
    """The same rate for all: half of what the slowest of them can do."""
    sides = start_sides(bench, [Nginx, HAProxy, Floor, Twokey])
    trials = interleave(bench, sides, lambda side: load.wrk(bench, side.url("/"), 64, 1))
    full = {name: max(r["rps"] for r in runs) for name, runs in trials.items()}
    rate = int(min(full.values()) / 2)
    sides.append(Direct(sides[0].setup.server_port))
    section.add("", "Saturation: " + ", ".join(f"{n} {r:,.0f}/s" for n, r in full.items())
                + f". Rate: {rate:,}/s over 64 connections.")

    def measure(side):
        run = load.paced(bench, side.port, 64, rate, bench.seconds)
        return {**run, "errors": run["failures"]}

    results = interleave(bench, sides, measure)
    section.measures(results, ["p50_us", "p99_us"])
    section.ratios(results, "p99_us", {"nginx|haproxy": 1.0})


def one_request(client):
    client.sendall(b"GET / HTTP/1.1\r\nHost: bench.example\r\n\r\n")
    if not client.recv(65536).startswith(b"HTTP/1.1 200"):
        raise BenchError("an idle client got no 200")


def idle_clients(port, count):
    """Connections that have each made one request and stay open."""
    clients = []
    try:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            clients.append(client)
            one_request(client)
    except OSError as why:
        for client in clients:
            client.close()
        raise BenchError(f"after {len(clients)} idle clients: {why}") from None
    return clients


def idle_memory(bench, section):
    """A fresh process each round, since memory once used is seldom given back."""
    count = min(IDLE_CLIENTS, bench.descriptors - 1000)
    results = {}
    for _ in range(bench.rounds):
        for side in start_sides(bench, [Nginx, HAProxy, Twokey]):
            for client in idle_clients(side.port, 64):
                client.close()
            time.sleep(0.3)
            before = side.resident()
            clients = idle_clients(side.port, count)
            time.sleep(0.3)
            growth = side.resident() - before
            for client in clients:
                client.close()
            side.stop()
            results.setdefault(side.name, []).append(
                {"bytes_per_client": growth / count, "base_mib": before / MIB})
    section.add("", f"{count:,} clients. Goal: twokey ≤ 600 bytes.")
    section.measures(results, ["bytes_per_client", "base_mib"])
    if "twokey" in results:
        grown = statistics.median(r["bytes_per_client"] for r in results["twokey"])
        section.add(f"- twokey: **{grown:.0f}** bytes: {'met' if grown <= 600 else '**not met**'}")


def big_config(port, note="1"):
    return many_routes(port, BIG_ROUTES, BIG_POOLS, BIG_SERVERS, note)


def many_routes_case(bench, section):
    """twokey against itself: one route and pool, and very many."""
    need_twokey(bench)
    origin = Origin(bench)
    servers = [f"127.1.0.{n + 1}" for n in range(BIG_SERVERS)]
    small = Twokey(bench, Setup(origin.port, bench.workers,
                                config=one_pool(servers, origin.port)), "one route")
    began = time.monotonic()
    big = Twokey(bench, Setup(origin.port, bench.workers, config=big_config(origin.port)),
                 "many routes")
    section.add("", f"{BIG_ROUTES:,} routes, {BIG_POOLS:,} pools of {BIG_SERVERS} servers; it "
                    f"answered {time.monotonic() - began:.1f} s after its start.")
    host = f"h{BIG_ROUTES // 3}.bench.example"

    def measure(side):
        return under_wrk(bench, side, "/", 64, host=host)

    for side in (small, big):
        measure(side)
    results = interleave(bench, [small, big], measure)
    section.measures(results, ["cpu_us", "user_us", "system_us", "rps", "p99_us"])
    section.ratios(results, "cpu_us", {"one route": 1.05}, of="many routes")


def percentile(values, percent):
    if not values:
        raise BenchError("no request in that second")
    return sorted(values)[len(values) * percent // 100]


def reload_once(bench, side, number):
    """Load for eight seconds; after four the configuration changes."""
    log = os.path.join(side.scratch, "samples")
    outcome = {}

    def change():
        time.sleep(4)
        side.write_config(big_config(side.setup.server_port, note=f"{number + 2}"))
        outcome["at"] = time.monotonic()
        outcome["status"], outcome["text"] = side.call("POST", "/v1/reload")
        outcome["took"] = time.monotonic() - outcome["at"]

    changer = threading.Thread(target=change)
    changer.start()
    run = load.paced(bench, side.port, 64, 2000, 8, host="h100.bench.example", log=log)
    changer.join()
    if outcome.get("status") != 200:
        raise BenchError(f"reload answered {outcome.get('status')}: {outcome.get('text')}")
    at = outcome["at"] * 1e6
    before, after = [], []
    with open(log, encoding="ascii") as samples:
        for line in samples:
            due, latency, _ = (int(x) for x in line.split())
            if at - 1e6 <= due < at:
                before.append(latency)
            elif at <= due < at + 1e6:
                after.append(latency)
    measured = {"failures": run["failures"], "errors": run["failures"],
                "reload_ms": outcome["took"] * 1e3,
                "before_us": percentile(before, 99), "after_us": percentile(after, 99)}
    measured["p99_ratio"] = measured["after_us"] / max(1, measured["before_us"])
    return measured


def reload_under_load(bench, section):
    """A change of the big configuration while 2,000 requests a second come in."""
    need_twokey(bench)
    origin = Origin(bench)
    side = Twokey(bench, Setup(origin.port, bench.workers, cores=frozenset(bench.cores),
                               config=big_config(origin.port)))
    results = {"twokey": [reload_once(bench, side, n) for n in range(bench.rounds)]}
    section.add("", "2,000 requests/s over 64 connections; twokey is not pinned. "
                    "Goal: no failed request, after ÷ before ≤ 2.")
    section.measures(results, ["failures", "before_us", "after_us", "p99_ratio", "reload_ms"])


def share(bench, section):
    """How evenly four equal servers are used, whatever the workers and connections."""
    need_twokey(bench)
    origin = Origin(bench, ports=SHARE_SERVERS)
    servers = {f"s{i + 1}": {"address": f"127.0.0.1:{port}"}
               for i, port in enumerate(origin.ports)}
    config = {"30-pools": {"pools": {"web": {"servers": servers}}},
              "40-routes": {"routes": {"everything": {"pool": "web"}}}}
    rows, worst = [], 0.0
    for workers in range(1, 9):
        side = Twokey(bench, Setup(origin.port, workers, config=config,
                                   cores=frozenset(bench.cores)))
        for connections in (1, 3, 16, 64, 200):
            before = origin.served()
            failed = load.h2load(bench, side.url("/"), connections, SHARE_REQUESTS)
            shares = [100 * (after - start) / SHARE_REQUESTS
                      for start, after in zip(before, origin.served())]
            off = max(abs(s - 100 / SHARE_SERVERS) for s in shares)
            worst = max(worst, off)
            if failed:
                section.trouble.append(f"{workers} workers, {connections} connections: "
                                       f"{failed} of {SHARE_REQUESTS} requests failed")
            rows.append([str(workers), str(connections)] + [f"{s:.2f}" for s in shares]
                        + [f"{off:.2f}"])
        side.stop()
    section.table(["workers", "connections"] + [f"s{i + 1} %" for i in range(SHARE_SERVERS)]
                  + ["furthest from 25"], rows)
    section.add(f"- furthest share from 25 %: **{worst:.2f}** points, goal ≤ 1: "
                f"{'met' if worst <= 1 else '**not met**'}")


def download(port, path):
    """Read a whole answer; how many bytes there were."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: bench.example\r\n"
                       "Connection: close\r\n\r\n".encode())
        total = 0
        while data := client.recv(MIB):
            total += len(data)
    return total


def upload(port, size):
    """Send a body of `size` bytes; the status line of the answer."""
    block = bytes(MIB)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(f"POST / HTTP/1.1\r\nHost: bench.example\r\n"
                       f"Content-Length: {size}\r\n\r\n".encode())
        for _ in range(size // MIB):
            client.sendall(block)
        return client.recv(65536).split(b"\r\n", 1)[0]


def big_body_memory(bench, section):
    """The most memory that is resident while 1 GiB goes through."""
    size = 1 << 30
    results = {}
    sides = start_sides(bench, [Nginx, HAProxy, Twokey])
    for _ in range(min(bench.rounds, 3)):
        for side in sides:
            forget_peak(side.pid)
            if download(side.port, "/1g") < size:
                raise BenchError(f"{side.name}: the download was cut short")
            down = peak_bytes(side.pid)
            forget_peak(side.pid)
            status = upload(side.port, size)
            if b" 200 " not in status:
                raise BenchError(f"{side.name}: the upload was answered with {status!r}")
            results.setdefault(side.name, []).append(
                {"download_mib": down / MIB, "upload_mib": peak_bytes(side.pid) / MIB})
    section.add("", "1 GiB each way over one connection. Goal: twokey under 64 MiB.")
    section.measures(results, ["download_mib", "upload_mib"])


UPLOAD_LUA = 'wrk.method = "POST"\nwrk.body = string.rep("x", 1048576)\n'
GET_GOALS = {"nginx": 0.75, "haproxy": 0.65, "floor": 1.25}

CASES = {
    "get-64": Case("small GET, keep-alive, 64 connections", get(64, GET_GOALS)),
    "get-512": Case("small GET, keep-alive, 512 connections", get(512, GET_GOALS)),
    "get-64-log": Case("small GET, 64 connections, JSON access log to a file",
                       get(64, {"nginx": 0.75, "haproxy": None}, log=True)),
    "tls-get-64": Case("small GET over TLS 1.3, keep-alive, 64 connections",
                       tls({"nginx": 0.8, "haproxy": None})),
    "tls-handshakes": Case("a full TLS 1.3 handshake for each small GET, ECDSA P-256",
                           tls({"nginx": 1.0, "haproxy": None}, closes=True)),
    "tls-certificates": Case("a full handshake among 1,000 certificates", many_certificates),
    "tls-renewals": Case("a certificate replaced 20 times under full handshakes", renewals),
    "h2-get": Case("small GET over HTTP/2 and TLS 1.3, 4 connections of 100 streams",
                   h2({"nginx": 0.8, "haproxy": None}, over_tls=True)),
    "h2c-get": Case("small GET over HTTP/2 in clear text, 4 connections of 100 streams",
                    h2({"nginx": 0.8, "haproxy": None}, over_tls=False)),
    "h2-body-1m": Case("1 MiB answers over HTTP/2 and TLS 1.3, 4 connections of 4 streams",
                       h2_body(over_tls=True)),
    "h2c-body-1m": Case("1 MiB answers over HTTP/2 in clear text, 4 connections of 4 streams",
                        h2_body(over_tls=False)),
    "h2-servers": Case("small GET of 64 HTTP/1.1 clients, to a server of HTTP/2 in clear text",
                       h2_servers),
    "body-16k": Case("16 KiB answers, 64 connections", body("/16k", 16 << 10, 64)),
    "body-1m": Case("1 MiB answers, 16 connections", body("/1m", MIB, 16)),
    "upload-1m": Case("1 MiB uploads, 16 connections", body("/", MIB, 16, UPLOAD_LUA)),
    "p99-half": Case("latency at half the saturation rate", p99_half),
    "idle-memory": Case("memory of idle keep-alive clients", idle_memory),
    "many-routes": Case("cost of a request among many routes and pools", many_routes_case),
    "reload-under-load": Case("changing a big configuration under load", reload_under_load),
    "share": Case("share of four equal servers in 10,000 requests", share),
    "big-body-memory": Case("memory while a 1 GiB body goes through", big_body_memory),
}
