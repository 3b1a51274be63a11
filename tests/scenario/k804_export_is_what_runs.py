"""`twokey export DIR`: documents whose digest is that of what runs, for those who may see all of it."""
import subprocess

from support.people import run_cli
from support.proxy import binary


def test_the_digest_is_the_same(make_enforced, origin, tmp_path):
    proxy = make_enforced(origin)
    done = run_cli(proxy, "dan", "export", str(tmp_path / "out"))
    digest = proxy.status()["running"]["digest"]
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == digest
    checked = subprocess.run([binary(), "check", "--config", str(tmp_path / "out")], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0 and digest in checked.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "00-process.json", "05-people.json", "10-listeners.json", "30-pools.json", "40-routes.json", "50-observe.json"]


def test_who_sees_no_hashes_gets_nothing_broken(make_enforced, origin, tmp_path):
    done = run_cli(make_enforced(origin), "bob", "export", str(tmp_path / "out"))
    assert done.returncode == 1 and "role admin or auditor" in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_without_people_anybody(make_proxy, origin, tmp_path):
    assert run_cli(make_proxy(origin), None, "export", str(tmp_path)).returncode == 0


def test_a_configuration_is_left_alone(make_proxy, origin, tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    done = run_cli(make_proxy(origin), None, "export", str(tmp_path))
    assert done.returncode == 2 and "stay as they are" in done.stderr
