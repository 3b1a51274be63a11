/*
 * alert_payload - see alert_payload.h.
 *
 * Labels say which alert it is, and hold no numbers that move; annotations say the rest.
 *
 * Owner    results are the caller's      Threads  any
 */
#include "observe/alert_payload.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static uint64_t seq_of(const json_t *alert)
{
    return (uint64_t)json_integer_value(json_object_get(alert, "seq"));
}

static bool is_news(const json_t *alert, const struct alert_seen *seen)
{
    return seq_of(alert) > seen->seq;
}

/* An end: also of interest to who never heard of the beginning, but not to who came later. */
static bool is_end_for(const json_t *alert, const struct alert_seen *seen)
{
    return is_news(alert, seen) && seq_of(alert) > seen->floor;
}

/* ---- Alertmanager ---- */

static void put(json_t *object, const char *key, const json_t *alert, const char *from)
{
    if (text_of(alert, from)[0] != '\0')
        json_object_set(object, key, json_object_get(alert, from));
}

static json_t *labels_of(const json_t *batch, const json_t *alert)
{
    json_t *labels = json_object();

    put(labels, "alertname", alert, "name");
    put(labels, "severity", alert, "severity");
    put(labels, "cluster", batch, "cluster");
    put(labels, "instance", batch, "instance");
    put(labels, "pool", alert, "pool");
    put(labels, "server", alert, "server");
    put(labels, "ref", alert, "ref");
    put(labels, "certificate", alert, "certificate");
    put(labels, "change", alert, "about");
    return labels;
}

/* ["bob", "cat"] as "bob, cat". */
static json_t *joined(const json_t *list)
{
    const json_t *item;
    char text[512];
    size_t used = 0, i;

    text[0] = '\0';
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);

        if (name != NULL && used < sizeof(text))
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? ", " : "",
                                     name);
    }
    return json_string(text);
}

static json_t *annotations_of(const json_t *alert)
{
    json_t *annotations = json_object();
    const json_t *revision = json_object_get(alert, "revision");

    put(annotations, "summary", alert, "summary");
    put(annotations, "description", alert, "description");
    put(annotations, "runbook_url", alert, "runbook");
    put(annotations, "change", alert, "change");
    if (json_is_integer(revision))
        json_object_set_new(annotations, "revision",
                            json_sprintf("%lld", (long long)json_integer_value(revision)));
    put(annotations, "author", alert, "author");
    if (json_array_size(json_object_get(alert, "approvers")) > 0)
        json_object_set_new(annotations, "approvers", joined(json_object_get(alert, "approvers")));
    put(annotations, "suggested_action", alert, "revert");
    return annotations;
}

static json_t *generator_of(const json_t *batch, const json_t *alert)
{
    const char *url = text_of(batch, "url"), *pool = text_of(alert, "pool");

    if (pool[0] == '\0')
        return json_sprintf("%s/v1/alerts", url);
    return json_sprintf("%s/v1/pools/%s%s", url, pool,
                        text_of(alert, "ref")[0] != '\0' ? "/distribution" : "");
}

/* Times are RFC 3339 in one form, so that they compare as text; Alertmanager refuses an end that
 * comes before its beginning, which a clock that was set can bring about. */
static json_t *for_alertmanager(const json_t *batch, const json_t *alert, const char *end)
{
    const char *since = text_of(alert, "since");

    return json_pack("{s:o, s:o, s:s, s:s, s:o}", "labels", labels_of(batch, alert), "annotations",
                     annotations_of(alert), "startsAt", strcmp(since, end) < 0 ? since : end,
                     "endsAt", end, "generatorURL", generator_of(batch, alert));
}

json_t *alert_payload_alertmanager(const json_t *batch, const struct alert_seen *seen,
                                   int64_t wall_ms)
{
    json_t *list = json_array();
    const json_t *alert;
    char end[CLOCK_RFC3339_TEXT];
    size_t i;

    clock_rfc3339(wall_ms + ALERT_ENDS_MS, end);
    json_array_foreach(json_object_get(batch, "raised"), i, alert)
        json_array_append_new(list, for_alertmanager(batch, alert, end));
    json_array_foreach(json_object_get(batch, "over"), i, alert)
    {
        if (is_end_for(alert, seen))
            json_array_append_new(list, for_alertmanager(batch, alert, text_of(alert, "ended")));
    }
    if (json_array_size(list) > 0)
        return list;
    json_decref(list);
    return NULL;
}

/* ---- webhooks ---- */

static json_t *for_webhook(const json_t *batch, const json_t *alert, const char *status)
{
    json_t *object = json_copy((json_t *)(uintptr_t)alert);

    json_object_del(object, "seq");
    json_object_del(object, "about");
    json_object_set_new(object, "status", json_string(status));
    put(object, "cluster", batch, "cluster");
    put(object, "instance", batch, "instance");
    return object;
}

json_t *alert_payload_webhook(const json_t *batch, const struct alert_seen *seen)
{
    json_t *list = json_array();
    const json_t *alert;
    size_t i;

    json_array_foreach(json_object_get(batch, "raised"), i, alert)
    {
        if (is_news(alert, seen))
            json_array_append_new(list, for_webhook(batch, alert, "raised"));
    }
    json_array_foreach(json_object_get(batch, "over"), i, alert)
    {
        if (is_end_for(alert, seen))
            json_array_append_new(list, for_webhook(batch, alert, "over"));
    }
    if (json_array_size(list) > 0)
        return list;
    json_decref(list);
    return NULL;
}
