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


def http2_budgets():
    lines = []
    for _, name, burst, rate, help in of("proxy/http/h2_budget.def"):
        ends_at_once = burst == "0"
        lines.append(["`%s`" % text(name), "–" if ends_at_once else burst, "–" if ends_at_once else rate, text(help)])
    return page("What is counted on an HTTP/2 connection", "proxy/http/h2_budget.def", """
What costs a peer little and us more has a budget on each connection, to clients and to servers: so many at once, and so many a second
in the long run. When one is used up, the connection ends with GOAWAY ENHANCE_YOUR_CALM; the word stands in the event
`h2-violation` (`server-h2-violation` where the peer is a server), and in the metrics' label `budget`. Kinds without numbers end the connection when they happen.

Honest work pays: each DATA frame that we send earns one PING and ten WINDOW_UPDATE, so that a peer may measure the way and give
its windows back however fast data comes. What passes is tried by [h2_budget_test.c](../tests/unit/proxy_http/h2_budget_test.c): a
browser that leaves 50 pages of a hundred requests in 100 s, 20,000 messages each answered by a PING and four WINDOW_UPDATE, 30,000
requests a hundred at a time; and so is each flood.
""", ["budget", "at once", "a second", "what is counted"], lines)


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


DETECTORS = """
Rules that look at a configuration before it runs (`twokey check`), and at each change against what runs. A finding has
the rule's id, the place (RFC 6901), the numbers, and what to do. Which public outages these stop: [outages.md](outages.md).

| severity | means |
|---|---|
| block | must not run: a change with it cannot be submitted |
| error | a change must name the rule in its `override`, and then needs the approvals of class 3 |
| warning | shown |
| info | shown; also what could not be told, because capacities or traffic are not known |

*May be overridden* is about severity block: in a break-glass session a change may name such a rule, since it is about an
effect. Rules about meaning are never overridden. Some rules report milder cases as less than their severity.

A finding that is known and accepted goes into the configuration, with who answers for it and until when; until then it
is info, and says so. Findings of severity block stay.

```json
{ "policy": { "suppressions": [
    { "rule": "D008", "pointer": "/pools/shop", "owner": "ann", "expires": "2026-12-31T00:00:00Z",
      "reason": "s9 is new and gets its share in steps" } ] } }
```
"""


def detector_example(id):
    """What the longest row of its tests says that it says, and where."""
    shown = [arguments[2:4] for rule, kind, arguments in source_tree.detector_cases() if rule == id and "FIRES" in kind]
    where, says = max(shown, key=lambda pair: len(text(pair[1])))
    return "%s%s" % ("`%s`: " % text(where) if text(where) else "", text(says))


def detectors():
    """A section a letter: id, severity, what it finds and why, an example of its tests, what to do."""
    families = {"D": "Pools and their servers", "C": "Capacity", "R": "Routes and addresses", "T": "TLS",
                "H": "Health checks", "M": "Timeouts, retries, limits", "S": "Security", "X": "Changes"}
    found, out = {}, [MADE % "detect/rules.def" + "# Detectors\n" + DETECTORS]
    for _, macro, arguments in source_tree.rows("detect/rules.def"):
        id, severity = arguments[0], arguments[1].lower()
        if macro == "RULE":
            _, _, overridable, _, _, title, why, fix = arguments
            line = [id, severity, "yes" if overridable == "OVERRIDABLE" else "",
                    "**%s.** %s" % (text(title), text(why)), detector_example(id), text(fix)]
        elif macro == "ELSEWHERE":
            line = [id, severity, "", "**%s.** Reported by: %s." % tuple(map(text, arguments[2:4])), "", text(arguments[4])]
        else:
            line = [id, "–", "", "**%s.** Not applicable: %s." % tuple(map(text, arguments[2:])), "", ""]
        found.setdefault(id[0], []).append("| %s |" % " | ".join(line))
    for letter, lines in found.items():
        out.append("\n## %s\n\n| rule | severity | may be overridden | what | it says, for example | what to do |\n|---|---|---|---|---|---|\n%s\n"
                   % (families[letter], "\n".join(sorted(lines))))
    return "".join(out)


