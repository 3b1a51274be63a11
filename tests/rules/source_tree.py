"""The repository as the rules see it: its files, their text, and C code without comments and strings."""
import os
import re
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("base", "config", "tls", "observe", "proxy", "detect", "change", "watch", "admin", "cli")
SKIPPED = re.compile(r"(^|/)(build[^/]*|\.git|node_modules|__pycache__|\.pytest_cache)(/|$)")


def files(pattern):
    """Paths below the root that match, as git knows them, or as they lie there without git."""
    listed = shutil.which("git") and subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed and listed.returncode == 0 and listed.stdout:
        paths = listed.stdout.split("\n")
    else:
        paths = [os.path.relpath(os.path.join(folder, name), ROOT)
                 for folder, _, names in os.walk(ROOT) for name in names]
    wanted = re.compile(pattern)
    return sorted(p for p in set(paths)
                  if p and wanted.search(p) and not SKIPPED.search(p)
                  and os.path.isfile(os.path.join(ROOT, p)))


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def sources():
    return files(r"^(%s)/.*\.[ch]$" % "|".join(FOLDERS))


NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code(path):
    """The file without comments, strings and characters; line numbers stay."""
    return NOT_CODE.sub(lambda m: "\n" * m.group().count("\n") or " ", text(path))


def includes(path):
    """(line, name, is_ours) of each #include."""
    for number, line in enumerate(text(path).split("\n"), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found.group(2), found.group(1) == '"'


STRING = r'"(?:\\.|[^"\\])*"'


def rows(path):
    """(line, macro, arguments) of each row; neighbouring strings are one argument."""
    table = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text(path), flags=re.S)
    table = re.sub(r"^[ \t]*#.*$", "", table, flags=re.M)
    for found in re.finditer(r"^([A-Z][A-Z0-9_]*)\(", table, flags=re.M):
        yield table.count("\n", 0, found.start()) + 1, found.group(1), arguments_at(table, found.end())


def arguments_at(table, at):
    """The arguments of a macro, from behind its parenthesis."""
    depth, argument, arguments = 1, "", []
    while depth and at < len(table):
        string = re.compile(STRING).match(table, at)
        if string:
            argument, at = argument + string.group(), string.end()
            continue
        char = table[at]
        depth += (char in "({") - (char in ")}")
        if (char == "," and depth == 1) or not depth:
            arguments.append(argument.strip())
            argument = ""
        else:
            argument += char
        at += 1
    return arguments


def detector_cases():
    """(rule, kind, arguments) of each row of the detectors' tests: FIRES, QUIET, JUST_FIRES, JUST_QUIET."""
    for path in files(r"^tests/unit/detect/.*_test\.c$"):
        table = text(path)
        for found in re.finditer(r"\b((?:JUST_)?(?:FIRES|QUIET))\(", table):
            arguments = arguments_at(table, found.end())
            yield words(arguments[0]), found.group(1), arguments


def words(argument):
    """What the C compiler makes of the strings of an argument."""
    return re.sub(r"\\(.)", r"\1", "".join(s[1:-1] for s in re.findall(STRING, argument)))
