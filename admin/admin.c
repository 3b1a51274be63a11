/*
 * admin - see admin.h: the life of the admin part, and what its handlers read.
 *
 * Owner    cli/serve.c.      Threads  control only
 */
#include "admin/admin.h"

#include <string.h>
#include <uv.h>

#include "admin/events.h"
#include "admin/internal.h"
#include "admin/listener.h"
#include "admin/repeat.h"
#include "admin/wait.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "change/audit.h"
#include "change/ledger.h"
#include "change/peak.h"
#include "config/model.h"
#include "config/text.h"
#include "observe/summary.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "watch/live.h"

/* ---- those who wait ---- */

struct waker {
    uv_timer_t timer;
    struct admin *admin;
};

static void on_waker(uv_timer_t *timer)
{
    struct waker *waker = container_of(timer, struct waker, timer);
    uint64_t next_ms = wait_run_due(waker->admin, clock_ms());

    if (next_ms != UINT64_MAX)
        admin_wake_after(waker->admin, next_ms);
}

void admin_wake_after(struct admin *admin, uint64_t delay_ms)
{
    struct waker *waker = admin->waker;

    if (waker == NULL)
        return;
    uv_update_time(waker->timer.loop);
    if (!uv_is_active((uv_handle_t *)&waker->timer) ||
        uv_timer_get_due_in(&waker->timer) > delay_ms)
        CHECK(uv_timer_start(&waker->timer, on_waker, delay_ms, 0) == 0);
}

static void open_waker(struct admin *admin)
{
    struct waker *waker = xcalloc(1, sizeof(*waker));

    waker->admin = admin;
    CHECK(uv_timer_init(admin->options.loop, &waker->timer) == 0);
    uv_unref((uv_handle_t *)&waker->timer);
    admin->waker = waker;
}

static void on_waker_closed(uv_handle_t *handle)
{
    xfree(container_of((uv_timer_t *)(void *)handle, struct waker, timer));
}

static void close_waker(struct admin *admin)
{
    struct waker *waker = TAKE_POINTER(&admin->waker);

    if (waker != NULL)
        uv_close((uv_handle_t *)&waker->timer, on_waker_closed);
}

/* ---- its life ---- */

static void free_admin(struct admin *admin)
{
    repeat_sweep(admin, true);
    if (admin->summary != NULL)
        summary_free(&admin->summary);
    xfree(admin->listen_host);
    admin->tag = 0;
    xfree(admin);
}

struct admin *admin_open(const struct admin_options *options, struct error *why)
{
    ON_CONTROL();
    struct admin *admin = xcalloc(1, sizeof(*admin));

    admin->tag = ADMIN_TAG;
    admin->options = *options;
    admin->started_ms = clock_ms();
    admin->listen_host = xstrdup(options->conf->listen.host);
    admin->is_exposed = !text_is_loopback(&options->conf->listen);
    list_init(&admin->waits);
    list_init(&admin->repeats);
    list_init(&admin->left);
    list_init(&admin->streams);
    admin->listener = admin_listener_open(admin, why);
    admin->options.conf = NULL;
    if (admin->listener != NULL) {
        open_waker(admin);
        return admin;
    }
    free_admin(admin);
    return NULL;
}

static void on_listener_closed(struct admin *admin)
{
    void (*on_closed)(void *) = admin->on_closed;
    void *context = admin->closed_context;

    close_waker(admin);
    free_admin(admin);
    if (on_closed != NULL)
        on_closed(context);
}

void admin_close(struct admin **holder, void (*on_closed)(void *context), void *context)
{
    struct admin *admin = TAKE_POINTER(holder);

    ON_CONTROL();
    CHECK_OBJ(admin, ADMIN_TAG);
    admin->on_closed = on_closed;
    admin->closed_context = context;
    admin_listener_close(admin->listener, on_listener_closed);
}

void admin_adopt(struct admin *admin)
{
    ON_CONTROL();
    CHECK_OBJ(admin, ADMIN_TAG);
    admin_listener_adopt(admin->listener);
}

bool admin_is_exposed(const struct admin *admin)
{
    return admin->is_exposed;
}

/* What capacity is judged by. */
static void note_peaks(struct admin *admin)
{
    const struct snapshot *snapshot = admin_snapshot(admin);

    if (snapshot == NULL || admin->options.ledger == NULL)
        return;
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        const struct snapshot_pool *pool = &snapshot->pools[i];

        peak_note(admin->options.ledger, pool->conf->name,
                  live_pool_rates(admin->summary, pool->counter_slot).requests_per_second);
    }
}

void admin_take_summary(struct admin *admin, struct summary *summary)
{
    ON_CONTROL();
    CHECK_OBJ(admin, ADMIN_TAG);
    if (admin->summary != NULL)
        summary_free(&admin->summary);
    admin->summary = summary;
    admin_notice_running(admin);
    note_peaks(admin);
    repeat_sweep(admin, false);
    if (admin->options.ledger != NULL &&
        audit_head(ledger_audit(admin->options.ledger)).seq != admin->told_seq)
        admin_take_event(admin);
}

void admin_take_event(struct admin *admin)
{
    ON_CONTROL();
    CHECK_OBJ(admin, ADMIN_TAG);
    admin->told_seq = audit_head(ledger_audit(admin->options.ledger)).seq;
    events_wake(admin);
}

const struct snapshot *admin_snapshot(const struct admin *admin)
{
    return publisher_running(admin->options.publisher);
}

/* A new generation of the same configuration (a name has new addresses) does not make it younger.
 */
void admin_notice_running(struct admin *admin)
{
    const struct snapshot *snapshot = admin_snapshot(admin);

    if (snapshot == NULL || strcmp(snapshot->conf->digest, admin->running_digest) == 0)
        return;
    memcpy(admin->running_digest, snapshot->conf->digest, sizeof(admin->running_digest));
    admin->running_since_ms = clock_wall_ms();
}

struct live_pool *admin_live_pool(const struct admin *admin, const struct snapshot_pool *pool,
                                  struct arena *arena)
{
    struct live_source source = {.ledger = admin->options.ledger, .summary = admin->summary};

    return live_pool_read(&source, pool, arena);
}

struct summary_rates admin_process_rates(const struct admin *admin)
{
    return admin->summary != NULL ? admin->summary->process : (struct summary_rates){0};
}
