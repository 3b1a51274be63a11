"""drain, maint, ready: one server out and back; what the guard refuses is told with what to do."""
from support.people import run_cli


def test_out_and_back(make_enforced, make_origin):
    proxy = make_enforced([make_origin(), make_origin(), make_origin()])
    done = run_cli(proxy, "ann", "drain", "app", "s1", "--reason", "kernel", "--expires", "2h", "--wait", "10s")
    assert done.returncode == 0 and done.stdout == "app/s1: drain, 0 requests run there\n", done.stderr
    ordered = proxy.server("s1")["admin"]
    assert (ordered["state"], ordered["by"], ordered["reason"]) == ("drain", "ann", "kernel") and ordered["expires"]
    done = run_cli(proxy, "ann", "maint", "app", "s2")
    assert done.returncode == 1 and "The pool would be left with too little (409)" in done.stderr
    assert run_cli(proxy, "ann", "ready", "app", "s1").returncode == 0
    assert proxy.server("s1")["admin"]["state"] == "ready"
    assert run_cli(proxy, "cat", "drain", "app", "s1").returncode == 1
    assert run_cli(proxy, "ann", "drain", "app", "none").returncode == 1
