"""`twokey submit --rollout 1:30s,10:2m`."""
import json

from support.origin import named
from support.people import run_cli

PATCH = json.dumps({"pools": {"app": {"slow_start": "1s"}}})


def submit(proxy, steps):
    return run_cli(proxy, "ann", "submit", "-", "--title", "slowly", "--reason", "a test", "--rollout", steps, "--json", stdin=PATCH)


def test_the_steps_are_the_changes(make_origin, make_enforced):
    proxy = make_enforced([make_origin(named("s1"))])
    said = submit(proxy, "1:30s,10:2m")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["rollout"] == [{"percent": 1, "for": "30s"}, {"percent": 10, "for": "2m"}]


def test_what_is_wrong_is_told(make_origin, make_enforced):
    proxy = make_enforced([make_origin(named("s1"))])
    for steps, word in [("1", "PERCENT:TIME"), ("x:30s", "PERCENT:TIME"), ("1:3s", "10s"), ("100:30s", "1 to 99"), ("1:", "/rollout/0/for")]:
        said = submit(proxy, steps)
        assert said.returncode != 0 and word in said.stderr, (steps, said.stderr)
