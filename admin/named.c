/*
 * named - see named.h.
 *
 * Owner    the call's arena.      Threads  control only
 */
#include "admin/named.h"

#include "admin/call.h"
#include "admin/internal.h"
#include "admin/problem.h"
#include "base/arena.h"
#include "change/override.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "watch/live.h"

const struct live_pool *named_pool(struct call *call)
{
    const struct snapshot *snapshot = admin_snapshot(call->admin);
    char name[128];

    if (snapshot == NULL) {
        problem_reply(call, PROBLEM_NOT_RUNNING, "GET /v1/status", "no pools yet");
        return NULL;
    }
    const struct snapshot_pool *pool =
        call->arguments[0].len < sizeof(name)
            ? snapshot_find_pool(snapshot, slice_copy(call->arguments[0], name, sizeof(name)))
            : NULL;
    if (pool == NULL) {
        problem_reply(call, PROBLEM_NOT_FOUND, "GET /v1/pools", "there is no pool named %.*s",
                      SLICE_ARGS(call->arguments[0]));
        return NULL;
    }
    return admin_live_pool(call->admin, pool, call->arena);
}

const struct live_server *named_server(struct call *call, const struct live_pool *pool)
{
    const char *name = pool->pool->conf->name;

    for (size_t i = 0; i < pool->server_count; i++)
        if (slice_equal(slice_from(pool->servers[i].conf->name), call->arguments[1]))
            return &pool->servers[i];
    problem_reply(call, PROBLEM_NOT_FOUND, arena_printf(call->arena, "GET /v1/pools/%s", name),
                  "pool %s has no server named %.*s", name, SLICE_ARGS(call->arguments[1]));
    return NULL;
}

json_t *named_admin_json(const struct call *call, const struct live_pool *pool,
                         const struct live_server *server)
{
    struct ledger *ledger = call->admin->options.ledger;
    const struct override *one =
        ledger != NULL ? override_get(ledger, pool->pool->conf->name, server->conf->name) : NULL;
    json_t *weight = server->weight_override == BALANCE_NO_OVERRIDE
                         ? json_null()
                         : json_integer(server->weight_override);

    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "state", live_admin_word(server->admin), "weight",
                     weight, "by", reply_string_or_null(one != NULL ? one->by : NULL), "reason",
                     reply_string_or_null(one != NULL ? one->reason : NULL), "expires",
                     reply_time(one != NULL ? one->expires_ms : 0));
}
