/*
 * audit_habits - see audit_habits.h.
 *
 * Owner    the caller.      Threads  any one
 */
#include "change/audit_habits.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "config/text.h"

enum {
    HASTY_MS = 10 * 1000,
    HABIT_CHANGES = 2, /* fewer say nothing of a habit */
    DATE_TEXT = 10,
};

struct audit_habits {
    int64_t from_ms;
    int64_t to_ms;
    json_t *authors;   /* change to person */
    json_t *submitted; /* change to milliseconds */
    json_t *approved;  /* author to {change: {approver: true}} */
    json_t *people;    /* approver to true */
    json_t *hasty;     /* [{change, person, ms}] */
    int64_t *delays;
    size_t delay_count;
    size_t delay_room;
};

struct audit_habits *audit_habits_new(int64_t from_ms, int64_t to_ms)
{
    struct audit_habits *habits = xcalloc(1, sizeof(*habits));

    habits->from_ms = from_ms;
    habits->to_ms = to_ms;
    habits->authors = json_object();
    habits->submitted = json_object();
    habits->approved = json_object();
    habits->people = json_object();
    habits->hasty = json_array();
    return habits;
}

void audit_habits_free(struct audit_habits **holder)
{
    struct audit_habits *habits = TAKE_POINTER(holder);

    if (habits == NULL)
        return;
    json_decref(habits->authors);
    json_decref(habits->submitted);
    json_decref(habits->approved);
    json_decref(habits->people);
    json_decref(habits->hasty);
    xfree(habits->delays);
    xfree(habits);
}

/* The object at `key`, made when it is not there. */
static json_t *below(json_t *object, const char *key)
{
    json_t *child = json_object_get(object, key);

    if (child == NULL) {
        child = json_object();
        json_object_set_new(object, key, child);
    }
    return child;
}

static void note_approval(struct audit_habits *habits, const char *change, const char *person,
                          int64_t at_ms)
{
    const json_t *submitted = json_object_get(habits->submitted, change);
    const char *author = json_string_value(json_object_get(habits->authors, change));
    int64_t delay = at_ms - json_integer_value(submitted);

    if (at_ms < habits->from_ms || at_ms >= habits->to_ms || submitted == NULL || author == NULL)
        return;
    json_object_set_new(below(below(habits->approved, author), change), person, json_true());
    json_object_set_new(habits->people, person, json_true());
    if (delay < HASTY_MS)
        json_array_append_new(habits->hasty, json_pack("{s:s, s:s, s:I}", "change", change,
                                                       "person", person, "ms", (json_int_t)delay));
    if (habits->delay_count == habits->delay_room) {
        habits->delay_room = habits->delay_room * 2 + 64;
        habits->delays = xrealloc(habits->delays, habits->delay_room * sizeof(habits->delays[0]));
    }
    habits->delays[habits->delay_count++] = delay;
}

void audit_habits_take(struct audit_habits *habits, struct slice line)
{
    json_t *record = json_loadb(line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
    const char *event = json_string_value(json_object_get(record, "event"));
    const char *change = json_string_value(json_object_get(record, "change"));
    const char *time = json_string_value(json_object_get(record, "t"));
    const char *outcome = json_string_value(json_object_get(record, "outcome"));
    const char *person =
        json_string_value(json_object_get(json_object_get(record, "actor"), "person"));
    int64_t at_ms;

    if (event != NULL && change != NULL && time != NULL && person != NULL && outcome != NULL &&
        strcmp(outcome, "ok") == 0 && text_read_time(time, &at_ms) == NULL) {
        if (strcmp(event, "change.created") == 0)
            json_object_set_new(habits->authors, change, json_string(person));
        else if (strcmp(event, "change.submitted") == 0)
            json_object_set_new(habits->submitted, change, json_integer(at_ms));
        else if (strcmp(event, "change.approved") == 0)
            note_approval(habits, change, person, at_ms);
    }
    json_decref(record);
}

/* ---- what is told ---- */

static int by_length(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

static void print_duration(FILE *out, int64_t ms)
{
    if (ms < 60 * 1000)
        (void)fprintf(out, "%" PRId64 " s", ms / 1000);
    else if (ms < 3600 * 1000)
        (void)fprintf(out, "%" PRId64 " min", ms / 60000);
    else
        (void)fprintf(out, "%" PRId64 " h", ms / 3600000);
}

/* Of the changes of `author`, how many has `person` approved? */
static size_t count_approved(const struct audit_habits *habits, const char *author,
                             const char *person)
{
    json_t *changes = json_object_get(habits->approved, author), *approvers;
    const char *change;
    size_t count = 0;

    json_object_foreach(changes, change, approvers)
    {
        count += json_object_get(approvers, person) != NULL;
    }
    return count;
}

static bool approves_all_of(const struct audit_habits *habits, const char *author,
                            const char *person)
{
    size_t changes = json_object_size(json_object_get(habits->approved, author));

    return changes >= HABIT_CHANGES && count_approved(habits, author, person) == changes;
}

static void print_authors(const struct audit_habits *habits, FILE *out)
{
    const char *author, *person;
    json_t *changes, *unused;

    json_object_foreach(habits->approved, author, changes)
    {
        const char *comma = "";

        (void)fprintf(out, "%s's changes were approved by ", author);
        json_object_foreach(habits->people, person, unused)
        {
            size_t count = count_approved(habits, author, person);

            if (count == 0)
                continue;
            (void)fprintf(out, "%s%s %zu of %zu", comma, person, count, json_object_size(changes));
            comma = ", ";
        }
        (void)fputc('\n', out);
    }
}

static void print_pairs(const struct audit_habits *habits, FILE *out)
{
    const char *author, *person;
    json_t *changes, *unused;

    json_object_foreach(habits->approved, author, changes)
    {
        json_object_foreach(habits->people, person, unused)
        {
            if (strcmp(author, person) < 0 && approves_all_of(habits, author, person) &&
                approves_all_of(habits, person, author))
                (void)fprintf(
                    out, "%s and %s approve all of each other's changes: let others look too\n",
                    author, person);
        }
    }
}

void audit_habits_print(struct audit_habits *habits, FILE *out)
{
    char from[CLOCK_RFC3339_TEXT], to[CLOCK_RFC3339_TEXT];
    json_t *one;
    size_t i;

    (void)fprintf(out, "%zu approvals from %.*s to %.*s\n", habits->delay_count, DATE_TEXT,
                  clock_rfc3339(habits->from_ms, from), DATE_TEXT,
                  clock_rfc3339(habits->to_ms, to));
    if (habits->delay_count == 0)
        return;
    qsort(habits->delays, habits->delay_count, sizeof(habits->delays[0]), by_length);
    (void)fputs("median time from submission to approval: ", out);
    print_duration(out, habits->delays[habits->delay_count / 2]);
    (void)fprintf(out, "\nless than 10 s after submission: %zu\n", json_array_size(habits->hasty));
    json_array_foreach(habits->hasty, i, one)
    {
        (void)fprintf(out, "  %s by %s after ", json_string_value(json_object_get(one, "change")),
                      json_string_value(json_object_get(one, "person")));
        print_duration(out, json_integer_value(json_object_get(one, "ms")));
        (void)fputc('\n', out);
    }
    print_authors(habits, out);
    print_pairs(habits, out);
}
