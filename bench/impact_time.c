/*
 * impact_time - what one forecast costs: 10,000 routes, 1,000 pools of 10 servers, a full sample.
 *
 *   impact_time ROUTES POOLS ROUNDS
 *
 * prints a line a case: its name, then the median and the longest in milliseconds.
 *
 * Owner    bench/impact_time      Threads  the first
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "detect/impact.h"
#include "observe/sample.h"
#include "proxy/balance/balance.h"

enum { SERVERS = 10, KINDS = SAMPLE_KINDS, SINGLES = SAMPLE_REQUESTS };

struct given {
    unsigned routes;
    unsigned pools;
    struct arena *arena;
};

static void write_pools(struct buffer *out, const struct given *given, const char *balance,
                        unsigned weight)
{
    buffer_append_literal(out, "\"pools\":{");
    for (unsigned p = 0; p < given->pools; p++) {
        buffer_printf(out, "%s\"p%u\":{%s\"servers\":{", p > 0 ? "," : "", p, balance);
        for (unsigned s = 0; s < SERVERS; s++)
            buffer_printf(out, "%s\"s%u\":{\"address\":\"10.%u.%u.%u:80\",\"weight\":%u}",
                          s > 0 ? "," : "", s, p / 250, p % 250, s + 1, s == 0 ? weight : 100);
        buffer_append_literal(out, "}}");
    }
    buffer_append_literal(out, "}");
}

/* `shift`: routes lead to other pools, and their order of conditions is another. */
static void write_routes(struct buffer *out, const struct given *given, unsigned shift)
{
    buffer_append_literal(out, "\"routes\":{");
    for (unsigned r = 0; r < given->routes; r++)
        buffer_printf(out,
                      "%s\"r%u\":{\"hosts\":[\"h%u.example\"],\"path_prefix\":\"/a%u\","
                      "\"priority\":%u,\"pool\":\"p%u\"}",
                      r > 0 ? "," : "", r, r / 10, r % 10, shift, (r + shift) % given->pools);
    buffer_append_literal(out, "}");
}

static struct configuration *load(const struct given *given, const char *balance, unsigned weight,
                                  unsigned shift)
{
    const char *name = "a.json";
    struct findings findings;
    struct configuration *conf;
    struct buffer text;
    struct slice bytes;

    buffer_init(&text);
    buffer_append_literal(&text, "{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:80\"}},");
    write_pools(&text, given, balance, weight);
    buffer_append_literal(&text, ",");
    write_routes(&text, given, shift);
    buffer_append_literal(&text, "}");
    bytes = buffer_slice(&text);
    findings_init(&findings, given->arena);
    conf = config_load_documents(&name, &bytes, 1, &findings);
    findings_fini(&findings);
    buffer_fini(&text);
    if (conf == NULL) {
        (void)fputs("impact_time: the configuration does not build\n", stderr);
        exit(2);
    }
    return conf;
}

/* Requests over all routes, as they came to the pools of shift 0. */
static struct sample sample_of(const struct given *given, bool is_hashed)
{
    struct sample_request *singles = arena_array(given->arena, SINGLES, sizeof(*singles));
    struct sample_kind *kinds = arena_array(given->arena, KINDS, sizeof(*kinds));

    for (unsigned i = 0; i < KINDS; i++) {
        unsigned r = i * (given->routes / KINDS > 0 ? given->routes / KINDS : 1) % given->routes;

        kinds[i] = (struct sample_kind){
            .listener = "web",
            .host = arena_printf(given->arena, "h%u.example", r / 10),
            .path = arena_printf(given->arena, "/a%u/x%u", r % 10, i % 3),
            .method = "GET",
            .requests = 100,
            .requests_day = 100,
        };
    }
    for (unsigned i = 0; i < SINGLES; i++) {
        const struct sample_kind *kind = &kinds[i % KINDS];
        unsigned r = i % KINDS * (given->routes / KINDS > 0 ? given->routes / KINDS : 1);

        singles[i] = (struct sample_request){
            .listener = kind->listener,
            .host = kind->host,
            .path = kind->path,
            .method = kind->method,
            .route = arena_printf(given->arena, "r%u", r % given->routes),
            .pool = arena_printf(given->arena, "p%u", r % given->routes % given->pools),
            .server = "s1",
            .reason = is_hashed ? REASON_HASH : REASON_BALANCER,
            .hash = hash_mix(i + 1),
            .has_hash = is_hashed,
            .weight = 1,
        };
    }
    return (struct sample){.references = 1,
                           .seconds = 3600,
                           .requests = 100 * KINDS,
                           .kinds = kinds,
                           .kind_count = KINDS,
                           .singles = singles,
                           .single_count = SINGLES};
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void measure(const char *name, const struct impact_subject *subject, unsigned rounds)
{
    double *took = xcalloc(rounds, sizeof(*took));

    for (unsigned i = 0; i < rounds; i++) {
        struct error why = {0};
        uint64_t begun = clock_ns();
        struct impact *impact = impact_of(subject, &why);

        took[i] = (double)(clock_ns() - begun) / 1e6;
        if (impact == NULL) {
            (void)fprintf(stderr, "impact_time: %s\n", why.text);
            exit(2);
        }
        impact_free(&impact);
    }
    qsort(took, rounds, sizeof(*took), compare);
    printf("%s\t%.1f\t%.1f\n", name, took[rounds / 2], took[rounds - 1]);
    xfree(took);
}

static void run(const struct given *given, const char *name, const char *balance, unsigned weight,
                unsigned shift, unsigned rounds)
{
    struct configuration *base = load(given, balance, 100, 0);
    struct configuration *target = load(given, balance, weight, shift);
    struct sample sample = sample_of(given, balance[0] != '\0');
    struct impact_subject subject = {.base = base, .target = target, .sample = &sample};

    measure(name, &subject, rounds);
    config_free(&base);
    config_free(&target);
}

int main(int argc, char **argv)
{
    static const char maglev[] = "\"balance\":\"maglev\",\"hash_on\":\"client_ip\",";
    struct given given = {.arena = arena_new(1 << 20)};
    unsigned rounds;

    if (argc != 4) {
        (void)fputs("usage: impact_time ROUTES POOLS ROUNDS\n", stderr);
        return 2;
    }
    given.routes = (unsigned)strtoul(argv[1], NULL, 10);
    given.pools = (unsigned)strtoul(argv[2], NULL, 10);
    rounds = (unsigned)strtoul(argv[3], NULL, 10);
    run(&given, "a weight in each pool", "", 50, 0, rounds);
    run(&given, "every route leads elsewhere", "", 100, 1, rounds);
    run(&given, "every hashed pool changes", maglev, 50, 1, rounds);
    arena_free(&given.arena);
    return 0;
}