def audit_records():
    lines = [["`%s`" % text(event), text(help)] for event, help in of("change/audit_events.def")]
    return page("The audit chain", "change/audit_events.def", """
Each step of a change, each override, and each refused attempt is a record: one line of JSON, written to the database
(`twokey.db` in the state directory) in the same transaction as what it witnesses, and before the call is answered. There is no
state without its record, and where no record can be written, nothing is changed: 503 `audit-unavailable`.

```json
{"seq":7,"t":"2026-11-22T10:41:40.123Z","boot":"b51c…","mono_ns":81234567890,"actor":{"person":"bob","principal":"token:laptop",
 "auth":"token","src":"127.0.0.1"},"event":"change.approved","change":"chg_01…","digest":"sha256:…","outcome":"ok","req":"…",
 "data":{…},"prev":"<hash of record 6>","h":"<hash of this record>"}
```

`t` is the wall clock, `boot` and `mono_ns` the start of the machine and its clock since then; `outcome` is `ok`, `denied` or
`failed`; what does not apply is left out. A record's hash covers the one before it, so none can be changed, removed or added without
a trace:

    h = SHA-256( 0x00 | h of the record before, 32 bytes | seq, 8 bytes, big-endian | the line without its ,"h":"…" )

In record 0 the hash before it is random. Denied attempts of one kind from one address are a record for the first, and one a minute with
a `count` for the rest.

**audit.jsonl** in the state directory has the same lines, for log shippers and for verification. It is only appended to, and may lag
(a crash, a full disk): what is missing is appended within a second, or at the next start. To rotate it, move it away:
a new file goes on where the old one ended. One that is not what the database says is kept as `audit.jsonl.differs-…` and written anew.

**`twokey audit verify`** follows a chain: `twokey audit verify audit.jsonl.1 audit.jsonl` follows files, in order;
`twokey audit verify DIR` a state directory, also of a running twokey: its database's chain, `audit.jsonl` against it, each change's
state and decisions against their records, each revision's bytes against its digest and against what was approved. It says which
record, change or revision is not as it was written, and how. A chain whose end was cut off is still a chain: keep the head
(`GET /v1/audit/head`) elsewhere, and give it with `--head NUMBER:HASH`.

Whoever is root on the machine can write a whole new chain; only a head that is kept elsewhere shows that.
""", ["event", "what happened"], lines)


CLASSES = """
What a change does decides how many people must agree to it besides its author: the class is the highest of all rows below that
hold. Two people never are one: a change is nobody's own as long as he contributed to it, in person or by a service of his.

| class | approvals | what |
|---|---|---|
| 1, immediate | none; role `operator` | `drain`, `maint`, `ready` and small changes of weight of **one** server, by `PUT …/servers/{server}/state`, when the capacity guard lets it pass |
| 2, normal | `policy.approvals.normal` (1) | every other change of the configuration |
| 3, high | `policy.approvals.high` (2) | what the rows below say |

`policy.factors` come on top: each group must be among those who agree, and a person counts for one of them only. A change made of
conf.d has no known author, and needs one approval more. A change that was submitted under one policy and is applied under another needs
what either of them asks for. Where traffic is not known the worst is assumed: a route has some, and a pool needs its server. Servers that are drained,
in maintenance, of weight 0 or down are out of service; what a change brings as `overrides`, and what is overridden already, counts like what is
written.

## The capacity guard

Without a second person a server leaves service only when the pool can bear it, all overrides in force taken together:

- where every server declares `capacity_rps`: what stays bears the peak of the last seven days even without its largest server, and none would be used
  more than 80 %; else half of the pool's servers stay eligible, and at least one. The first day's peak is that of the hours there were (`since` says it);
- at most one other server of the pool was taken out in the last ten minutes, whether or not it is back;
- a weight may change while all changes of weight of the last hour together move at most 5 % of the pool's requests; a weight of 0 is a drain.

What is refused is told with its numbers (409 `capacity-guard`), and can be had by a change: `"overrides": [{"pool", "server", "state"}]`. `ready` is
always possible.

## The rows
"""


def classes():
    rows = of("change/policy_rules.def")
    lines = ["| %s | `%s` | %s |" % (number, text(id), text(words))
             for id, number, _, words in sorted(rows, key=lambda row: int(row[1]))]
    return MADE % "change/policy_rules.def" + "# How many approvals a change needs\n" + CLASSES + """
| class | row | it holds for a change that |
|---|---|---|
%s
""" % "\n".join(lines)


