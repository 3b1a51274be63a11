/*
 * tapping - see tapping.h.
 *
 * Owner    the request      Threads  the worker's
 */
#include "proxy/tapping.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "observe/tap.h"
#include "proxy/balance/balance.h"
#include "proxy/hold.h"
#include "proxy/http/message.h"
#include "proxy/http/target.h"
#include "proxy/request.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/server.h"
#include "proxy/worker.h"

bool tapping_is_secret(struct slice name)
{
    static const struct slice parts[] = {
        SLICE_INIT("auth"),       SLICE_INIT("cookie"),    SLICE_INIT("token"),   SLICE_INIT("key"),
        SLICE_INIT("secret"),     SLICE_INIT("passw"),     SLICE_INIT("session"), SLICE_INIT("jwt"),
        SLICE_INIT("credential"), SLICE_INIT("signature"),
    };

    for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++)
        for (size_t at = 0; at + parts[part].len <= name.len; at++)
            if (slice_equal_nocase(slice_of(name.at + at, parts[part].len), parts[part]))
                return true;
    return false;
}

/* The route that the request took asks for it: then it is what the route asks for. */
static bool is_asked_by_route(const struct request *req, struct slice name)
{
    const struct conf_route *conf = req->route != NULL ? req->route->conf : NULL;

    for (size_t i = 0; conf != NULL && i < conf->header_count; i++)
        if (slice_equal_nocase(slice_from(conf->headers[i].name), name))
            return true;
    return false;
}

static void put_headers(struct tap_cell *cell, const struct request *req,
                        const struct message *message)
{
    const struct snapshot *snapshot = req->hold->snapshot;

    for (size_t i = 0; i < snapshot->asked_header_count; i++) {
        const struct snapshot_asked_header *asked = &snapshot->asked_headers[i];
        const struct field *field = message_find(message, asked->name);
        struct tap_header *header = &cell->headers[cell->header_count];

        if (field == NULL)
            continue;
        *header = (struct tap_header){
            .is_kept_back = asked->is_secret || field->value.len > TAP_HEADER_BYTES,
            .is_held = is_asked_by_route(req, asked->name),
        };
        header->name_bytes = (uint8_t)tap_put(cell, asked->name, TAP_HEADER_BYTES);
        if (!header->is_kept_back)
            header->value_bytes = (uint8_t)tap_put(cell, field->value, TAP_HEADER_BYTES);
        cell->header_count++;
    }
}

static void put_affinity(struct tap_cell *cell, const struct request *req)
{
    cell->client_hash = hash_bytes(&HASH_STABLE, req->client_address, 16);
    if (req->pool == NULL)
        return;
    cell->pool = req->pool->counter_slot;
    cell->has_hash = req->choice.has_hash;
    cell->hash = req->choice.has_hash ? req->choice.hash : 0;
    if (req->choice.sticky >= 0)
        cell->sticky = req->pool->servers[req->choice.sticky]->counter_slot;
}

void tapping_begin(struct request *req, const struct target *target, const struct message *message)
{
    struct worker *worker = req->worker;
    struct tap_cell *cell = slab_take(&worker->tap_slab);

    memset(cell, 0, offsetof(struct tap_cell, text));
    cell->weight = tap_draw_take(&worker->draw, worker->now_ns, random_next(&worker->random));
    cell->listener = req->listener->counter_slot;
    cell->route = req->route != NULL ? req->route->counter_slot : TAP_NONE;
    cell->pool = cell->server = cell->sticky = TAP_NONE;
    cell->is_https = req->is_https;
    cell->is_path_cut = target->path.len > TAP_PATH_BYTES;
    cell->host_bytes = tap_put(cell, target->host, TAP_HOST_BYTES);
    cell->path_bytes = tap_put(cell, target->path, TAP_PATH_BYTES);
    cell->method_bytes = (uint8_t)tap_put(cell, message->method_text, TAP_METHOD_BYTES);
    put_affinity(cell, req);
    put_headers(cell, req, message);
    req->tap = cell;
}

void tapping_give(struct request *req)
{
    struct worker *worker = req->worker;
    struct tap_cell *cell = TAKE_POINTER(&req->tap);

    if (req->server != NULL) {
        cell->server = req->server->counter_slot;
        cell->reason = (uint8_t)req->choice.reason;
    }
    if (!tap_give(worker->tap, cell))
        count_one(&counters_process(worker->counters, worker->index)->samples_dropped);
    slab_give(&worker->tap_slab, cell);
}
