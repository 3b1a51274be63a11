"""limits.underscores: a field name with an underscore is dropped, refused, or allowed."""
import pytest

from support.client import get

SPOOF = [("X_Forwarded_Proto", "https"), ("X-Plain", "1")]


@pytest.mark.parametrize("policy,status,passes", [("drop", 200, False), ("reject", 400, False), ("allow", 200, True)])
def test_policy(make_proxy, origin, policy, status, passes):
    proxy = make_proxy(origin, listener={"limits": {"underscores": policy}})
    assert get(proxy.address, headers=SPOOF).status == status
    if status == 200:
        seen = origin.wait_requests(1)[0]
        assert seen.header("x-plain") == "1"
        assert (seen.header("x_forwarded_proto") == "https") is passes
