/*
 * route_hits - what each route took since the last second, told to the ledger.
 *
 * Owner    struct watch.      Threads  control only; the rows are read while workers count
 */
#include "watch/internal.h"

#include <string.h>

#include "base/memory.h"
#include "change/ledger.h"
#include "observe/counters.h"

static void make_room(struct watch *watch, uint32_t count)
{
    if (count <= watch->route_room)
        return;
    watch->route_requests =
        xrealloc(watch->route_requests, count * sizeof(watch->route_requests[0]));
    memset(watch->route_requests + watch->route_room, 0,
           (count - watch->route_room) * sizeof(watch->route_requests[0]));
    watch->route_room = count;
}

void look_at_routes(struct watch *watch)
{
    struct counters *counters = watch->options.counters;
    uint32_t count;

    if (counters == NULL || watch->options.ledger == NULL)
        return;
    count = counters_slot_count(counters, SCOPE_ROUTE);
    make_room(watch, count);
    for (uint32_t slot = 0; slot < count; slot++) {
        uint64_t requests = 0;

        for (unsigned worker = 0; worker < watch->options.worker_count; worker++)
            requests += atomic_load_explicit(&counters_route(counters, worker, slot)->requests,
                                             memory_order_relaxed);
        if (slot == 0 && requests > watch->route_requests[0])
            ledger_missed_routes(watch->options.ledger); /* of those that have no slot */
        else if (requests > watch->route_requests[slot])
            ledger_note_route(watch->options.ledger,
                              counters_slot_name(counters, SCOPE_ROUTE, slot),
                              requests - watch->route_requests[slot]);
        watch->route_requests[slot] = requests;
    }
}
