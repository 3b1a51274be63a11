/*
 * policy - see policy.h.
 *
 * Owner    results are the caller's      Threads  any
 */
#include "change/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "change/policy_rules.h"
#include "config/model.h"

enum { CLASS_NORMAL = 2, CLASS_HIGH = 3 };
static const int64_t minute_ms = 60 * 1000;
static const int64_t day_ms = 24 * 60 * 60 * 1000;

/* ---- the class ---- */

static void add_reason(struct policy_verdict *verdict, const struct policy_rule *rule,
                       struct buffer *which)
{
    char message[1024];
    bool has_names = buffer_length(which) > 0;

    (void)snprintf(message, sizeof(message), "%s%s%s", rule->words, has_names ? ": " : "",
                   has_names ? buffer_text(which) : "");
    json_array_append_new(verdict->reasons, json_pack("{s:s, s:I, s:s}", "rule", rule->id, "class",
                                                      (json_int_t)rule->class, "message", message));
}

static void find_class(const struct policy_subject *subject, struct policy_verdict *verdict)
{
    struct buffer which;

    buffer_init(&which);
    for (size_t i = 0; i < policy_rule_count; i++) {
        const struct policy_rule *rule = &policy_rules[i];

        buffer_clear(&which);
        if (!rule->holds(subject, &which))
            continue;
        add_reason(verdict, rule, &which);
        if (rule->class > verdict->class)
            verdict->class = rule->class;
    }
    buffer_fini(&which);
}

/* ---- who must agree ---- */

json_t *policy_factors(const struct conf_policy *policy)
{
    json_t *factors = json_array();

    for (size_t i = 0; i < policy->factor_count; i++)
        json_array_append_new(factors, json_pack("{s:s, s:I}", "group", policy->factors[i].group,
                                                 "n", (json_int_t)policy->factors[i].approvals));
    return factors;
}

/* One person counts for one factor, so that many people are needed at least. */
static uint32_t people_for(const json_t *factors)
{
    json_int_t sum = 0;

    for (size_t i = 0; i < json_array_size(factors); i++)
        sum += json_integer_value(json_object_get(json_array_get(factors, i), "n"));
    return (uint32_t)sum;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void policy_judge(const struct policy_subject *subject, struct policy_verdict *verdict_out)
{
    const struct configuration *base = subject->base;
    const struct conf_policy *policy = &base->policy;

    *verdict_out = (struct policy_verdict){.class = CLASS_NORMAL, .reasons = json_array()};
    find_class(subject, verdict_out);
    if (policy->mode == POLICY_OFF ||
        (policy->mode == POLICY_ADVISORY && base->person_count == 0)) {
        verdict_out->factors = json_array();
        return;
    }
    verdict_out->factors = policy_factors(policy);
    verdict_out->required = verdict_out->class == CLASS_HIGH
                                ? larger(policy->approvals_high, policy->approvals_normal)
                                : policy->approvals_normal;
    verdict_out->required = larger(verdict_out->required, people_for(verdict_out->factors));
    if (subject->is_import) /* nobody is known to be its author */
        verdict_out->required++;
}

/* ---- the stricter of two ---- */

static json_t *find_by(const json_t *list, const char *key, const json_t *row)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *one = json_array_get(list, i);

        if (json_equal(json_object_get(one, key), json_object_get(row, key)) == 1)
            return one;
    }
    return NULL;
}

static void merge_factor(json_t *factors, const json_t *other)
{
    json_t *mine = find_by(factors, "group", other);
    const json_t *count = json_object_get(other, "n");

    if (mine == NULL)
        json_array_append_new(factors, json_deep_copy(other));
    else if (json_integer_value(json_object_get(mine, "n")) < json_integer_value(count))
        json_object_set_new(mine, "n", json_integer(json_integer_value(count)));
}

void policy_stricter(struct policy_verdict *verdict, const struct policy_verdict *other)
{
    for (size_t i = 0; i < json_array_size(other->factors); i++)
        merge_factor(verdict->factors, json_array_get(other->factors, i));
    for (size_t i = 0; i < json_array_size(other->reasons); i++) {
        json_t *reason = json_array_get(other->reasons, i);

        if (find_by(verdict->reasons, "rule", reason) == NULL)
            json_array_append_new(verdict->reasons, json_deep_copy(reason));
    }
    verdict->class = larger(verdict->class, other->class);
    verdict->required = larger(verdict->required, other->required);
    verdict->required = larger(verdict->required, people_for(verdict->factors));
}

void policy_verdict_clear(struct policy_verdict *verdict)
{
    json_decref(verdict->factors);
    json_decref(verdict->reasons);
    *verdict = (struct policy_verdict){0};
}

/* ---- when ---- */

/* 1970-01-01 was a Thursday; 0 is Monday. */
static unsigned weekday(int64_t day)
{
    return (unsigned)(((day + 3) % 7 + 7) % 7);
}

static int64_t floor_day(int64_t wall_ms)
{
    return wall_ms >= 0 ? wall_ms / day_ms : -((-wall_ms + day_ms - 1) / day_ms);
}

bool policy_in_window(const struct conf_policy *policy, int64_t wall_ms, int64_t *next_ms_out)
{
    int64_t today = floor_day(wall_ms);
    int64_t next = INT64_MAX;

    if (policy->window_count == 0)
        return true;
    for (int64_t day = today; day <= today + 7; day++) {
        for (size_t i = 0; i < policy->window_count; i++) {
            const struct conf_window *window = &policy->windows[i];
            int64_t from = day * day_ms + window->from * minute_ms;
            int64_t to = day * day_ms + window->to * minute_ms;

            if ((window->days >> weekday(day) & 1) == 0 || to <= from)
                continue;
            if (from <= wall_ms && wall_ms < to)
                return true;
            if (from > wall_ms && from < next)
                next = from;
        }
    }
    if (next_ms_out != NULL)
        *next_ms_out = next != INT64_MAX ? next : 0;
    return false;
}

const struct conf_freeze *policy_frozen(const struct conf_policy *policy, int64_t wall_ms)
{
    for (size_t i = 0; i < policy->freeze_count; i++)
        if (policy->freezes[i].from_ms <= wall_ms && wall_ms < policy->freezes[i].to_ms)
            return &policy->freezes[i];
    return NULL;
}