ALERTS = """
One list of everything that is wrong now: `GET /v1/alerts`, the count in `GET /v1/status`, the metric `twokey_alerts`, and
a line in the log when one is raised (`alert-raised`) and when it is over (`alert-resolved`). Whoever is named under
`observe.alerts` is told, too.

```json
{"name":"PoolDown","severity":"page","pool":"shop","since":"2026-11-22T10:41:40.123Z",
 "summary":"pool shop: no server may be used; its requests get 503","description":"4 of 4 servers that should serve are out; …",
 "change":"chg_01…","revision":42,"author":"ann","approvers":["bob"],
 "revert":"curl -X POST -H \\"Authorization: Bearer $TWOKEY_TOKEN\\" http://127.0.0.1:9901/v1/changes/chg_01…/cancel",
 "runbook":"runbooks/everything-answers-503.md"}
```

`name`, `pool`, `server`, `ref` and `certificate` say which alert it is; words may change while it lasts. An alert about traffic names what was changed last,
if that was within a day and before the trouble began, and **the one command that reverts it**: `cancel` while the change waits for its
confirmation, `rollback` to what ran before afterwards. The command stands only as long as that is still what was changed last.
It is a suspicion, not a finding.

What its source has judged already stands at once. The rest must last for a while before it is raised, and be gone for a while before it is
over, so that a server that comes and goes is one alert. At most 500 are kept.

## Who is told

```json
{ "observe": { "alerts": {
    "alertmanager": ["http://am1.internal:9093", "http://am2.internal:9093"],
    "webhook": ["https://chat.internal/hooks/T012"],
    "runbooks": "https://wiki.internal/twokey/runbooks/" } } }
```

| | Alertmanager | webhook |
|---|---|---|
| what is posted | `/api/v2/alerts` below the URL, a JSON array | the URL, a JSON array |
| when | something was raised or is over, and every 60 s while anything is raised | something was raised or is over |
| of what is raised | all, with an end in 3 minutes: if twokey dies, its alerts end | what this receiver has not taken yet |
| of what is over | what this receiver has not taken yet, for at most 15 minutes | the same |
| an alert | `labels` `alertname`, `severity`, `cluster`, `instance` (this machine and the admin port), `pool`, `server`, `ref`, `certificate`, and `change` where it is about one; `annotations` `summary`, `description`, `runbook_url`, `change`, `revision`, `author`, `approvers`, `suggested_action`; `startsAt`, `endsAt`, `generatorURL` | as in `GET /v1/alerts`, with `status` (`raised`, `over`), `cluster`, `instance`, and `ended` where it is over |

Each receiver is told by itself; **every** Alertmanager is, as its documentation asks for. A status of 200 to 299 means that it took what was sent. Anything else,
no answer within 10 s (5 s to connect), or a redirection, which is not followed, is a failure: tried again after 1 s, 2 s, 4 s … 30 s. What
is sent then is what is true then, so nothing piles up; one that was away hears of what began and ended meanwhile only that it is over. A webhook may get a move
twice (its answer was lost, twokey was started anew), never out of order.

Failures are in the log (`alerts-undelivered`, once and every ten minutes), in `twokey_alert_notifications_total`, and after half a minute an alert of
their own, `AlertsUndeliverable`. Certificates of `https` receivers are verified against the system's authorities. Proxies named in the environment and `.netrc`
are not used. A thread of its own sends: nothing else waits for a receiver, and a disk that hangs under the access log (`ObserverSilent`) holds no alert up. A change of `observe.alerts` is of class 3, and cannot be made by break-glass.

Prometheus can raise most of these by itself: [deploy/prometheus/rules.yml](../deploy/prometheus/rules.yml). Its own word is that one should let it; sending directly is
for sites without it, and for what no metric can say: who changed what, and how to revert it. With both, `group_by: [alertname, pool]` makes one message of them
([deploy/alertmanager](../deploy/alertmanager/alertmanager.yml)).

"""


def alerts():
    def seconds(argument):
        return "–" if argument == "0" else argument + " s"

    lines = ["| `%s` | %s | %s | %s | %s | %s | [%s](../runbooks/%s) |" % (
        name, text(severity), text(meaning), seconds(raise_s), seconds(clear_s), "yes" if names == "CAUSE" else "",
        text(runbook)[:-3], text(runbook))
        for name, severity, raise_s, clear_s, names, runbook, meaning in of("watch/alerts.def")]
    return (MADE % "watch/alerts.def") + "# Alerts\n" + ALERTS + """
## Every alert

*Lasts* and *gone* are how long it must be there, and away; *change* says whether what was changed last is named.

| alert | severity | what it means | lasts | gone | change | runbook |
|---|---|---|---|---|---|---|
%s
""" % "\n".join(lines)


PAGES = {"docs/alerts.md": alerts, "docs/approvals.md": classes, "docs/audit.md": audit_records, "docs/failures.md": failures, "docs/events.md": events, "docs/fields.md": fields,
         "docs/http2-budgets.md": http2_budgets,
         "docs/change-states.md": change_states, "docs/detectors.md": detectors}


if __name__ == "__main__":
    for path, make in PAGES.items():
        with open(os.path.join(source_tree.ROOT, path), "w", encoding="utf-8") as file:
            file.write(make())
