/*
 * apply_fixture - the ledger of ledger_fixture.h, whose changes are applied, confirmed and taken
 * back, and what it tells of them.  For unit tests.
 */
#ifndef TESTS_SUPPORT_APPLY_FIXTURE_H
#define TESTS_SUPPORT_APPLY_FIXTURE_H

#include "tests/support/ledger_fixture.h"

#define WEIGHT    "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":90}}}}}"
#define WEIGHT_2  "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":95}}}}}"
#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)

/* ---- calls ---- */

/* Of those that answer when they are done. */
static void done(void *context, json_t *answer, const struct refusal *refusal)
{
    (void)context;
    fresh_answer();
    world.answer = answer;
    if (refusal != NULL) {
        world.refusal = *refusal;
        world.refusal.fields = NULL; /* borrowed */
    }
    world.answered++;
}

static __attribute__((unused)) const char *apply_as(const char *person, const char *id)
{
    struct actor actor = who(person);

    fresh_answer();
    ledger_apply(world.ledger, &actor, id, NULL, done, NULL);
    return problem();
}

static __attribute__((unused)) const char *cancel_as(const char *person, const char *id)
{
    struct actor actor = who(person);

    fresh_answer();
    ledger_cancel(world.ledger, &actor, id, NULL, done, NULL);
    return problem();
}

static __attribute__((unused)) const char *rollback_as(const char *person, const char *to)
{
    struct actor actor = who(person);

    fresh_answer();
    ledger_rollback(world.ledger, &actor, to, "a test", done, NULL);
    return problem();
}

static void pass(int64_t ms)
{
    pass_ms(ms);
    ledger_tick(world.ledger);
}

static __attribute__((unused)) void approved(const char *patch, char id_out[CHANGE_ID_TEXT])
{
    propose("ann", patch, true, id_out);
    assert_string_equal(approve("bob", id_out), "");
    assert_string_equal(state_of(id_out), "approved");
}

static __attribute__((unused)) void applied(const char *patch, char id_out[CHANGE_ID_TEXT])
{
    approved(patch, id_out);
    assert_string_equal(apply_as("ann", id_out), "");
    pass(31 * SECOND_MS);
    assert_string_equal(call(ledger_confirm, "ann", id_out), "");
    assert_string_equal(state_of(id_out), "applied");
}

/* ---- what is so then ---- */

static __attribute__((unused)) const char *runs(void)
{
    return world.running->digest;
}

/* Both say the same: what runs, and what the store says runs. */
static __attribute__((unused)) bool is_true_to_the_store(void)
{
    struct revision_pointer stored;

    pointer_load(world.ledger, "running", &stored);
    return strcmp(stored.digest, runs()) == 0 && stored.rev == world.ledger->running.rev;
}

/* Records of the audit of this event that have `with` in them. */
static unsigned records_with(const char *event, const char *with)
{
    char needle[64];
    unsigned count = 0;

    (void)snprintf(needle, sizeof(needle), "\"event\":\"%s\"", event);
    for (size_t i = 0; i < memory.count; i++)
        count += strncmp(memory.entries[i].key, "audit/", 6) == 0 &&
                 strstr(memory.entries[i].bytes, needle) != NULL &&
                 strstr(memory.entries[i].bytes, with) != NULL;
    return count;
}

static __attribute__((unused)) unsigned records_of(const char *event)
{
    return records_with(event, "");
}

/* The caller's; NULL: there is none. */
static json_t *alert_of(const char *name)
{
    json_t *alerts = ledger_alerts(world.ledger);
    json_t *found = NULL;
    json_t *alert;
    size_t i;

    json_array_foreach(alerts, i, alert)
    {
        if (found == NULL && strcmp(json_string_value(json_object_get(alert, "name")), name) == 0)
            found = json_incref(alert);
    }
    json_decref(alerts);
    return found;
}

static __attribute__((unused)) bool has_alert(const char *name)
{
    json_t *alert = alert_of(name);
    bool has = alert != NULL;

    json_decref(alert);
    return has;
}

#endif
