/*
 * request - see request.h.
 *
 * Owner    results are the change's      Threads  any
 */
#include "change/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "change/change.h"
#include "change/refusal.h"
#include "change/rollout.h"
#include "config/model.h"
#include "config/text.h"

struct reading {
    const json_t *request;
    const struct request_context *context;
    struct change *change;
    json_t *errors;
};

/* ---- mistakes ---- */

static void wrong(struct reading *reading, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void wrong(struct reading *reading, const char *pointer, const char *format, ...)
{
    char message[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    json_array_append_new(reading->errors,
                          json_pack("{s:s, s:s, s:s, s:s}", "pointer", pointer, "rule",
                                    "invalid-field", "severity", "error", "message", message));
}

/* ---- texts ---- */

/* The code point at *at, which moves behind it; jansson gives valid UTF-8 only. */
static uint32_t take_point(const char **at)
{
    const unsigned char *byte = (const unsigned char *)*at;
    int more = byte[0] >= 0xf0 ? 3 : byte[0] >= 0xe0 ? 2 : byte[0] >= 0xc0 ? 1 : 0;
    uint32_t point = more == 0 ? byte[0] : byte[0] & (0x3fu >> more);
    int taken = 1;

    for (; taken <= more && (byte[taken] & 0xc0) == 0x80; taken++)
        point = point << 6 | (byte[taken] & 0x3f);
    *at += taken;
    return point;
}

static bool is_deceptive(uint32_t point)
{
    return (point >= 0x80 && point < 0xa0) || point == 0x61c ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
           (point >= 0xe0000 && point <= 0xe007f);
}

bool request_is_plain(const char *text, bool lines)
{
    while (*text != '\0') {
        uint32_t point = take_point(&text);
        bool is_line = point == '\n' || point == '\r' || point == '\t';

        if (((point < 0x20 || point == 0x7f) && !(lines && is_line)) || is_deceptive(point))
            return false;
    }
    return true;
}

const char *request_check_text(const char *text, size_t max)
{
    if (strspn(text, " ") == strlen(text))
        return "is empty (say it in words)";
    if (strlen(text) > max)
        return "is too long";
    if (!request_is_plain(text, false))
        return "has control characters, or characters that make it read otherwise than it is";
    return NULL;
}

static void read_text(struct reading *reading, const char *key, size_t max, bool is_needed,
                      char **text_out)
{
    const json_t *value = json_object_get(reading->request, key);
    char pointer[32];
    const char *bad;

    (void)snprintf(pointer, sizeof(pointer), "/%s", key);
    if (value == NULL && !reading->context->is_whole)
        return;
    if (value == NULL || json_is_null(value)) {
        if (is_needed)
            wrong(reading, pointer, "is missing (a %s in words, at most %zu bytes)", key, max);
        else
            xfree(TAKE_POINTER(text_out));
        return;
    }
    if (!json_is_string(value)) {
        wrong(reading, pointer, "is not a string");
        return;
    }
    bad = strlen(json_string_value(value)) != json_string_length(value)
              ? "has a NUL"
              : request_check_text(json_string_value(value), max);
    if (bad != NULL) {
        wrong(reading, pointer, "%s (at most %zu bytes of plain text)", bad, max);
        return;
    }
    xfree(*text_out);
    *text_out = xstrdup(json_string_value(value));
}

/* ---- lists ---- */

static void read_strings(struct reading *reading, const char *key, json_t **list_out)
{
    json_t *value = json_object_get(reading->request, key);
    json_t *item;
    size_t i;

    if (value == NULL && !reading->context->is_whole)
        return;
    json_decref(*list_out);
    *list_out = json_array();
    if (value == NULL || json_is_null(value))
        return;
    if (!json_is_array(value) || json_array_size(value) > REQUEST_LIST_MAX) {
        char pointer[32];

        (void)snprintf(pointer, sizeof(pointer), "/%s", key);
        wrong(reading, pointer, "is not a list of at most %d strings", REQUEST_LIST_MAX);
        return;
    }
    json_array_foreach(value, i, item)
    {
        const char *text = json_string_value(item);

        if (text == NULL || text[0] == '\0' || !request_is_plain(text, false)) {
            char pointer[64];

            (void)snprintf(pointer, sizeof(pointer), "/%s/%zu", key, i);
            wrong(reading, pointer, "is not a string of plain text");
        } else {
            json_array_append(*list_out, item);
        }
    }
}

static bool is_override(const json_t *item)
{
    const char *pool = json_string_value(json_object_get(item, "pool"));
    const char *server = json_string_value(json_object_get(item, "server"));
    const json_t *state = json_object_get(item, "state");
    const json_t *weight = json_object_get(item, "weight");
    const char *word = json_string_value(state);
    bool state_fits = state == NULL ||
                      (word != NULL && (strcmp(word, "drain") == 0 || strcmp(word, "maint") == 0 ||
                                        strcmp(word, "ready") == 0));
    bool weight_fits =
        weight == NULL || (json_is_integer(weight) && json_integer_value(weight) >= 0 &&
                           json_integer_value(weight) <= 1000);

    return pool != NULL && server != NULL && text_is_name(pool) && text_is_name(server) &&
           (state != NULL || weight != NULL) && state_fits && weight_fits &&
           json_object_size(item) == 2 + (size_t)(state != NULL) + (size_t)(weight != NULL);
}

static void read_overrides(struct reading *reading)
{
    json_t *value = json_object_get(reading->request, "overrides");
    json_t *item;
    size_t i;

    if (value == NULL && !reading->context->is_whole)
        return;
    json_decref(reading->change->overrides);
    reading->change->overrides = json_array();
    if (value == NULL || json_is_null(value))
        return;
    if (!json_is_array(value) || json_array_size(value) > REQUEST_LIST_MAX)
        wrong(reading, "/overrides", "is not a list of at most %d objects", REQUEST_LIST_MAX);
    json_array_foreach(value, i, item)
    {
        char pointer[64];

        (void)snprintf(pointer, sizeof(pointer), "/overrides/%zu", i);
        if (!is_override(item))
            wrong(
                reading, pointer,
                "is not {\"pool\", \"server\", and \"state\" (drain, maint, ready), \"weight\" (0 "
                "to 1000) or both}");
        else
            json_array_append_new(reading->change->overrides, json_deep_copy(item));
    }
}

/* ---- times ---- */

static void read_moment(struct reading *reading, const char *key, int64_t *ms_out)
{
    const json_t *value = json_object_get(reading->request, key);
    char pointer[32];
    const char *bad;

    if (value == NULL && !reading->context->is_whole)
        return;
    (void)snprintf(pointer, sizeof(pointer), "/%s", key);
    if (value == NULL || json_is_null(value)) {
        *ms_out = 0;
    } else if (!json_is_string(value)) {
        wrong(reading, pointer, "is not a time (write \"2026-11-22T10:00:00Z\")");
    } else {
        bad = text_read_time(json_string_value(value), ms_out);
        if (bad != NULL)
            wrong(reading, pointer, "%s", bad);
    }
}

static void read_times(struct reading *reading)
{
    struct change *change = reading->change;

    read_moment(reading, "not_before", &change->not_before_ms);
    read_moment(reading, "not_after", &change->not_after_ms);
    if (change->not_after_ms != 0 && change->not_after_ms <= reading->context->now_ms)
        wrong(reading, "/not_after", "is over already");
    if (change->not_after_ms != 0 && change->not_after_ms <= change->not_before_ms)
        wrong(reading, "/not_after", "is not after not_before");
}

static void read_flag(struct reading *reading, const char *key, bool *flag_out)
{
    const json_t *value = json_object_get(reading->request, key);
    char pointer[32];

    (void)snprintf(pointer, sizeof(pointer), "/%s", key);
    if (value == NULL && !reading->context->is_whole)
        return;
    if (value != NULL && !json_is_boolean(value))
        wrong(reading, pointer, "is not true or false");
    *flag_out = json_is_true(value);
}

/* ---- confirm ---- */

static void read_length(struct reading *reading, const json_t *confirm, const char *key,
                        uint64_t least_ms, uint64_t *ms_out)
{
    const json_t *value = json_object_get(confirm, key);
    char pointer[64];
    char least[32];
    const char *bad;
    uint64_t ms;

    if (value == NULL || json_is_null(value))
        return;
    (void)snprintf(pointer, sizeof(pointer), "/confirm/%s", key);
    bad = json_is_string(value) ? text_read_duration(json_string_value(value), &ms)
                                : "is not a duration (write \"5m\")";
    if (bad != NULL)
        wrong(reading, pointer, "%s", bad);
    else if (ms < least_ms)
        wrong(reading, pointer, "is less than the policy asks for (at least \"%s\")",
              text_of_duration(least_ms, least));
    else if (ms > REQUEST_CONFIRM_MAX_MS && ms > least_ms)
        wrong(reading, pointer, "is too long (at most \"60m\")");
    else
        *ms_out = ms;
}

static void read_confirm_mode(struct reading *reading, const json_t *confirm)
{
    const json_t *value = json_object_get(confirm, "mode");
    const char *mode = json_string_value(value);
    bool may_auto = reading->context->policy->confirm_mode == CONFIRM_AUTO;

    if (value == NULL || json_is_null(value))
        return;
    if (mode == NULL || (strcmp(mode, "manual") != 0 && strcmp(mode, "auto") != 0))
        wrong(reading, "/confirm/mode", "is not \"manual\" or \"auto\"");
    else if (strcmp(mode, "auto") == 0 && !may_auto)
        wrong(reading, "/confirm/mode", "is less than the policy asks for (\"manual\")");
    else
        reading->change->confirm_is_auto = strcmp(mode, "auto") == 0;
}

static void read_confirm(struct reading *reading)
{
    const struct conf_policy *policy = reading->context->policy;
    struct change *change = reading->change;
    json_t *confirm = json_object_get(reading->request, "confirm");
    const char *key;
    json_t *value;

    if (confirm == NULL && !reading->context->is_whole)
        return;
    change->confirm_is_auto = policy->confirm_mode == CONFIRM_AUTO;
    change->confirm_deadline_ms = policy->confirm_deadline_ms;
    change->confirm_min_bake_ms = policy->confirm_min_bake_ms;
    if (confirm == NULL || json_is_null(confirm))
        return;
    if (!json_is_object(confirm)) {
        wrong(reading, "/confirm", "is not an object of mode, deadline, min_bake");
        return;
    }
    json_object_foreach(confirm, key, value)
    {
        if (strcmp(key, "mode") != 0 && strcmp(key, "deadline") != 0 &&
            strcmp(key, "min_bake") != 0)
            wrong(reading, "/confirm", "has an unknown field (it takes mode, deadline, min_bake)");
    }
    read_confirm_mode(reading, confirm);
    read_length(reading, confirm, "deadline", policy->confirm_deadline_ms,
                &change->confirm_deadline_ms);
    read_length(reading, confirm, "min_bake", policy->confirm_min_bake_ms,
                &change->confirm_min_bake_ms);
    if (change->confirm_min_bake_ms >= change->confirm_deadline_ms)
        wrong(reading, "/confirm/min_bake", "is not shorter than the deadline");
}

/* ---- rollout ---- */

static void wrong_rollout(void *context, const char *pointer, const char *message)
{
    wrong(context, pointer, "%s", message);
}

static void read_rollout(struct reading *reading)
{
    const json_t *value = json_object_get(reading->request, "rollout");
    struct change *change = reading->change;
    char deadline[32];

    if (value != NULL || reading->context->is_whole) {
        json_decref(change->rollout);
        change->rollout = rollout_read(value, wrong_rollout, reading);
    }
    if (rollout_steps(change) > 0 &&
        rollout_left_ms(change, 0) + change->confirm_deadline_ms > ROLLOUT_HOUR_MS)
        wrong(reading, "/rollout",
              "and the time to confirm after it (\"%s\") are together longer than \"60m\"",
              text_of_duration(change->confirm_deadline_ms, deadline));
}

/* ---- the content ---- */

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the dispatcher lets a body be */
static bool is_plain_json(const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_string(value))
        return request_is_plain(json_string_value(value), true);
    if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            if (!is_plain_json(item))
                return false;
        }
    }
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            if (!request_is_plain(key, false) || !is_plain_json(item))
                return false;
        }
    }
    return true;
}

