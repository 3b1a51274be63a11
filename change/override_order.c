/*
 * override_order - orders to a server: what comes of one, the guard before it, and how it is
 * written; by a person at once, or with a change.
 *
 *   rtlog/<pool>   [{server, kind, at, was}] of the last hour: what the guard sums up
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/override.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/capacity.h"
#include "change/internal.h"
#include "change/merge.h"
#include "change/override_state.h"
#include "change/peak.h"
#include "change/refusal.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/upstream/registry.h"

enum { WEIGHT_MAX = 1000, LOG_STEP_MS = 60 * 1000 };

/* ---- what was ordered of late ---- */

static json_t *log_of(struct ledger *ledger, const char *pool)
{
    json_t *log = NULL;
    char key[OVERRIDE_KEY_TEXT];
    struct buffer bytes;

    buffer_init(&bytes);
    (void)snprintf(key, sizeof(key), "rtlog/%s", pool);
    if (store_get(ledger->store, key, &bytes, NULL))
        log = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
    buffer_fini(&bytes);
    if (json_is_array(log))
        return log;
    json_decref(log);
    return json_array();
}

static bool is_same_minute(const json_t *event, const char *server, const char *kind,
                           int64_t now_ms)
{
    const char *of = json_string_value(json_object_get(event, "server"));
    const char *is = json_string_value(json_object_get(event, "kind"));

    return of != NULL && is != NULL && strcmp(of, server) == 0 && strcmp(is, kind) == 0 &&
           now_ms - json_integer_value(json_object_get(event, "at")) < LOG_STEP_MS;
}

/* The first of a minute says what was before it; what is older than an hour is gone. */
static void log_event_of(json_t *log, const char *server, const char *kind, int64_t now_ms,
                         int64_t was)
{
    for (size_t i = json_array_size(log); i-- > 0;) {
        const json_t *event = json_array_get(log, i);

        if (is_same_minute(event, server, kind, now_ms))
            return;
        if (now_ms - json_integer_value(json_object_get(event, "at")) >= CAPACITY_WEIGHT_MS)
            json_array_remove(log, i);
    }
    json_array_append_new(log, json_pack("{s:s, s:s, s:I, s:I}", "server", server, "kind", kind,
                                         "at", (json_int_t)now_ms, "was", (json_int_t)was));
}

/* ---- an order ---- */

/* An order, the server that it is for, and what comes of it. */
struct ordering {
    struct ledger *ledger;
    const struct override_order *order;
    const struct conf_pool *pool;
    const struct conf_server *server;
    const struct override *old; /* or NULL */
    struct override next;
    json_t *log;
};

static int64_t weight_now(const struct ordering *ordering)
{
    return ordering->old != NULL && ordering->old->weight >= 0 ? ordering->old->weight
                                                               : ordering->server->weight;
}

static const char *state_after(const struct ordering *ordering)
{
    const char *state = ordering->order->state;

    if (state == NULL)
        return ordering->old != NULL ? ordering->old->state : NULL;
    /* ready as configured is no override */
    if (strcmp(state, "ready") == 0 && ordering->server->state == SERVER_READY)
        return NULL;
    return state;
}

static int64_t weight_after(const struct ordering *ordering)
{
    int64_t weight = ordering->order->weight;

    if (weight == OVERRIDE_WEIGHT_KEEP)
        return ordering->old != NULL ? ordering->old->weight : -1;
    if (weight == OVERRIDE_WEIGHT_CONFIGURED || weight == ordering->server->weight)
        return -1;
    return weight;
}

/* An order that says nothing of an end leaves the end of what it does not touch. */
static int64_t expires_after(const struct ordering *ordering, int64_t now_ms)
{
    const struct override_order *order = ordering->order;
    bool touches_both = order->state != NULL && order->weight != OVERRIDE_WEIGHT_KEEP;

    if (order->lasts_ms > 0)
        return now_ms + (int64_t)order->lasts_ms;
    return ordering->old != NULL && !touches_both &&
                   ((order->state == NULL && ordering->old->state != NULL) ||
                    (order->state != NULL && ordering->old->weight >= 0))
               ? ordering->old->expires_ms
               : 0;
}

