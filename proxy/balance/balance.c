/*
 * balance - eligibility, and the pick that every method goes through.
 *
 * Eligibility is decided in two steps, both here and nowhere else.  refresh() derives the
 * candidates from the live words, once an epoch (or each 100 ms while a slow start runs).
 * balance_admit() asks what can change between two requests: tried, full, over the ceiling.
 *
 * Owner    a view: one worker, or control for explain.      Threads  the view's
 * Invariant  A server whose view weight is 0 is never given to a method.
 */
#include "proxy/balance/balance.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "proxy/balance/internal.h"

enum { RAMP_STEP_MS = 100, RAMP_FLOOR_PERCENT = 10, SHARE_WINDOW = 1000 };

static const struct balance_ops methods[] = {
    [METHOD_ROUND_ROBIN] = {"round_robin", round_robin_pick, false, false},
    [METHOD_LEAST_REQUESTS] = {"least_requests", least_requests_pick, true, true},
    [METHOD_RANDOM] = {"random", random_pick, true, true},
    [METHOD_PEAK_EWMA] = {"peak_ewma", peak_ewma_pick, true, true},
    [METHOD_MAGLEV] = {"maglev", maglev_pick, true, true},
};

const char *const balance_reason_words[REASON_COUNT] = {
    [REASON_BALANCER] = "balancer",
    [REASON_HASH] = "hash",
    [REASON_STICKY] = "sticky",
    [REASON_RETRY] = "retry",
    [REASON_PANIC] = "panic",
    [REASON_SPILL] = "spill",
    [REASON_ONLY_ONE_LEFT] = "only_one_left",
};

const char *const balance_standing_words[] = {
    [STANDING_ELIGIBLE] = "eligible", [STANDING_DOWN] = "down",
    [STANDING_UNKNOWN] = "unknown",   [STANDING_EJECTED] = "ejected",
    [STANDING_DRAINED] = "drained",   [STANDING_MAINT] = "maint",
    [STANDING_WEIGHT_0] = "weight 0", [STANDING_FULL] = "full",
    [STANDING_BACKUP] = "backup",
};

