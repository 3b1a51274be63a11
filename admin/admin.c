/*
 * admin - see admin.h: the life of the admin part, and what its handlers read.
 *
 * Owner    cli/serve.c.      Threads  control only
 */
#include "admin/admin.h"

#include <string.h>

#include "admin/internal.h"
#include "admin/listener.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/model.h"
#include "observe/summary.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"

static void free_admin(struct admin *admin)
{
    if (admin->summary != NULL)
        summary_free(&admin->summary);
    xfree(admin->listen_text);
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
    admin->listen_text = xstrdup(options->conf->listen.text);
    admin->listen_host = xstrdup(options->conf->listen.host);
    admin->listener = admin_listener_open(admin, why);
    admin->options.conf = NULL;
    if (admin->listener != NULL)
        return admin;
    free_admin(admin);
    return NULL;
}

static void on_listener_closed(struct admin *admin)
{
    void (*on_closed)(void *) = admin->on_closed;
    void *context = admin->closed_context;

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

void admin_take_summary(struct admin *admin, struct summary *summary)
{
    ON_CONTROL();
    CHECK_OBJ(admin, ADMIN_TAG);
    if (admin->summary != NULL)
        summary_free(&admin->summary);
    admin->summary = summary;
    admin_notice_running(admin);
}

const struct snapshot *admin_snapshot(const struct admin *admin)
{
    return publisher_current(admin->options.publisher);
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

struct summary_rates admin_server_rates(const struct admin *admin, uint32_t counter_slot)
{
    const struct summary *summary = admin->summary;

    if (summary == NULL || counter_slot >= summary->server_count)
        return (struct summary_rates){0};
    return summary->servers[counter_slot];
}

struct summary_rates admin_pool_rates(const struct admin *admin, uint32_t counter_slot)
{
    const struct summary *summary = admin->summary;

    if (summary == NULL || counter_slot >= summary->pool_count)
        return (struct summary_rates){0};
    return summary->pools[counter_slot];
}

struct summary_rates admin_process_rates(const struct admin *admin)
{
    return admin->summary != NULL ? admin->summary->process : (struct summary_rates){0};
}
