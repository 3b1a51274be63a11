/*
 * admin_fixture - the admin API without sockets: a configuration from text, a snapshot of it, and
 * calls handed to dispatch() directly.  For unit tests and fuzzers.
 */
#ifndef TESTS_SUPPORT_ADMIN_FIXTURE_H
#define TESTS_SUPPORT_ADMIN_FIXTURE_H

#include <string.h>
#include <uv.h>

#include "admin/call.h"
#include "admin/dispatch.h"
#include "admin/internal.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/counters.h"
#include "proxy/limits.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/registry.h"

static struct {
    uv_loop_t loop;
    struct arena *arena;
    struct counters *counters;
    struct registry *registry;
    struct rate_store *rates;
    struct snapshot *snapshot;
    struct admin admin;
    bool has_published;
} fixture;

/* In place of the publisher: these are all that the API asks of it. */
struct snapshot *publisher_running(const struct publisher *publisher)
{
    (void)publisher;
    return fixture.has_published ? fixture.snapshot : NULL;
}

struct snapshot *publisher_current(const struct publisher *publisher)
{
    return publisher_running(publisher);
}

size_t publisher_alive(const struct publisher *publisher)
{
    (void)publisher;
    return 1;
}

struct snapshot *publisher_candidate(const struct publisher *publisher)
{
    (void)publisher;
    return NULL;
}

uint32_t publisher_candidate_below(const struct publisher *publisher)
{
    (void)publisher;
    return 0;
}

static void fixture_on_change(void *context)
{
    (void)context;
}

static struct configuration *fixture_configuration(const char *text)
{
    static const char *const name = "conf.json";
    struct slice bytes = slice_from(text);
    struct findings findings;
    struct configuration *conf;

    findings_init(&findings, fixture.arena);
    conf = config_load_documents(&name, &bytes, 1, &findings);
    if (conf == NULL)
        panic("%s: %s", findings.items[0].pointer, findings.items[0].message);
    findings_fini(&findings);
    return conf;
}

static inline void fixture_open(const char *configuration_text)
{
    struct error why = {0};

    CHECK(uv_loop_init(&fixture.loop) == 0);
    fixture.arena = arena_new(4096);
    fixture.counters = counters_new(1);
    fixture.registry = registry_new(&fixture.loop, 1, fixture.counters, fixture_on_change, NULL);
    fixture.rates = rate_store_new();
    fixture.snapshot = snapshot_build(fixture_configuration(configuration_text), 1,
                                      fixture.registry, fixture.rates, fixture.counters, &why);
    if (fixture.snapshot == NULL)
        panic("%s", why.text);
    snapshot_configure_servers(fixture.snapshot);
    fixture.has_published = true;
    fixture.admin = (struct admin){
        .waits = {&fixture.admin.waits, &fixture.admin.waits},
        .repeats = {&fixture.admin.repeats, &fixture.admin.repeats},
        .left = {&fixture.admin.left, &fixture.admin.left},
        .streams = {&fixture.admin.streams, &fixture.admin.streams},
        .tag = ADMIN_TAG,
        .listen_host = (char *)"127.0.0.1",
        .options = {.loop = &fixture.loop,
                    .counters = fixture.counters,
                    .registry = fixture.registry,
                    .worker_count = 1,
                    .configuration_directory = "/nonexistent"},
    };
}

static inline void fixture_close(void)
{
    snapshot_free(&fixture.snapshot);
    registry_close(fixture.registry);
    while (uv_run(&fixture.loop, UV_RUN_DEFAULT) != 0)
        continue;
    registry_free(&fixture.registry);
    rate_store_free(&fixture.rates);
    counters_free(&fixture.counters);
    arena_free(&fixture.arena);
    CHECK(uv_loop_close(&fixture.loop) == 0);
}

/* A call that is not dispatched yet. */
static inline struct call *fixture_call(const char *method, struct slice target, struct slice body)
{
    struct call *call = call_new(&fixture.admin, target);

    call->method = slice_from(method);
    call->host = SLICE("127.0.0.1:9901");
    buffer_append_slice(&call->body, body);
    return call;
}

static inline struct call *fixture_ask(const char *method, const char *target, const char *body)
{
    struct call *call = fixture_call(method, slice_from(target), slice_from(body));

    dispatch(call);
    return call;
}

#endif
