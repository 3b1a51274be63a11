"""What lies in the repository: nothing of one machine, documents for what people touch, one package list."""
import json
import os
import re

import pytest
import source_tree

TEXT = r"\.(c|h|def|py|sh|cmake|txt|md|json|yml|yaml|cfg|service|html|js|ini|conf)$|(^|/)(dev|run|Dockerfile|LICENSE)$"
THIS = "tests/rules/test_repository.py"
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|home/\w+|Users/\w+|tmp/(tk|wt))/|\.\./shared")
REGISTRY_HOST = re.compile(r"(deb|security|snapshot)\.debian\.org|registry\.npmjs\.org|pypi\.org|proxy\.golang\.org"
                           r"|crates\.io|\bghcr\.io|\bquay\.io|docker\.io/|\bgcr\.io|\d+\.\d+\.\d+\.\d+:\d+/(debian|pypi|npm)")


def lines_with(pattern, paths):
    return ["%s:%d: %s" % (path, number, line.strip()[:120])
            for path in paths if path != THIS
            for number, line in enumerate(source_tree.text(path).split("\n"), 1) if pattern.search(line)]


def test_no_file_names_a_path_of_one_machine():
    wrong = lines_with(MACHINE_PATH, source_tree.files(TEXT))
    assert not wrong, "\n".join(wrong)


def test_no_file_names_a_package_registry():
    wrong = lines_with(REGISTRY_HOST, source_tree.files(TEXT))
    assert not wrong, "\n".join(wrong)


def test_every_document_link_leads_somewhere():
    wrong = []
    for path in source_tree.files(r"\.md$"):
        for target in re.findall(r"\]\(([^)#\s]+)", source_tree.text(path)):
            if re.match(r"[a-z]+:", target):
                continue
            if not os.path.exists(os.path.join(source_tree.ROOT, os.path.dirname(path), target)):
                wrong.append("%s: %s" % (path, target))
    assert not wrong, "\n".join(wrong)


def test_each_json_file_is_json():
    for path in source_tree.files(r"\.json$"):
        if path.startswith("tests/fuzz/corpus/") or "/broken" in path:
            continue
        try:
            json.loads(source_tree.text(path))
        except ValueError as error:
            pytest.fail("%s: %s" % (path, error))


def test_each_package_line_has_a_group_and_a_name():
    groups = ("build", "test", "testssl", "lint", "bench", "run", "runtime")
    for number, line in enumerate(source_tree.text("packages.txt").split("\n"), 1):
        if line and not line.startswith("#"):
            words = line.split()
            assert len(words) == 2 and words[0] in groups, "packages.txt:%d: %s" % (number, line)


def test_the_changelog_begins_with_the_version_that_cmake_builds():
    version = re.search(r"project\(twokey VERSION (\S+)", source_tree.text("CMakeLists.txt")).group(1)
    first = re.search(r"^## (\S+)", source_tree.text("CHANGELOG.md"), re.M).group(1)
    assert first == version
