"""`twokey init`: a starter configuration that is good, and nothing overwritten."""
import subprocess

from support.proxy import binary


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


def test_what_it_cannot_do_yet_it_says(tmp_path):
    done = run("init", "--self-signed", str(tmp_path))
    assert done.returncode == 2 and "not in this version" in done.stderr
    assert not list(tmp_path.iterdir())
