/*
 * watched - see watched.h.
 *
 * Threads  the prober's
 */
#include "proxy/upstream/watched.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/upstream/probe.h"
#include "proxy/upstream/prober.h"
#include "proxy/upstream/server.h"

enum {
    WATCHED_TAG = 0x57415443,
    PROBES_AT_ONCE = 512,
    LINGER_MS = 250,
    SOONEST_MS = 10, /* between two checks of a server that takes longer than its interval */
};

static uint64_t jittered(struct checks *checks, uint64_t ms)
{
    return ms - ms / 10 + random_next(&checks->random) % (ms / 5 + 1);
}

void watched_start_timer(uv_timer_t *timer, uv_timer_cb on_timer, uint64_t ms)
{
    uv_update_time(timer->loop);
    CHECK(uv_timer_start(timer, on_timer, ms, 0) == 0);
}

/* ---- after its target changed ---- */

static void on_phase(uv_timer_t *timer);

static void arm_phase(struct watched *watched)
{
    uint64_t due_ms = watched->target.phase_due_ms;
    uint64_t now_ms = clock_ms();

    if (due_ms == 0)
        uv_timer_stop(&watched->phase_timer);
    else
        watched_start_timer(&watched->phase_timer, on_phase, due_ms > now_ms ? due_ms - now_ms : 0);
}

void watched_changed(struct watched *watched)
{
    arm_phase(watched);
    watched->checks->on_changed(watched);
}

static void on_phase(uv_timer_t *timer)
{
    struct watched *watched = container_of(timer, struct watched, phase_timer);

    CHECK_OBJ(watched, WATCHED_TAG);
    target_phase_over(&watched->target, clock_ms());
    watched_changed(watched);
}

/* ---- when it is asked ---- */

static void on_due(uv_timer_t *timer);

static const struct conf_health_check *check_of(const struct watched *watched)
{
    return &watched->target.pool->conf->health_check;
}

static void rest_for(struct watched *watched, uint64_t ms)
{
    watched->asking = RESTING;
    watched_start_timer(&watched->timer, on_due, ms);
}

static void rest(struct watched *watched)
{
    uint64_t interval_ms = jittered(watched->checks, target_interval_ms(&watched->target));
    uint64_t due_ms = watched->begun_ms + interval_ms;
    uint64_t now_ms = clock_ms();

    rest_for(watched, due_ms > now_ms + SOONEST_MS ? due_ms - now_ms : SOONEST_MS);
}

/* No longer than half the time to the next check. */
static uint64_t linger_ms(const struct watched *watched)
{
    uint64_t half_ms = target_interval_ms(&watched->target) / 2;

    return half_ms < LINGER_MS ? half_ms : LINGER_MS;
}

/* Whatever it does, it does no more. */
static void abandon(struct watched *watched)
{
    uv_timer_stop(&watched->timer);
    list_remove(&watched->in_queue);
    watched->asking = RESTING;
    if (watched->probe == NULL)
        return;
    probe_close(&watched->probe);
    watched->checks->running--;
}

static void conclude(struct watched *watched)
{
    struct checks *checks = watched->checks;

    abandon(watched);
    rest(watched);
    checks_go_on(checks);
}

static void on_linger_over(uv_timer_t *timer)
{
    conclude(container_of(timer, struct watched, timer));
}

static void take_answer(struct watched *watched, const struct probe_answer *answer)
{
    target_judge(&watched->target, answer, clock_ms());
    watched_changed(watched);
}

static void on_probe(void *context, const struct probe_answer *answer, bool is_over)
{
    struct watched *watched = context;

    CHECK_OBJ(watched, WATCHED_TAG);
    if (answer != NULL)
        take_answer(watched, answer);
    if (is_over) {
        conclude(watched);
        return;
    }
    watched->asking = LINGERING;
    watched_start_timer(&watched->timer, on_linger_over, linger_ms(watched));
}

static void on_time_over(uv_timer_t *timer)
{
    struct watched *watched = container_of(timer, struct watched, timer);
    struct probe_answer answer = probe_time_out(watched->probe);

    take_answer(watched, &answer);
    conclude(watched);
}

static void begin(struct watched *watched)
{
    struct checks *checks = watched->checks;
    struct probe_answer answer;
    struct probe_options options = {
        .server = watched->target.server,
        .host = watched->host,
        .trust = watched->trust,
        .is_h2 = watched->target.pool->conf->protocol == PROTOCOL_H2,
        .tls_name = watched->tls_name,
        .check = check_of(watched),
        .on_event = on_probe,
        .context = watched,
    };

    watched->begun_ms = clock_ms();
    watched->probe = probe_open(checks->loop, &options, &answer);
    if (watched->probe == NULL) {
        take_answer(watched, &answer);
        rest(watched);
        return;
    }
    checks->running++;
    watched->asking = ASKING;
    watched_start_timer(&watched->timer, on_time_over, check_of(watched)->timeout_ms);
}

