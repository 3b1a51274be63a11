"""The pages of docs/ that are made from the .def tables: `./dev docs` writes them, test_pages.py holds them to it."""
import os
import re

import source_tree

MADE = "<!-- made from %s by ./dev docs: change it there -->\n"


def of(table):
    return [arguments for _, _, arguments in source_tree.rows(table)]


def text(argument):
    return source_tree.words(argument).replace("|", "\\|")


def page(title, source, introduction, heads, lines):
    rule = "|".join("---" for _ in heads)
    return "%s# %s\n\n%s\n\n| %s |\n|%s|\n%s\n" % (
        MADE % source, title, introduction.strip(), " | ".join(heads), rule,
        "\n".join("| %s |" % " | ".join(line) for line in lines))


RETRY = {"NO": "", "ANY": "any request", "IDEMPOTENT": "idempotent methods"}


def failures():
    lines = [["`%s`" % text(word), status if status != "0" else "–", RETRY[retry], "yes" if blames == "YES" else "",
              text(help)]
             for name, status, retry, blames, word, help in of("proxy/failure.def") if name != "NONE"]
    return page("How a request can fail", "proxy/failure.def", """
The word stands in the access log's `failure` and in the metrics' label `reason`. A failure that *blames the server*
counts towards its ejection and in `twokey_server_failures_total`. A *retry* goes to another server, within the pool's
`retry`, and only where nothing of an answer has gone to the client and the request's body is still whole. Where no
status is sent, the client has gone, or has got half an answer and sees the connection end.
""", ["word", "status", "retried", "blames the server", "what happened"], lines)


def events():
    lines = [["`%s`" % text(word), level.lower(), text(help)] for _, level, word, help in of("base/events.def")]
    return page("The log of events", "base/events.def", """
One JSON object a line on standard error: `time` (UTC), `level`, `event`, and fields that belong to the event. An event
that repeats itself more than 20 times a second is counted, not written. Requests are in the [access log](access-log.md).
""", ["event", "level", "what"], lines)


FIELD_FLAGS = {
    "HOP": "not forwarded: it belongs to one hop", "FRAMING": "written anew; refused in trailers",
    "OURS": "set by twokey; the client's counts only where it is a trusted proxy",
    "KEEP": "cannot be removed by naming it in `Connection`", "SECRET": "its value is never logged",
    "ONCE": "several are a malformed message",
}


def fields():
    lines = []
    for _, name, flags, help in of("proxy/http/headers.def"):
        held = [FIELD_FLAGS[flag] for flag in re.findall(r"\w+", flags) if flag in FIELD_FLAGS]
        lines.append(["`%s`" % text(name), text(help), "; ".join(held)])
    return page("Header fields that twokey knows", "proxy/http/headers.def", """
A message is never passed through: it is parsed and written anew. Fields that are not in this table are forwarded as they
came, unless `Connection` names them or a route edits them.
""", ["field", "what", "what holds for it"], lines)


def word(state):
    return "–" if state == "NONE" else state.lower()


def change_states():
    moves = of("change/change_moves.def")
    lines, diagram, seen = [], [], []
    for start, to, event, who, guards in moves:
        lines.append([word(start), word(to), "`%s`" % text(event), text(who), text(guards)])
        edge = ("[*]" if start == "NONE" else word(start), word(to))
        if edge not in seen and edge[0] != edge[1]:
            seen.append(edge)
            diagram.append("    %s --> %s" % edge)
    ends = sorted({to for _, to in seen} - {start for start, _ in seen})
    diagram += ["    %s --> [*]" % end for end in ends]
    return page("The states of a change", "change/change_moves.def", """
`change_move()` is the only function that writes a state; it knows no other moves than these, and each adds its audit record
in the transaction that writes the state.

```mermaid
stateDiagram-v2
%s
```
""" % "\n".join(diagram), ["from", "to", "event", "who", "what must hold, and what follows"], lines)


PAGES = {"docs/failures.md": failures, "docs/events.md": events, "docs/fields.md": fields,
         "docs/change-states.md": change_states}


if __name__ == "__main__":
    for path, make in PAGES.items():
        with open(os.path.join(source_tree.ROOT, path), "w", encoding="utf-8") as file:
            file.write(make())
