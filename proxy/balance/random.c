/*
 * random - two servers drawn by weight, the less busy one taken; and the draw itself.
 *
 * Where nothing is in flight the first one drawn wins, so that shares follow the weights.
 *
 * Owner    the view's worker.      Threads  the view's
 */
#include "proxy/balance/internal.h"

enum { DRAWS = 8 };

static uint32_t draw(struct balance_view *view)
{
    uint64_t random = random_next(&view->random);

    if (view->has_equal_weights)
        return (uint32_t)(((random >> 32) * view->candidate_count) >> 32);
    uint64_t target = (uint64_t)(((unsigned __int128)random * view->total_weight) >> 64);
    uint32_t low = 0, high = view->candidate_count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (view->sums[middle] > target)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Draws, and where too many cannot be taken, goes through all from a drawn one on. */
uint32_t balance_draw_two(struct balance_view *view, struct balance_attempt *attempt,
                          uint32_t pair_out[2])
{
    uint32_t found = 0;
    uint32_t draws = view->candidate_count > 1 ? DRAWS : 0;

    for (uint32_t i = 0; i < draws && found < 2; i++) {
        uint32_t server = view->candidates[draw(view)];

        if ((found == 0 || server != pair_out[0]) && balance_takes(view, attempt, server))
            pair_out[found++] = server;
    }
    if (found == 2)
        return found;
    uint32_t begin = draw(view);
    for (uint32_t i = 0; i < view->candidate_count && found < 2; i++) {
        uint32_t server = view->candidates[(begin + i) % view->candidate_count];

        if ((found == 0 || server != pair_out[0]) && balance_takes(view, attempt, server))
            pair_out[found++] = server;
    }
    return found;
}

int random_pick(struct balance_view *view, struct balance_attempt *attempt)
{
    uint32_t pair[2];
    uint32_t found = balance_draw_two(view, attempt, pair);

    if (found < 2)
        return found == 0 ? BALANCE_NO_SERVER : (int)pair[0];
    const struct view_server *first = &view->servers[pair[0]], *second = &view->servers[pair[1]];
    uint32_t first_load = balance_load(first->live);
    uint32_t second_load = balance_load(second->live);
    uint32_t most = first_load > second_load ? first_load : second_load;
    uint64_t now_ms = attempt->choice->now_ms;
    double first_cost = first_load + balance_penalty(balance_errors(first, now_ms), most);
    double second_cost = second_load + balance_penalty(balance_errors(second, now_ms), most);

    return (int)(second_cost * first->weight < first_cost * second->weight ? pair[1] : pair[0]);
}
