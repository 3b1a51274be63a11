"""Load generators: each function runs one for a bounded time and returns what it reported."""
import json
import re
import subprocess

from harness.process import BenchError, running, start

UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6}


def finish(process, seconds):
    """The standard output of a load generator, which has `seconds` to end."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise BenchError(f"{process.args[0]} did not end in {seconds} s") from None
    finally:
        running.remove(process)
    if process.returncode != 0:
        raise BenchError(f"{process.args[0]} failed: {(err or out).decode().strip()[-400:]}")
    return out.decode()


def run(args, cores, seconds):
    return finish(start(args, cores, stdout=subprocess.PIPE, stderr=subprocess.PIPE), seconds)


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def wrk(bench, url, connections, seconds, host=None, script=None):
    """As many requests as go through: requests, errors, requests per second, p50 and p99."""
    args = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    if host:
        args += ["-H", f"Host: {host}"]
    if script:
        args += ["-s", script]
    out = run(args + [url], bench.load_cores, seconds + 30)
    requests, took = re.search(r"(\d+) requests in ([\d.]+\w+)", out).groups()
    errors = sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", out))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    quantile = dict(re.findall(r"^\s+(\d+)%\s+([\d.]+\w+)$", out, re.M))
    return {
        "requests": int(requests),
        "errors": errors + (int(bad.group(1)) if bad else 0),
        "rps": int(requests) / (microseconds(took) / 1e6),
        "p50_us": microseconds(quantile["50"]),
        "p99_us": microseconds(quantile["99"]),
    }


def paced(bench, port, connections, rate, seconds, host="bench.example", log=None):
    """A fixed rate; latency counts from when each request was due."""
    args = [bench.program("paced"), "-c", str(connections), "-r", str(rate), "-s", str(seconds),
            "-H", host]
    if log:
        args += ["-l", log]
    return json.loads(run(args + [str(port)], bench.load_cores, seconds + 30))


def h2(bench, url, connections, streams, seconds):
    """As many requests as go through over HTTP/2, so many at once on each connection."""
    out = run(["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", url],
              bench.load_cores, seconds + 30)
    rate = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", out).group(1)
    done, failed, errored, timeout = (int(n) for n in re.search(
        r"requests: .* (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored, (\d+) timeout",
        out).groups())
    if "Application protocol: h2" not in out:
        raise BenchError("h2load did not speak HTTP/2")
    good = int(re.search(r"status codes: (\d+) 2xx", out).group(1))
    return {"requests": good, "errors": failed + errored + timeout, "rps": float(rate)}


def h2load(bench, url, connections, requests):
    """Exactly so many requests over HTTP/1.1; returns how many failed."""
    out = run(["h2load", "--h1", "-n", str(requests), "-c", str(connections), url],
              bench.load_cores, 120)
    done = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout",
                     out)
    status = re.search(r"status codes: (\d+) 2xx", out)
    return max(requests - int(done.group(1)), requests - int(status.group(1)))