void checks_go_on(struct checks *checks)
{
    struct list *item;

    while (checks->running < PROBES_AT_ONCE && (item = list_pop(&checks->queue)) != NULL)
        begin(container_of(item, struct watched, in_queue));
}

static void on_due(uv_timer_t *timer)
{
    struct watched *watched = container_of(timer, struct watched, timer);

    CHECK_OBJ(watched, WATCHED_TAG);
    if (target_is_paused(&watched->target)) {
        target_pause(&watched->target);
        watched->begun_ms = clock_ms();
        rest(watched);
        return;
    }
    watched->asking = QUEUED;
    list_append(&watched->checks->queue, &watched->in_queue);
    checks_go_on(watched->checks);
}

/* ---- what is asked ---- */

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether an answer under way still answers what the new configuration asks. */
static bool is_same_question(const struct conf_health_check *a, const struct conf_health_check *b)
{
    return a->is_on == b->is_on && a->type == b->type && a->port == b->port &&
           is_same_text(a->path, b->path) && is_same_text(a->host, b->host) &&
           is_same_text(a->service, b->service);
}

void watched_configure(struct watched *watched, struct target_pool *pool,
                       const struct prober_target *given)
{
    int index = config_find_server(given->pool, given->server->name);
    const struct conf_server *conf = index != CONFIG_NONE ? &given->pool->servers[index] : NULL;

    if (watched->probe != NULL &&
        (!is_same_question(check_of(watched), &given->pool->health_check) ||
         watched->trust != given->trust ||
         watched->target.pool->conf->protocol != given->pool->protocol)) {
        abandon(watched);
        rest_for(watched, SOONEST_MS);
    }
    if (watched->probe != NULL)
        probe_recheck(watched->probe, &given->pool->health_check);
    watched->target.pool = pool;
    watched->target.is_backup = given->is_backup;
    watched->target.is_tried = given->is_tried;
    watched->target.weight = conf != NULL ? conf->weight : 1;
    watched->trust = given->trust;
    watched->tls_name = given->tls_name;
    watched->host = conf != NULL && conf->address.kind == ADDRESS_NAME ? conf->address.host : NULL;
}

/* A resting one whose interval became shorter is asked sooner. */
static void hasten(struct watched *watched)
{
    uint64_t interval_ms = jittered(watched->checks, target_interval_ms(&watched->target));

    if (!uv_is_active((uv_handle_t *)&watched->timer) ||
        uv_timer_get_due_in(&watched->timer) > interval_ms)
        rest_for(watched, interval_ms);
}

void watched_schedule(struct watched *watched, uint64_t spread_ms)
{
    const struct conf_health_check *check = check_of(watched);

    if (watched->target.pool->conf->ejection.consecutive_failures == 0)
        target_end_ejection(&watched->target, clock_ms());
    if (!check->is_on) {
        abandon(watched);
        target_needs_no_check(&watched->target, clock_ms());
    } else if (watched->is_new) {
        if (check->interval_ms < spread_ms)
            spread_ms = check->interval_ms;
        rest_for(watched, random_next(&watched->checks->random) % (spread_ms + 1));
    } else if (watched->asking == RESTING) {
        hasten(watched);
    }
    watched->is_new = false;
    watched_changed(watched);
}

/* ---- its life ---- */

void checks_init(struct checks *checks, uv_loop_t *loop, watched_changed_fn *on_changed)
{
    *checks = (struct checks){.loop = loop, .random = random_seed(), .on_changed = on_changed};
    list_init(&checks->queue);
}

struct watched *watched_open(struct checks *checks, struct server *server)
{
    struct watched *watched = xcalloc(1, sizeof(*watched));

    watched->tag = WATCHED_TAG;
    watched->checks = checks;
    watched->is_new = true;
    target_init(&watched->target, server);
    list_init(&watched->in_queue);
    CHECK(uv_timer_init(checks->loop, &watched->timer) == 0);
    CHECK(uv_timer_init(checks->loop, &watched->phase_timer) == 0);
    watched->open_timers = 2;
    return watched;
}

static void timer_closed(struct watched *watched)
{
    if (--watched->open_timers > 0)
        return;
    watched->tag = 0;
    xfree(watched);
}

static void on_timer_closed(uv_handle_t *handle)
{
    timer_closed(container_of((uv_timer_t *)handle, struct watched, timer));
}

static void on_phase_timer_closed(uv_handle_t *handle)
{
    timer_closed(container_of((uv_timer_t *)handle, struct watched, phase_timer));
}

void watched_close(struct watched *watched)
{
    abandon(watched);
    target_fini(&watched->target);
    uv_close((uv_handle_t *)&watched->timer, on_timer_closed);
    uv_close((uv_handle_t *)&watched->phase_timer, on_phase_timer_closed);
}
