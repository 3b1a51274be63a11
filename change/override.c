/*
 * override - see override.h: what is in force, and how it is kept.
 *
 *   rt/<pool>/<server>   {state, weight, by, reason, since, expires}: what is in force; what came
 *                        with a change has besides its id (change), and what was before it (was)
 *
 * Owner    the ledger.      Threads  control
 * Invariants  ledger->overrides is what the store has, and what the registry was told
 */
#include "change/override.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/hits.h"
#include "change/internal.h"
#include "change/override_state.h"
#include "change/peak.h"
#include "proxy/upstream/registry.h"

/* ---- what is in force ---- */

void override_clear(struct override *one)
{
    xfree(one->pool);
    xfree(one->server);
    xfree(one->state);
    xfree(one->by);
    xfree(one->reason);
    *one = (struct override){0};
}

struct override *override_find(const struct ledger *ledger, const char *pool, const char *server)
{
    for (size_t i = 0; i < ledger->override_count; i++) {
        struct override *one = &ledger->overrides[i];

        if (strcmp(one->server, server) == 0 && strcmp(one->pool, pool) == 0)
            return one;
    }
    return NULL;
}

const struct override *override_get(struct ledger *ledger, const char *pool, const char *server)
{
    return override_find(ledger, pool, server);
}

bool override_is_empty(const struct override *one)
{
    return one->state == NULL && one->weight < 0;
}

static enum balance_admin admin_of(const char *state)
{
    if (strcmp(state, "maint") == 0)
        return ADMIN_MAINT;
    return strcmp(state, "drain") == 0 ? ADMIN_DRAIN : ADMIN_READY;
}

static void put_into_force(struct ledger *ledger, const struct override *one)
{
    struct registry *registry = ledger->options.registry;
    enum balance_admin admin = one->state != NULL ? admin_of(one->state) : ADMIN_READY;

    if (registry == NULL)
        return;
    if (override_is_empty(one))
        (void)registry_clear_admin(registry, one->pool, one->server);
    else
        registry_preset_admin(registry, one->pool, one->server, one->state != NULL ? &admin : NULL,
                              one->weight >= 0 ? (uint32_t)one->weight : BALANCE_NO_OVERRIDE);
}

static void remove_override(struct ledger *ledger, struct override *one)
{
    override_clear(one);
    *one = ledger->overrides[--ledger->override_count];
}

/* Takes `next`: it is in the store. */
void override_adopt(struct ledger *ledger, struct override *next)
{
    struct override *old = override_find(ledger, next->pool, next->server);

    put_into_force(ledger, next);
    if (override_is_empty(next)) {
        if (old != NULL)
            remove_override(ledger, old);
        override_clear(next);
        return;
    }
    if (old != NULL) {
        override_clear(old);
        *old = *next;
        return;
    }
    ledger->overrides =
        xrealloc(ledger->overrides, (ledger->override_count + 1) * sizeof(*ledger->overrides));
    ledger->overrides[ledger->override_count++] = *next;
}

/* ---- as JSON ---- */

static json_t *weight_json(const struct override *one)
{
    return one->weight >= 0 ? json_integer(one->weight) : json_null();
}

json_t *override_stored(const struct override *one)
{
    return json_pack("{s:s?, s:o, s:s, s:s?, s:I, s:I}", "state", one->state, "weight",
                     weight_json(one), "by", one->by, "reason", one->reason, "since",
                     (json_int_t)one->since_ms, "expires", (json_int_t)one->expires_ms);
}

static json_t *time_or_null(int64_t wall_ms)
{
    char text[CLOCK_RFC3339_TEXT];

    return wall_ms != 0 ? json_string(clock_rfc3339(wall_ms, text)) : json_null();
}

json_t *override_shown(const struct override *one)
{
    return json_pack("{s:s, s:s, s:s?, s:o, s:s, s:s?, s:o, s:o}", "pool", one->pool, "server",
                     one->server, "state", one->state, "weight", weight_json(one), "by", one->by,
                     "reason", one->reason, "since", time_or_null(one->since_ms), "expires",
                     time_or_null(one->expires_ms));
}

json_t *override_list(struct ledger *ledger)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ledger->override_count; i++)
        json_array_append_new(list, override_shown(&ledger->overrides[i]));
    return list;
}

