"""Every command that README.md and the runbooks show is run, and prints what they show."""
import glob
import os

import pytest

import console
from support.proxy import ROOT

DOCUMENTS = ["README.md"] + sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "runbooks", "*.md")))
# a change goes from step to step of its rollout there, or is watched until it is taken back
LONG = ["runbooks/canary-a-change.md", "runbooks/a-change-was-taken-back.md"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("document", [pytest.param(document, marks=pytest.mark.slow if document in LONG else ())
                                      for document in DOCUMENTS])
def test_a_document_shows_what_happens(document):
    with open(os.path.join(ROOT, document), encoding="utf-8") as file:
        commands = console.blocks(file.read())
    if not commands:
        return
    stage = console.Stage()
    try:
        stage.start()
        for line, command, expected in commands:
            wrong = stage.run(line, command, expected)
            assert wrong is None, "%s: %s\n-- log:\n%s" % (document, wrong, stage.log())
        assert stage.proxy.poll() is None, "the proxy has ended:\n" + stage.log()
    finally:
        stage.end()


def test_a_runbook_shows_commands_only_where_they_are_run():
    """```sh blocks are not run, so a runbook has none."""
    for document in DOCUMENTS[1:]:
        with open(os.path.join(ROOT, document), encoding="utf-8") as file:
            text = file.read()
        assert "```sh" not in text, document + " shows commands that no test runs"


def test_a_runbook_says_first_when_it_is_read():
    for document in DOCUMENTS[1:]:
        with open(os.path.join(ROOT, document), encoding="utf-8") as file:
            lines = file.read().split("\n")
        assert document.endswith("README.md") or lines[2].startswith("Read this when "), document


def test_masking_keeps_what_matters():
    assert console.agrees(["HTTP/1.1 503 Service Unavailable"], ["HTTP/1.1 503 Service Unavailable"])
    assert not console.agrees(["HTTP/1.1 200 OK"], ["HTTP/1.1 503 Service Unavailable"])
    assert not console.agrees(["     30 200"], ["     30 502"])
    assert console.agrees(["     30 200"], ["    28 200"])
    assert not console.agrees(["demo: 3 of 3 servers eligible"], ["demo: 2 of 3 servers eligible"])
    assert console.agrees(["a", "…", "z"], ["a", "b", "c", "z"])
    assert not console.agrees(["a", "…", "z"], ["a", "b", "c"])
    assert not console.agrees(["s1  up"], ["s2  up"])
