/*
 * peak_ewma - two servers drawn by weight, the one with the lower latency × requests taken; and
 * what balance_note() learns.
 *
 * The average rises to a slow answer at once and forgets it over 10 s.  Failures teach nothing
 * about latency (they may be fast): they feed an error average of their own.
 *
 * Owner    the view's worker.      Threads  the view's
 */
#include "base/check.h"
#include "proxy/balance/internal.h"

enum { LATENCY_HALF_LIFE_MS = 6931 /* 10 s × ln 2 */, ERROR_HALF_LIFE_MS = 5000 };
#define ERROR_GAIN      0.125
#define LATENCY_UNKNOWN 10e3 /* µs, where the other one's is unknown too */

double balance_decay(uint64_t elapsed_ms, uint64_t half_life_ms)
{
    uint64_t halves = elapsed_ms / half_life_ms;

    if (halves >= 60)
        return 0;
    double rest = (double)(elapsed_ms % half_life_ms) / (double)half_life_ms;
    return (1 - rest / 2) / (double)(UINT64_C(1) << halves);
}

static uint64_t elapsed_since(const struct view_server *server, uint64_t now_ms)
{
    return now_ms > server->noted_ms ? now_ms - server->noted_ms : 0;
}

double balance_errors_left(const struct view_server *server, uint64_t now_ms)
{
    double errors =
        server->errors * balance_decay(elapsed_since(server, now_ms), ERROR_HALF_LIFE_MS);

    return errors > BALANCE_ERRORS_FORGIVEN ? errors : 0;
}

static double latency_now(const struct view_server *server, uint64_t now_ms)
{
    return server->latency_us * balance_decay(elapsed_since(server, now_ms), LATENCY_HALF_LIFE_MS);
}

static void learn_latency(struct view_server *server, double latency_us, uint64_t now_ms)
{
    double kept = balance_decay(elapsed_since(server, now_ms), LATENCY_HALF_LIFE_MS);
    double average = server->latency_us * kept + latency_us * (1 - kept);

    server->latency_us = (float)(latency_us > average ? latency_us : average);
}

void balance_note(struct balance_view *view, int server, uint64_t latency_us, bool failed,
                  uint64_t now_ms)
{
    if (!view->ops->learns)
        return;
    CHECK(server >= 0 && (uint32_t)server < view->pool->count);
    struct view_server *seen = &view->servers[server];
    double errors = seen->errors * balance_decay(elapsed_since(seen, now_ms), ERROR_HALF_LIFE_MS);

    seen->errors = (float)(errors + ((failed ? 1 : 0) - errors) * ERROR_GAIN);
    if (!failed)
        learn_latency(seen, latency_us > 0 ? (double)latency_us : 1, now_ms);
    seen->noted_ms = now_ms;
}

struct side {
    const struct view_server *server;
    double latency_us; /* 0: unknown */
    uint32_t load;
};

/* For a latency that is not known the other one's is taken.  So it is for a server that fails,
 * unless its own is worse. */
static double cost_of(const struct balance_view *view, const struct side *side,
                      const struct side *other, uint64_t now_ms)
{
    double errors = balance_errors(side->server, now_ms);
    uint32_t most = side->load > other->load ? side->load : other->load;
    double requests = side->load + balance_penalty(errors, most);
    double latency_us = side->latency_us;

    if (latency_us == 0 || (errors > 0 && latency_us < other->latency_us))
        latency_us = other->latency_us > 0 ? other->latency_us : LATENCY_UNKNOWN;
    return latency_us * (requests * view->mean_weight / side->server->weight + 1);
}

static struct side side_of(const struct view_server *server, uint64_t now_ms)
{
    return (struct side){server, latency_now(server, now_ms), balance_load(server->live)};
}

int peak_ewma_pick(struct balance_view *view, struct balance_attempt *attempt)
{
    uint32_t pair[2];
    uint64_t now_ms = attempt->choice->now_ms;
    uint32_t found = balance_draw_two(view, attempt, pair);

    if (found < 2)
        return found == 0 ? BALANCE_NO_SERVER : (int)pair[0];
    struct side first = side_of(&view->servers[pair[0]], now_ms);
    struct side second = side_of(&view->servers[pair[1]], now_ms);

    return (int)(cost_of(view, &second, &first, now_ms) < cost_of(view, &first, &second, now_ms)
                     ? pair[1]
                     : pair[0]);
}
