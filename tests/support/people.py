"""
People for tests of staged changes: a proxy in mode enforced, whose people have fresh tokens.

    proxy = make_enforced([origin])                      # fixture; takes what make_proxy takes
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = ann.post("/v1/changes?submit=true", {...}).json()
    bob.approve(change)
    ann.post(f"/v1/changes/{change['id']}/apply")

ann, bob, cat and dan are people, ci is ann's service; ROLES says what each may do.
"""
import base64
import copy
import hashlib
import http.client
import json
import os
import socket
import subprocess

from support.bounds import SCALE
from support.proxy import Answer, Proxy, binary, merge, simple_config

ROLES = {
    "ann": ["author", "operator", "approver"],
    "bob": ["author", "operator", "approver"],
    "cat": ["viewer", "approver"],
    "dan": ["approver", "admin", "auditor", "breakglass"],
    "ci": ["author", "operator"],
}
# Nothing waits: a change may be confirmed at once.
POLICY = {"mode": "enforced", "confirm": {"min_bake": "0s"}}


def make_token(person):
    """As `twokey token` makes one."""
    return f"tk_{person}_{base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip('=')}"


def hash_of(token):
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def make_people(roles=None):
    """(the section `people`, the tokens by person)"""
    tokens = {name: make_token(name) for name in roles or ROLES}
    people = {name: {"roles": list(has), "tokens": [{"id": "test", "hash": hash_of(tokens[name])}]}
              for name, has in (roles or ROLES).items()}
    if "ci" in people:
        people["ci"].update(kind="service", owner="ann")
    return people, tokens


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        folder = os.open(os.path.dirname(self.path), os.O_PATH)  # the path may be too long for an address
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(self.path)}")
        finally:
            os.close(folder)


class Caller:
    """Somebody with a token (None: nobody), over TCP or the Unix socket."""

    def __init__(self, proxy, token, on_socket=False, headers=None):
        self.proxy = proxy
        self.token = token
        self.on_socket = on_socket
        self.headers = dict(headers or {})

    def call(self, method, path, body=None, headers=None, timeout=30 * SCALE):
        """The Answer, whatever its status."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {"Authorization": None}
        sent.update(self.headers)
        sent.update(headers or {})
        if not self.on_socket:
            return self.proxy.admin(method, path, body, sent, timeout)
        connection = _SocketConnection(self.proxy.socket_path, timeout)
        try:
            data = json.dumps(body) if isinstance(body, (dict, list)) else body
            connection.request(method, path, data, {key: value for key, value in sent.items() if value is not None})
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read().decode())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body, **options)

    def put(self, path, body=None, **options):
        return self.call("PUT", path, body, **options)

    def patch(self, path, body=None, **options):
        return self.call("PATCH", path, body, **options)

    def delete(self, path, body=None, **options):
        return self.call("DELETE", path, body, **options)

    # -- changes; each asserts that it went well, and returns the change

    def _done(self, answer):
        assert answer.status < 300, f"{answer.status} {answer.body[:2000]}"
        return answer.json()

    def change(self, change):
        """As it is now; `change` may be the id."""
        return self._done(self.get(f"/v1/changes/{change if isinstance(change, str) else change['id']}"))

    def submit(self, patch=None, title="a change", **fields):
        """Creates and submits a change."""
        body = {"title": title, "reason": "a test", **fields}
        if patch is not None:
            body["patch"] = patch
        return self._done(self.post("/v1/changes?submit=true", body))

    def approve(self, change, comment="read"):
        return self._decide(change, "approve", comment)

    def veto(self, change, comment="no"):
        return self._decide(change, "veto", comment)

    def _decide(self, change, decision, comment):
        self._done(self.post(f"/v1/changes/{change['id']}/approvals",
                             {"digest": change["digest"], "decision": decision, "comment": comment}))
        return self.change(change)

    def apply(self, change):
        return self._done(self.post(f"/v1/changes/{change['id']}/apply"))

    def confirm(self, change):
        return self._done(self.post(f"/v1/changes/{change['id']}/confirm"))


def run_cli(proxy, person, *arguments, on_socket=False, env=None, stdin=None):
    """`twokey …` as somebody (None: without a token): a CompletedProcess with texts."""
    address = "unix:" + proxy.socket_path if on_socket else proxy.admin_url
    given = {key: value for key, value in os.environ.items() if key not in ("TWOKEY_TOKEN", "TWOKEY_ADMIN")}
    given.update({"TWOKEY_ADMIN": address, **({"TWOKEY_TOKEN": proxy.tokens[person]} if person else {}), **(env or {})})
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60, env=given,
                          **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}))


class EnforcedProxy(Proxy):
    """Where a test does not say who asks, ann does."""

    def __init__(self, config, tokens, args=("--first-start",), **options):
        self.tokens = dict(tokens)
        self.is_damaged = False  # set by a test that damages the state directory: else it is verified at the end
        super().__init__(config, args=args, **options)
        if "ann" in self.tokens:
            self.admin_headers = {"Authorization": f"Bearer {self.tokens['ann']}"}

    def as_(self, person, on_socket=False, headers=None):
        return Caller(self, self.tokens[person], on_socket, headers)

    def nobody(self, on_socket=False):
        return Caller(self, None, on_socket)

    def with_token(self, token, on_socket=False):
        return Caller(self, token, on_socket)

    def approve_fully(self, change):
        """By as many of those who may as it needs; the change as it is then."""
        for person in change["approvals"]["who_can"][:change["approvals"]["required"]]:
            self.as_(person).approve(change)
        return self.as_("ann").change(change)

    def run_change(self, patch, author="ann", approvers=("bob",), **fields):
        """All the way: submitted, approved, applied, confirmed; the change as it is then."""
        change = self.as_(author).submit(patch, **fields)
        for approver in approvers:
            self.as_(approver).approve(change)
        self.as_(author).apply(change)
        self.as_(author).confirm(change)
        return self.as_(author).change(change)


def enforced_config(origins, roles=None, policy=None, **overrides):
    """(the configuration, the tokens); `policy` merges into POLICY."""
    config = simple_config(origins, **overrides)
    people, tokens = make_people(roles)
    config["people"] = merge(people, config.get("people", {}))
    config["policy"] = merge(merge(copy.deepcopy(POLICY), config.get("policy", {})), policy or {})
    return config, tokens


def enforced_proxy(origins, roles=None, policy=None, **overrides):
    options = {name: overrides.pop(name) for name in ("env", "args") if name in overrides}
    config, tokens = enforced_config(origins, roles, policy, **overrides)
    return EnforcedProxy(config, tokens, **options)
