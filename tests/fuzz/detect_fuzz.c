/*
 * detect_fuzz - any two documents, a NUL between them, as what runs and what is proposed: every
 * rule looks at them, and at each alone.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct configuration *load(const char *name, struct slice text, struct findings *findings)
{
    return config_load_documents_to_judge(&name, &text, 1, findings);
}

static void look(const struct configuration *base, const struct configuration *target,
                 struct arena *arena)
{
    static const struct detect_pool_traffic pools[] = {{"p", 100, 5}, {"shop", 900, 100}};
    static const struct detect_hits hits[] = {{"a", 3}, {"shop.example.com", 9}};
    static const struct detect_traffic traffic = {pools, 2, hits, 2, hits, 2};
    static const struct detect_override orders[] = {{"p", "1", "drain", -1}};
    struct detect_subject subject = {.target = target,
                                     .base = base,
                                     .now_ms = 1796083200000,
                                     .traffic = base != NULL ? &traffic : NULL,
                                     .descriptor_limit = 1024,
                                     .overrides = orders,
                                     .override_count = 1};
    struct findings findings;
    size_t count;

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
    struct arena *arena = arena_new(4096);
    struct findings findings;
    struct configuration *base;
    struct configuration *target;

    findings_init(&findings, arena);
    base = load("base.json", slice_of(text, first), &findings);
    target =
        nul != NULL ? load("target.json", slice_of(nul + 1, size - first - 1), &findings) : NULL;
    if (base != NULL)
        look(NULL, base, arena);
    if (target != NULL)
        look(base, target, arena);
    config_free(&base);
    config_free(&target);
    findings_fini(&findings);
    arena_free(&arena);
    return 0;
}
