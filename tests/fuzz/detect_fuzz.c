/*
 * detect_fuzz - any two documents, a NUL between them, as what runs and what is proposed: every
 * rule looks at them, and at each alone.  Bytes behind a second NUL are what was seen of the first
 * one: requests of its pools, routes and hosts, orders for its servers.
 *
 * Threads  the first
 * Invariant  A finding has a rule of the table, a pointer, and a text; what blocks is never
 *            suppressed; asking twice gives the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "detect/detect.h"
#include "detect/expression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct configuration *load(const char *name, struct slice text, struct findings *findings)
{
    return config_load_documents_to_judge(&name, &text, 1, findings);
}

/* What is left of the input, as numbers. */
struct numbers {
    const uint8_t *at;
    size_t left;
};

/* Zero now and then, else small or large. */
static uint64_t next_number(struct numbers *numbers)
{
    uint8_t byte;

    if (numbers->left == 0)
        return 100;
    byte = *numbers->at++;
    numbers->left--;
    return byte < 128 ? byte : (uint64_t)byte << (byte % 32);
}

static const char *below(struct arena *arena, const char *host)
{
    return host[0] == '*' ? arena_printf(arena, "x%s", host + 1) : host;
}

/* Traffic of the pools, routes and hosts that `conf` has. */
static void see_traffic(const struct configuration *conf, struct arena *arena,
                        struct numbers *numbers, struct detect_traffic *out)
{
    struct detect_pool_traffic *pools = arena_alloc(arena, (conf->pool_count + 1) * sizeof(*pools));
    struct detect_hits *routes = arena_alloc(arena, (conf->route_count + 1) * sizeof(*routes));
    struct detect_hits *hosts = arena_alloc(arena, (conf->route_count + 1) * sizeof(*hosts));

    *out = (struct detect_traffic){.pools = pools, .routes = routes, .hosts = hosts};
    for (size_t i = 0; i < conf->pool_count; i++)
        pools[out->pool_count++] = (struct detect_pool_traffic){
            conf->pools[i].name, (double)next_number(numbers), next_number(numbers)};
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];
        const char *host = route->hosts.count > 0 ? route->hosts.items[0] : "any.example";

        routes[out->route_count++] = (struct detect_hits){route->name, next_number(numbers)};
        hosts[out->host_count++] = (struct detect_hits){below(arena, host), next_number(numbers)};
    }
}

/* Orders for the first servers of the pools. */
static size_t give_orders(const struct configuration *conf, struct numbers *numbers,
                          struct detect_override orders[4])
{
    static const char *const states[] = {"drain", "maint", "ready", NULL};
    size_t count = 0;

    for (size_t i = 0; i < conf->pool_count && count < 4; i++) {
        uint64_t number = next_number(numbers);

        if (conf->pools[i].server_count > 0 && number != 0)
            orders[count++] = (struct detect_override){
                conf->pools[i].name, conf->pools[i].servers[0].name, states[number % 4],
                number % 3 == 0 ? -1 : (int64_t)(number % 1000)};
    }
    return count;
}

static void look(const struct configuration *base, const struct configuration *target,
                 struct arena *arena, struct numbers numbers)
{
    static const char *const deletes[] = {"/pools/p", "/routes", "/pools/shop/servers/s1"};
    const struct configuration *seen = base != NULL ? base : target;
    struct detect_override orders[4];
    struct detect_traffic traffic;
    uint64_t choices = next_number(&numbers);
    struct detect_subject subject = {.target = target,
                                     .base = base,
                                     .now_ms = 1796083200000,
                                     .descriptor_limit = next_number(&numbers),
                                     .overrides = orders,
                                     .override_count = give_orders(seen, &numbers, orders),
                                     .deletes = deletes,
                                     .delete_count = choices % 4,
                                     .has_deletes = choices % 2 == 1,
                                     .via = (enum detect_via)(choices % 3)};
    struct findings findings;
    size_t count;

    see_traffic(seen, arena, &numbers, &traffic);
    if (choices != 0)
        subject.traffic = &traffic;
    if (choices > 100)
        subject.freeze_reason = "release night";
    findings_init(&findings, arena);
    detect_run(&subject, &findings);
    count = findings.count;
    for (size_t i = 0; i < count; i++) {
        const struct finding *finding = &findings.items[i];
        const struct detect_rule *rule = detect_rule_find(finding->rule);

        CHECK(rule != NULL && rule->check != NULL);
        CHECK(finding->pointer[0] == '\0' || finding->pointer[0] == '/');
        CHECK(finding->message[0] != '\0');
        CHECK(finding->severity != FINDING_BLOCK ||
              strstr(finding->message, "(accepted by") == NULL ||
              strcmp(finding->rule, "X010") == 0);
    }
    detect_run(&subject, &findings);
    CHECK(findings.count == 2 * count);
    findings_fini(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    size_t first = nul != NULL ? (size_t)(nul - text) : size;
    struct slice rest = nul != NULL ? slice_of(nul + 1, size - first - 1) : slice_of(text, 0);
    const char *end = rest.len > 0 ? memchr(rest.at, '\0', rest.len) : NULL;
    struct numbers numbers = {NULL, 0};
    struct arena *arena = arena_new(4096);
    struct findings findings;
    struct configuration *base;
    struct configuration *target;

    findings_init(&findings, arena);
    base = load("base.json", slice_of(text, first), &findings);
    if (end != NULL) {
        numbers.at = (const uint8_t *)end + 1;
        numbers.left = rest.len - (size_t)(end - rest.at) - 1;
        rest.len = (size_t)(end - rest.at);
    }
    target = nul != NULL ? load("target.json", rest, &findings) : NULL;
    if (base != NULL)
        look(NULL, base, arena, numbers);
    if (target != NULL)
        look(base, target, arena, numbers);
    (void)expression_is_ambiguous(arena_slice(arena, slice_of(text, first)).at);
    config_free(&base);
    config_free(&target);
    findings_fini(&findings);
    arena_free(&arena);
    return 0;
}