static char *text_or_null(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? xstrdup(text) : NULL;
}

/* False: the key or the value is none of an override. */
static bool parse_stored(const char *key, struct slice value, struct override *one)
{
    const char *pool = key + strlen("rt/");
    const char *slash = strchr(pool, '/');
    json_t *stored = json_loadb(value.at, value.len, 0, NULL);
    const json_t *weight = json_object_get(stored, "weight");
    char name[OVERRIDE_KEY_TEXT];

    if (slash == NULL || !json_is_object(stored)) {
        json_decref(stored);
        return false;
    }
    *one = (struct override){
        .pool = xstrdup(slice_copy(slice_of(pool, (size_t)(slash - pool)), name, sizeof(name))),
        .server = xstrdup(slash + 1),
        .state = text_or_null(stored, "state"),
        .weight = json_is_integer(weight) ? json_integer_value(weight) : -1,
        .by = text_or_null(stored, "by"),
        .reason = text_or_null(stored, "reason"),
        .since_ms = json_integer_value(json_object_get(stored, "since")),
        .expires_ms = json_integer_value(json_object_get(stored, "expires"))};
    if (one->by == NULL)
        one->by = xstrdup("");
    json_decref(stored);
    return true;
}

void override_key(const char *pool, const char *server, char key_out[OVERRIDE_KEY_TEXT])
{
    (void)snprintf(key_out, OVERRIDE_KEY_TEXT, "rt/%s/%s", pool, server);
}

/* ---- from the store, and over time ---- */

struct restoring {
    struct override *items;
    size_t count;
};

static bool restore_one(void *context, const char *key, struct slice value, uint64_t version)
{
    struct restoring *restoring = context;
    struct override one;

    (void)version;
    if (!parse_stored(key, value, &one))
        return true;
    restoring->items =
        xrealloc(restoring->items, (restoring->count + 1) * sizeof(*restoring->items));
    restoring->items[restoring->count++] = one;
    return true;
}

static bool is_among(const struct restoring *restoring, const struct override *one)
{
    for (size_t i = 0; i < restoring->count; i++)
        if (strcmp(restoring->items[i].server, one->server) == 0 &&
            strcmp(restoring->items[i].pool, one->pool) == 0)
            return true;
    return false;
}

void override_restore(struct ledger *ledger)
{
    struct restoring restoring = {0};

    store_list(ledger->store, "rt/", NULL, false, restore_one, &restoring);
    for (size_t i = ledger->override_count; i-- > 0;) {
        struct override *one = &ledger->overrides[i];

        if (is_among(&restoring, one))
            continue;
        if (ledger->options.registry != NULL)
            (void)registry_clear_admin(ledger->options.registry, one->pool, one->server);
        remove_override(ledger, one);
    }
    for (size_t i = 0; i < restoring.count; i++)
        override_adopt(ledger, &restoring.items[i]);
    xfree(restoring.items);
}

/* False: the store does not take it now. */
static bool end_override(struct ledger *ledger, struct override *one)
{
    struct actor system = actor_system("timer");
    struct step step;
    char key[OVERRIDE_KEY_TEXT];

    override_key(one->pool, one->server, key);
    step_begin(&step, ledger, &system);
    store_delete(step.txn, key);
    step_audit(&step, "override.expired", NULL, NULL, override_shown(one));
    if (!step_commit(&step, NULL))
        return false;
    if (ledger->options.registry != NULL)
        (void)registry_clear_admin(ledger->options.registry, one->pool, one->server);
    remove_override(ledger, one);
    return true;
}

void override_tick(struct ledger *ledger)
{
    int64_t now_ms = ledger_wall_ms(ledger);

    for (size_t i = ledger->override_count; i-- > 0;) {
        struct override *one = &ledger->overrides[i];

        if (one->expires_ms != 0 && one->expires_ms <= now_ms && !end_override(ledger, one))
            break; /* asked again in a second */
    }
    peak_tick(ledger);
    hits_tick(ledger);
}

void override_forget(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->override_count; i++)
        override_clear(&ledger->overrides[i]);
    xfree(ledger->overrides);
    ledger->overrides = NULL;
    ledger->override_count = 0;
    peak_forget(ledger);
    hits_forget(ledger);
}
