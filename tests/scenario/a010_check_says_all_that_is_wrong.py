"""`twokey check`: every problem with its file and place, exit code 0, 1 or 2."""
import json
import os
import subprocess

from support.proxy import binary


def check(*arguments):
    return subprocess.run([binary(), "check", *arguments], capture_output=True, text=True, timeout=60)


def write(directory, **documents):
    for name, document in documents.items():
        text = document if isinstance(document, str) else json.dumps(document)
        (directory / (name + ".json")).write_text(text)
    return str(directory)


GOOD = {"policy": {"mode": "off"}, "listeners": {"web": {"address": "127.0.0.1:18080"}},
        "pools": {"app": {"servers": {"s1": {"address": "10.0.0.1:80"}}}},
        "routes": {"everything": {"pool": "app"}}}


def test_a_good_one_is_0(tmp_path):
    done = check("--config", write(tmp_path, a=GOOD))
    assert done.returncode == 0 and "good" in done.stdout and "sha256:" in done.stdout


def test_problems_are_1_and_all_are_shown(tmp_path):
    done = check("--config", write(
        tmp_path, a={**GOOD, "routes": {"r": {"pool": "ap"}}},
        b={"pools": {"other": {"servers": {"s1": {"address": "10.0.0.1:80", "weight": 70000}}}}}))
    assert done.returncode == 1
    assert "/b.json: /pools/other/servers/s1/weight: 70000 is not a weight (0 to 1000)" in done.stdout
    assert '/a.json: /routes/r/pool: there is no pool "ap"; did you mean "app"?' in done.stdout


def test_json_for_programs(tmp_path):
    done = check("--format", "json", "--config", write(tmp_path, a="{\n \"pools\": {} oops }"))
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["digest"] is None
    (finding,) = [f for f in report["findings"] if f["severity"] == "block"]
    assert finding["line"] == 2 and finding["file"].endswith("a.json") and finding["rule"] == "config"


def test_what_cannot_be_read_is_2(tmp_path):
    missing = check("--config", str(tmp_path / "none"))
    assert missing.returncode == 2 and "No such file" in missing.stdout
    os.symlink("/nowhere/at/all", tmp_path / "a.json")
    dangling = check("--config", str(tmp_path))
    assert dangling.returncode == 2 and "a.json: cannot be read" in dangling.stdout


def test_every_expression_that_does_not_compile_is_shown(tmp_path):
    done = check("--config", write(tmp_path, a=GOOD, b={"routes": {
        "one": {"path_regex": "/(a", "pool": "app"}, "two": {"path_regex": "/[", "pool": "app"},
        "fine": {"path_regex": "/(a|b)", "pool": "app"}}}))
    assert done.returncode == 1
    assert "/b.json: /routes/one/path_regex: " in done.stdout and "/routes/two/path_regex: " in done.stdout
    assert "/routes/fine" not in done.stdout


def test_no_document_is_an_error(tmp_path):
    done = check("--config", str(tmp_path))
    assert done.returncode == 1 and "no *.json file" in done.stdout


def test_the_thousand_pools_take_a_moment(tmp_path):
    pools = {f"p{i}": {"servers": {f"s{j}": {"address": f"10.{i // 250}.{i % 250}.{j + 1}:80"} for j in range(10)}}
             for i in range(1000)}
    routes = {f"r{i}": {"hosts": [f"h{i % 999}.example"], "path_prefix": f"/{i}", "pool": f"p{i % 1000}"}
              for i in range(10000)}
    done = check("--config", write(tmp_path, a={"policy": {"mode": "off"}, "pools": pools}, b={"routes": routes}))
    assert done.returncode == 0 and "1000 pools, 10000 routes" in done.stdout


def test_other_words_are_answered():
    assert check("--help").returncode == 0
    assert check("--nonsense").returncode == 2
    assert check("--format", "xml").returncode == 2
    assert check("conf.d").returncode == 2
