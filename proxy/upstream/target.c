/*
 * target - one server as the prober sees it: verdict, ejection, slow start; and its pool's panic.
 *
 * Owner    the prober.      Threads  the prober's
 */
#include "proxy/upstream/target.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/model.h"
#include "proxy/upstream/probe.h"
#include "proxy/upstream/server.h"

static uint32_t word(const _Atomic uint32_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void set_word(_Atomic uint32_t *at, uint32_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

/* After the words that it announces. */
static void bump(const struct target *target)
{
    atomic_fetch_add_explicit(&target->server->pool->epoch, 1, memory_order_release);
}

static void forget_failures(struct target *target)
{
    set_word(&target->server->live.failures, 0);
    atomic_store_explicit(&target->server->is_suspected, 0, memory_order_release);
}

/* ---- slow start ---- */

static void enter_healing(struct target *target, uint64_t now_ms)
{
    bool is_marked = word(&target->server->ejections_in_a_row) > 0;

    target->phase = is_marked ? PHASE_HEALING : PHASE_NONE;
    target->phase_due_ms = is_marked ? now_ms + target->pool->conf->ejection.base_time_ms : 0;
}

static void end_ramp(struct target *target)
{
    struct balance_live *live = &target->server->live;

    if (atomic_load_explicit(&live->ramp_from_ms, memory_order_relaxed) == 0)
        return;
    atomic_store_explicit(&live->ramp_from_ms, 0, memory_order_relaxed);
    bump(target);
}

static void enter_ramp(struct target *target, uint64_t now_ms)
{
    uint64_t slow_start_ms = target->pool->conf->slow_start_ms;

    if (slow_start_ms == 0) {
        enter_healing(target, now_ms);
        return;
    }
    target->phase = PHASE_RAMPING;
    target->phase_due_ms = now_ms + slow_start_ms;
    atomic_store_explicit(&target->server->live.ramp_from_ms, now_ms, memory_order_relaxed);
    bump(target);
}

/* ---- verdicts ---- */

static void set_health(struct target *target, enum balance_health health)
{
    set_word(&target->server->live.health, health);
    atomic_store_explicit(&target->server->health_since_ms, (uint64_t)clock_wall_ms(),
                          memory_order_relaxed);
    bump(target);
}

static void come_up(struct target *target, uint64_t now_ms)
{
    bool was_down = word(&target->server->live.health) == HEALTH_DOWN;

    /* Before it is seen to be up, or it would get its full share for a moment. */
    if ((was_down || target->is_joining) && target->phase != PHASE_EJECTED)
        enter_ramp(target, now_ms);
    target->is_joining = false;
    set_health(target, HEALTH_UP);
}

static void go_down(struct target *target, const struct probe_answer *answer, uint64_t now_ms)
{
    const struct server *server = target->server;

    set_health(target, HEALTH_DOWN);
    target->is_joining = false;
    if (target->phase == PHASE_RAMPING) {
        end_ramp(target);
        enter_healing(target, now_ms);
    }
    log_event(EV_SERVER_DOWN, LOG_TEXT("pool", server->pool->name),
              LOG_TEXT("server", server->name), LOG_TEXT("address", server->address_text),
              LOG_TEXT("why", answer->why), LOG_NUMBER("status", answer->status),
              LOG_NUMBER("failures", target->fails));
}

void target_needs_no_check(struct target *target, uint64_t now_ms)
{
    target->passes = target->fails = 0;
    atomic_store_explicit(&target->server->last_check, NULL, memory_order_relaxed);
    if (word(&target->server->live.health) != HEALTH_UP)
        come_up(target, now_ms);
}

bool target_is_paused(const struct target *target)
{
    return word(&target->server->live.admin) == ADMIN_MAINT;
}

void target_pause(struct target *target)
{
    target->passes = target->fails = 0;
    target->is_joining = true;
    atomic_store_explicit(&target->server->last_check, NULL, memory_order_relaxed);
    if (word(&target->server->live.health) != HEALTH_UNKNOWN)
        set_health(target, HEALTH_UNKNOWN);
}

static void judge_pass(struct target *target, uint64_t now_ms)
{
    const struct server *server = target->server;
    uint32_t health = word(&server->live.health);

    target->fails = 0;
    target->passes++;
    if (health == HEALTH_UP ||
        (health == HEALTH_DOWN && target->passes < target->pool->conf->health_check.rise))
        return;
    come_up(target, now_ms);
    log_event(EV_SERVER_UP, LOG_TEXT("pool", server->pool->name), LOG_TEXT("server", server->name),
              LOG_TEXT("address", server->address_text));
}

static void judge_failure(struct target *target, const struct probe_answer *answer, uint64_t now_ms)
{
    target->passes = 0;
    target->fails++;
    if (word(&target->server->live.health) != HEALTH_DOWN &&
        target->fails >= target->pool->conf->health_check.fall)
        go_down(target, answer, now_ms);
}

void target_judge(struct target *target, const struct probe_answer *answer, uint64_t now_ms)
{
    atomic_store_explicit(&target->server->last_check, (char *)answer->why, memory_order_relaxed);
    if (answer->result == PROBE_PASSED)
        judge_pass(target, now_ms);
    else if (answer->result == PROBE_FAILED)
        judge_failure(target, answer, now_ms);
}

uint64_t target_interval_ms(const struct target *target)
{
    const struct conf_health_check *check = &target->pool->conf->health_check;
    uint32_t health = word(&target->server->live.health);
    bool is_transitional = health == HEALTH_UNKNOWN || (health == HEALTH_UP && target->fails > 0) ||
                           (health == HEALTH_DOWN && target->passes > 0);

    if (is_transitional && check->fast_interval_ms < check->interval_ms)
        return check->fast_interval_ms;
    return check->interval_ms;
}

/* ---- ejection ---- */

static bool is_ready(const struct target *target)
{
    const struct balance_live *live = &target->server->live;
    uint32_t weight = word(&live->weight_override);

    if (weight == BALANCE_NO_OVERRIDE)
        weight = target->weight;
    return word(&live->admin) == ADMIN_READY && weight > 0;
}

static bool is_healthy(const struct target *target)
{
    const struct balance_live *live = &target->server->live;

    return word(&live->health) != HEALTH_DOWN && word(&live->ejected) == 0;
}

/* At most max_percent of the ready ones, at least 1, and never the last that could serve. */
static bool cap_allows(const struct target *suspect)
{
    const struct target_pool *pool = suspect->pool;
    size_t ready = 0;
    size_t ejected = 0;
    size_t others = 0;
    size_t allowed;

    for (size_t i = 0; i < pool->count; i++) {
        const struct target *target = pool->targets[i];

        if (target->is_tried != suspect->is_tried)
            continue;
        ready += is_ready(target);
        ejected += word(&target->server->live.ejected) != 0;
        others += target != suspect && is_ready(target) && is_healthy(target);
    }
    allowed = ready * pool->conf->ejection.max_percent / 100;
    return others > 0 && ejected < (allowed > 0 ? allowed : 1);
}

static uint64_t ejection_ms(const struct conf_ejection *ejection, uint32_t in_a_row,
                            uint64_t random)
{
    uint64_t ms = ejection->base_time_ms * in_a_row;

    if (ms > ejection->max_time_ms)
        ms = ejection->max_time_ms;
    return ms + random % (ms / 10 + 1);
}

static void eject(struct target *target, uint64_t now_ms, uint64_t random)
{
    struct server *server = target->server;
    const struct conf_ejection *ejection = &target->pool->conf->ejection;
    uint32_t in_a_row = word(&server->ejections_in_a_row) + 1;
    uint64_t ms = ejection_ms(ejection, in_a_row, random);

    end_ramp(target);
    set_word(&server->ejections_in_a_row, in_a_row);
    set_word(&server->live.ejected, 1);
    bump(target);
    target->phase = PHASE_EJECTED;
    target->phase_due_ms = now_ms + ms;
    log_event(EV_SERVER_EJECTED, LOG_TEXT("pool", server->pool->name),
              LOG_TEXT("server", server->name), LOG_TEXT("address", server->address_text),
              LOG_NUMBER("failures", word(&server->live.failures)), LOG_NUMBER("for_ms", ms),
              LOG_NUMBER("in_a_row", in_a_row));
}

bool target_suspect(struct target *target, uint64_t now_ms, uint64_t random)
{
    uint32_t limit = target->pool->conf->ejection.consecutive_failures;

    if (target->phase == PHASE_EJECTED)
        return false;
    /* A success may have come in between, or the limit may have changed. */
    if (limit == 0 || word(&target->server->live.failures) < limit || !is_healthy(target) ||
        !cap_allows(target)) {
        forget_failures(target);
        return false;
    }
    eject(target, now_ms, random);
    return true;
}

void target_end_ejection(struct target *target, uint64_t now_ms)
{
    struct server *server = target->server;

    if (target->phase != PHASE_EJECTED)
        return;
    /* The slow start stands before the server is seen to be back, or it would get its full share
     * for a moment; while its checks fail it begins when it comes up. */
    forget_failures(target);
    if (word(&server->live.health) == HEALTH_DOWN)
        enter_healing(target, now_ms);
    else
        enter_ramp(target, now_ms);
    set_word(&server->live.ejected, 0);
    bump(target);
    log_event(EV_SERVER_RETURNED, LOG_TEXT("pool", server->pool->name),
              LOG_TEXT("server", server->name), LOG_TEXT("address", server->address_text));
}

/* One ejection forgotten for each base_time without another. */
static void heal(struct target *target, uint64_t now_ms)
{
    uint32_t in_a_row = word(&target->server->ejections_in_a_row);

    if (in_a_row > 0)
        set_word(&target->server->ejections_in_a_row, in_a_row - 1);
    enter_healing(target, now_ms);
}

void target_phase_over(struct target *target, uint64_t now_ms)
{
    switch (target->phase) {
    case PHASE_NONE: target->phase_due_ms = 0; break;
    case PHASE_EJECTED: target_end_ejection(target, now_ms); break;
    case PHASE_RAMPING:
        end_ramp(target);
        enter_healing(target, now_ms);
        break;
    case PHASE_HEALING: heal(target, now_ms); break;
    }
}

/* ---- life ---- */

void target_init(struct target *target, struct server *server)
{
    *target = (struct target){.server = server};
    set_word(&server->ejections_in_a_row, 0);
    forget_failures(target);
}

void target_fini(struct target *target)
{
    end_ramp(target);
    set_word(&target->server->live.ejected, 0);
    forget_failures(target);
    bump(target);
}

/* ---- panic ---- */

static bool needs_panic(const struct target_pool *pool, size_t *ready_out, size_t *healthy_out)
{
    size_t ready = 0;
    size_t healthy = 0;
    size_t backups = 0;

    for (size_t i = 0; i < pool->count; i++) {
        const struct target *target = pool->targets[i];

        if (!is_ready(target) || target->is_tried)
            continue;
        if (target->is_backup) {
            backups += is_healthy(target);
            continue;
        }
        ready++;
        healthy += is_healthy(target);
    }
    *ready_out = ready;
    *healthy_out = healthy;
    return healthy * 100 < ready * pool->conf->panic_percent && !(healthy == 0 && backups > 0);
}

void target_pool_judge(struct target_pool *pool)
{
    size_t ready, healthy;
    bool is_panic = needs_panic(pool, &ready, &healthy);

    if (is_panic == (word(&pool->live->is_panic) != 0))
        return;
    set_word(&pool->live->is_panic, is_panic);
    log_event(is_panic ? EV_POOL_PANIC : EV_POOL_CALM, LOG_TEXT("pool", pool->live->name),
              LOG_NUMBER("healthy", healthy), LOG_NUMBER("ready", ready),
              LOG_NUMBER("panic_percent", pool->conf->panic_percent));
}
