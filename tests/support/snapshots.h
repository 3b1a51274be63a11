/*
 * snapshots - what snapshots of configurations are built in, for tests and trials that need no
 * workers: servers are known, counters count, nobody is spoken to.
 *
 * Owner    whoever begins it, until snapshots_end()      Threads  one
 */
#ifndef TESTS_SUPPORT_SNAPSHOTS_H
#define TESTS_SUPPORT_SNAPSHOTS_H

#include <stdio.h>
#include <uv.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/counters.h"
#include "proxy/limits.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/registry.h"

struct snapshots {
    uv_loop_t loop;
    struct arena *arena;
    struct counters *counters;
    struct registry *registry;
    struct rate_store *rates;
};

static inline void snapshots_have_changed(void *context)
{
    (void)context;
}

static inline void snapshots_begin(struct snapshots *snapshots, unsigned workers)
{
    CHECK(uv_loop_init(&snapshots->loop) == 0);
    snapshots->arena = arena_new(4096);
    snapshots->counters = counters_new(workers);
    snapshots->registry =
        registry_new(&snapshots->loop, workers, snapshots->counters, snapshots_have_changed, NULL);
    snapshots->rates = rate_store_new();
}

/* Of one document, which must be good; the caller's. */
static inline struct snapshot *snapshots_build(struct snapshots *snapshots, struct slice document,
                                               uint64_t generation)
{
    static const char *const name = "conf.json";
    struct error why = {0};
    struct findings findings;
    struct configuration *conf;
    struct snapshot *snapshot;

    findings_init(&findings, snapshots->arena);
    conf = config_load_documents(&name, &document, 1, &findings);
    if (conf == NULL)
        (void)fprintf(stderr, "%s: %s\n", findings.items[0].pointer, findings.items[0].message);
    CHECK(conf != NULL);
    findings_fini(&findings);
    snapshot = snapshot_build(conf, generation, snapshots->registry, snapshots->rates,
                              snapshots->counters, &why);
    CHECK(snapshot != NULL);
    return snapshot;
}

/* After all snapshots are freed. */
static inline void snapshots_end(struct snapshots *snapshots)
{
    registry_close(snapshots->registry);
    while (uv_run(&snapshots->loop, UV_RUN_DEFAULT) != 0)
        continue;
    registry_free(&snapshots->registry);
    rate_store_free(&snapshots->rates);
    counters_free(&snapshots->counters);
    arena_free(&snapshots->arena);
    CHECK(uv_loop_close(&snapshots->loop) == 0);
}

#endif
