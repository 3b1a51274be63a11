/*
 * round_robin - in turn, or smoothly by weight.
 *
 * Equal weights: a cursor.  Else each pick gives every server its weight in credit and takes the
 * total from the one that is owed most, so that a heavy server's turns are spread out.
 *
 * Owner    the view's worker.      Threads  the view's
 */
#include "proxy/balance/internal.h"

static int next_in_turn(struct balance_view *view, struct balance_attempt *attempt)
{
    uint32_t at = view->cursor;

    for (uint32_t i = 0; i < view->candidate_count; i++) {
        uint32_t server = view->candidates[at];

        if (++at == view->candidate_count)
            at = 0;
        if (!balance_takes(view, attempt, server))
            continue;
        view->cursor = at;
        view->last = server;
        return (int)server;
    }
    return BALANCE_NO_SERVER;
}

/* Who cannot be taken now earns nothing meanwhile. */
static int most_owed(struct balance_view *view, struct balance_attempt *attempt)
{
    int64_t most = INT64_MIN, most_over_ceiling = INT64_MIN, total = 0;
    int chosen = BALANCE_NO_SERVER;

    for (uint32_t i = 0; i < view->candidate_count; i++) {
        struct view_server *server = &view->servers[view->candidates[i]];
        int64_t credit = server->credit + server->weight;
        enum admission admission = balance_admit(view, attempt, view->candidates[i]);

        if (admission == ADMISSION_CEILING && credit > most_over_ceiling)
            most_over_ceiling = credit;
        if (admission != ADMITTED)
            continue;
        server->credit = credit;
        total += server->weight;
        if (credit <= most)
            continue;
        most = credit;
        chosen = (int)view->candidates[i];
    }
    if (chosen == BALANCE_NO_SERVER)
        return chosen;
    view->servers[chosen].credit -= total;
    view->last = (uint32_t)chosen;
    if (most_over_ceiling > most)
        attempt->choice->ceiling_hit = true;
    return chosen;
}

int round_robin_pick(struct balance_view *view, struct balance_attempt *attempt)
{
    return view->has_equal_weights ? next_in_turn(view, attempt) : most_owed(view, attempt);
}
