/*
 * on_freeze - when changes rest, and when one person may act alone: freeze, break-glass, its
 * review.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include <string.h>

#include "admin/asked.h"
#include "admin/call.h"
#include "admin/dispatch.h"
#include "admin/internal.h"
#include "admin/problem.h"
#include "base/arena.h"
#include "base/clock.h"
#include "change/ledger.h"
#include "config/text.h"

/* --- freeze ------------------------------------------------------------------------------ */

/* "2026-12-24T00:00:00Z", or "2h" from now; 0: until it is lifted. */
static int64_t read_until(json_t *body, json_t *errors)
{
    const char *text, *wrong;
    uint64_t lasts_ms;
    int64_t until_ms = 0;

    asked_text(body, "until", false, errors, &text);
    if (text == NULL)
        return 0;
    if (text_read_duration(text, &lasts_ms) == NULL && lasts_ms > 0)
        return clock_wall_ms() + (int64_t)lasts_ms;
    wrong = text_read_time(text, &until_ms);
    if (wrong != NULL)
        asked_error(errors, "until", wrong);
    else if (until_ms <= clock_wall_ms())
        asked_error(errors, "until", "has passed already");
    return until_ms;
}

/* Takes `freeze`; NULL where it was refused. */
static json_t *freeze_json(json_t *freeze)
{
    return freeze != NULL ? json_pack("{s:o}", "freeze", freeze) : NULL;
}

void on_freeze_set(struct call *call)
{
    static const char *const fields[] = {"reason", "until", NULL};
    struct ledger *ledger = asked_ledger(call);
    json_t *body = ledger != NULL ? dispatch_body(call, fields) : NULL, *answer = NULL, *errors;
    struct refusal refusal = {0};
    const char *reason;
    int64_t until_ms;

    if (body == NULL)
        return;
    errors = json_array();
    asked_text(body, "reason", true, errors, &reason);
    until_ms = read_until(body, errors);
    if (!asked_wrongly(call, errors)) {
        bool ok = ledger_freeze(ledger, &call->actor, reason, until_ms, &answer, &refusal);
        asked_reply(call, ok, 200, freeze_json(answer), &refusal);
    }
    json_decref(body);
}

void on_freeze_lift(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    json_t *answer = NULL;
    bool ok;

    if (ledger == NULL || !asked_nothing(call))
        return;
    ok = ledger_thaw(ledger, &call->actor, &answer, &refusal);
    asked_reply(call, ok, 200, freeze_json(answer), &refusal);
}

void on_freeze(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);

    if (ledger != NULL)
        reply_json(call, 200, freeze_json(ledger_freeze_shown(ledger)));
}

/* --- break-glass ------------------------------------------------------------------------- */

void on_breakglass_open(struct call *call)
{
    static const char *const fields[] = {"reason", "incident", NULL};
    struct ledger *ledger = asked_ledger(call);
    json_t *body = ledger != NULL ? dispatch_body(call, fields) : NULL, *answer = NULL, *errors;
    struct refusal refusal = {0};
    const char *reason, *incident;

    if (body == NULL)
        return;
    errors = json_array();
    asked_text(body, "reason", true, errors, &reason);
    asked_text(body, "incident", true, errors, &incident);
    if (!asked_wrongly(call, errors)) {
        bool ok = ledger_breakglass(ledger, &call->actor, reason, incident, &answer, &refusal);
        if (ok)
            reply_header(call, "Location", "/v1/breakglass");
        asked_reply(call, ok, 201, answer, &refusal);
    }
    json_decref(body);
}

void on_breakglass_review(struct call *call)
{
    static const char *const fields[] = {"verdict", "comment", NULL};
    struct ledger *ledger = asked_ledger(call);
    json_t *body = ledger != NULL ? dispatch_body(call, fields) : NULL, *answer = NULL, *errors;
    struct refusal refusal = {0};
    const char *verdict, *comment;

    if (body == NULL)
        return;
    errors = json_array();
    asked_text(body, "verdict", true, errors, &verdict);
    asked_text(body, "comment", false, errors, &comment);
    if (verdict != NULL && strcmp(verdict, "accept") != 0 && strcmp(verdict, "revert") != 0 &&
        strcmp(verdict, "allow") != 0)
        asked_error(errors, "verdict",
                    "is \"accept\" or \"revert\", or \"allow\" of one that is asked for");
    if (!asked_wrongly(call, errors)) {
        bool ok = ledger_review(ledger, &call->actor, asked_argument(call, 0), verdict, comment,
                                &answer, &refusal);
        asked_reply(call, ok, 200, answer, &refusal);
    }
    json_decref(body);
}

void on_breakglass(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);

    if (ledger != NULL)
        reply_json(call, 200, ledger_breakglass_shown(ledger));
}