static char *copy_or_null(const char *text)
{
    return text != NULL ? xstrdup(text) : NULL;
}

static void fill_next(struct ordering *ordering, const char *by)
{
    int64_t now_ms = ledger_wall_ms(ordering->ledger);

    ordering->next = (struct override){.pool = xstrdup(ordering->pool->name),
                                       .server = xstrdup(ordering->server->name),
                                       .state = copy_or_null(state_after(ordering)),
                                       .weight = weight_after(ordering),
                                       .by = xstrdup(by),
                                       .reason = copy_or_null(ordering->order->reason),
                                       .since_ms = now_ms,
                                       .expires_ms = expires_after(ordering, now_ms)};
}

/* False: there is no such server. */
static bool find_server(struct ordering *ordering)
{
    const struct configuration *conf = ledger_running_conf(ordering->ledger);
    int pool = conf != NULL ? config_find_pool(conf, ordering->order->pool) : -1;

    if (pool < 0)
        return false;
    ordering->pool = &conf->pools[pool];
    for (size_t i = 0; i < ordering->pool->server_count; i++)
        if (strcmp(ordering->pool->servers[i].name, ordering->order->server) == 0)
            ordering->server = &ordering->pool->servers[i];
    if (ordering->server == NULL)
        return false;
    ordering->old = override_find(ordering->ledger, ordering->order->pool, ordering->order->server);
    return true;
}

static bool is_state(const char *state)
{
    return strcmp(state, "ready") == 0 || strcmp(state, "drain") == 0 ||
           strcmp(state, "maint") == 0;
}

static bool is_order(const struct override_order *order)
{
    if (order->state == NULL && order->weight == OVERRIDE_WEIGHT_KEEP)
        return false;
    if (order->weight < OVERRIDE_WEIGHT_CONFIGURED || order->weight > WEIGHT_MAX)
        return false;
    return order->state == NULL || is_state(order->state);
}

/* ---- the guard ---- */

struct healthy {
    const struct conf_pool *pool;
    bool *is_up; /* of each server of the pool */
};

static void note_health(void *context, struct server *live)
{
    struct healthy *healthy = context;

    if (strcmp(live->pool->name, healthy->pool->name) != 0 ||
        atomic_load_explicit(&live->live.health, memory_order_relaxed) == HEALTH_DOWN ||
        atomic_load_explicit(&live->live.ejected, memory_order_relaxed) != 0)
        return;
    for (size_t i = 0; i < healthy->pool->server_count; i++)
        if (strcmp(healthy->pool->servers[i].name, live->name) == 0)
            healthy->is_up[i] = true;
}

/* Names of servers without a healthy address; the array is the caller's. */
static const char **find_down(struct ledger *ledger, const struct conf_pool *pool,
                              size_t *count_out)
{
    struct healthy healthy = {.pool = pool, .is_up = xcalloc(pool->server_count + 1, sizeof(bool))};
    const char **down = xcalloc(pool->server_count + 1, sizeof(*down));

    *count_out = 0;
    if (ledger->options.registry != NULL) {
        registry_each_server(ledger->options.registry, note_health, &healthy);
        for (size_t i = 0; i < pool->server_count; i++)
            if (!healthy.is_up[i])
                down[(*count_out)++] = pool->servers[i].name;
    }
    xfree(healthy.is_up);
    return down;
}

