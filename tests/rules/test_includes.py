"""Who may include whom, and which library has which door (docs/architecture.md)."""
import re

import pytest
import source_tree

PURE = ("proxy/http", "proxy/route", "proxy/balance")

# folder: what it may include beside itself; regular expressions over the included path
MAY_INCLUDE = {
    "base": [],
    "config": [r"base/"],
    "tls": [r"base/"],
    "observe": [r"base/"],
    "proxy/http": [r"base/"],
    "proxy/route": [r"base/"],
    "proxy/balance": [r"base/"],
    "proxy": [r"base/", r"config/(model|load)\.h", r"tls/",
              r"observe/(record|ring|tap|counters|observer)\.(h|def)",
              r"proxy/"],
    "detect": [r"base/", r"config/", r"tls/", r"observe/(sample|window|distribution)\.h", r"proxy/route/",
               r"proxy/balance/", r"proxy/(compile|affinity)\.h"],
    "change": [r"base/", r"config/", r"detect/", r"observe/(sample|window|distribution|counters)\.h",
               r"proxy/(snapshot|publish)\.h", r"proxy/upstream/(registry|server)\.h"],
    "watch": [r"base/", r"tls/(certificate|staple)\.h", r"config/", r"detect/", r"change/", r"observe/", r"proxy/(snapshot|publish)\.h",
              r"proxy/upstream/(registry|server)\.h", r"proxy/balance/balance\.h"],
    "admin": [r"base/", r"config/", r"tls/(engine|context)\.h", r"detect/", r"change/", r"watch/(watch|distributions|live|alerts|certificates|staples)\.h",
              r"observe/", r"proxy/(snapshot|publish|affinity|network|limits|failure)\.h",
              r"proxy/upstream/(registry|server)\.h", r"proxy/(http|route|balance)/"],
    "cli": [r"."],
}

# library: its header, and the files that may include it
FENCES = {
    "llhttp": (r"llhttp\.h", r"proxy/http/h1_read\.[ch]"),
    "nghttp2": (r"nghttp2/", r"proxy/http/h2_(frames|receive|send)\.c|proxy/http/h2_internal\.h"),
    "OpenSSL": (r"openssl/", r"tls/.*|base/digest\.c"),
    "SQLite": (r"sqlite3\.h", r"change/(store_sqlite\.c|database\.h)"),
    "libmicrohttpd": (r"microhttpd\.h", r"admin/listener\.c"),
    "jansson": (r"jansson\.h", r"(config|admin|watch|change|observe|cli)/.*"),
    "PCRE2": (r"pcre2\.h", r"proxy/route/.*"),
    "libcurl": (r"curl/", r"observe/alert_sender\.c|cli/api_client\.c"),
    "libuv": (r"uv\.h", r"base/(mailbox|clock)\.[ch]|proxy/(worker|listener|transport|deadline|late)\.[ch]"
                        r"|proxy/upstream/(prober|probe|registry|resolver|watched)\.[ch]|observe/(observer|alert_sender|alert_thread)\.[ch]"
                        r"|admin/(admin|listener|front|caller)\.[ch]|cli/(serve|reload)\.[ch]|cli/drill/[a-z]+\.[ch]"),
}


def folder_of(path):
    return next((pure for pure in PURE if path.startswith(pure + "/")), path.split("/")[0])


def allowed(path, included):
    folder = folder_of(path)
    if folder_of(included) == folder:
        return True
    return any(re.match(pattern, included) for pattern in MAY_INCLUDE[folder])


def test_folders_include_only_what_lies_below_them():
    wrong = ["%s:%d: %s may not include %s" % (path, line, folder_of(path), name)
             for path in source_tree.sources()
             for line, name, ours in source_tree.includes(path)
             if ours and not allowed(path, name)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", FENCES)
def test_a_library_is_included_behind_its_door_only(library):
    header, door = FENCES[library]
    wrong = ["%s:%d: <%s> belongs to %s" % (path, line, name, door)
             for path in source_tree.sources()
             for line, name, ours in source_tree.includes(path)
             if not ours and re.match(header, name) and not re.fullmatch(door, path)]
    assert not wrong, "\n".join(wrong)


def test_a_source_includes_its_own_header_first():
    headers = set(source_tree.sources())
    wrong = []
    for path in source_tree.sources():
        own = path[:-2] + ".h"
        if path.endswith(".c") and own in headers:
            first = next(source_tree.includes(path), (0, "nothing", False))
            if first[1] != own:
                wrong.append("%s:%d: includes %s before %s" % (path, first[0], first[1], own))
    assert not wrong, "\n".join(wrong)


def test_includes_are_written_from_the_repository_root():
    ours = set(source_tree.files(r"\.(h|def)$"))
    wrong = ["%s:%d: \"%s\" is no file below the root" % (path, line, name)
             for path in source_tree.sources()
             for line, name, is_ours in source_tree.includes(path)
             if is_ours and name not in ours]
    assert not wrong, "\n".join(wrong)