static void read_content(struct reading *reading, const json_t **config_out)
{
    struct change *change = reading->change;
    json_t *patch = json_object_get(reading->request, "patch");
    json_t *config = json_object_get(reading->request, "config");

    if (json_is_null(patch))
        patch = NULL;
    if (json_is_null(config))
        config = NULL;
    *config_out = NULL;
    if (patch != NULL && config != NULL)
        wrong(reading, "/config",
              "stands beside \"patch\" (one of the two: a merge patch, or the "
              "whole configuration)");
    else if (patch != NULL && !json_is_object(patch))
        wrong(reading, "/patch", "is not an object (a merge patch of the configuration, RFC 7396)");
    else if (config != NULL && !json_is_object(config))
        wrong(reading, "/config", "is not an object (the sections of a configuration)");
    else if (!is_plain_json(patch != NULL ? patch : config))
        wrong(reading, patch != NULL ? "/patch" : "/config",
              "has control characters, or characters that make text read otherwise than it is");
    else if (patch != NULL || config != NULL || reading->context->is_whole) {
        json_decref(change->patch);
        change->patch = json_deep_copy(patch);
        *config_out = config;
    }
    if (reading->context->is_whole && patch == NULL && config == NULL &&
        json_array_size(change->overrides) == 0)
        wrong(reading, "/patch",
              "is missing (a merge patch of the configuration; or \"config\", "
              "the whole; or \"overrides\")");
}