static inline uint32_t read_word(const _Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

uint32_t balance_in_flight(const struct balance_live *live)
{
    return balance_load(live);
}

uint32_t balance_ramp_percent(const struct balance_live *live, uint32_t slow_start_ms,
                              uint64_t now_ms)
{
    uint64_t from = atomic_load_explicit(&live->ramp_from_ms, memory_order_relaxed);

    if (from == 0 || slow_start_ms == 0)
        return 100;
    if (now_ms <= from)
        return RAMP_FLOOR_PERCENT;
    if (now_ms - from >= slow_start_ms)
        return 100;
    uint64_t percent = (now_ms - from) * 100 / slow_start_ms;
    return percent < RAMP_FLOOR_PERCENT ? RAMP_FLOOR_PERCENT : (uint32_t)percent;
}

/* ---- eligibility ---- */

/* A tier: the primaries, or the backups. */
struct tier {
    uint32_t ready;   /* ready, weight above 0 */
    uint32_t healthy; /* of those up or not checked yet, not ejected */
    uint32_t up;      /* of those up */
};

/* Without slow start. */
static uint32_t base_weight(const struct balance_server *server)
{
    uint32_t override = read_word(&server->live->weight_override);

    if (override == BALANCE_NO_OVERRIDE)
        return server->weight;
    uint64_t scaled = (uint64_t) override * BALANCE_WEIGHT_SCALE / server->weight_share;
    return override > 0 && scaled == 0 ? 1 : (uint32_t)scaled;
}

static uint32_t ramped_weight(const struct balance_view *view, const struct balance_server *server,
                              uint64_t now_ms)
{
    uint32_t percent = balance_ramp_percent(server->live, view->pool->slow_start_ms, now_ms);
    uint64_t weight = (uint64_t)base_weight(server) * percent / 100;

    return weight == 0 ? 1 : (uint32_t)weight;
}

static bool is_ready(const struct balance_server *server)
{
    return read_word(&server->live->admin) == ADMIN_READY && base_weight(server) > 0;
}

static bool is_healthy(const struct balance_server *server)
{
    return read_word(&server->live->health) != HEALTH_DOWN && !read_word(&server->live->ejected);
}

static bool is_up(const struct balance_server *server)
{
    return read_word(&server->live->health) == HEALTH_UP;
}

static struct tier count_tier(const struct balance_pool *pool, bool backups)
{
    struct tier tier = {0, 0, 0};

    for (uint32_t i = 0; i < pool->count; i++) {
        const struct balance_server *server = &pool->servers[i];

        if (server->is_backup != backups || !is_ready(server))
            continue;
        tier.ready++;
        tier.healthy += is_healthy(server);
        tier.up += is_healthy(server) && is_up(server);
    }
    return tier;
}

/* Adds the tier's servers that may serve behind what is in view->candidates; who was not checked
 * yet serves only while nobody is known to be up. */
static uint32_t add_tier(struct balance_view *view, uint32_t at, bool backups,
                         const struct tier *tier, bool regardless_of_health)
{
    const struct balance_pool *pool = view->pool;
    uint32_t begin = at;

    for (uint32_t i = 0; i < pool->count; i++) {
        const struct balance_server *server = &pool->servers[i];

        if (server->is_backup != backups || !is_ready(server))
            continue;
        if (!regardless_of_health && !(is_healthy(server) && (is_up(server) || tier->up == 0)))
            continue;
        view->candidates[at++] = i;
    }
    return at - begin;
}

static void choose_candidates(struct balance_view *view)
{
    const struct balance_pool *pool = view->pool;
    struct tier primary = count_tier(pool, false);
    struct tier backup = count_tier(pool, true);
    bool is_short = (uint64_t)primary.healthy * 100 < (uint64_t)primary.ready * pool->panic_percent;

    view->candidate_count = 0;
    view->spare_count = 0;
    view->is_panic = is_short && !(primary.healthy == 0 && backup.healthy > 0);
    view->is_backup_tier = !view->is_panic && primary.healthy == 0 && backup.healthy > 0;
    if (view->is_panic && pool->panic_fails)
        return;
    if (view->is_backup_tier) {
        view->candidate_count = add_tier(view, 0, true, &backup, false);
        return;
    }
    view->candidate_count = add_tier(view, 0, false, &primary, view->is_panic);
    view->spare_count = add_tier(view, view->candidate_count, true, &backup, false);
}

static void weigh_candidates(struct balance_view *view, uint64_t now_ms)
{
    const struct balance_pool *pool = view->pool;

    for (uint32_t i = 0; i < pool->count; i++)
        view->servers[i].weight = 0;
    view->total_weight = 0;
    view->has_equal_weights = true;
    view->is_ramping = false;
    for (uint32_t i = 0; i < view->candidate_count; i++) {
        const struct balance_server *server = &pool->servers[view->candidates[i]];
        struct view_server *seen = &view->servers[view->candidates[i]];

        seen->weight = ramped_weight(view, server, now_ms);
        view->total_weight += seen->weight;
        if (view->sums != NULL)
            view->sums[i] = view->total_weight;
        if (seen->weight != view->servers[view->candidates[0]].weight)
            view->has_equal_weights = false;
        if (balance_ramp_percent(server->live, pool->slow_start_ms, now_ms) < 100)
            view->is_ramping = true;
    }
    if (view->candidate_count > 0)
        view->mean_weight = (double)view->total_weight / view->candidate_count;
}

/* Credits keep their meaning when the total they are measured in has changed. */
static void settle_credits(struct balance_view *view)
{
    int64_t most = (int64_t)view->total_weight;

    for (uint32_t i = 0; i < view->candidate_count; i++) {
        struct view_server *server = &view->servers[view->candidates[i]];

        if (server->credit > most)
            server->credit = most;
        if (server->credit < -most)
            server->credit = -most;
    }
}

static void place_cursor(struct balance_view *view)
{
    view->cursor = 0;
    while (view->cursor < view->candidate_count && view->candidates[view->cursor] <= view->last)
        view->cursor++;
    if (view->cursor >= view->candidate_count)
        view->cursor = 0;
    view->spare_cursor = 0;
}

static void compare_with_table(struct balance_view *view)
{
    double least = 0;

    view->best_ratio = 0;
    for (uint32_t i = 0; i < view->candidate_count; i++) {
        uint32_t server = view->candidates[i];
        double ratio =
            (double)view->servers[server].weight / (double)maglev_table_weight(view->pool, server);

        if (i == 0 || ratio < least)
            least = ratio;
        if (ratio > view->best_ratio)
            view->best_ratio = ratio;
    }
    view->is_reweighted = least < view->best_ratio * 0.999;
}

static __attribute__((noinline)) void refresh(struct balance_view *view, uint64_t epoch,
                                              uint64_t now_ms)
{
    choose_candidates(view);
    weigh_candidates(view, now_ms);
    settle_credits(view);
    place_cursor(view);
    if (view->pool->method == METHOD_MAGLEV)
        compare_with_table(view);
    view->epoch = epoch;
    view->refreshed_ms = now_ms;
    view->load_ms = 0;
    view->is_built = true;
}

static inline void refresh_if_needed(struct balance_view *view, uint64_t now_ms)
{
    uint64_t epoch = atomic_load_explicit(view->pool->epoch, memory_order_acquire);

    if (epoch != view->epoch || !view->is_built ||
        (view->is_ramping && now_ms - view->refreshed_ms >= RAMP_STEP_MS))
        refresh(view, epoch, now_ms);
}

static inline bool is_full(const struct balance_server *server)
{
    /* seq_cst: who has just come to stand in line must see a place given back before (queue.c). */
    return server->max_connections > 0 &&
           atomic_load_explicit(&server->live->active, memory_order_seq_cst) >=
               server->max_connections;
}

static bool is_at_ceiling(const struct balance_view *view, uint32_t server)
{
    uint64_t allowed = ((uint64_t)view->pool->max_share_percent * (view->picks + 1) + 99) / 100;

    return view->servers[server].picks + 1 > (allowed < 1 ? 1 : allowed);
}

static bool was_tried(const struct balance_choice *choice, uint32_t server)
{
    for (uint32_t i = 0; i < choice->tried_count; i++)
        if (choice->tried[i] == server)
            return true;
    return false;
}

enum admission balance_admit_limited(const struct balance_view *view,
                                     struct balance_attempt *attempt, uint32_t server)
{
    if (attempt->choice->tried_count > 0 && !attempt->tried_too &&
        was_tried(attempt->choice, server))
        return ADMISSION_TRIED;
    if (is_full(&view->pool->servers[server])) {
        attempt->saw_full = true;
        return ADMISSION_FULL;
    }
    if (view->has_ceiling && is_at_ceiling(view, server)) {
        attempt->saw_ceiling = true;
        return ADMISSION_CEILING;
    }
    return ADMITTED;
}

/* ---- the pick ---- */

/* Sessions stay with a server that drains, or whose weight became 0, until it is gone. */
static bool keeps_sessions(const struct balance_view *view, uint32_t server)
{
    const struct balance_server *asked = &view->pool->servers[server];
    bool is_leaving = read_word(&asked->live->admin) == ADMIN_DRAIN ||
                      (read_word(&asked->live->admin) == ADMIN_READY && base_weight(asked) == 0);

    return view->servers[server].weight > 0 || (is_leaving && is_healthy(asked));
}

/* The addresses of a server stand side by side; each serves a part of its clients. */
static int sticky_pick(const struct balance_view *view, struct balance_attempt *attempt)
{
    int asked = attempt->choice->sticky;
    uint32_t count, begin;

    if (asked < 0 || (uint32_t)asked >= view->pool->count)
        return BALANCE_NO_SERVER;
    count = view->pool->servers[asked].weight_share;
    begin = count > 1 ? (uint32_t)(attempt->choice->hash >> 32) % count : 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t server = (uint32_t)asked + (begin + i) % count;

        if (server < view->pool->count && keeps_sessions(view, server) &&
            balance_takes(view, attempt, server))
            return (int)server;
    }
    return BALANCE_NO_SERVER;
}

