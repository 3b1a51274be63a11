/*
 * on_changes - staged changes: made, shown, edited, decided about.
 *
 * Guards are the ledger's; here calls become its calls, and its answers become replies.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include <string.h>

#include "admin/asked.h"
#include "admin/call.h"
#include "admin/change_text.h"
#include "admin/dispatch.h"
#include "admin/internal.h"
#include "admin/problem.h"
#include "base/arena.h"
#include "change/ledger.h"

static const char *const change_fields[] = {
    "title",     "reason",     "ticket",    "patch",      "config",  "deletes", "override",
    "overrides", "not_before", "not_after", "auto_apply", "confirm", "rollout", NULL};

/* --- making and editing ------------------------------------------------------------------ */

void on_change_create(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct create_options options = {.kind = CHANGE_KIND_PROPOSAL};
    struct refusal refusal = {0};
    json_t *body, *answer = NULL;
    bool ok;

    if (ledger == NULL || !asked_flag(call, "dry_run", &options.is_dry_run) ||
        !asked_flag(call, "submit", &options.is_submitted) ||
        !asked_if_match(call, &options.if_match))
        return;
    body = dispatch_body(call, change_fields);
    if (body == NULL)
        return;
    ok = ledger_create(ledger, &call->actor, body, &options, &answer, &refusal);
    if (options.is_dry_run)
        asked_reply(call, ok, 200, answer, &refusal);
    else
        asked_reply_change(call, ok, 201, answer, &refusal);
    json_decref(body);
}

static void edit(struct call *call, bool replaces)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    const char *if_match;
    json_t *body, *answer = NULL;
    bool ok;

    if (ledger == NULL || !asked_if_match(call, &if_match))
        return;
    body = dispatch_body(call, change_fields);
    if (body == NULL)
        return;
    ok = ledger_edit(ledger, &call->actor, asked_argument(call, 0), body, replaces, if_match,
                     &answer, &refusal);
    asked_reply_change(call, ok, 200, answer, &refusal);
    json_decref(body);
}

void on_change_replace(struct call *call)
{
    edit(call, true);
}

void on_change_edit(struct call *call)
{
    edit(call, false);
}

/* --- moves ------------------------------------------------------------------------------- */

typedef bool move_fn(struct ledger *ledger, const struct actor *actor, const char *id,
                     json_t **answer, struct refusal *refusal);

/* Those that take nothing but the change. */
static void move(struct call *call, move_fn *ledger_move)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    json_t *answer = NULL;
    bool ok;

    if (ledger == NULL || !asked_nothing(call))
        return;
    ok = ledger_move(ledger, &call->actor, asked_argument(call, 0), &answer, &refusal);
    asked_reply_change(call, ok, 200, answer, &refusal);
}

void on_change_submit(struct call *call)
{
    move(call, ledger_submit);
}

void on_change_reopen(struct call *call)
{
    move(call, ledger_reopen);
}

void on_change_rebase(struct call *call)
{
    move(call, ledger_rebase);
}

void on_change_withdraw(struct call *call)
{
    static const char *const fields[] = {"reason", NULL};
    struct ledger *ledger = asked_ledger(call);
    json_t *body = ledger != NULL ? dispatch_body(call, fields) : NULL, *answer = NULL;
    json_t *errors = json_array();
    struct refusal refusal = {0};
    const char *reason = NULL;

    if (body != NULL)
        asked_text(body, "reason", false, errors, &reason);
    if (!asked_wrongly(call, errors) && body != NULL) {
        bool ok = ledger_withdraw(ledger, &call->actor, asked_argument(call, 0), reason, &answer,
                                  &refusal);
        asked_reply_change(call, ok, 200, answer, &refusal);
    }
    json_decref(body);
}

/* --- decisions --------------------------------------------------------------------------- */

