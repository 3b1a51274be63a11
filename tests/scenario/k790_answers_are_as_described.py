"""Every call about changes, revisions, freeze, break-glass and audit answers in the shape that OpenAPI describes."""
import copy

import jsonschema
import pytest
from o100_admin_answers_as_openapi_says import CALLS
from support.people import ROLES

COMPONENTS = "#/components/schemas/"
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}
YES = {"decision": "approve", "comment": "read"}


def strict(schema):
    """Closed objects: an answer may hold nothing that is not described."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("properties"):
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            strict(value)
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema


class Described:
    def __init__(self, document):
        self.document = document
        self.schemas = strict(copy.deepcopy(document["components"]["schemas"]))
        self.operations = {operation["operationId"]: (method.upper(), path, operation)
                           for path, methods in document["paths"].items() for method, operation in methods.items()}
        self.seen = set()

    def call(self, caller, operation, target=None, body=None, status=200, **headers):
        """Calls it, holds the answer against its description, and gives it."""
        method, path, described = self.operations[operation]
        answer = caller.call(method, target or path, body, headers={key.replace("_", "-"): value for key, value in headers.items()})
        assert answer.status == status, f"{method} {target or path}: {answer.status} {answer.body[:1500]}"
        content = described["responses"][str(status)]["content"]
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind in content, (operation, kind)
        self.seen.add(operation)
        if kind != "application/json" or "$ref" not in content[kind]["schema"]:
            return answer
        name = content[kind]["schema"]["$ref"].replace(COMPONENTS, "")
        root = {"components": {"schemas": self.schemas}, "$ref": COMPONENTS + name}
        try:
            jsonschema.Draft202012Validator(root, format_checker=jsonschema.FormatChecker()).validate(answer.json())
        except jsonschema.ValidationError as wrong:
            raise AssertionError(f"{method} {target or path} is not the {name} that is described: "
                                 f"{wrong.message[:500]} at {list(wrong.absolute_path)}") from None
        return answer.json()


@pytest.mark.timeout(120)
def test_each_answer_has_its_shape(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()], roles={**ROLES, "dan": [*ROLES["dan"], "author", "operator"]})
    ann, bob, dan = proxy.as_("ann"), proxy.as_("bob"), proxy.as_("dan")
    api = Described(proxy.admin_get("/v1/openapi.json"))
    body = {"title": "x", "reason": "y", "ticket": "T-1", "patch": PATCH}

    api.call(ann, "change_create", "/v1/changes?dry_run=true", body)
    draft = api.call(ann, "change_create", body=body, status=201)
    path = f"/v1/changes/{draft['id']}"
    edited = api.call(ann, "change_edit", path, {"title": "z"}, If_Match=draft["etag"])
    api.call(ann, "change_replace", path, body, If_Match=edited["etag"])
    api.call(ann, "change_submit", path + "/submit")
    api.call(ann, "change_reopen", path + "/reopen")
    change = api.call(ann, "change_submit", path + "/submit")
    api.call(ann, "change", path)
    api.call(ann, "change_diff", path + "/diff")
    api.call(ann, "change_impact", path + "/impact")
    api.call(ann, "change_findings", path + "/findings")
    api.call(ann, "change_bound", path + "/bound")
    api.call(bob, "change_decide", path + "/approvals", {**YES, "digest": change["digest"]})
    api.call(bob, "change_retract", path + "/approvals/bob")
    change = proxy.approve_fully(ann.change(draft["id"]))
    api.call(ann, "changes")
    api.call(ann, "change_apply", path + "/apply")
    api.call(ann, "change_extend", path + "/extend", {"deadline": "20m"})
    assert api.call(ann, "status")["pending_confirm"]
    api.call(ann, "change_confirm", path + "/confirm")

    second = proxy.approve_fully(ann.submit({"pools": {"app": {"servers": {"s1": {"weight": 60}}}}}, rollout=[{"percent": 9, "for": "9m"}]))
    api.call(ann, "change_apply", f"/v1/changes/{second['id']}/apply")
    assert api.call(ann, "status")["pending_confirm"]["rollout"]["percent"] == 9
    api.call(ann, "change", f"/v1/changes/{second['id']}")
    api.call(ann, "change_cancel", f"/v1/changes/{second['id']}/cancel", {"reason": "no"})
    api.call(ann, "rollback", body={"to": "previous", "reason": "no"})
    given_up = ann.submit(PATCH)
    proxy.run_change({"pools": {"app": {"servers": {"s2": {"weight": 90}}}}}, approvers=("bob", "cat"))
    api.call(ann, "change_rebase", f"/v1/changes/{given_up['id']}/rebase")
    api.call(ann, "change_withdraw", f"/v1/changes/{given_up['id']}/withdraw", {"reason": "no"})

    api.call(ann, "revisions")
    api.call(ann, "revision", "/v1/revisions/running")
    api.call(ann, "revision", "/v1/revisions/1")
    api.call(ann, "revision_config", "/v1/revisions/1/config")
    api.call(ann, "revision_diff", "/v1/revisions/1/diff/2")
    api.call(ann, "freeze")
    api.call(ann, "freeze_set", body={"reason": "x", "until": "1h"})
    api.call(ann, "freeze")
    api.call(ann, "freeze_lift")
    glass = proxy.as_("dan", on_socket=True)
    session = api.call(glass, "breakglass_open", body={"reason": "fire", "incident": "I-1"}, status=201)
    api.call(ann, "breakglass")
    alone = glass.submit({"pools": {"app": {"servers": {"s1": {"weight": 95}}}}})
    assert api.call(glass, "change_apply", f"/v1/changes/{alone['id']}/apply")["forced"]
    api.call(glass, "change_confirm", f"/v1/changes/{alone['id']}/confirm")
    api.call(bob, "breakglass_review", f"/v1/breakglass/{session['id']}/review", {"verdict": "accept", "comment": "seen"})
    api.call(ann, "breakglass")
    api.call(ann, "alerts")
    api.call(dan, "audit")
    api.call(dan, "audit_head")

    servers = "/v1/pools/app/servers"
    api.call(ann, "server_state", servers + "/s1/state", {"state": "drain", "reason": "x", "expires": "2h"})
    api.call(ann, "server_state", servers + "/s1/state", {"state": "ready"})
    api.call(ann, "server_add", servers, {"name": "s3", "address": make_origin().address}, status=202)
    api.call(ann, "server_change", servers + "/s1", {"weight": 90}, status=202)
    api.call(ann, "server_remove", servers + "/s2", status=202)
    besides = {"help", "healthz", "metrics", "openapi", "events"}
    missing = set(api.operations) - api.seen - set(CALLS) - besides
    assert not missing, missing
