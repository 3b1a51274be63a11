/*
 * rollout - see rollout.h.
 *
 * Owner    the change has the list      Threads  control
 */
#include "change/rollout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "change/change.h"
#include "change/refusal.h"
#include "config/text.h"

/* ---- the list, as asked for ---- */

struct reading {
    rollout_wrong_fn *wrong;
    void *context;
    json_t *list;
    json_int_t before; /* percent of the last step */
    uint64_t total_ms;
    size_t mistakes;
};

static void wrong(struct reading *reading, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void wrong(struct reading *reading, const char *pointer, const char *format, ...)
{
    char message[200];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    reading->mistakes++;
    reading->wrong(reading->context, pointer, message);
}

static void read_percent(struct reading *reading, const char *pointer, const json_t *value)
{
    json_int_t percent = json_integer_value(value);

    if (!json_is_integer(value) || percent < 1 || percent > 99)
        wrong(reading, pointer, "is not a whole number from 1 to 99 (100 comes by itself, last)");
    else if (percent <= reading->before)
        wrong(reading, pointer, "is not more than the %lld of the step before",
              (long long)reading->before);
    else
        reading->before = percent;
}

static void read_length(struct reading *reading, const char *pointer, const json_t *value,
                        uint64_t *ms_out)
{
    const char *bad = json_is_string(value) ? text_read_duration(json_string_value(value), ms_out)
                                            : "is not a duration (write \"30s\")";

    if (bad != NULL)
        wrong(reading, pointer, "%s", bad);
    else if (*ms_out < ROLLOUT_STEP_LEAST_MS)
        wrong(reading, pointer, "is less than \"10s\": both arms are compared each 10 s");
    else if (*ms_out > ROLLOUT_HOUR_MS)
        wrong(reading, pointer, "is too long (at most \"60m\")");
    else
        reading->total_ms += *ms_out;
}

static void read_step(struct reading *reading, size_t index, const json_t *step)
{
    char pointer[64];
    char text[32];
    uint64_t ms = 0;

    (void)snprintf(pointer, sizeof(pointer), "/rollout/%zu", index);
    if (!json_is_object(step) || json_object_size(step) != 2 ||
        json_object_get(step, "percent") == NULL || json_object_get(step, "for") == NULL) {
        wrong(reading, pointer, "is not {\"percent\": 1 to 99, \"for\": a duration}");
        return;
    }
    (void)snprintf(pointer, sizeof(pointer), "/rollout/%zu/percent", index);
    read_percent(reading, pointer, json_object_get(step, "percent"));
    (void)snprintf(pointer, sizeof(pointer), "/rollout/%zu/for", index);
    read_length(reading, pointer, json_object_get(step, "for"), &ms);
    json_array_append_new(reading->list,
                          json_pack("{s:I, s:s}", "percent",
                                    json_integer_value(json_object_get(step, "percent")), "for",
                                    text_of_duration(ms, text)));
}

json_t *rollout_read(const json_t *asked, rollout_wrong_fn *wrong_fn, void *context)
{
    struct reading reading = {.wrong = wrong_fn, .context = context};
    json_t *step;
    size_t i;

    if (asked == NULL || json_is_null(asked))
        return NULL;
    if (!json_is_array(asked) || json_array_size(asked) > ROLLOUT_STEPS_MAX) {
        wrong(&reading, "/rollout",
              "is not a list of at most %d steps ([{\"percent\":1,\"for\":\"30s\"}, …])",
              ROLLOUT_STEPS_MAX);
        return NULL;
    }
    reading.list = json_array();
    json_array_foreach(asked, i, step) read_step(&reading, i, step);
    if (reading.mistakes == 0 && reading.total_ms > ROLLOUT_HOUR_MS)
        wrong(&reading, "/rollout", "takes longer than \"60m\" in all");
    if (reading.mistakes == 0 && json_array_size(reading.list) > 0)
        return reading.list;
    json_decref(reading.list);
    return NULL;
}

/* ---- as it is stored ---- */

size_t rollout_steps(const struct change *change)
{
    return json_array_size(change->rollout);
}

uint32_t rollout_percent(const struct change *change, size_t step)
{
    return (uint32_t)json_integer_value(
        json_object_get(json_array_get(change->rollout, step), "percent"));
}

uint64_t rollout_step_ms(const struct change *change, size_t step)
{
    const char *text =
        json_string_value(json_object_get(json_array_get(change->rollout, step), "for"));
    uint64_t ms = 0;

    return text != NULL && text_read_duration(text, &ms) == NULL ? ms : 0;
}

uint64_t rollout_left_ms(const struct change *change, size_t step)
{
    uint64_t left_ms = 0;

    for (; step < rollout_steps(change); step++)
        left_ms += rollout_step_ms(change, step);
    return left_ms;
}

/* ---- what is tried ---- */

static const char *const tried_sections[] = {"pools", "routes"};

enum { TRIED_SECTIONS = sizeof(tried_sections) / sizeof(tried_sections[0]) };

static bool is_same(const json_t *a, const json_t *b)
{
    return a == b || (a != NULL && b != NULL && json_equal(a, b));
}

/* The listener that a route is for and that does not run; NULL: all of them do. */
static const char *missing_listener(const json_t *route, const json_t *listeners)
{
    const json_t *names = json_object_get(route, "listeners");
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);

        if (text != NULL && json_object_get(listeners, text) == NULL)
            return text;
    }
    return NULL;
}

static bool has_listeners(const json_t *running, const json_t *target, struct refusal *refusal)
{
    const json_t *listeners = json_object_get(running, "listeners");
    json_t *routes = json_object_get(target, "routes");
    const char *name;
    json_t *route;

    json_object_foreach(routes, name, route)
    {
        const char *missing = missing_listener(route, listeners);

        if (missing != NULL)
            return refuse(refusal, "invalid-field", "PATCH /v1/changes/{id} {\"rollout\":null}",
                          "route %s is for listener %s, which does not run yet: listeners change "
                          "only when every connection has the change. Add the listener by a change "
                          "before this one, or leave the rollout out",
                          name, missing);
    }
    return true;
}

json_t *rollout_tried(const json_t *running, const json_t *target, struct refusal *refusal)
{
    bool differs = false;
    json_t *tried;

    for (size_t i = 0; i < TRIED_SECTIONS; i++)
        differs = differs || !is_same(json_object_get(running, tried_sections[i]),
                                      json_object_get(target, tried_sections[i]));
    if (!differs) {
        (void)refuse(refusal, "invalid-field", "PATCH /v1/changes/{id} {\"rollout\":null}",
                     "a rollout tries pools and routes on a share of the connections, and this "
                     "change touches neither: all else changes for every connection at once. Leave "
                     "the rollout out");
        return NULL;
    }
    if (!has_listeners(running, target, refusal))
        return NULL;
    tried = json_deep_copy(running);
    for (size_t i = 0; i < TRIED_SECTIONS; i++) {
        json_t *section = json_object_get(target, tried_sections[i]);

        if (section != NULL)
            json_object_set_new(tried, tried_sections[i], json_deep_copy(section));
        else
            json_object_del(tried, tried_sections[i]);
    }
    return tried;
}
