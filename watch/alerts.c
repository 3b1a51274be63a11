/*
 * alerts - see alerts.h.
 *
 * Owner    watch.      Threads  control
 */
#include "watch/alerts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
    ALERTS_TAG = 0x414c5254,
    IDENTITY_TEXT = 512,
    LOG_FIELDS = 9,
    /* a change shows in the traffic a little before it is recorded as applied */
    CAUSE_SLACK_MS = 15 * 1000,
};

#define LEFT_OUT "AlertsLeftOut" /* one place is kept for it */

enum { PLAIN = 0, CAUSE = 1 };

static const struct alert_kind kinds[] = {
#define ALERT(name, severity, raise_s, clear_s, names_change, runbook, meaning)                    \
    {#name, severity, (raise_s)*1000, (clear_s)*1000, (names_change) == CAUSE, runbook, meaning},
#include "watch/alerts.def"
#undef ALERT
};

/* What a source tells that has no row: nothing is known about it, so it stands at once. */
static const struct alert_kind unknown_kind = {
    .name = "", .severity = "ticket", .runbook = "an-alert-came.md", .meaning = ""};

struct alert {
    uint64_t hash;
    char *identity;
    const struct alert_kind *kind;
    json_t *told;     /* as it was told last */
    json_t *cause;    /* what was changed last when it was raised; NULL: nothing is named */
    json_t *revert;   /* the command, while that is still what was changed last; or NULL */
    int64_t since_ms; /* wall clock */
    uint64_t first_ms;
    uint64_t last_told_ms;
    bool is_raised;
    bool is_told;     /* in this look */
    uint64_t seq;     /* of its last move */
    int64_t ended_ms; /* wall clock; 0: it is not over */
};

struct alerts {
    uint32_t tag;
    struct alert *live[ALERTS_MAX];
    size_t live_count;
    struct alert *over[ALERTS_OVER_MAX]; /* the oldest first */
    size_t over_count;
    size_t left_out; /* in this look */
    uint64_t seq;
    int64_t wall_ms;
    uint64_t now_ms;
};

/* ---- the table ---- */

const struct alert_kind *alert_kind_at(size_t index)
{
    return index < sizeof(kinds) / sizeof(kinds[0]) ? &kinds[index] : NULL;
}

const struct alert_kind *alert_kind_named(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

/* ---- one alert ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static void free_alert(struct alert *alert)
{
    xfree(alert->identity);
    json_decref(alert->told);
    json_decref(alert->cause);
    json_decref(alert->revert);
    xfree(alert);
}

static struct alert *new_alert(const struct alerts *alerts, const char *identity, uint64_t hash,
                               const char *name)
{
    struct alert *alert = xcalloc(1, sizeof(*alert));

    alert->hash = hash;
    alert->identity = xstrdup(identity);
    alert->kind = alert_kind_named(name);
    if (alert->kind == NULL)
        alert->kind = &unknown_kind;
    alert->first_ms = alerts->now_ms;
    alert->since_ms = alerts->wall_ms;
    return alert;
}

static const char *severity_of(const struct alert *alert)
{
    const char *severity = text_of(alert->told, "severity");

    return severity[0] != '\0' ? severity : alert->kind->severity;
}

/* ---- the list ---- */

struct alerts *alerts_new(void)
{
    struct alerts *alerts = xcalloc(1, sizeof(*alerts));

    alerts->tag = ALERTS_TAG;
    return alerts;
}

void alerts_free(struct alerts **holder)
{
    struct alerts *alerts = TAKE_POINTER(holder);

    if (alerts == NULL)
        return;
    CHECK_OBJ(alerts, ALERTS_TAG);
    for (size_t i = 0; i < alerts->live_count; i++)
        free_alert(alerts->live[i]);
    for (size_t i = 0; i < alerts->over_count; i++)
        free_alert(alerts->over[i]);
    alerts->tag = 0;
    xfree(alerts);
}

/* ---- a look ---- */

void alerts_begin(struct alerts *alerts, int64_t wall_ms, uint64_t now_ms)
{
    ON_CONTROL();
    CHECK_OBJ(alerts, ALERTS_TAG);
    alerts->wall_ms = wall_ms;
    alerts->now_ms = now_ms;
    alerts->left_out = 0;
    for (size_t i = 0; i < alerts->live_count; i++)
        alerts->live[i]->is_told = false;
}

static struct alert *find(const struct alerts *alerts, const char *identity, uint64_t hash)
{
    for (size_t i = 0; i < alerts->live_count; i++)
        if (alerts->live[i]->hash == hash && strcmp(alerts->live[i]->identity, identity) == 0)
            return alerts->live[i];
    return NULL;
}

static struct alert *find_or_add(struct alerts *alerts, const json_t *told)
{
    char identity[IDENTITY_TEXT];
    struct alert *alert;
    uint64_t hash;
    size_t room;

    (void)snprintf(identity, sizeof(identity), "%s|%s|%s|%s|%s|%s", text_of(told, "name"),
                   text_of(told, "pool"), text_of(told, "server"), text_of(told, "ref"),
                   text_of(told, "change"), text_of(told, "certificate"));
    hash = hash_slice(&HASH_STABLE, slice_from(identity));
    alert = find(alerts, identity, hash);
    room = strcmp(text_of(told, "name"), LEFT_OUT) == 0 ? ALERTS_MAX : ALERTS_MAX - 1;
    if (alert != NULL || alerts->live_count >= room)
        return alert;
    alert = new_alert(alerts, identity, hash, text_of(told, "name"));
    alerts->live[alerts->live_count++] = alert;
    return alert;
}

void alerts_tell(struct alerts *alerts, json_t *told)
{
    struct alert *alert;

    CHECK_OBJ(alerts, ALERTS_TAG);
    CHECK(json_is_object(told));
    alert = find_or_add(alerts, told);
    if (alert == NULL) {
        alerts->left_out++;
        json_decref(told);
        return;
    }
    json_decref(alert->told);
    alert->told = told;
    alert->is_told = true;
    alert->last_told_ms = alerts->now_ms;
}

void alerts_tell_all(struct alerts *alerts, json_t *list)
{
    json_t *alert;
    size_t i;

    json_array_foreach(list, i, alert) alerts_tell(alerts, json_incref(alert));
    json_decref(list);
}

/* ---- what moves ---- */

static void log_move(enum event event, const struct alert *alert)
{
    static const char *const keys[] = {"name", "severity", "pool", "server",
                                       "ref",  "summary",  NULL};
    struct log_field fields[LOG_FIELDS];
    size_t count = 0;

    for (size_t i = 0; keys[i] != NULL; i++) {
        const char *value =
            strcmp(keys[i], "severity") == 0 ? severity_of(alert) : text_of(alert->told, keys[i]);

        if (value[0] != '\0')
            fields[count++] = LOG_TEXT(strcmp(keys[i], "name") == 0 ? "alert" : keys[i], value);
    }
    if (text_of(alert->cause, "change")[0] != '\0')
        fields[count++] = LOG_TEXT("change", text_of(alert->cause, "change"));
    else if (text_of(alert->told, "change")[0] != '\0')
        fields[count++] = LOG_TEXT("change", text_of(alert->told, "change"));
    if (alert->revert != NULL)
        fields[count++] = LOG_TEXT("revert", json_string_value(alert->revert));
    log_event_fields(event, fields, count);
}

/* What was changed last may be why: it was there when this began, or is what this is about. */
static bool may_be_cause(const struct alert *alert, const json_t *suspect)
{
    const char *about = text_of(alert->told, "change");
    int64_t applied_ms = json_integer_value(json_object_get(suspect, "applied_ms"));

    if (suspect == NULL || !alert->kind->names_change)
        return false;
    if (about[0] != '\0')
        return strcmp(about, text_of(suspect, "change")) == 0;
    return applied_ms <= alert->since_ms + CAUSE_SLACK_MS;
}

static bool is_same_change(const json_t *a, const json_t *b)
{
    return a != NULL && b != NULL &&
           json_equal(json_object_get(a, "revision"), json_object_get(b, "revision"));
}

/* By what is the last change now: the command differs before and after its confirmation. */
static void take_revert(struct alert *alert, const json_t *suspect)
{
    json_t *revert =
        is_same_change(alert->cause, suspect) ? json_object_get(suspect, "revert") : NULL;

    json_decref(alert->revert);
    alert->revert = json_is_string(revert) ? json_incref(revert) : NULL;
}

static void raise_alert(struct alerts *alerts, struct alert *alert, const json_t *suspect)
{
    alert->is_raised = true;
    alert->seq = ++alerts->seq;
    if (may_be_cause(alert, suspect))
        alert->cause = json_deep_copy(suspect);
    take_revert(alert, suspect);
    log_move(EV_ALERT_RAISED, alert);
}

static void forget_oldest(struct alerts *alerts)
{
    free_alert(alerts->over[0]);
    alerts->over_count--;
    memmove(&alerts->over[0], &alerts->over[1], alerts->over_count * sizeof(alerts->over[0]));
}

static void end_alert(struct alerts *alerts, struct alert *alert)
{
    alert->seq = ++alerts->seq;
    alert->ended_ms = alerts->wall_ms;
    log_move(EV_ALERT_RESOLVED, alert);
    if (alerts->over_count == ALERTS_OVER_MAX)
        forget_oldest(alerts);
    alert->last_told_ms = alerts->now_ms; /* from here on: when it ended */
    alerts->over[alerts->over_count++] = alert;
}

/* False: it leaves the list. */
static bool look_at(struct alerts *alerts, struct alert *alert, const json_t *suspect)
{
    if (alert->is_raised)
        take_revert(alert, suspect);
    if (alert->is_told) {
        if (!alert->is_raised && alerts->now_ms - alert->first_ms >= alert->kind->raise_ms)
            raise_alert(alerts, alert, suspect);
        return true;
    }
    if (!alert->is_raised) {
        free_alert(alert);
        return false;
    }
    if (alerts->now_ms - alert->last_told_ms < alert->kind->clear_ms)
        return true;
    end_alert(alerts, alert);
    return false;
}

static void tell_left_out(struct alerts *alerts)
{
    char summary[96];

    (void)snprintf(summary, sizeof(summary), "more than %u alerts at once", ALERTS_MAX - 1u);
    alerts_tell(alerts,
                json_pack("{s:s, s:s, s:s}", "name", LEFT_OUT, "summary", summary, "description",
                          "The others are not listed and not sent. GET /v1/pools shows "
                          "the state of everything."));
}

bool alerts_name_a_change(const struct alerts *alerts)
{
    for (size_t i = 0; i < alerts->live_count; i++)
        if (alerts->live[i]->kind->names_change)
            return true;
    return false;
}

void alerts_end(struct alerts *alerts, const json_t *suspect)
{
    size_t kept = 0;

    CHECK_OBJ(alerts, ALERTS_TAG);
    if (alerts->left_out > 0)
        tell_left_out(alerts);
    for (size_t i = 0; i < alerts->live_count; i++) {
        struct alert *alert = alerts->live[i];

        if (look_at(alerts, alert, suspect))
            alerts->live[kept++] = alert;
    }
    alerts->live_count = kept;
    while (alerts->over_count > 0 &&
           alerts->now_ms - alerts->over[0]->last_told_ms > ALERTS_OVER_MS)
        forget_oldest(alerts);
}

/* ---- what is shown ---- */

static void copy_member(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (value != NULL && !json_is_null(value))
        json_object_set(to, key, value);
}

static json_t *shown(const struct alert *alert, const char *runbooks)
{
    static const char *const of_cause[] = {"change", "author", "approvers", "revision", NULL};
    json_t *object = json_copy(alert->told);
    char since[CLOCK_RFC3339_TEXT];

    json_object_set_new(object, "severity", json_string(severity_of(alert)));
    if (!json_is_string(json_object_get(object, "since")))
        json_object_set_new(object, "since", json_string(clock_rfc3339(alert->since_ms, since)));
    for (size_t i = 0; alert->cause != NULL && of_cause[i] != NULL; i++)
        copy_member(object, alert->cause, of_cause[i]);
    if (alert->revert != NULL)
        json_object_set(object, "revert", alert->revert);
    json_object_set_new(object, "runbook", json_sprintf("%s%s", runbooks, alert->kind->runbook));
    return object;
}

/* `about`: the change that is a part of its identity, not the one that may have caused it. */
static json_t *sent(const struct alert *alert, const char *runbooks)
{
    json_t *object = shown(alert, runbooks);

    if (text_of(alert->told, "change")[0] != '\0')
        json_object_set(object, "about", json_object_get(alert->told, "change"));
    json_object_set_new(object, "seq", json_integer((json_int_t)alert->seq));
    return object;
}

static int by_newest(const void *a, const void *b)
{
    const struct alert *const *one = a, *const *other = b;

    return (*one)->seq < (*other)->seq ? 1 : (*one)->seq > (*other)->seq ? -1 : 0;
}

json_t *alerts_shown(const struct alerts *alerts, const char *runbooks)
{
    const struct alert *raised[ALERTS_MAX] = {NULL};
    json_t *list = json_array();
    size_t count = 0;

    CHECK_OBJ(alerts, ALERTS_TAG);
    for (size_t i = 0; i < alerts->live_count; i++)
        if (alerts->live[i]->is_raised)
            raised[count++] = alerts->live[i];
    if (count > 0)
        qsort(raised, count, sizeof(raised[0]), by_newest);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, shown(raised[i], runbooks));
    return list;
}

json_t *alerts_batch(const struct alerts *alerts, const char *runbooks)
{
    json_t *raised = json_array(), *over = json_array(), *one;
    char ended[CLOCK_RFC3339_TEXT];

    CHECK_OBJ(alerts, ALERTS_TAG);
    for (size_t i = 0; i < alerts->live_count; i++) {
        if (!alerts->live[i]->is_raised)
            continue;
        one = sent(alerts->live[i], runbooks);
        json_array_append_new(raised, one);
    }
    for (size_t i = 0; i < alerts->over_count; i++) {
        one = sent(alerts->over[i], runbooks);
        json_object_set_new(one, "ended",
                            json_string(clock_rfc3339(alerts->over[i]->ended_ms, ended)));
        json_array_append_new(over, one);
    }
    return json_pack("{s:I, s:o, s:o}", "seq", (json_int_t)alerts->seq, "raised", raised, "over",
                     over);
}

uint64_t alerts_seq(const struct alerts *alerts)
{
    return alerts->seq;
}

size_t alerts_count(const struct alerts *alerts)
{
    size_t count = 0;

    for (size_t i = 0; i < alerts->live_count; i++)
        count += alerts->live[i]->is_raised;
    return count;
}
