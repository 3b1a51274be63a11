"""Mode enforced begins with `serve --first-start`, once; what nobody reviewed is told until one change was."""
import subprocess

from support.client import get
from support.people import enforced_config
from support.people import EnforcedProxy
from support.proxy import binary


def serve(proxy, *args):
    return subprocess.run([binary(), "serve", "--config", proxy.conf_dir, "--state", proxy.state_dir, *args],
                          capture_output=True, text=True, timeout=60)


def test_without_first_start_it_says_what_to_do(make_origin):
    config, tokens = enforced_config([make_origin()])
    proxy = EnforcedProxy(config, tokens, args=())
    try:
        done = serve(proxy)
        assert done.returncode == 2 and "--first-start" in done.stderr and "backup" in done.stderr, done.stderr
        proxy.args = ["--first-start"]
        proxy.start()
        assert get(proxy.address).status == 200
        proxy.stop()
        proxy.args = []
        proxy.start()
        assert get(proxy.address).status == 200, "it has a revision now"
        proxy.stop()
        proxy.args = ["--first-start"]
        proxy.start()
        assert proxy.status()["running"]["rev"] == 1, "without effect"
        proxy.stop()
    finally:
        proxy.discard()


def test_unreviewed_until_one_change_went_the_whole_way(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    ann = proxy.as_("ann")

    def alerts():
        return [alert["name"] for alert in ann.get("/v1/alerts").json()["alerts"]]

    assert "UnreviewedConfiguration" in alerts()
    proxy.stop()
    proxy.start()
    assert "UnreviewedConfiguration" in alerts()
    change = ann.submit({"pools": {"app": {"slow_start": "1s"}}})
    proxy.approve_fully(change)
    ann.apply(change)
    assert "UnreviewedConfiguration" in alerts()
    ann.confirm(change)
    assert "UnreviewedConfiguration" not in alerts()


def test_an_address_that_is_taken_leaves_no_revision_behind(make_origin):
    """The next start takes the mended files, not the ones that could not run."""
    config, tokens = enforced_config([make_origin()])
    proxy = EnforcedProxy(config, tokens)
    other = EnforcedProxy({**config, "admin": {}}, tokens)
    try:
        other.start()
        done = serve(proxy, "--first-start")
        assert done.returncode == 2 and "in use" in done.stderr, done.stderr
        other.stop()
        proxy.start()
        assert proxy.status()["running"]["rev"] == 1
        proxy.stop()
    finally:
        other.discard()
        proxy.discard()
