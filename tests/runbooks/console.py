"""
Runs what a document shows: each ```console block is commands (`$ …`) and what they print.

A document gets a folder of its own with build/twokey, three demo servers, three demo people, and the proxy in
front of the servers, as `./dev run` gives a reader: the configuration, the people's tokens and the state lie
under build/demo; only the ports differ.  `systemctl` starts and stops that proxy, as it would twokey.service.
What is printed is compared after masking what differs from run to run: numbers, times, digests, ids.  A line `…`
stands for any lines, `…` within one for any text.  A command that only looks is repeated for a while, as a reader
would repeat it, and so is one that puts what it sees into a variable.  What a command puts into a variable the
later ones have.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from support.bounds import SCALE
from support.proxy import ROOT, binary, free_port

PORTS = ("8080", "8443", "9901", "9001", "9002", "9003", "9004")
PATIENCE_S = 60
CHANGES = re.compile(r"-X (POST|PUT|DELETE|PATCH)| -d |sed -i|\b(cp|mv|rm|kill|systemctl) ")
VARIABLE = re.compile(r"([A-Z_]+)=(\$\(.*\)|\"[^\"]*\"|\S+)$", re.S)
SOURCED = re.compile(r"\. build/demo/tokens$")

KEPT = r'HTTP/1\.[01] \d{3}|"status":\d{3}|^\d{3}$|^ *\d+ \d{3}$|\d+ of \d+ servers|weight \d+ -> \d+|\d+ is not'
MASKED = (r"\bchg_[0-9A-Z]{26}\b|\bbg_[0-9a-f]{23}\b|(?<=tk_)\w+?_[\w-]{43}|\b[0-9a-f]{64}\b"
          r"|\d{4}-\d\d-\d\dT[\d:.]+Z|(?<=^Date: ).*$|(?<=sha256:)[0-9a-f]+|\b[0-9a-f]{32}\b"
          r"|(?<![\w.])\d+(?:\.\d+)*(?:e-?\d+)?%?|(?<= )-(?= |$)")


def is_kept(command):
    """It prints nothing, and all later commands have what it sets."""
    return bool(SOURCED.match(command) or VARIABLE.match(command))


def mask(line):
    def one(found):
        if found.group("kept") is None:
            return "N"
        return re.sub(r"^ *\d+ (?=\d{3}$)", "N ", found.group())
    line = re.sub(r"(?P<kept>%s)|%s" % (KEPT, MASKED), one, line.rstrip())
    return re.sub(r"\s+", " ", line).strip()


def blocks(text):
    """(line, command, [lines it prints]) of every console block; those of the section "Practise" come first."""
    practise = re.search(r"^## Practise\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if practise is None:
        return _blocks(text, 1)
    before, after = text[:practise.start()], text[practise.end():]
    first = before.count("\n") + 1
    return (_blocks(practise.group(), first) + _blocks(before, 1)
            + _blocks(after, first + practise.group().count("\n")))


def _blocks(text, first):
    found, inside = [], False
    for number, line in enumerate(text.split("\n"), first):
        if line.startswith("```"):
            inside = line.strip() == "```console"
        elif inside and line.startswith("$ "):
            found.append((number, line[2:], []))
        elif inside and found and (found[-1][1].endswith("\\") or found[-1][1].count("'") % 2 == 1):
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


def is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


SYSTEMCTL = """#!/bin/sh
# what a document does with twokey.service is done with the proxy of its stage
echo "$1" >systemctl.asked
mv systemctl.asked systemctl.asks
while [ -e systemctl.asks ]; do sleep 0.05; done
"""


class Stage:
    """The folder, the servers, the people and the proxy that a document's reader has before him."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tk-doc-")
        self.ports = {}
        while len(set(self.ports.values())) < len(PORTS):
            self.ports = {port: str(free_port()) for port in PORTS}
        self.servers, self.sessions, self.proxy, self.variables = [], [], None, {}
        for name in ("build", "bin", "conf.d"):
            os.mkdir(self.path(name))
        os.symlink(binary(), self.path("build", "twokey"))
        os.symlink(os.path.join(ROOT, "demo"), self.path("demo"))
        with open(os.open(self.path("bin", "systemctl"), os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
            file.write(SYSTEMCTL)
        for name in os.listdir(os.path.join(ROOT, "conf.d")):
            with open(os.path.join(ROOT, "conf.d", name)) as file:
                text = self.here(file.read())
            with open(self.path("conf.d", name), "w") as file:
                file.write(text)
        subprocess.run([sys.executable, os.path.join(ROOT, "demo", "people"), "build/twokey", "conf.d", "build/demo"],
                       cwd=self.folder, check=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def here(self, text):
        return re.sub(r"(?<!\d)(%s)(?!\d)" % "|".join(PORTS), lambda found: self.ports[found.group()], text)

    def start(self):
        for number in (1, 2, 3):
            self.servers.append(self.spawn(sys.executable, os.path.join(ROOT, "demo", "server.py"), "s%d" % number,
                                           "127.0.0.1:" + self.ports["900%d" % number]))
        for number in (1, 2, 3):
            self.wait_server("s%d" % number, self.ports["900%d" % number])
        self.start_proxy()
        return self

    def start_proxy(self):
        self.proxy = self.spawn("build/twokey", "serve", "--config", "build/demo/conf.d",
                                "--state", "build/demo/state", "--first-start")
        self.wait("http://127.0.0.1:%s/healthz" % self.ports["9901"])

    def stop_proxy(self):
        self.proxy.terminate()
        try:
            self.proxy.wait(40)
        except subprocess.TimeoutExpired:
            self.proxy.kill()
            self.proxy.wait()

    def serve_systemctl(self):
        """What a command asks of systemctl meanwhile."""
        asks = self.path("systemctl.asks")
        if not os.path.exists(asks):
            return
        with open(asks) as file:
            verb = file.read().strip()
        if verb in ("stop", "restart") and self.proxy.poll() is None:
            self.stop_proxy()
        if verb in ("start", "restart"):
            self.start_proxy()
        os.unlink(asks)

    def spawn(self, *command):
        with open(self.path("log"), "ab") as log:
            return subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self, url):
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return urllib.request.urlopen(url, timeout=2).read()
            except OSError:
                assert time.monotonic() < until, "%s does not answer:\n%s" % (url, self.log())
                time.sleep(0.05)

    def wait_server(self, name, port):
        """It says that it listens: an answer might be somebody else's."""
        until = time.monotonic() + PATIENCE_S
        while "demo server %s on 127.0.0.1:%s\n" % (name, port) not in self.log():
            assert time.monotonic() < until, "%s does not listen:\n%s" % (name, self.log())
            time.sleep(0.05)

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as file:
            return file.read()[-3000:]

    def once(self, command):
        """The lines that it prints."""
        script = "\n".join(list(self.variables.values()) + [self.here(command)])
        environment = dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"])
        with open(self.path("printed"), "w+") as printed:
            ran = subprocess.Popen(["bash", "-c", script], cwd=self.folder, stdin=subprocess.DEVNULL, env=environment,
                                   stdout=printed, stderr=subprocess.STDOUT, start_new_session=True)
            until = time.monotonic() + 180 * SCALE
            while ran.poll() is None:
                self.serve_systemctl()
                if time.monotonic() > until:
                    ran.kill()
                time.sleep(0.02)
            if is_alive(ran.pid):
                self.sessions.append(ran.pid)
            printed.seek(0)
            return printed.read().splitlines()

    def keep(self, name, command):
        """Runs an assignment; its variable is there for all that follows."""
        printed = self.once("%s\ndeclare -p %s" % (command, name))
        declared = [line for line in printed if line.startswith("declare -- %s=" % name)]
        if declared:
            self.variables[name] = declared[0]
        return [line for line in printed if line not in declared]

    def run(self, line, command, expected):
        """What is wrong, or None."""
        if SOURCED.match(command):
            self.variables[command] = command
            return None
        variable = VARIABLE.match(command)
        if variable:
            return self.assigned(line, command, variable.group(1))
        until = self.until()
        printed = self.once(command)
        while not agrees(expected, printed):
            if self.is_done(command, until):
                return "line %d: $ %s\n-- shown:\n%s\n-- printed:\n%s" % (
                    line, command, "\n".join(expected), "\n".join(printed))
            time.sleep(0.3)
            printed = self.once(command)
        return None

    def until(self):
        return time.monotonic() + PATIENCE_S * SCALE

    def is_done(self, command, until):
        """It is not to be repeated: it changes something, or time is over."""
        return bool(CHANGES.search(command) and "/explain" not in command) or time.monotonic() > until

    def assigned(self, line, command, name):
        until = self.until()
        while True:
            printed = self.keep(name, command)
            value = self.variables.get(name, "").partition("=")[2].strip('"')
            if not printed and value not in ("", "null"):
                return None
            if self.is_done(command, until):
                return "line %d: $ %s\n-- gives %r, printed:\n%s" % (line, command, value, "\n".join(printed))
            time.sleep(0.3)

    def end(self):
        if self.proxy is not None and self.proxy.poll() is None:
            self.stop_proxy()
        for server in self.servers:
            server.kill()
            server.wait()
        for session in self.sessions:  # what a document left running
            if is_alive(session):
                os.killpg(session, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