static bool guard(struct ordering *ordering, json_t **numbers_out, struct refusal *refusal)
{
    const struct override_order *order = ordering->order;
    struct capacity_question question = {.pool = ordering->pool,
                                         .server = ordering->server->name,
                                         .state = order->state,
                                         .weight = order->weight == OVERRIDE_WEIGHT_CONFIGURED
                                                       ? ordering->server->weight
                                                       : order->weight,
                                         .in_force = override_list(ordering->ledger),
                                         .events = ordering->log,
                                         .now_ms = ledger_wall_ms(ordering->ledger)};
    const char **down = find_down(ordering->ledger, ordering->pool, &question.down_count);
    char why[CAPACITY_WHY_TEXT];
    bool is_allowed;

    question.down = down;
    question.peak_rps = peak_of(ordering->ledger, ordering->pool->name, &question.peak_since_ms);
    is_allowed = capacity_allows(&question, numbers_out, why);
    if (capacity_is_drain(&question))
        log_event_of(ordering->log, ordering->server->name, "drain", question.now_ms, 0);
    if (question.weight >= 0 && question.weight != weight_now(ordering))
        log_event_of(ordering->log, ordering->server->name, "weight", question.now_ms,
                     weight_now(ordering));
    xfree(down);
    json_decref((json_t *)(uintptr_t)question.in_force);
    if (is_allowed)
        return true;
    return refuse_with(refusal, "capacity-guard", "POST /v1/changes?submit=true, with overrides",
                       json_pack("{s:O}", "guard", *numbers_out), "%s/%s: %s", ordering->pool->name,
                       ordering->server->name, why);
}

/* ---- writing ---- */

static void put_text(struct store_txn *txn, const char *key, json_t *value)
{
    size_t bytes;
    char *text = merge_canonical(value, &bytes);

    store_put(txn, key, slice_of(text, bytes));
    xfree(text);
    json_decref(value);
}

static void put_override(struct store_txn *txn, const struct override *one)
{
    char key[OVERRIDE_KEY_TEXT];

    override_key(one->pool, one->server, key);
    if (override_is_empty(one))
        store_delete(txn, key);
    else
        put_text(txn, key, override_stored(one));
}

static void put_log(struct store_txn *txn, const char *pool, json_t *log)
{
    char key[OVERRIDE_KEY_TEXT];

    (void)snprintf(key, sizeof(key), "rtlog/%s", pool);
    put_text(txn, key, json_incref(log));
}

static json_t *audit_data(const struct override *next, const struct override *old)
{
    json_t *data = override_shown(next);

    json_object_set_new(data, "was", old != NULL ? override_shown(old) : json_null());
    return data;
}

static bool write_order(struct ordering *ordering, const struct actor *actor,
                        struct refusal *refusal)
{
    struct step step;

    step_begin(&step, ordering->ledger, actor);
    put_override(step.txn, &ordering->next);
    put_log(step.txn, ordering->pool->name, ordering->log);
    step_audit(&step, override_is_empty(&ordering->next) ? "override.cleared" : "override.set",
               NULL, NULL, audit_data(&ordering->next, ordering->old));
    return step_commit(&step, refusal);
}

static bool refuse_order(const struct ordering *ordering, struct refusal *refusal)
{
    if (ledger_running_conf(ordering->ledger) == NULL)
        return refuse(refusal, "not-running", "GET /v1/status", "no configuration runs yet");
    return refuse(refusal, "not-found", "GET /v1/pools", "there is no server %.64s in a pool %.64s",
                  ordering->order->server, ordering->order->pool);
}

/* Nothing is overridden, and nothing is to be. */
static bool is_nothing(const struct ordering *ordering)
{
    return ordering->old == NULL && override_is_empty(&ordering->next);
}

bool override_set(struct ledger *ledger, const struct actor *actor,
                  const struct override_order *order, json_t **guard_out, struct refusal *refusal)
{
    struct ordering ordering = {.ledger = ledger, .order = order};
    json_t *numbers = NULL;
    bool is_done;

    if (!is_order(order))
        return refuse(refusal, "invalid-field", NULL,
                      "an order is a state (ready, drain, maint), a weight (0 to 1000), or both");
    if (!find_server(&ordering))
        return refuse_order(&ordering, refusal);
    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    ordering.log = log_of(ledger, order->pool);
    fill_next(&ordering, actor->person);
    is_done = guard(&ordering, &numbers, refusal) &&
              (is_nothing(&ordering) || write_order(&ordering, actor, refusal));
    if (is_done) {
        override_adopt(ledger, &ordering.next);
    } else {
        override_clear(&ordering.next);
        (void)ledger_denied(ledger, actor, "override.set", NULL, refusal);
    }
    if (is_done && guard_out != NULL)
        *guard_out = json_incref(numbers);
    json_decref(numbers);
    json_decref(ordering.log);
    return is_done;
}

