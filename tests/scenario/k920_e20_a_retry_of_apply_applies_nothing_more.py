"""E-20: whoever got no answer asks again: with the same key he gets the answer, without one he is told how it stands."""
import http.client

from support.client import get

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def test_retries(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann = proxy.as_("ann")
    change = proxy.approve_fully(ann.submit(PATCH))
    path, key = f"/v1/changes/{change['id']}/apply", {"Idempotency-Key": "once", "Authorization": f"Bearer {proxy.tokens['ann']}"}
    host, _, port = proxy.admin_address.rpartition(":")
    impatient = http.client.HTTPConnection(host, int(port), timeout=20)
    impatient.request("POST", path, headers=key)
    impatient.sock.close()  # gone before the answer
    answer = ann.post(path, headers={"Idempotency-Key": "once"})
    assert answer.status == 200 and answer.json()["state"] == "confirming", answer.body
    assert ann.post(path, headers={"Idempotency-Key": "once"}).body == answer.body
    without = ann.post(path)
    assert without.status in (200, 409) and change["id"] in without.body
    assert len(ann.get("/v1/revisions").json()["revisions"]) == 2
    assert get(proxy.address).status == 200
