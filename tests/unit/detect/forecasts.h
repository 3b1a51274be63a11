/*
 * forecasts - two configurations and traffic that is made up, and what impact_of() says of them.
 *
 * Threads  the first
 */
#ifndef TESTS_UNIT_DETECT_FORECASTS_H
#define TESTS_UNIT_DETECT_FORECASTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/hash.h"
#include "detect/impact.h"
#include "observe/sample.h"
#include "tests/support/config_text.h"

enum { MOST = 20000, KINDS = 64 };

static struct arena *arena;
static struct sample seen;
static struct sample_request singles[MOST];
static struct sample_kind kinds[KINDS];
static struct impact_subject subject;
static struct configuration *base;
static struct configuration *target;
static struct impact *impact;

static __attribute__((unused)) int setup(void **state)
{
    (void)state;
    arena = arena_new(65536);
    seen = (struct sample){.references = 1, .seconds = 100, .kinds = kinds, .singles = singles};
    subject = (struct impact_subject){.sample = &seen};
    return 0;
}

static __attribute__((unused)) int teardown(void **state)
{
    (void)state;
    impact_free(&impact);
    config_free(&base);
    config_free(&target);
    arena_free(&arena);
    return 0;
}

/* ---- configurations; documents are written with ' for " ---- */

#define SERVER(name, more)  "'" name "':{'address':'10.0.0.1:80'" more "}"
#define W(name, weight)     SERVER(name, ",'weight':" #weight)
#define POOL(more, ...)     "{'servers':{" __VA_ARGS__ "}" more "}"
#define ABC                 SERVER("a", "") "," SERVER("b", "") "," SERVER("c", "")
#define WEB                 "'listeners':{'web':{'address':'127.0.0.1:80'}}"
#define CONF(pools, routes) "{" WEB ",'pools':{" pools "},'routes':{" routes "}}"
#define ONE(pool)           CONF("'p':" pool, "'r':{'pool':'p'}")

/* ---- traffic ---- */

/* So many requests of a kind, in all and in a day, and the single one they look like: as many of
 * them as the sample has; its fields may be changed until the next call. */
static __attribute__((unused)) struct sample_request *see(const char *host, const char *path,
                                                          uint64_t requests, size_t single_count)
{
    struct sample_request *first = &singles[seen.single_count];

    assert_true(seen.single_count + single_count <= MOST);
    kinds[seen.kind_count++] = (struct sample_kind){.listener = "web",
                                                    .host = host,
                                                    .path = path,
                                                    .method = "GET",
                                                    .requests = requests,
                                                    .requests_day = requests};
    seen.requests += requests;
    for (size_t i = 0; i < single_count; i++)
        singles[seen.single_count++] = (struct sample_request){
            .listener = "web",
            .host = host,
            .path = path,
            .method = "GET",
            .route = "r",
            .pool = "p",
            .weight = 1,
            .client_hash = hash_mix(i + 1),
        };
    return first;
}

/* ---- asking ---- */

static __attribute__((unused)) void forecast(const char *before, const char *after)
{
    struct error why = {0};

    config_free(&base);
    config_free(&target);
    impact_free(&impact);
    base = config_of_text(before, arena);
    target = config_of_text(after, arena);
    subject.base = base;
    subject.target = target;
    impact = impact_of(&subject, &why);
    if (impact == NULL)
        fail_msg("%s", why.text);
}

static __attribute__((unused)) const struct impact_pool *pool(const char *name)
{
    const struct impact_pool *found = impact_find_pool(impact, name);

    assert_non_null(found);
    return found;
}

static __attribute__((unused)) const struct impact_server *server(const char *of, const char *name)
{
    for (size_t i = 0; i < pool(of)->server_count; i++)
        if (strcmp(pool(of)->servers[i].name, name) == 0)
            return &pool(of)->servers[i];
    fail_msg("%s/%s is not there", of, name);
    return NULL;
}

static __attribute__((unused)) void expect_share(const char *name, double before, double after,
                                                 double within)
{
    const struct impact_pair share = server("p", name)->share;

    if (share.before < before - within || share.before > before + within ||
        share.after < after - within || share.after > after + within)
        fail_msg("%s: %.4f -> %.4f, wanted %.4f -> %.4f", name, share.before, share.after, before,
                 after);
}

#define forecast_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
