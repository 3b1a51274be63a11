"""A certificate whose name stands in people.X.certificate_names says who calls: as a token does, and never as somebody else."""
import json

import pytest
from support.tls import Authority, admin_tls, client_context


class World:
    """People with certificates beside their tokens; the same authority signed the listener's."""

    def __init__(self, make_enforced, origin, authority):
        self.authority = authority
        self.certificates = {
            "ann": authority.certificate("ann", "ann.people", email="ann@example.com"),
            "bob": authority.certificate("bob", "bob.people"),
            "eve": authority.certificate("eve", "eve.people"),
            "both": authority.certificate("both", "ann.people", "bob.people"),
        }
        more = admin_tls(authority, authority.certificate("admin", "localhost", ip="127.0.0.1"), client_ca=authority)
        more["config"]["people"] = {"ann": {"certificate_names": ["Ann@Example.com", "ann.people"]}, "bob": {"certificate_names": ["bob.people"]}}
        self.proxy = make_enforced([origin], **more)
        self.proxy.admin_context = client_context(authority)

    def connect(self, who=None):
        return self.proxy.admin_connection(context=client_context(self.authority, self.certificates[who] if who else None))

    def call(self, who, method, path, body=None, token=None, connection=None):
        """(status, JSON)"""
        one = connection or self.connect(who)
        headers = {"Authorization": f"Bearer {self.proxy.tokens[token]}"} if token else {}
        one.request(method, path, json.dumps(body) if body is not None else None, headers)
        reply = one.getresponse()
        text = reply.read()
        if connection is None:
            one.close()
        return reply.status, json.loads(text)


@pytest.fixture
def world(make_enforced, origin, authority):
    return World(make_enforced, origin, authority)


def test_it_is_known_with_all_that_he_may(world):
    status, who = world.call("ann", "GET", "/v1/whoami")
    assert status == 200 and (who["person"], who["auth"], who["source"]) == ("ann", "certificate", "127.0.0.1")
    assert "author" in who["roles"]
    status, change = world.call("ann", "POST", "/v1/changes?submit=true",
                                {"title": "less", "reason": "test", "patch": {"pools": {"app": {"servers": {"s1": {"weight": 7}}}}}})
    assert status == 201 and change["author"] == "ann"
    status, _ = world.call("bob", "POST", f"/v1/changes/{change['id']}/approvals", {"digest": change["digest"], "decision": "approve"})
    assert status < 300
    records = world.proxy.as_("dan").get("/v1/audit").json()["records"]
    record = next(record for record in records if record["event"] == "change.submitted")
    assert (record["actor"]["person"], record["actor"]["auth"]) == ("ann", "certificate")
    assert record["actor"]["principal"] == "certificate:Ann@Example.com"
    assert '"127.0.0.1"' in json.dumps(record)


def test_one_person_with_token_and_certificate_is_one(world):
    change = world.proxy.as_("ann").submit({"people": {"eve": {"roles": ["viewer"], "certificate_names": ["eve.people"]}}})
    assert change["approvals"]["required"] == 2
    world.proxy.as_("bob").approve(change)
    status, problem = world.call("bob", "POST", f"/v1/changes/{change['id']}/approvals", {"digest": change["digest"], "decision": "approve"})
    assert (status, problem["type"]) == (409, "/v1/problems/already-decided")
    status, problem = world.call("ann", "POST", f"/v1/changes/{change['id']}/approvals", {"digest": change["digest"], "decision": "approve"})
    assert (status, problem["type"]) == (403, "/v1/problems/self-approval")
    assert world.proxy.as_("cat").change(change)["state"] == "pending"


@pytest.mark.parametrize("who,token,says", [
    ("bob", "ann", "the token is ann's and the certificate bob's"),
    ("both", None, "stand for two people"),
    ("both", "ann", "stand for two people"),
    ("eve", None, "this certificate is nobody's"),
    (None, None, "the call needs Authorization"),
])
def test_whoever_is_two_or_nobody_is_refused(world, who, token, says):
    status, problem = world.call(who, "GET", "/v1/whoami", token=token)
    assert status == 401 and says in problem["detail"], problem
    denied = [record for record in world.proxy.as_("dan").get("/v1/audit").json()["records"] if record["event"] == "call.unauthenticated"]
    assert denied and denied[-1]["actor"]["person"] == "nobody"


def test_a_token_goes_on_with_its_persons_certificate_or_one_of_nobody(world):
    for who in ("ann", "eve", None):
        status, answer = world.call(who, "GET", "/v1/whoami", token="ann")
        assert status == 200 and (answer["person"], answer["auth"]) == ("ann", "token")


def test_what_another_authority_signed_ends_the_handshake(world, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(str(tmp_path / "other"), "other")
    world.certificates["forged"] = other.certificate("ann", "ann.people", email="ann@example.com")
    with pytest.raises(OSError):
        world.call("forged", "GET", "/v1/whoami", token="ann")
    failed = world.proxy.wait_event("admin-handshake-failed")
    assert failed["source"] == "127.0.0.1" and "issuer" in failed["why"] or "verif" in failed["why"], failed


def test_who_goes_is_gone_on_open_connections_too(world):
    open_one = world.connect("bob")
    assert world.call("bob", "GET", "/v1/whoami", connection=open_one)[0] == 200
    world.proxy.run_change({"people": {"bob": {"disabled": True}}}, approvers=("cat", "dan"))
    status, problem = world.call("bob", "GET", "/v1/whoami", connection=open_one)
    assert status == 401 and "no longer" in problem["detail"]
    assert world.call("bob", "GET", "/v1/whoami")[0] == 401


def test_failures_are_counted_by_the_callers_address(world):
    wrong = "tk_ann_" + "A" * 43

    def fail(source):
        one = world.connect()
        one.source_address = (source, 0)
        one.request("GET", "/v1/whoami", headers={"Authorization": f"Bearer {wrong}"})
        reply = one.getresponse()
        reply.read()
        one.close()
        return reply.status
    statuses = [fail("127.0.0.2") for _ in range(12)]
    assert statuses[:10] == [401] * 10 and statuses[-1] == 429
    assert fail("127.0.0.3") == 401
    assert world.call("ann", "GET", "/v1/whoami")[0] == 200
    assert world.proxy.wait_event("login-refused", source="127.0.0.3")


def test_names_are_one_persons_and_need_an_authority(world):
    ann = world.proxy.as_("ann")
    taken = ann.post("/v1/changes?submit=true", {"title": "x", "reason": "y", "patch": {"people": {"cat": {"certificate_names": ["BOB.people"]}}}})
    assert taken.status == 422 and "bob's certificate name too" in taken.body
    config = ann.get("/v1/config").json()
    del config["admin"]["tls"]["client_ca_file"]
    draft = ann.post("/v1/changes?dry_run=true", {"title": "x", "reason": "y", "config": config, "deletes": ["/admin/tls/client_ca_file"]})
    assert "nobody is asked for a certificate" in draft.body, draft.body