/* Backups, in turn: only when the ceiling leaves none of those that serve. */
static int spare_pick(struct balance_view *view, struct balance_attempt *attempt)
{
    for (uint32_t i = 0; i < view->spare_count; i++) {
        uint32_t at = (view->spare_cursor + i) % view->spare_count;
        uint32_t server = view->candidates[view->candidate_count + at];

        if (!balance_takes(view, attempt, server))
            continue;
        view->spare_cursor = at + 1;
        return (int)server;
    }
    return BALANCE_NO_SERVER;
}

static enum balance_reason reason_of(const struct balance_view *view,
                                     const struct balance_attempt *attempt, bool is_sticky)
{
    const struct balance_choice *choice = attempt->choice;

    if (choice->ceiling_hit || attempt->is_over)
        return REASON_SPILL;
    if (view->candidate_count + view->spare_count == 1 && view->pool->count > 1)
        return REASON_ONLY_ONE_LEFT;
    if (view->is_panic)
        return REASON_PANIC;
    if (choice->tried_count > 0)
        return REASON_RETRY;
    if (view->is_backup_tier)
        return REASON_SPILL;
    if (is_sticky)
        return REASON_STICKY;
    return view->pool->method == METHOD_MAGLEV && choice->has_hash ? REASON_HASH : REASON_BALANCER;
}

