"""From measurements to tables: medians, ratios within one round, and the machine they hold for."""
import datetime
import os
import re
import statistics
import subprocess

COLUMNS = {
    "cpu_us": ("CPU µs/request", "{:.2f}"),
    "user_us": ("user", "{:.2f}"),
    "system_us": ("system", "{:.2f}"),
    "cpu_us_per_mib": ("CPU µs/MiB", "{:.1f}"),
    "rps": ("requests/s", "{:,.0f}"),
    "p50_us": ("p50 µs", "{:,.0f}"),
    "p99_us": ("p99 µs", "{:,.0f}"),
    "bytes_per_client": ("bytes/client", "{:,.0f}"),
    "base_mib": ("resident MiB before", "{:.1f}"),
    "download_mib": ("peak MiB, download", "{:.1f}"),
    "upload_mib": ("peak MiB, upload", "{:.1f}"),
    "reload_ms": ("reload call ms", "{:.0f}"),
    "failures": ("failed requests", "{:.0f}"),
    "before_us": ("p99 µs, second before", "{:,.0f}"),
    "after_us": ("p99 µs, second of the change", "{:,.0f}"),
    "p99_ratio": ("after ÷ before", "{:.2f}"),
    "errors": ("errors", "{:.0f}"),
}


class Section:
    """One case's part of the report: text in Markdown, and whether something went wrong."""

    def __init__(self, case, title):
        self.case = case
        self.title = title
        self.lines = []
        self.trouble = []
        self.how = None         # instead of rounds and seconds

    def add(self, *lines):
        self.lines += lines

    def table(self, header, rows):
        self.add("", "| " + " | ".join(header) + " |",
                 "|---|" + "---:|" * (len(header) - 1),
                 *("| " + " | ".join(row) + " |" for row in rows), "")

    def measures(self, results, columns):
        """`results`: side name to one dict of measures a round."""
        header = ["side"] + [COLUMNS[c][0] for c in columns]
        rows = []
        for side, rounds in results.items():
            cells = [COLUMNS[c][1].format(statistics.median(r[c] for r in rounds))
                     for c in columns]
            rows.append([side] + cells)
            errors = sum(r.get("errors", 0) for r in rounds)
            if errors:
                self.trouble.append(f"{side}: {errors} failed requests or socket errors")
        self.table(header, rows)

    def ratios(self, results, column, goals, of="twokey"):
        """`of`'s measure divided by each other side's, round by round; goals by side name."""
        if of not in results:
            self.add(f"({of} was not measured)")
            return
        for side, goal in goals.items():
            peers = [results[s] for s in side.split("|") if s in results]
            if not peers:
                continue
            quotients = [own[column] / max(1e-9, min(p[column] for p in peer))
                         for own, *peer in zip(results[of], *peers)]
            median = statistics.median(quotients)
            name = "the better of " + " and ".join(side.split("|")) if "|" in side else side
            text = (f"- {of} ÷ {name}: **{median:.2f}** "
                    f"({min(quotients):.2f} to {max(quotients):.2f})")
            if goal is not None:
                text += f", goal ≤ {goal:g}: {'met' if median <= goal else '**not met**'}"
            self.add(text)

    def text(self):
        trouble = [f"- **trouble**: {t}" for t in self.trouble]
        body = "\n".join(self.lines + trouble)
        return f"## {self.case}: {self.title}\n{re.sub(chr(10) + '{3,}', chr(10) * 2, body)}\n"


def output(*args):
    try:
        done = subprocess.run(args, capture_output=True, text=True, timeout=10, check=False)
        return (done.stdout + done.stderr).strip()
    except OSError:
        return ""


def machine():
    """What the figures hold for."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = re.search(r"model name\s*: (.*)", info.read())
    with open("/proc/meminfo", encoding="utf-8") as info:
        memory = int(re.search(r"MemTotal:\s+(\d+)", info.read()).group(1)) >> 20
    with open("/etc/os-release", encoding="utf-8") as info:
        system = re.search(r'PRETTY_NAME="?([^"\n]*)', info.read())
    virtual = output("systemd-detect-virt", "--vm")

    def version(pattern, *args):
        found = re.search(pattern, output(*args))
        return found.group(1) if found else "not installed"

    return [
        ("processor", f"{model.group(1) if model else 'unknown'}, {os.cpu_count()} cores"
         + (f", virtual ({virtual})" if virtual not in ("", "none") else "")),
        ("memory", f"{memory} GiB"),
        ("system", f"{system.group(1) if system else 'unknown'}, Linux {os.uname().release}"),
        ("nginx", version(r"nginx/(\S+)", "nginx", "-v")),
        ("HAProxy", version(r"version (\S+)", "haproxy", "-v")),
        ("wrk", version(r"wrk (?:debian/)?(\S+)", "wrk", "-v")),
        ("h2load", version(r"nghttp2/(\S+)", "h2load", "--version")),
        ("compiler of floor and origin", output("cc", "--version").splitlines()[0]),
    ]


def how_measured(bench, section):
    """One line under each section: the circumstances of that run."""
    load = " ".join(f"{x:.1f}" for x in os.getloadavg()[:2])
    commit = output("git", "-C", bench.here, "describe", "--always", "--dirty", "--exclude=*")
    today = datetime.date.today().isoformat()
    how = section.how or f"{bench.rounds} rounds of {bench.seconds} s"
    return f"\n{today}, at commit {commit or 'unknown'}: {how}, load average of the machine {load}.\n"


PREAMBLE = """# Results

Written by `./dev bench --write`; [README.md](README.md) says how to read it. A section stands for the
run of its case named below it; ratios are medians of ratios taken within one round, with the lowest and
highest round in brackets. A machine that does other work meanwhile shifts all sides of a round alike: trust ratios
more than figures, and CPU time more than latency.

"""


def write(bench, sections, path):
    """Replace the sections of the cases just run; keep the others."""
    old = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as source:
            for part in source.read().split("\n## ")[1:]:
                old[part.split(":", 1)[0]] = "## " + part.rstrip("\n") + "\n"
    for section in sections:
        old[section.case] = section.text() + how_measured(bench, section)
    order = [case for case in bench.order if case in old] + [case for case in old if case not in bench.order]
    facts = "\n".join(f"- {name}: {value}" for name, value in machine())
    with open(path, "w", encoding="utf-8") as target:
        target.write(PREAMBLE + facts + "\n\n" + "\n".join(old[case] for case in order))
