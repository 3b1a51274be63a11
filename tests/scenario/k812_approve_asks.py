"""`twokey approve` on a terminal shows the change, asks, and takes nothing but a yes for one."""
import os
import pty
import subprocess

import pytest
from support.proxy import binary


def answer(proxy, change, typed):
    """(exit code, what stood on the terminal) of bob's approve when he types this."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TWOKEY_ADMIN": "http://" + proxy.admin_address, "TWOKEY_TOKEN": proxy.tokens["bob"]}
    process = subprocess.Popen([binary(), "approve", change["id"]], stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    seen, has_typed = b"", False
    while True:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # the last one has closed it
            break
        if b"[y/N] " in seen and not has_typed:
            os.write(ours, typed)
            has_typed = True
    code = process.wait(30)
    os.close(ours)
    return code, seen.decode()


@pytest.mark.parametrize("typed,approves", [(b"y\n", True), (b"n\n", False), (b"\n", False), (b"\x04", False)])
def test_it_asks(make_enforced, make_origin, typed, approves):
    proxy = make_enforced([make_origin(), make_origin()])
    change = proxy.as_("ann").submit({"pools": {"app": {"servers": {"s2": {"weight": 90}}}}}, title="a little less")
    code, seen = answer(proxy, change, typed)
    assert code == (0 if approves else 1)
    assert "a little less" in seen and "/pools/app/servers/s2/weight" in seen and f"Approve exactly {change['digest']}?" in seen
    assert ("nothing was decided" in seen) is not approves
    given = [row["person"] for row in proxy.as_("ann").change(change)["approvals"]["given"]]
    assert given == (["bob"] if approves else [])