static enum balance_refusal refusal_of(const struct balance_view *view,
                                       const struct balance_attempt *attempt)
{
    if (view->candidate_count == 0)
        return REFUSAL_NO_SERVER;
    if (attempt->saw_full || !attempt->saw_ceiling)
        return REFUSAL_FULL;
    return REFUSAL_CEILING;
}

/* A refusal counts as demand: else a pool whose ceiling leaves nobody would refuse for ever. */
static void count_share(struct balance_view *view, int server)
{
    if (server >= 0)
        view->servers[server].picks++;
    if (++view->picks < SHARE_WINDOW)
        return;
    view->picks /= 2;
    for (uint32_t i = 0; i < view->pool->count; i++)
        view->servers[i].picks /= 2;
}

int balance_pick(struct balance_view *view, struct balance_choice *choice)
{
    struct balance_attempt attempt = {.choice = choice};
    bool is_sticky = true;

    refresh_if_needed(view, choice->now_ms);
    choice->ceiling_hit = false;
    int server = sticky_pick(view, &attempt);
    if (server < 0 && view->candidate_count > 0) {
        is_sticky = false;
        server = view->ops->pick(view, &attempt);
        if (server < 0 && choice->tried_count > 0) {
            attempt.tried_too = true;
            server = view->ops->pick(view, &attempt);
        }
        if (server < 0 && attempt.saw_ceiling) {
            choice->ceiling_hit = true;
            server = spare_pick(view, &attempt);
        }
    }
    if (view->has_ceiling && (server >= 0 || attempt.saw_ceiling))
        count_share(view, server);
    if (server < 0) {
        choice->refusal = refusal_of(view, &attempt);
        return BALANCE_NO_SERVER;
    }
    choice->refusal = REFUSAL_NONE;
    choice->reason = reason_of(view, &attempt, is_sticky);
    return server;
}

/* ---- views ---- */

void balance_pool_build(struct balance_pool *pool, struct arena *arena)
{
    pool->maglev = NULL;
    if (pool->method != METHOD_MAGLEV || pool->count == 0)
        return;
    CHECK(pool->count <= UINT16_MAX);
    uint16_t *table = arena_array(arena, MAGLEV_ENTRIES, sizeof(*table));
    maglev_fill(table, pool);
    pool->maglev = table;
}

static void start_anywhere(struct balance_view *view)
{
    const struct balance_pool *pool = view->pool;
    uint64_t total = 0;

    if (pool->count == 0)
        return;
    for (uint32_t i = 0; i < pool->count; i++)
        total += pool->servers[i].weight;
    for (uint32_t i = 0; i < pool->count && total > 0; i++)
        view->servers[i].credit = (int64_t)(random_next(&view->random) % total);
    view->last = (uint32_t)((random_next(&view->random) >> 32) % pool->count);
}

/* Both lists are usually in the same order: looks at the next one first. */
static const struct view_server *find_older(const struct balance_view *older,
                                            const struct balance_live *live, uint32_t *next)
{
    for (uint32_t i = 0; i < older->server_count; i++) {
        uint32_t at = (*next + i) % older->server_count;

        if (older->servers[at].live != live)
            continue;
        *next = at + 1;
        return &older->servers[at];
    }
    return NULL;
}

