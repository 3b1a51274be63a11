/*
 * moves - which requests go to another pool, or are answered otherwise, by where from and where to.
 *
 * What of a trace goes to the same pool on both sides stays; the rest goes from those that get less
 * to those that get more, each by its part of it.
 *
 * Owner    the caller's arena      Threads  any
 */
#include "detect/flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "config/model.h"
#include "detect/impact.h"

enum { NOWHERE = -1, PARTS = 64 };

/* By index: routes of their side, pools of both. */
struct move {
    int from_route, to_route;
    int from_pool, to_pool;
    uint32_t trace;
    double requests;
};

struct moving {
    const struct flows *flows;
    struct move *moves;
    size_t count;
    size_t room;
};

/* What of a trace goes where. */
struct part {
    int pool;
    double requests;
};

struct parts {
    struct part items[PARTS];
    size_t count;
};

static void add_move(struct moving *moving, struct move move)
{
    bool stays = move.from_pool == move.to_pool &&
                 (move.from_pool != NOWHERE || move.from_route == move.to_route);

    if (stays || move.requests <= 0)
        return;
    if (moving->count == moving->room) {
        moving->room = moving->room * 2 + 64;
        moving->moves = xrealloc(moving->moves, moving->room * sizeof(*moving->moves));
    }
    moving->moves[moving->count++] = move;
}

/* The links of one trace, from *at on; what reaches no pool is a part too. */
static struct parts parts_of(const struct flows *flows, enum flow_side side, size_t trace,
                             size_t *at)
{
    struct parts parts;

    parts.count = 0;
    for (; *at < flows->link_count[side] && flows->links[side][*at].trace == trace; ++*at)
        if (parts.count < PARTS)
            parts.items[parts.count++] =
                (struct part){(int)flows->links[side][*at].pool, flows->links[side][*at].requests};
    if (parts.count == 0)
        parts.items[parts.count++] = (struct part){NOWHERE, flows->traces.items[trace].requests};
    return parts;
}

/* Takes what both give a pool off both; returns what is left. */
static double keep_what_stays(struct parts *before, struct parts *after)
{
    double left = 0;

    for (size_t i = 0; i < before->count; i++)
        for (size_t n = 0; n < after->count; n++) {
            double stays = before->items[i].requests < after->items[n].requests
                               ? before->items[i].requests
                               : after->items[n].requests;

            if (before->items[i].pool != after->items[n].pool || before->items[i].pool == NOWHERE)
                continue;
            before->items[i].requests -= stays;
            after->items[n].requests -= stays;
        }
    for (size_t i = 0; i < before->count; i++)
        left += before->items[i].requests;
    return left;
}

static void move_trace(struct moving *moving, size_t index, struct parts *before,
                       struct parts *after)
{
    const struct trace *trace = &moving->flows->traces.items[index];
    double left = keep_what_stays(before, after);

    for (size_t i = 0; i < before->count && left > 1e-9; i++)
        for (size_t n = 0; n < after->count; n++)
            add_move(moving,
                     (struct move){
                         .from_route = trace->before,
                         .to_route = trace->after,
                         .from_pool = before->items[i].pool,
                         .to_pool = after->items[n].pool,
                         .trace = (uint32_t)index,
                         .requests = before->items[i].requests * after->items[n].requests / left,
                     });
}

static int compare_ways(const void *a, const void *b)
{
    const struct move *x = a, *y = b;

    if (x->from_route != y->from_route)
        return x->from_route - y->from_route;
    if (x->to_route != y->to_route)
        return x->to_route - y->to_route;
    if (x->from_pool != y->from_pool)
        return x->from_pool - y->from_pool;
    return x->to_pool - y->to_pool;
}

static int compare_sizes(const void *a, const void *b)
{
    const struct move *x = a, *y = b;

    if (x->requests != y->requests)
        return x->requests < y->requests ? 1 : -1;
    return compare_ways(a, b);
}

/* One move a way; its example is the request that stands for the most. */
static void gather(struct moving *moving)
{
    size_t kept = 0;
    double most = 0;

    if (moving->count == 0)
        return;
    qsort(moving->moves, moving->count, sizeof(*moving->moves), compare_ways);
    for (size_t i = 0; i < moving->count; i++) {
        struct move *last = &moving->moves[kept];
        struct move move = moving->moves[i];

        if (i > 0 && compare_ways(last, &move) == 0) {
            last->requests += move.requests;
            if (move.requests > most)
                last->trace = move.trace;
        } else {
            kept += i > 0;
            moving->moves[kept] = move;
            most = 0;
        }
        most = move.requests > most ? move.requests : most;
    }
    moving->count = kept + 1;
    qsort(moving->moves, moving->count, sizeof(*moving->moves), compare_sizes);
}

/* ---- for people ---- */

static const char *route_name(const struct configuration *conf, int route)
{
    return route >= 0 ? conf->routes[route].name : NULL;
}

static const char *pool_name(const struct flows *flows, int pool)
{
    return pool != NOWHERE ? flows->pools[pool].name : NULL;
}

static void tell(const struct flows *flows, const struct impact_subject *subject,
                 const struct move *move, struct arena *arena, struct impact_move *told)
{
    const struct trace *trace = &flows->traces.items[move->trace];

    *told = (struct impact_move){
        .from_route = route_name(subject->base, move->from_route),
        .to_route = route_name(subject->target, move->to_route),
        .from_pool = pool_name(flows, move->from_pool),
        .to_pool = pool_name(flows, move->to_pool),
        .requests_per_second = move->requests / flows->traces.seconds,
        .example = arena_printf(arena, "%s %s%s", trace->method, trace->host, trace->path),
    };
}

void flow_moves(const struct flows *flows, const struct impact_subject *subject,
                struct impact *impact)
{
    struct moving moving = {.flows = flows};
    size_t at[FLOW_SIDES] = {0, 0};

    for (size_t i = 0; i < flows->traces.count; i++) {
        struct parts before = parts_of(flows, FLOW_BEFORE, i, &at[FLOW_BEFORE]);
        struct parts after = parts_of(flows, FLOW_AFTER, i, &at[FLOW_AFTER]);

        if (flows->traces.items[i].before != TRACE_UNKNOWN &&
            flows->traces.items[i].after != TRACE_UNKNOWN)
            move_trace(&moving, i, &before, &after);
    }
    gather(&moving);
    impact->move_count = moving.count < IMPACT_MOVES ? moving.count : IMPACT_MOVES;
    impact->moves = arena_array(impact->arena, impact->move_count, sizeof(*impact->moves));
    for (size_t i = 0; i < impact->move_count; i++)
        tell(flows, subject, &moving.moves[i], impact->arena, &impact->moves[i]);
    xfree(moving.moves);
}