static void check_known(struct reading *reading)
{
    static const char *const known[] = {
        "title",     "reason",     "ticket",    "patch",      "config",  "deletes", "override",
        "overrides", "not_before", "not_after", "auto_apply", "confirm", "rollout"};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)reading->request, key, value)
    {
        bool is_known = false;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known = is_known || strcmp(key, known[i]) == 0;
        if (!is_known)
            wrong(reading, "", "\"%.60s\" is not known here", key);
    }
}

bool request_read(const json_t *request, const struct request_context *context,
                  struct change *change, const json_t **config_out, struct refusal *refusal)
{
    struct reading reading = {
        .request = request, .context = context, .change = change, .errors = json_array()};
    size_t count;

    check_known(&reading);
    count = json_array_size(reading.errors);
    if (count > 0)
        return refuse_with(refusal, "unknown-field", NULL,
                           json_pack("{s:o}", "errors", reading.errors),
                           "%zu field%s not known here", count, count == 1 ? " is" : "s are");
    read_text(&reading, "title", REQUEST_TITLE_MAX, true, &change->title);
    read_text(&reading, "reason", REQUEST_REASON_MAX, true, &change->reason);
    read_text(&reading, "ticket", REQUEST_TICKET_MAX, false, &change->ticket);
    read_strings(&reading, "deletes", &change->deletes);
    read_strings(&reading, "override", &change->override);
    read_overrides(&reading);
    read_times(&reading);
    read_flag(&reading, "auto_apply", &change->is_auto_apply);
    read_confirm(&reading);
    read_rollout(&reading);
    read_content(&reading, config_out);
    count = json_array_size(reading.errors);
    if (count > 0)
        return refuse_with(refusal, "invalid-field", NULL,
                           json_pack("{s:o}", "errors", reading.errors),
                           "%zu field%s cannot be used", count, count == 1 ? "" : "s");
    json_decref(reading.errors);
    return true;
}
