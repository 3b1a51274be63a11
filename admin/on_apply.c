/*
 * on_apply - a change comes into force: apply, confirm, cancel, extend, rollback.
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
#include "admin/wait.h"
#include "base/arena.h"
#include "base/clock.h"
#include "change/ledger.h"
#include "config/text.h"

/* The body with nothing but a `reason`; NULL: the call was answered. */
static json_t *reason_body(struct call *call, const char *const *fields, const char **reason_out)
{
    json_t *body = dispatch_body(call, fields), *errors;

    if (body == NULL)
        return NULL;
    errors = json_array();
    asked_text(body, "reason", false, errors, reason_out);
    if (!asked_wrongly(call, errors))
        return body;
    json_decref(body);
    return NULL;
}

void on_change_apply(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    const char *if_match;

    if (ledger == NULL || !asked_if_match(call, &if_match) || !asked_nothing(call))
        return;
    ledger_apply(ledger, &call->actor, asked_argument(call, 0), if_match, asked_later_done,
                 asked_later_new(call, true));
}

void on_change_cancel(struct call *call)
{
    static const char *const fields[] = {"reason", NULL};
    struct ledger *ledger = asked_ledger(call);
    const char *reason;
    json_t *body = ledger != NULL ? reason_body(call, fields, &reason) : NULL;

    if (body == NULL)
        return;
    ledger_cancel(ledger, &call->actor, asked_argument(call, 0), reason, asked_later_done,
                  asked_later_new(call, true));
    json_decref(body);
}

/* --- confirm ----------------------------------------------------------------------------- */

/* A confirmation that waits until the change has run long enough. */
struct confirming {
    uint64_t until_ms; /* as long as the caller waits */
};

static void confirm(struct call *call)
{
    struct refusal refusal = {0};
    json_t *answer = NULL;
    bool ok = ledger_confirm(call->admin->options.ledger, &call->actor, asked_argument(call, 0),
                             &answer, &refusal);

    asked_reply_change(call, ok, 200, answer, &refusal);
}

/* The time is asked for anew: the change may have been cancelled meanwhile. */
static void confirm_when_ripe(struct call *call)
{
    struct confirming *confirming = call->handler_part;
    uint64_t now_ms = clock_ms();
    uint64_t left_ms = ledger_confirm_wait_ms(call->admin->options.ledger, asked_argument(call, 0));

    if (left_ms == 0 || now_ms >= confirming->until_ms) {
        confirm(call);
        return;
    }
    if (left_ms > confirming->until_ms - now_ms)
        left_ms = confirming->until_ms - now_ms;
    wait_for(call, left_ms < 1000 ? left_ms : 1000, confirm_when_ripe);
}

void on_change_confirm(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct confirming *confirming;
    uint64_t patience_ms;

    if (ledger == NULL || !wait_parameter(call, &patience_ms) || !asked_nothing(call))
        return;
    confirming = arena_alloc(call->arena, sizeof(*confirming));
    confirming->until_ms = clock_ms() + patience_ms;
    call->handler_part = confirming;
    confirm_when_ripe(call);
}

void on_change_extend(struct call *call)
{
    static const char *const fields[] = {"deadline", NULL};
    struct ledger *ledger = asked_ledger(call);
    json_t *body = ledger != NULL ? dispatch_body(call, fields) : NULL;
    json_t *errors = json_array(), *answer = NULL;
    struct refusal refusal = {0};
    const char *deadline = NULL, *wrong = NULL;
    uint64_t deadline_ms = 0;

    if (body != NULL)
        asked_text(body, "deadline", true, errors, &deadline);
    if (deadline != NULL)
        wrong = text_read_duration(deadline, &deadline_ms);
    if (wrong != NULL)
        asked_error(errors, "deadline", wrong);
    if (!asked_wrongly(call, errors) && body != NULL) {
        bool ok = ledger_extend(ledger, &call->actor, asked_argument(call, 0), deadline_ms, &answer,
                                &refusal);
        asked_reply_change(call, ok, 200, answer, &refusal);
    }
    json_decref(body);
}

/* --- rollback ---------------------------------------------------------------------------- */

/* `to` may be a name or the number of a revision. */
static const char *target_of(struct call *call, json_t *body, json_t *errors)
{
    json_t *to = json_object_get(body, "to");
    const char *text;

    if (json_is_integer(to) && json_integer_value(to) > 0)
        return arena_printf(call->arena, "%lld", (long long)json_integer_value(to));
    asked_text(body, "to", true, errors, &text);
    return text;
}

void on_rollback(struct call *call)
{
    static const char *const fields[] = {"to", "reason", NULL};
    struct ledger *ledger = asked_ledger(call);
    const char *reason, *to;
    json_t *body = ledger != NULL ? reason_body(call, fields, &reason) : NULL, *errors;

    if (body == NULL)
        return;
    errors = json_array();
    to = target_of(call, body, errors);
    if (!asked_wrongly(call, errors))
        ledger_rollback(ledger, &call->actor, to, reason, asked_later_done,
                        asked_later_new(call, false));
    json_decref(body);
}