/* False: the call was answered. */
static bool read_decision(struct call *call, json_t *body, struct decision_request *out)
{
    json_t *errors = json_array();
    const char *decision;

    asked_text(body, "digest", true, errors, &out->digest);
    asked_text(body, "decision", true, errors, &decision);
    asked_text(body, "comment", false, errors, &out->comment);
    if (decision != NULL && strcmp(decision, "approve") != 0 && strcmp(decision, "veto") != 0)
        asked_error(errors, "decision", "is \"approve\" or \"veto\"");
    out->is_veto = decision != NULL && strcmp(decision, "veto") == 0;
    return !asked_wrongly(call, errors);
}

void on_change_decide(struct call *call)
{
    static const char *const fields[] = {"digest", "decision", "comment", NULL};
    struct ledger *ledger = asked_ledger(call);
    json_t *body = ledger != NULL ? dispatch_body(call, fields) : NULL, *answer = NULL;
    struct decision_request decision;
    struct refusal refusal = {0};

    if (body != NULL && read_decision(call, body, &decision)) {
        bool ok = ledger_decide(ledger, &call->actor, asked_argument(call, 0), &decision, &answer,
                                &refusal);
        asked_reply_change(call, ok, 200, answer, &refusal);
    }
    json_decref(body);
}

void on_change_retract(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    json_t *answer = NULL;
    bool ok;

    if (ledger == NULL)
        return;
    ok = ledger_retract(ledger, &call->actor, asked_argument(call, 0), asked_argument(call, 1),
                        &answer, &refusal);
    asked_reply_change(call, ok, 200, answer, &refusal);
}

/* --- what is shown ----------------------------------------------------------------------- */

void on_changes(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    struct asked_page page;
    char more[CHANGE_ID_TEXT] = "";
    json_t *answer = NULL;
    bool ok;

    if (ledger == NULL || !asked_page(call, &page))
        return;
    ok = ledger_list(ledger, asked_parameter(call, "state"), asked_parameter(call, "author"),
                     page.cursor, page.limit, &answer, more, &refusal);
    if (ok)
        asked_link_next(call, more);
    change_reply_shown(call, ok, answer, &refusal, change_text_list);
}

void on_change(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    json_t *answer = NULL;
    const char *etag;

    if (ledger == NULL)
        return;
    if (!ledger_show(ledger, asked_argument(call, 0), &answer, &refusal)) {
        asked_reply(call, false, 0, NULL, &refusal);
        return;
    }
    /* Of the content: it stays while the state moves, so nobody may be told 304 by it. */
    etag = json_string_value(json_object_get(answer, "etag"));
    if (etag != NULL)
        reply_header(call, "ETag", arena_printf(call->arena, "\"%s\"", etag));
    change_reply_or_text(call, answer, change_text_one);
}

static void write_bytes(struct call *call, struct slice bytes)
{
    buffer_append_slice(&call->reply.body, bytes);
}

void on_change_bound(struct call *call)
{
    asked_reply_bytes(call, ledger_bound_bytes, write_bytes);
}

/* Something that the ledger shows of the change that the path names. */
static void show(struct call *call, move_fn *ledger_show_part, change_text_fn *write)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    json_t *answer = NULL;
    bool ok;

    if (ledger == NULL)
        return;
    ok = ledger_show_part(ledger, &call->actor, asked_argument(call, 0), &answer, &refusal);
    change_reply_shown(call, ok, answer, &refusal, write);
}

static bool diff_of(struct ledger *ledger, const struct actor *actor, const char *id,
                    json_t **answer, struct refusal *refusal)
{
    (void)actor;
    return ledger_diff(ledger, id, answer, refusal);
}

static bool impact_of(struct ledger *ledger, const struct actor *actor, const char *id,
                      json_t **answer, struct refusal *refusal)
{
    (void)actor;
    return ledger_impact(ledger, id, answer, refusal);
}

static bool findings_of(struct ledger *ledger, const struct actor *actor, const char *id,
                        json_t **answer, struct refusal *refusal)
{
    (void)actor;
    return ledger_findings(ledger, id, answer, refusal);
}

void on_change_diff(struct call *call)
{
    show(call, diff_of, change_text_diff);
}

void on_change_impact(struct call *call)
{
    show(call, impact_of, change_text_impact);
}

void on_change_findings(struct call *call)
{
    show(call, findings_of, change_text_findings);
}