static void carry_over(struct balance_view *view, const struct balance_view *older)
{
    uint32_t next = 0, known = 0;
    uint32_t last = view->pool->count; /* none follows: the turn begins at the first */

    for (uint32_t i = 0; i < view->pool->count; i++) {
        struct view_server *server = &view->servers[i];
        const struct view_server *before = find_older(older, server->live, &next);

        if (before == NULL)
            continue;
        *server = *before;
        server->weight = 0;
        known++;
        if ((uint32_t)(before - older->servers) <= older->last)
            last = i;
    }
    if (known == 0)
        return;
    view->last = last;
    view->picks = older->picks;
}

struct balance_view *balance_view_new(const struct balance_pool *pool,
                                      const struct balance_view *older, uint64_t seed)
{
    const struct balance_ops *ops = &methods[pool->method];
    size_t sums_bytes = ops->draws ? pool->count * sizeof(uint64_t) : 0;
    size_t servers_bytes = pool->count * sizeof(struct view_server);
    struct balance_view *view =
        xcalloc(1, sizeof(*view) + servers_bytes + sums_bytes + pool->count * sizeof(uint32_t));
    char *behind = (char *)view->servers + servers_bytes;

    view->tag = BALANCE_VIEW_TAG;
    view->pool = pool;
    view->ops = ops;
    view->server_count = pool->count;
    view->sums = ops->draws ? (uint64_t *)(void *)behind : NULL;
    view->candidates = (uint32_t *)(void *)(behind + sums_bytes);
    view->has_ceiling = pool->max_share_percent > 0 && pool->max_share_percent < 100;
    view->random = hash_mix(seed) | 1;
    view->is_limited = view->has_ceiling;
    for (uint32_t i = 0; i < pool->count; i++) {
        view->servers[i].live = pool->servers[i].live;
        view->is_limited |= pool->servers[i].max_connections > 0;
    }
    start_anywhere(view);
    if (older != NULL)
        carry_over(view, older);
    return view;
}

void balance_view_free(struct balance_view **view)
{
    struct balance_view *gone = TAKE_POINTER(view);

    if (gone == NULL)
        return;
    CHECK_OBJ(gone, BALANCE_VIEW_TAG);
    gone->tag = 0;
    xfree(gone);
}

/* ---- for people ---- */

/* What keeps a server from serving whatever the others do; STANDING_ELIGIBLE: nothing. */
static enum balance_standing own_standing(const struct balance_server *server)
{
    uint32_t admin = read_word(&server->live->admin);

    if (admin == ADMIN_MAINT)
        return STANDING_MAINT;
    if (admin == ADMIN_DRAIN)
        return STANDING_DRAINED;
    if (read_word(&server->live->health) == HEALTH_DOWN)
        return STANDING_DOWN;
    if (read_word(&server->live->ejected))
        return STANDING_EJECTED;
    return base_weight(server) == 0 ? STANDING_WEIGHT_0 : STANDING_ELIGIBLE;
}

enum balance_standing balance_standing(struct balance_view *view, uint32_t server, uint64_t now_ms)
{
    CHECK(server < view->pool->count);
    refresh_if_needed(view, now_ms);
    const struct balance_server *asked = &view->pool->servers[server];
    enum balance_standing standing = own_standing(asked);

    if (standing != STANDING_ELIGIBLE)
        return standing;
    if (is_full(asked))
        return STANDING_FULL;
    if (view->servers[server].weight > 0)
        return STANDING_ELIGIBLE;
    if (!is_up(asked) && count_tier(view->pool, asked->is_backup).up > 0)
        return STANDING_UNKNOWN;
    return asked->is_backup ? STANDING_BACKUP : STANDING_ELIGIBLE;
}

bool balance_is_panic(struct balance_view *view, uint64_t now_ms)
{
    refresh_if_needed(view, now_ms);
    return view->is_panic;
}

uint32_t balance_effective_weight(struct balance_view *view, uint32_t server, uint64_t now_ms)
{
    CHECK(server < view->pool->count);
    refresh_if_needed(view, now_ms);
    return view->servers[server].weight;
}
