"""`twokey init`: a starter configuration that is good, and nothing overwritten."""
import json
import subprocess

from support.client import get
from support.proxy import binary, free_port
from support.tls import Certificate, TlsClient


def run(*arguments):
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60)


def test_what_it_writes_is_good(tmp_path):
    directory = str(tmp_path / "conf.d")
    assert run("init", directory).returncode == 0
    checked = run("check", "--config", directory)
    assert checked.returncode == 0 and "0 warnings" in checked.stdout


def test_a_configuration_is_left_alone(tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    done = run("init", str(tmp_path))
    assert done.returncode == 2 and "stay as they are" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.json"]


def test_other_files_do_not_hinder(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    assert run("init", str(tmp_path)).returncode == 0
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_starter_with_tls_serves_over_tls(tmp_path, make_origin, start_proxy):
    done = run("init", "--self-signed", str(tmp_path / "conf"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "conf" / "localhost.key").stat().st_mode & 0o777 == 0o600
    checked = run("check", "--config", str(tmp_path / "conf"))
    assert checked.returncode == 0 and " 0 warnings" in checked.stdout, checked.stdout
    config = {}
    for path in (tmp_path / "conf").glob("*.json"):
        config.update({name: value for name, value in json.loads(path.read_text()).items() if not name.startswith("//")})
    clear, secure = (f"127.0.0.1:{free_port()}" for _ in range(2))
    config["listeners"].update(web={"address": clear}, websecure=dict(config["listeners"]["websecure"], address=secure))
    config["process"]["file_roots"] = [str(tmp_path / "conf")]
    config["pools"]["app"]["servers"] = {"s1": {"address": make_origin().address}}
    config["admin"], config["observe"] = {}, {}
    start_proxy(config)
    moved = get(clear, "/a?b=c", host="localhost:8080")
    assert moved.status == 308 and moved.header("location") == "https://localhost:8443/a?b=c"
    authority = Certificate(str(tmp_path / "conf"), "localhost")
    with TlsClient(secure, name="localhost", ca=authority) as client:
        answer = client.request(host="localhost")
        assert answer.status == 200 and answer.header("strict-transport-security") == "max-age=300"
