"""
Runs what a document shows: each ```console block is commands (`$ …`) and what they print.

A document gets a folder of its own with conf.d and build/twokey, three demo servers, and the proxy in front
of them, as `./dev run` gives a reader; only the ports differ.  What is printed is compared after masking what
differs from run to run: numbers, times, digests.  A line `…` stands for any lines, `…` within one for any text.
A command that only looks is repeated for a while, as a reader would repeat it.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from support.proxy import ROOT, binary, free_port

PORTS = ("8080", "9901", "9001", "9002", "9003")
PATIENCE_S = 20
CHANGES = re.compile(r"-X (POST|PUT|DELETE|PATCH)|sed -i|\b(cp|mv|rm|kill) ")
VARIABLE = re.compile(r"[A-Z_]+=\S+$")

KEPT = r'HTTP/1\.[01] \d{3}|"status":\d{3}|^\d{3}$|^ *\d+ \d{3}$|\d+ of \d+ servers|weight \d+ -> \d+|\d+ is not'
MASKED = (r"\d{4}-\d\d-\d\dT[\d:.]+Z|(?<=^Date: ).*$|(?<=sha256:)[0-9a-f]+|\b[0-9a-f]{32}\b"
          r"|(?<![\w.])\d+(?:\.\d+)*(?:e-?\d+)?%?|(?<= )-(?= |$)")


def mask(line):
    def one(found):
        if found.group("kept") is None:
            return "N"
        return re.sub(r"^ *\d+ (?=\d{3}$)", "N ", found.group())
    line = re.sub(r"(?P<kept>%s)|%s" % (KEPT, MASKED), one, line.rstrip())
    return re.sub(r"\s+", " ", line).strip()


def blocks(text):
    """(line, command, [lines it prints]) of every console block."""
    found, inside = [], False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            inside = line.strip() == "```console"
        elif inside and line.startswith("$ "):
            found.append((number, line[2:], []))
        elif inside and found and found[-1][1].endswith("\\"):
            found[-1] = (found[-1][0], found[-1][1] + "\n" + line, [])
        elif inside:
            assert found, "line %d: output without a command" % number
            found[-1][2].append(line)
    return found


def agrees(expected, printed):
    """Are these lines those, after masking?"""
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += "[^\n]*".join(re.escape(part) for part in mask(line).split("…")) + r"\n"
    text = "".join(mask(line) + "\n" for line in printed)
    return re.fullmatch(pattern, text) is not None


class Stage:
    """The folder, the servers and the proxy that a document's reader has before him."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tk-doc-")
        self.ports = {}
        while len(set(self.ports.values())) < len(PORTS):
            self.ports = {port: str(free_port()) for port in PORTS}
        self.children, self.assignments = [], []
        os.makedirs(os.path.join(self.folder, "build"))
        os.symlink(binary(), os.path.join(self.folder, "build", "twokey"))
        os.mkdir(os.path.join(self.folder, "conf.d"))
        for name in os.listdir(os.path.join(ROOT, "conf.d")):
            with open(os.path.join(ROOT, "conf.d", name)) as file:
                text = self.here(file.read())
            with open(os.path.join(self.folder, "conf.d", name), "w") as file:
                file.write(text)

    def here(self, text):
        return re.sub(r"(?<!\d)(%s)(?!\d)" % "|".join(PORTS), lambda found: self.ports[found.group()], text)

    def start(self):
        for number in (1, 2, 3):
            self.spawn(sys.executable, os.path.join(ROOT, "demo", "server.py"), "s%d" % number,
                       "127.0.0.1:" + self.ports["900%d" % number])
        for number in (1, 2, 3):
            self.wait("http://127.0.0.1:%s/healthz" % self.ports["900%d" % number])
        self.proxy = self.spawn("build/twokey", "serve", "--config", "conf.d", "--state", "state")
        self.wait("http://127.0.0.1:%s/healthz" % self.ports["9901"])
        return self

    def spawn(self, *command):
        log = open(os.path.join(self.folder, "log"), "ab")
        child = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.children.append(child)
        return child

    def wait(self, url):
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return urllib.request.urlopen(url, timeout=2).read()
            except OSError:
                assert time.monotonic() < until, "%s does not answer:\n%s" % (url, self.log())
                time.sleep(0.05)

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as file:
            return file.read()[-3000:]

    def once(self, command):
        script = "\n".join(self.assignments + [self.here(command)])
        ran = subprocess.run(["bash", "-c", script], cwd=self.folder, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        return ran.stdout.splitlines()

    def run(self, line, command, expected):
        """What is wrong, or None."""
        if VARIABLE.match(command):
            self.assignments.append(self.here(command))
            return None
        until = time.monotonic() + PATIENCE_S * float(os.environ.get("TWOKEY_TEST_SCALE", "1"))
        printed = self.once(command)
        while not agrees(expected, printed):
            if CHANGES.search(command) or time.monotonic() > until:
                return "line %d: $ %s\n-- shown:\n%s\n-- printed:\n%s" % (
                    line, command, "\n".join(expected), "\n".join(printed))
            time.sleep(0.3)
            printed = self.once(command)
        return None

    def end(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            try:
                child.wait(40)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
