/*
 * suppress - findings that somebody knows of and accepts, for a time.
 *
 * A suppression counts while it has an owner who is a person of the configuration, and an end that
 * has not come.  What it names is still told, as info, with who accepted it and why.  Findings of
 * severity block are never suppressed: who must pass one does so by break-glass, and is reviewed.
 *
 * Owner    detect_run()      Threads  any
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "config/finding.h"
#include "config/load.h"
#include "detect/internal.h"
#include "detect/rules.h"

static bool is_person(const struct configuration *conf, const char *name)
{
    return conf->person_count == 0 || config_find_person(conf, name) != NULL;
}

/* NULL: it counts. */
static const char *why_void(const struct detect_run *run, const struct conf_suppression *one)
{
    const struct detect_rule *rule = detect_rule_find(one->rule);

    if (rule == NULL)
        return "names no rule";
    if (rule->check == NULL || strcmp(rule->id, "S006") == 0)
        return "names a rule whose findings cannot be suppressed";
    if (one->owner == NULL)
        return "has no owner";
    if (!is_person(run->conf, one->owner))
        return "has an owner who is not among people";
    if (one->expires_ms == 0)
        return "has no end (\"expires\")";
    if (run->subject->now_ms > 0 && run->subject->now_ms >= one->expires_ms)
        return "has expired";
    return NULL;
}

static void report(struct detect_run *run, enum finding_severity severity, size_t index,
                   const char *what)
{
    const struct conf_suppression *one = &run->conf->policy.suppressions[index];
    char place[SLICE_DIGITS + 1];

    (void)snprintf(place, sizeof(place), "%zu", index);
    detect_report_as(run, severity, AT("policy", "suppressions", place), "of %s at %s %s",
                     one->rule, one->pointer, what);
}

void suppression_is_void(struct detect_run *run)
{
    const struct conf_policy *policy = &run->conf->policy;

    for (size_t i = 0; i < policy->suppression_count; i++) {
        const char *why = why_void(run, &policy->suppressions[i]);

        if (why != NULL)
            report(run, run->rule->severity, i, why);
    }
}

/* The finding is at the pointer of the suppression, or below it. */
static bool names(const struct conf_suppression *one, const struct finding *finding)
{
    size_t len = strlen(one->pointer);

    return strcmp(one->rule, finding->rule) == 0 &&
           strncmp(one->pointer, finding->pointer, len) == 0 &&
           (finding->pointer[len] == '\0' || finding->pointer[len] == '/');
}

/* What became of a suppression. */
struct outcome {
    bool has_suppressed;
    bool has_met_block;
};

static struct outcome apply(struct detect_run *run, size_t first,
                            const struct conf_suppression *one)
{
    struct outcome outcome = {false, false};
    char until[CLOCK_RFC3339_TEXT];

    for (size_t i = first; i < run->findings->count; i++) {
        struct finding *finding = &run->findings->items[i];

        if (!names(one, finding))
            continue;
        if (finding->severity == FINDING_BLOCK) {
            outcome.has_met_block = true;
            continue;
        }
        finding->severity = FINDING_INFO;
        finding->message =
            arena_printf(run->findings->arena, "%s (accepted by %s until %s: %s)", finding->message,
                         one->owner, clock_rfc3339(one->expires_ms, until), one->reason);
        outcome.has_suppressed = true;
    }
    return outcome;
}

void detect_suppress(struct detect_run *run, size_t first)
{
    const struct conf_policy *policy = &run->conf->policy;

    run->rule = detect_rule_find("S006");
    run->reported = 0;
    for (size_t i = 0; i < policy->suppression_count; i++) {
        const struct conf_suppression *one = &policy->suppressions[i];
        const struct detect_rule *rule = detect_rule_find(one->rule);
        struct outcome outcome;

        if (why_void(run, one) != NULL)
            continue;
        outcome = apply(run, first, one);
        if (outcome.has_met_block)
            report(run, FINDING_WARNING, i, "does nothing: a finding of severity block stays");
        else if (!outcome.has_suppressed && rule->scope != DETECT_OF_CHANGE)
            report(run, FINDING_INFO, i, "names nothing that is found");
    }
}
