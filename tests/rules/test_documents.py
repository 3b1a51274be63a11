"""What documents say of the sources: files and functions they name exist, and the request's table is the header's."""
import re

import source_tree

PAGES = source_tree.files(r"^(docs|runbooks)/[^/]*\.md$|^[A-Z]+\.md$")
INVENTED = {"module_verb_object"}  # an example of a name


def test_files_that_a_document_names_exist():
    there = source_tree.files(r".")
    wrong = []
    for page in PAGES:
        for name in re.findall(r"`((?:[\w.-]+/)*[\w-]+\.(?:c|h|def|py|cmake))`", source_tree.text(page)):
            if not any(path == name or path.endswith("/" + name) for path in there):
                wrong.append("%s: %s" % (page, name))
    assert not wrong, "\n".join(wrong)


def test_functions_that_a_document_names_exist():
    words = set()
    for path in source_tree.sources():
        words.update(re.findall(r"\b[a-z_]\w+\b", source_tree.code(path)))
    wrong = ["%s: %s()" % (page, name) for page in PAGES
             for name in re.findall(r"`(\w+)\(\)`", source_tree.text(page))
             if name.islower() and name not in words | INVENTED]
    assert not wrong, "\n".join(wrong)


def test_the_states_of_a_request_are_all_explained():
    states = re.search(r"enum request_state \{(.*?)\}", source_tree.text("proxy/request.h"), re.S).group(1)
    named = re.findall(r"REQUEST_(\w+),", states)
    page = source_tree.text("docs/request.md")
    wrong = [name for name in named if name != "STATES" and "| %s |" % name not in page]
    assert not wrong, "docs/request.md says nothing of " + ", ".join(wrong)


def test_the_picture_of_a_request_is_the_headers():
    picture = re.findall(r"^ \*   (HEAD --head.*?)\n \*\n", source_tree.text("proxy/request.h"), re.M | re.S)[0]
    drawn = [" ".join(line.lstrip(" *").split()) for line in picture.split("\n")]
    page = [" ".join(line.split()) for line in source_tree.text("docs/request.md").split("\n")]
    assert all(line in page for line in drawn), "docs/request.md has another picture than proxy/request.h"


def test_the_folders_of_the_architecture_are_all_there():
    page = source_tree.text("docs/architecture.md")
    wrong = [folder for folder in sorted({path.split("/")[0] for path in source_tree.sources()})
             if "`%s/`" % folder not in page]
    assert not wrong, "docs/architecture.md says nothing of " + ", ".join(wrong)


def test_each_runbook_is_in_the_index():
    index = source_tree.text("runbooks/README.md")
    wrong = [page for page in source_tree.files(r"^runbooks/.*\.md$")
             if page != "runbooks/README.md" and "(%s)" % page.split("/")[1] not in index]
    assert not wrong, ", ".join(wrong)


def test_each_page_is_linked_by_the_readme_or_the_architecture():
    linked = source_tree.text("README.md") + source_tree.text("docs/architecture.md")
    wrong = [page for page in source_tree.files(r"^docs/[^/]*\.md$")
             if page.split("/")[1] not in linked]
    assert not wrong, "nobody links to " + ", ".join(wrong)


def test_the_cases_of_the_threat_model_have_the_tests_that_it_names():
    page = source_tree.text("docs/threat-model.md")
    rows = dict(re.findall(r"^\| (E-\d+) (.*)$", page, re.M))
    assert sorted(rows, key=lambda case: int(case[2:])) == ["E-%d" % n for n in range(1, 39)]
    scenarios = {path.split("/")[-1].split("_")[0]: path for path in source_tree.files(r"^tests/scenario/\w+\.py$")}
    cases = {case for path in source_tree.files(r"^tests/unit/change/\w+_test\.c$")
             for case in re.findall(r"\b(e\d\d_)\w+\(void", source_tree.text(path))}
    wrong = ["no scenario " + name for name in re.findall(r"`([a-z]\d{3})`", page) if name not in scenarios]
    wrong += ["no case " + name for name in re.findall(r"`(e\d\d_)…`", page) if name not in cases]
    wrong += ["%s is not in the row of E-%d" % (path, int(number))
              for name, path in scenarios.items()
              for number in re.findall(r"/k9\d\d_e(\d+)_", path) if "`%s`" % name not in rows["E-" + number]]
    assert not wrong, "\n".join(wrong)


def test_the_outages_have_the_tests_that_they_name():
    rows = re.findall(r"^\| .* \| .* \| .* \| (.*) \|$", source_tree.text("docs/outages.md"), re.M)[1:]
    known = {path.split("/")[-1].split("_")[0] for path in source_tree.files(r"^tests/scenario/\w+\.py$")}
    known |= set(re.findall(r"^@mistake.*\ndef (\w+)\(", source_tree.text("tests/support/configurations.py"), re.M))
    for path in source_tree.files(r"^tests/unit/.*_test\.c$"):
        known |= set(re.findall(r"^static void (\w+)\(void \*\*state\)", source_tree.text(path), re.M))
    assert len(rows) > 15 and all("`" in row for row in rows), "an outage without a test"
    wrong = [name for row in rows for name in re.findall(r"`(\w+)`", row) if name not in known]
    assert not wrong, ", ".join(wrong)


def test_the_outages_name_rules_that_there_are():
    rules = {arguments[0] for _, _, arguments in source_tree.rows("detect/rules.def")}
    named = set(re.findall(r"\b[CDHMRSTX]\d{3}\b", source_tree.text("docs/outages.md")))
    assert named <= rules, named - rules
