/*
 * internal - what the files of admin/ share.
 *
 * Owner    cli/serve.c, through admin.h.      Threads  control only
 */
#ifndef ADMIN_INTERNAL_H
#define ADMIN_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/admin.h"
#include "admin/auth.h"
#include "admin/pace.h"
#include "base/list.h"

struct admin_listener;
struct arena;
struct call;
struct live_pool;
struct snapshot;
struct snapshot_pool;
struct summary_rates;

enum { ADMIN_TAG = 0x41444d4e };

struct admin {
    uint32_t tag;
    struct admin_options options; /* its conf is gone: it lived as long as the first snapshot */
    char *listen_host;            /* "127.0.0.1" */
    bool is_exposed;              /* it is not loopback */
    struct summary *summary;      /* NULL before the first second is over */
    uint64_t started_ms;
    /* Which configuration runs, and since when; noticed at each call and each second. */
    char running_digest[72];
    int64_t running_since_ms;
    struct admin_listener *listener;
    struct list waits;   /* calls whose handlers want to be asked again */
    struct list repeats; /* calls under an Idempotency-Key that are under way */
    struct list left;    /* those of them whose callers have gone */
    struct list streams; /* of events */
    unsigned stream_count;
    uint64_t told_seq; /* the audit record that streams were last woken for */
    struct pace pace;  /* of calls that change something */
    struct auth_failures failures;
    uint64_t calls;      /* since the start */
    struct waker *waker; /* runs the waits; NULL in tests, which run them by hand */
    void (*on_closed)(void *context);
    void *closed_context;
};

/* NULL before the first one is published. */
/* Those who wait are looked at again after so long. */
void admin_wake_after(struct admin *admin, uint64_t delay_ms);

const struct snapshot *admin_snapshot(const struct admin *admin);
void admin_notice_running(struct admin *admin);

struct live_pool *admin_live_pool(const struct admin *admin, const struct snapshot_pool *pool,
                                  struct arena *arena);
struct summary_rates admin_process_rates(const struct admin *admin);

#endif
