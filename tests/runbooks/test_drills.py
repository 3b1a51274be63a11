"""The commands that mend a drill are those that its runbook shows, and tests/runbooks runs."""
import os
import re
import subprocess

import pytest

import console
from support.proxy import ROOT, binary


def said(*arguments):
    return subprocess.run([binary(), "drill", *arguments], check=True, capture_output=True, text=True).stdout


def names():
    return [line.split()[0] for line in said("--list").splitlines()]


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("name", names())
def test_its_commands_stand_in_its_runbook(name):
    first, *commands = said(name, "--commands").splitlines()
    page = re.fullmatch(r"# (runbooks/\S+\.md)", first).group(1)
    shown = [command for _, command, _ in console.blocks(read(page))]
    assert commands
    for command in commands:
        assert command in shown, "%s does not show: %s" % (page, command)
    assert "`twokey drill %s`" % name in read(page), "%s does not name the drill" % page


def test_the_page_of_drills_names_each():
    page = read("docs", "drills.md")
    for name in names():
        assert re.search(r"^\| `%s` \|" % name, page, re.M), name
