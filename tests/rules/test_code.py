"""What the sources do not call, and what each file says of itself."""
import re
import warnings

import pytest
import source_tree

BANNED = {
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "strcpy": "struct slice", "strcat": "struct buffer",
    "atoi": "a parser that reports what is wrong", "atol": "a parser that reports what is wrong",
    "gmtime": "gmtime_r", "localtime": "localtime_r", "alloca": "an arena", "strtok": "struct slice",
    "gets": "fgets", "asctime": "strftime", "ctime": "strftime",
    "inet_ntoa": "inet_ntop", "gethostbyname": "getaddrinfo", "rand": "the worker's own random numbers",
    "random": "the worker's own random numbers", "system": "nothing", "popen": "nothing",
}
RAW_MEMORY = {name: "x" + name for name in
              ("malloc", "calloc", "realloc", "free", "strdup")}
RAW_MEMORY["strndup"] = "arena_copy"

FUNCTION_LINES, FILE_LINES = 60, 600


def calls(path, names):
    pattern = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(names))
    for number, line in enumerate(source_tree.code(path).split("\n"), 1):
        for found in pattern.finditer(line):
            yield number, found.group(1)


def test_banned_functions_are_not_called():
    wrong = ["%s:%d: %s(): use %s" % (path, line, name, BANNED[name])
             for path in source_tree.sources() for line, name in calls(path, BANNED)]
    assert not wrong, "\n".join(wrong)


def test_raw_memory_functions_are_called_in_base_only():
    wrong = ["%s:%d: %s(): use %s" % (path, line, name, RAW_MEMORY[name])
             for path in source_tree.sources() if not path.startswith("base/")
             for line, name in calls(path, RAW_MEMORY)]
    assert not wrong, "\n".join(wrong)


def test_the_only_mutex_is_the_mailbox():
    wrong = ["%s:%d: %s()" % (path, line, name)
             for path in source_tree.sources() if path != "base/mailbox.c"
             for line, name in calls(path, ("pthread_mutex_init", "pthread_mutex_lock", "uv_mutex_init",
                                            "uv_mutex_lock", "pthread_rwlock_init", "uv_rwlock_init"))]
    assert not wrong, "\n".join(wrong)


def test_a_file_says_in_its_first_lines_what_it_is_for():
    wrong = [path for path in source_tree.sources()
             if not re.match(r"/\*\n? ?\*? ?\w+", source_tree.text(path))]
    assert not wrong, "these begin without a purpose: " + ", ".join(wrong)


def test_nothing_is_left_to_be_done_later():
    mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
    wrong = ["%s:%d" % (path, number)
             for path in source_tree.files(r"\.(c|h|def|py|sh|cmake|txt|md|json|yml)$|^dev$")
             for number, line in enumerate(source_tree.text(path).split("\n"), 1) if mark.search(line)]
    assert not wrong, "\n".join(wrong)


def functions(path):
    """(first line, name, lines) of each function, by the brace in column one that opens it."""
    begin, name = None, ""
    for number, line in enumerate(source_tree.code(path).split("\n"), 1):
        found = re.match(r"[A-Za-z_].*?(\w+)\(", line)
        if found:
            name = found.group(1)
        if line == "{":
            begin = number
        elif line.startswith("}") and begin is not None:
            yield begin, name, number - begin
            begin = None


@pytest.mark.filterwarnings("default")
def test_sizes_are_looked_at():
    """Sizes are an example, not a limit: what is large is named, and nothing fails."""
    for path in source_tree.sources():
        lines = source_tree.text(path).count("\n")
        if lines > FILE_LINES:
            warnings.warn("%s has %d lines" % (path, lines))
        for line, name, length in functions(path):
            if length > FUNCTION_LINES:
                warnings.warn("%s:%d: %s() has %d lines" % (path, line, name, length))
