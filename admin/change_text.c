/*
 * change_text - see change_text.h.
 *
 * Reads the JSON that the ledger gives, so that both forms say the same; what is not there shows as
 * "-".
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/change_text.h"

#include <string.h>

#include "admin/asked.h"
#include "admin/auth.h"
#include "admin/call.h"
#include "admin/impact_text.h"
#include "admin/texttable.h"
#include "base/arena.h"
#include "base/memory.h"
#include "change/merge.h"

void change_reply_or_text(struct call *call, json_t *answer, change_text_fn *write)
{
    if (write == NULL || !call_wants_text(call)) {
        auth_mask_change(call, answer);
        reply_json(call, 200, answer);
        return;
    }
    write(call, answer);
    json_decref(answer);
    reply_written(call, 200, reply_text_type);
}

void change_reply_shown(struct call *call, bool ok, json_t *answer, struct refusal *refusal,
                        change_text_fn *write)
{
    if (ok)
        change_reply_or_text(call, answer, write);
    else
        asked_reply(call, false, 0, NULL, refusal);
}

/* --- single values ----------------------------------------------------------------------- */

/* A number, a text, or "-". */
static const char *shown(struct call *call, const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        return arena_printf(call->arena, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return arena_printf(call->arena, "%.3g", json_real_value(value));
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    return "-";
}

static const char *member(struct call *call, const json_t *object, const char *name)
{
    return shown(call, json_object_get(object, name));
}

/* The texts of an array, with commas. */
static const char *joined(struct call *call, const json_t *list)
{
    const char *text = NULL;
    const json_t *item;
    size_t at;

    json_array_foreach(list, at, item)
    {
        const char *one = shown(call, item);
        text = text == NULL ? one : arena_printf(call->arena, "%s, %s", text, one);
    }
    return text != NULL ? text : "-";
}

static void line(struct call *call, const char *label, const char *text)
{
    if (strcmp(text, "-") != 0)
        buffer_printf(&call->reply.body, "%-14s %s\n", label, text);
}

/* --- a change ---------------------------------------------------------------------------- */

static void write_approvals(struct call *call, const json_t *approvals)
{
    struct buffer *out = &call->reply.body;
    const json_t *given = json_object_get(approvals, "given"), *one;
    size_t at;

    buffer_printf(out, "%-14s %zu of %s", "approvals", json_array_size(given),
                  member(call, approvals, "required"));
    if (json_array_size(json_object_get(approvals, "missing")) > 0 &&
        json_array_size(json_object_get(approvals, "who_can")) > 0)
        buffer_printf(out, "; may: %s", joined(call, json_object_get(approvals, "who_can")));
    buffer_append_literal(out, "\n");
    json_array_foreach(given, at, one)
    {
        const char *comment = json_string_value(json_object_get(one, "comment"));
        buffer_printf(out, "%-14s %s %s, %s%s%s\n", "", member(call, one, "person"),
                      member(call, one, "decision"), member(call, one, "at"),
                      comment != NULL ? ": " : "", comment != NULL ? comment : "");
    }
}

void change_text_findings(struct call *call, const json_t *answer)
{
    static const char *const headings[] = {"severity", "rule", "where", "what", NULL};
    const json_t *findings = json_object_get(answer, "findings"), *finding;
    struct texttable table;
    size_t at;

    if (json_array_size(findings) == 0) {
        buffer_append_literal(&call->reply.body, "no findings\n");
        return;
    }
    texttable_init(&table, call->arena, headings);
    json_array_foreach(findings, at, finding)
    {
        texttable_cell(&table, "%s", member(call, finding, "severity"));
        texttable_cell(&table, "%s", member(call, finding, "rule"));
        texttable_cell(&table, "%s", member(call, finding, "pointer"));
        texttable_cell(&table, "%s", member(call, finding, "message"));
    }
    texttable_write(&table, &call->reply.body, 0);
}

static void write_applied(struct call *call, const json_t *answer)
{
    if (json_is_string(json_object_get(answer, "applied")))
        buffer_printf(&call->reply.body, "%-14s %s by %s: revision %s\n", "applied",
                      member(call, answer, "applied"), member(call, answer, "applied_by"),
                      member(call, answer, "rev"));
}

void change_text_gate(struct call *call, const json_t *gate)
{
    const json_t *inputs = json_object_get(gate, "inputs"), *input;
    struct buffer *out = &call->reply.body;
    size_t at;

    if (!json_is_object(gate))
        return;
    buffer_printf(out, "%-14s %s since %s\n", "gate", member(call, gate, "state"),
                  member(call, gate, "since"));
    json_array_foreach(inputs, at, input)
    {
        if (strcmp(member(call, input, "state"), "pass") != 0)
            buffer_printf(out, "%-14s %s: %s: %s\n", "", member(call, input, "name"),
                          member(call, input, "state"), member(call, input, "why"));
    }
}

void change_text_one(struct call *call, const json_t *answer)
{
    const json_t *base = json_object_get(answer, "base"), *next, *one;
    struct buffer *out = &call->reply.body;
    size_t at;

    buffer_printf(out, "%s  %s, iteration %s%s\n", member(call, answer, "id"),
                  member(call, answer, "state"), member(call, answer, "iteration"),
                  json_is_true(json_object_get(answer, "forced")) ? ", forced by break-glass" : "");
    line(call, "title", member(call, answer, "title"));
    line(call, "reason", member(call, answer, "reason"));
    line(call, "ticket", member(call, answer, "ticket"));
    line(call, "contributors", joined(call, json_object_get(answer, "contributors")));
    line(call, "class", member(call, answer, "class"));
    buffer_printf(out, "%-14s revision %s, %s\n", "base", member(call, base, "rev"),
                  member(call, base, "digest"));
    line(call, "digest", member(call, answer, "digest"));
    line(call, "deletes", joined(call, json_object_get(answer, "deletes")));
    line(call, "accepts", joined(call, json_object_get(answer, "override")));
    write_approvals(call, json_object_get(answer, "approvals"));
    line(call, "created", member(call, answer, "created"));
    line(call, "submitted", member(call, answer, "submitted"));
    line(call, "expires", member(call, answer, "expires"));
    write_applied(call, answer);
    change_text_gate(call, json_object_get(answer, "gate"));
    line(call, "ended", member(call, answer, "ended_why"));
    line(call, "last error", member(call, answer, "last_error"));
    if (json_array_size(json_object_get(answer, "findings")) > 0) {
        buffer_append_literal(out, "\n");
        change_text_findings(call, answer);
    }
    next = json_object_get(answer, "next");
    json_array_foreach(next, at, one)
        buffer_printf(out, "%s%s\n", at == 0 ? "\nnext: " : "      ", shown(call, one));
}

void change_text_list(struct call *call, const json_t *answer)
{
    static const char *const headings[] = {"id",     "state", "class", "approvals",
                                           "author", "title", NULL};
    const json_t *changes = json_object_get(answer, "changes"), *change;
    struct texttable table;
    size_t at;

    texttable_init(&table, call->arena, headings);
    json_array_foreach(changes, at, change)
    {
        const json_t *approvals = json_object_get(change, "approvals");
        texttable_cell(&table, "%s", member(call, change, "id"));
        texttable_cell(&table, "%s", member(call, change, "state"));
        texttable_cell(&table, "%s", member(call, change, "class"));
        texttable_cell(&table, "%zu of %s", json_array_size(json_object_get(approvals, "given")),
                       member(call, approvals, "required"));
        texttable_cell(&table, "%s", member(call, change, "author"));
        texttable_cell(&table, "%s", member(call, change, "title"));
    }
    texttable_write(&table, &call->reply.body, 0);
}

void change_text_diff(struct call *call, const json_t *answer)
{
    char *text = merge_diff_text(json_object_get(answer, "diff"));

    buffer_append_slice(&call->reply.body, slice_from(text));
    if (text[0] == '\0')
        buffer_append_literal(&call->reply.body, "no difference\n");
    xfree(text);
}

/* --- impact ------------------------------------------------------------------------------ */

void change_text_impact(struct call *call, const json_t *answer)
{
    impact_text(answer, call->arena, &call->reply.body);
}

/* --- revisions, audit, alerts ------------------------------------------------------------ */

void change_text_revisions(struct call *call, const json_t *answer)
{
    static const char *const headings[] = {"revision", "since", "author", "change", "digest", NULL};
    const json_t *revisions = json_object_get(answer, "revisions"), *revision;
    struct texttable table;
    size_t at;

    texttable_init(&table, call->arena, headings);
    json_array_foreach(revisions, at, revision)
    {
        texttable_cell(&table, "%s", member(call, revision, "rev"));
        texttable_cell(&table, "%s", member(call, revision, "created"));
        texttable_cell(&table, "%s", member(call, revision, "author"));
        texttable_cell(&table, "%s", member(call, revision, "change"));
        texttable_cell(&table, "%s", member(call, revision, "digest"));
    }
    texttable_write(&table, &call->reply.body, 0);
}

void change_text_audit(struct call *call, const json_t *answer)
{
    static const char *const headings[] = {"seq",    "time",    "who", "event",
                                           "change", "outcome", NULL};
    const json_t *records = json_object_get(answer, "records"), *record;
    struct texttable table;
    size_t at;

    texttable_init(&table, call->arena, headings);
    json_array_foreach(records, at, record)
    {
        texttable_cell(&table, "%s", member(call, record, "seq"));
        texttable_cell(&table, "%s", member(call, record, "t"));
        texttable_cell(&table, "%s", member(call, json_object_get(record, "actor"), "person"));
        texttable_cell(&table, "%s", member(call, record, "event"));
        texttable_cell(&table, "%s", member(call, record, "change"));
        texttable_cell(&table, "%s", member(call, record, "outcome"));
    }
    texttable_write(&table, &call->reply.body, 0);
}

/* What was changed last, and the command that takes it back: once for all alerts that name it. */
static void alerts_revert(struct call *call, const json_t *alerts)
{
    const json_t *alert, *told = NULL;
    size_t at;

    json_array_foreach(alerts, at, alert)
    {
        const json_t *revert = json_object_get(alert, "revert");

        if (!json_is_string(revert) || (told != NULL && json_equal(revert, told)))
            continue;
        told = revert;
        buffer_printf(&call->reply.body, "\nchanged last: revision %s",
                      member(call, alert, "revision"));
        if (json_is_string(json_object_get(alert, "change")))
            buffer_printf(&call->reply.body, ", change %s by %s, approved by %s",
                          member(call, alert, "change"), member(call, alert, "author"),
                          joined(call, json_object_get(alert, "approvers")));
        buffer_printf(&call->reply.body, "; to take it back\n  %s\n", shown(call, revert));
    }
}

void change_text_alerts(struct call *call, const json_t *answer)
{
    static const char *const headings[] = {"alert", "severity", "since", "summary", NULL};
    const json_t *alerts = json_object_get(answer, "alerts"), *alert;
    struct texttable table;
    size_t at;

    if (json_array_size(alerts) == 0) {
        buffer_append_literal(&call->reply.body, "no alerts\n");
        return;
    }
    texttable_init(&table, call->arena, headings);
    json_array_foreach(alerts, at, alert)
    {
        texttable_cell(&table, "%s", member(call, alert, "name"));
        texttable_cell(&table, "%s", member(call, alert, "severity"));
        texttable_cell(&table, "%s", member(call, alert, "since"));
        texttable_cell(&table, "%s", member(call, alert, "summary"));
    }
    texttable_write(&table, &call->reply.body, 0);
    alerts_revert(call, alerts);
}
