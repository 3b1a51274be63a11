"""`twokey impact`: share and load before and after from two directories and a sample; exit codes 0, 1, 2."""
import json
import subprocess

import pytest
from support.client import get
from support.proxy import binary


def impact(*arguments, stdin=None):
    return subprocess.run([binary(), "impact", *map(str, arguments)], capture_output=True, text=True, timeout=60, input=stdin)


def server(**more):
    return {"address": "127.0.0.1:9", **more}


def write(directory, servers, routes=None, **more):
    directory.mkdir()
    config = {"policy": {"mode": "off"}, "listeners": {"web": {"address": "127.0.0.1:8080"}},
              "pools": {"app": {"servers": servers}}, "routes": routes or {"everything": {"pool": "app"}}, **more}
    (directory / "all.json").write_text(json.dumps(config))
    return directory


@pytest.fixture
def two(tmp_path):
    return (write(tmp_path / "a", {"s1": server(), "s2": server(), "s3": server()}),
            write(tmp_path / "b", {"s1": server(weight=50), "s2": server(), "s3": server()}))


def test_by_weights_alone(two):
    done = impact("--config", two[0], "--candidate", two[1])
    assert done.returncode == 0 and not done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["server", "share", "requests/s", "capacity", "used"]
    assert lines[1].split()[:6] == ["app/s1", "33.3", "%", "->", "20.0", "%"]
    assert "class 2, by - requests in - s" in done.stdout
    told = json.loads(impact("--config", two[0], "--candidate", two[1], "--format", "json").stdout)
    assert told["class"] == 2 and told["change"] is None and told["traffic"]["requests"] is None
    assert told["pools"][0]["requests_per_second"] == {"before": None, "after": None}
    assert [row["share"]["after"] for row in told["pools"][0]["servers"]] == [0.2, 0.4, 0.4]


def test_with_the_traffic_of_a_proxy(make_origin, make_proxy, tmp_path, two):
    proxy = make_proxy([make_origin(), make_origin(), make_origin()])
    for _ in range(20):
        assert get(proxy.address, "/shop/cart").status == 200
    proxy.wait_for(lambda: (proxy.admin_get("/v1/sample")["requests"] or 0) >= 20)
    sample = tmp_path / "sample.json"
    sample.write_text(json.dumps(proxy.admin_get("/v1/sample")))
    other = write(tmp_path / "c", {"s1": server(), "s2": server(), "s3": server()},
                  routes={"everything": {"pool": "app"}, "cart": {"path_prefix": "/shop", "pool": "app"}})
    document = json.loads((other / "all.json").read_text())
    document["routes"]["cart"]["pool"] = "cart"
    document["pools"]["cart"] = {"servers": {"c1": server(), "c2": server()}}
    (other / "all.json").write_text(json.dumps(document))
    for arguments, stdin in ((["--sample", sample], None), (["--sample", "-"], sample.read_text())):
        done = impact("--config", two[0], "--candidate", other, "--format", "json", *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["traffic"]["requests"] == 20 and told["traffic"]["unknown"] == 0
        assert told["moves"][0]["from"] == {"route": "everything", "pool": "app"}
        assert told["moves"][0]["to"] == {"route": "cart", "pool": "cart"}
        assert told["moves"][0]["example"].startswith("GET ") and told["moves"][0]["example"].endswith("/shop/cart")
    text = impact("--config", two[0], "--candidate", other, "--sample", sample).stdout
    assert "by 20 requests in " in text and "app of everything" in text and "cart of cart" in text


def test_what_is_grave_says_so(tmp_path, two):
    away = write(tmp_path / "c", {"s1": server(weight=900), "s2": server(), "s3": server()})
    done = impact("--config", two[0], "--candidate", away)
    assert done.returncode == 1 and "class 3" in done.stdout


def test_what_cannot_be_read(tmp_path, two):
    broken = tmp_path / "broken.json"
    broken.write_text('{"v": 1, "kinds": 7}')
    for arguments in (["--config", two[0]], ["--config", two[0], "--candidate", tmp_path / "none"],
                      ["--config", two[0], "--candidate", two[1], "--sample", tmp_path / "none"],
                      ["--config", two[0], "--candidate", two[1], "--sample", broken],
                      ["--config", two[0], "--candidate", two[1], "--format", "xml"]):
        done = impact(*arguments)
        assert done.returncode == 2 and done.stderr and not done.stdout, arguments
