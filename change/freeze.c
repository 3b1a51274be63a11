/*
 * freeze - nothing is applied for a while; set by one operator, lifted by him or by two others.
 *
 * Rollback, cancel, drains and break-glass go on during one (E-25).
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "change/actor.h"
#include "change/refusal.h"
#include "change/request.h"
#include "config/model.h"

static const int64_t freeze_max_ms = 90LL * 24 * 3600 * 1000;

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

void freeze_load(struct ledger *ledger)
{
    struct buffer bytes;

    json_decref(ledger->freeze);
    ledger->freeze = NULL;
    buffer_init(&bytes);
    if (store_get(ledger->store, "freeze", &bytes, NULL))
        ledger->freeze = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
    buffer_fini(&bytes);
}

static bool is_frozen(const struct ledger *ledger)
{
    int64_t until = json_integer_value(json_object_get(ledger->freeze, "until_ms"));

    return ledger->freeze != NULL && (until == 0 || ledger_wall_ms(ledger) < until);
}

bool freeze_allows(const struct ledger *ledger, struct refusal *refusal)
{
    int64_t until = json_integer_value(json_object_get(ledger->freeze, "until_ms"));
    char when[CLOCK_RFC3339_TEXT];

    if (!is_frozen(ledger))
        return true;
    return refuse(refusal, "frozen", "DELETE /v1/freeze", "%s froze all changes until %s: %s",
                  text_of(ledger->freeze, "by"),
                  until != 0 ? clock_rfc3339(until, when) : "it is lifted",
                  text_of(ledger->freeze, "reason"));
}

json_t *ledger_freeze_shown(struct ledger *ledger)
{
    int64_t until = json_integer_value(json_object_get(ledger->freeze, "until_ms"));
    const json_t *asked = json_object_get(ledger->freeze, "lift_asked_by");
    char since[CLOCK_RFC3339_TEXT];
    char end[CLOCK_RFC3339_TEXT];

    if (!is_frozen(ledger))
        return json_null();
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o}", "by", text_of(ledger->freeze, "by"), "reason",
        text_of(ledger->freeze, "reason"), "since",
        clock_rfc3339(json_integer_value(json_object_get(ledger->freeze, "since_ms")), since),
        "until", until != 0 ? json_string(clock_rfc3339(until, end)) : json_null(), "lift_asked_by",
        asked != NULL ? json_deep_copy(asked) : json_null());
}

/* Takes `freeze`; NULL lifts it. */
static bool store_freeze(struct ledger *ledger, const struct actor *actor, json_t *freeze,
                         const char *event, json_t *data, struct refusal *refusal)
{
    struct step step;

    step_begin(&step, ledger, actor);
    if (freeze != NULL)
        step_put_json(&step, "freeze", freeze);
    else
        store_delete(step.txn, "freeze");
    step_audit(&step, event, NULL, NULL, data);
    if (!step_commit(&step, refusal)) {
        json_decref(freeze);
        return false;
    }
    json_decref(ledger->freeze);
    ledger->freeze = freeze;
    return true;
}

bool ledger_freeze(struct ledger *ledger, const struct actor *actor, const char *reason,
                   int64_t until_ms, json_t **answer, struct refusal *refusal)
{
    int64_t now = ledger_wall_ms(ledger);
    const char *bad =
        reason != NULL ? request_check_text(reason, REQUEST_REASON_MAX) : "is missing (say why)";

    if (!ledger_may_write(ledger, actor, refusal) ||
        !ledger_has_role(actor, ROLE_OPERATOR, "operator", refusal))
        return ledger_denied(ledger, actor, "freeze.set", NULL, refusal);
    if (bad != NULL)
        return refuse(refusal, "invalid-field", NULL, "reason %s", bad);
    if (until_ms != 0 && (until_ms <= now || until_ms > now + freeze_max_ms))
        return refuse(refusal, "invalid-field", NULL, "until is over, or more than 90 days away");
    if (is_frozen(ledger) && strcmp(text_of(ledger->freeze, "by"), actor->person) != 0)
        return freeze_allows(ledger, refusal); /* nobody shortens another's */
    if (!store_freeze(ledger, actor,
                      json_pack("{s:s, s:s, s:I, s:I}", "by", actor->person, "reason", reason,
                                "since_ms", (json_int_t)now, "until_ms", (json_int_t)until_ms),
                      "freeze.set",
                      json_pack("{s:s, s:I}", "reason", reason, "until_ms", (json_int_t)until_ms),
                      refusal))
        return false;
    *answer = ledger_freeze_shown(ledger);
    return true;
}

bool ledger_thaw(struct ledger *ledger, const struct actor *actor, json_t **answer,
                 struct refusal *refusal)
{
    const char *asked;
    json_t *marked;

    if (!ledger_may_write(ledger, actor, refusal) ||
        !ledger_has_role(actor, ROLE_OPERATOR, "operator", refusal))
        return ledger_denied(ledger, actor, "freeze.lifted", NULL, refusal);
    if (!is_frozen(ledger))
        return refuse(refusal, "not-found", "GET /v1/freeze", "nothing is frozen");
    if (!actor->is_human)
        return refuse(refusal, "forbidden", NULL, "a freeze is lifted by people");
    asked = text_of(ledger->freeze, "lift_asked_by");
    if (strcmp(text_of(ledger->freeze, "by"), actor->person) == 0 ||
        (asked[0] != '\0' && strcmp(asked, actor->person) != 0)) {
        if (!store_freeze(ledger, actor, NULL, "freeze.lifted",
                          json_pack("{s:s}", "asked_by", asked), refusal))
            return false;
    } else {
        marked = json_deep_copy(ledger->freeze);
        json_object_set_new(marked, "lift_asked_by", json_string(actor->person));
        if (!store_freeze(ledger, actor, marked, "freeze.lift-asked", NULL, refusal))
            return false;
    }
    *answer = ledger_freeze_shown(ledger);
    return true;
}