/* ---- with a change ---- */

/* With what is needed to take it back; as an order that says "ready, as configured" leaves nothing
 * to be taken back, it is forgotten like one. */
static void put_override_of(struct store_txn *txn, const struct ordering *ordering,
                            const char *change)
{
    const struct override *next = &ordering->next;
    char key[OVERRIDE_KEY_TEXT];
    json_t *stored;

    if (override_is_empty(next)) {
        put_override(txn, next);
        return;
    }
    override_key(next->pool, next->server, key);
    stored = override_stored(next);
    json_object_set_new(stored, "change", json_string(change));
    json_object_set_new(stored, "was",
                        ordering->old != NULL ? override_stored(ordering->old) : json_null());
    put_text(txn, key, stored);
}

static void apply_one(struct ledger *ledger, struct store_txn *txn, const json_t *given,
                      const char *by, const char *change, json_t *logs)
{
    char reason[64];
    const json_t *weight = json_object_get(given, "weight");
    struct override_order order = {.pool = json_string_value(json_object_get(given, "pool")),
                                   .server = json_string_value(json_object_get(given, "server")),
                                   .state = json_string_value(json_object_get(given, "state")),
                                   .weight = json_is_integer(weight) ? json_integer_value(weight)
                                                                     : OVERRIDE_WEIGHT_KEEP,
                                   .reason = reason};
    struct ordering ordering = {.ledger = ledger, .order = &order};
    int64_t now_ms = ledger_wall_ms(ledger);

    (void)snprintf(reason, sizeof(reason), "change %.40s", change);
    if (order.pool == NULL || order.server == NULL || !is_order(&order) || !find_server(&ordering))
        return; /* its server went meanwhile */
    if (json_object_get(logs, order.pool) == NULL)
        json_object_set_new(logs, order.pool, log_of(ledger, order.pool));
    ordering.log = json_object_get(logs, order.pool);
    fill_next(&ordering, by);
    if (order.state != NULL && strcmp(order.state, "ready") != 0)
        log_event_of(ordering.log, order.server, "drain", now_ms, 0);
    if (order.weight >= 0 && order.weight != weight_now(&ordering))
        log_event_of(ordering.log, order.server, "weight", now_ms, weight_now(&ordering));
    put_override_of(txn, &ordering, change);
    override_clear(&ordering.next);
}

void override_apply_change(struct ledger *ledger, struct store_txn *txn, const json_t *overrides,
                           const char *by, const char *change)
{
    json_t *logs = json_object();
    const char *pool;
    json_t *log;

    for (size_t i = 0; i < json_array_size(overrides); i++)
        apply_one(ledger, txn, json_array_get(overrides, i), by, change, logs);
    json_object_foreach(logs, pool, log) put_log(txn, pool, log);
    json_decref(logs);
}

/* {key: what was before}, of those that came with a change and that nobody has ordered since. */
struct reverting {
    const char *change;
    json_t *found;
};

static bool find_reverted(void *context, const char *key, struct slice value, uint64_t version)
{
    struct reverting *reverting = context;
    json_t *stored = json_loadb(value.at, value.len, 0, NULL);
    const char *change = json_string_value(json_object_get(stored, "change"));

    (void)version;
    if (change != NULL && strcmp(change, reverting->change) == 0)
        json_object_set(reverting->found, key, json_object_get(stored, "was"));
    json_decref(stored);
    return true;
}

void override_revert_change(struct ledger *ledger, struct store_txn *txn, const char *change)
{
    struct reverting reverting = {.change = change, .found = json_object()};
    const char *key;
    json_t *was;

    store_list(ledger->store, "rt/", NULL, false, find_reverted, &reverting);
    json_object_foreach(reverting.found, key, was)
    {
        if (json_is_object(was))
            put_text(txn, key, json_incref(was));
        else
            store_delete(txn, key);
    }
    json_decref(reverting.found);
}
