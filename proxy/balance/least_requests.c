/*
 * least_requests - the server with the fewest requests in flight for its weight.
 *
 * Up to 16 candidates are compared; of more, two drawn ones.  What a server is owed by weight
 * (as in round_robin.c) counts as a little less than one request: it decides between equals,
 * gives an idle pool its weights' shares, and never outweighs a request.
 *
 * Owner    the view's worker.      Threads  the view's
 */
#include "proxy/balance/internal.h"

#define OWED_AT_MOST (1 - 1.0 / 4096)
enum { CREDIT_BOUND = 4 };

struct contender {
    uint32_t server;
    uint32_t load;
    bool is_over_ceiling; /* compared only to know whether the ceiling made a difference */
};

struct comparison {
    struct contender contenders[SCAN_AT_MOST];
    uint32_t count;
    uint32_t most_load;
    int64_t total;     /* weight of those that can be taken */
    int64_t total_all; /* of those over their ceiling too */
};

static void collect(const struct balance_view *view, struct balance_attempt *attempt,
                    struct comparison *all)
{
    for (uint32_t i = 0; i < view->candidate_count; i++) {
        uint32_t server = view->candidates[i];
        enum admission admission = balance_admit(view, attempt, server);

        if (admission != ADMITTED && admission != ADMISSION_CEILING)
            continue;
        uint32_t load = balance_load(view->servers[server].live);
        all->contenders[all->count++] =
            (struct contender){server, load, admission == ADMISSION_CEILING};
        all->total_all += view->servers[server].weight;
        if (admission == ADMITTED)
            all->total += view->servers[server].weight;
        if (load > all->most_load)
            all->most_load = load;
    }
}

static double cost_of(const struct view_server *server, const struct comparison *all, uint32_t load,
                      double one_request, uint64_t now_ms)
{
    double owed = (double)(server->credit + server->weight) * one_request;
    double requests = load + 1 + balance_penalty(balance_errors(server, now_ms), all->most_load);

    if (owed > OWED_AT_MOST)
        owed = OWED_AT_MOST;
    return (owed > 0 ? requests - owed : requests) / server->weight;
}

static const struct contender *cheapest(const struct balance_view *view,
                                        const struct comparison *all, uint64_t now_ms)
{
    const struct contender *chosen = NULL;
    double least = 0, one_request = 1.0 / (double)all->total;

    for (uint32_t i = 0; i < all->count; i++) {
        const struct contender *contender = &all->contenders[i];

        if (contender->is_over_ceiling)
            continue;
        double cost =
            cost_of(&view->servers[contender->server], all, contender->load, one_request, now_ms);
        if (chosen != NULL && cost >= least)
            continue;
        least = cost;
        chosen = contender;
    }
    return chosen;
}

static bool was_over_ceiling_cheaper(const struct balance_view *view, const struct comparison *all,
                                     const struct contender *chosen, uint64_t now_ms)
{
    double one_request = 1.0 / (double)all->total_all;
    double paid = cost_of(&view->servers[chosen->server], all, chosen->load, one_request, now_ms);

    for (uint32_t i = 0; i < all->count; i++) {
        const struct contender *contender = &all->contenders[i];

        if (contender->is_over_ceiling && cost_of(&view->servers[contender->server], all,
                                                  contender->load, one_request, now_ms) < paid)
            return true;
    }
    return false;
}

/* As in round_robin.c, but bounded: what a busy server is owed must not grow for ever. */
static void settle(struct balance_view *view, const struct comparison *all, uint32_t chosen)
{
    int64_t bound = all->total * CREDIT_BOUND;

    for (uint32_t i = 0; i < all->count; i++) {
        struct view_server *server = &view->servers[all->contenders[i].server];

        if (!all->contenders[i].is_over_ceiling && server->credit < bound)
            server->credit += server->weight;
    }
    if (view->servers[chosen].credit > -bound)
        view->servers[chosen].credit -= all->total;
}

static int compare_all(struct balance_view *view, struct balance_attempt *attempt)
{
    struct comparison all;
    uint64_t now_ms = attempt->choice->now_ms;

    all.count = all.most_load = 0;
    all.total = all.total_all = 0;
    collect(view, attempt, &all);
    const struct contender *chosen = cheapest(view, &all, now_ms);
    if (chosen == NULL)
        return BALANCE_NO_SERVER;
    if (all.total_all > all.total && was_over_ceiling_cheaper(view, &all, chosen, now_ms))
        attempt->choice->ceiling_hit = true;
    settle(view, &all, chosen->server);
    return (int)chosen->server;
}

int least_requests_pick(struct balance_view *view, struct balance_attempt *attempt)
{
    return view->candidate_count > SCAN_AT_MOST ? random_pick(view, attempt)
                                                : compare_all(view, attempt);
}
