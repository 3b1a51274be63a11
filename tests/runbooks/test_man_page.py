"""docs/twokey.1 is what docs/make-man makes of the program's --help, and names every command and option."""
import os
import re
import subprocess
import sys

from support.proxy import ROOT, binary

PAGE = os.path.join(ROOT, "docs", "twokey.1")


def said(*arguments):
    return subprocess.run([binary(), *arguments], check=True, capture_output=True, text=True).stdout


def page():
    with open(PAGE, encoding="utf-8") as file:
        return file.read()


def test_the_man_page_is_made_of_the_help():
    made = subprocess.run([sys.executable, os.path.join(ROOT, "docs", "make-man"), binary()],
                          check=True, capture_output=True, text=True).stdout
    assert made == page(), "run ./dev docs"


def test_every_command_and_option_is_in_it():
    plain = page().replace("\\-", "-")
    commands = re.findall(r"^  (\w+) ", said("--help"), re.M)
    assert "serve" in commands and "check" in commands
    for command in commands:
        assert "\n.SS %s\n" % command in plain
        if command != "version":
            for option in re.findall(r"--[a-z-]+", said(command, "--help")):
                assert option in plain, "%s %s" % (command, option)
