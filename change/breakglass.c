/*
 * breakglass - one person in an emergency may move traffic, alone, for half an hour; never make a
 * second person, and never unseen: another one, who could approve before, reviews it.  Whose own
 * review is overdue opens the next session only together with a second person.
 *
 * Owner    the ledger.      Threads  control
 * Invariants  who reviews was an approver when the session began, and is not the one who opened it
 */
#include "change/activity.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/candidate.h"
#include "change/policy.h"
#include "change/refusal.h"
#include "change/request.h"
#include "config/model.h"

#define ASKED "breakglass-asked" /* the key */

enum { KEY_TEXT = 64, SESSION_MS = 30 * 60 * 1000, SESSIONS_SHOWN = 100 };
static const int64_t day_ms = 24LL * 3600 * 1000;

/* ---- stored sessions ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static int64_t time_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

struct gathering {
    json_t *sessions;
    size_t limit;
};

static bool gather_one(void *context, const char *key, struct slice value, uint64_t version)
{
    struct gathering *gathering = context;
    json_t *stored = json_loadb(value.at, value.len, 0, NULL);

    (void)key;
    (void)version;
    if (stored != NULL)
        json_array_append_new(gathering->sessions, stored);
    return json_array_size(gathering->sessions) < gathering->limit;
}

/* Newest first. */
static json_t *sessions(struct ledger *ledger)
{
    struct gathering gathering = {.sessions = json_array(), .limit = SESSIONS_SHOWN};

    store_list(ledger->store, "session/", NULL, true, gather_one, &gathering);
    return gathering.sessions;
}

static json_t *session_named(struct ledger *ledger, const char *id)
{
    char key[KEY_TEXT];
    struct buffer bytes;
    json_t *stored = NULL;

    if (strlen(id) >= CHANGE_ID_TEXT || strchr(id, '/') != NULL)
        return NULL;
    (void)snprintf(key, sizeof(key), "session/%s", id);
    buffer_init(&bytes);
    if (store_get(ledger->store, key, &bytes, NULL))
        stored = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
    buffer_fini(&bytes);
    return stored;
}

static void put_session(struct step *step, const json_t *session)
{
    char key[KEY_TEXT];

    (void)snprintf(key, sizeof(key), "session/%s", text_of(session, "id"));
    step_put_json(step, key, session);
}

/* ---- how long, and until when it is reviewed ---- */

/* By the clock that nobody sets; over a restart by the wall clock. */
static bool is_open(const struct ledger *ledger, const json_t *session)
{
    return ledger->session[0] != '\0' && strcmp(text_of(session, "id"), ledger->session) == 0 &&
           ledger_boot_ms(ledger) < ledger->session_until_boot_ms;
}

/* The end of the next day that is no Saturday or Sunday (UTC). */
static int64_t review_due_ms(int64_t opened_ms)
{
    int64_t day = opened_ms / day_ms + 1;

    while ((day + 3) % 7 >= 5) /* 1970-01-01 was a Thursday; 0 is Monday */
        day++;
    return (day + 1) * day_ms;
}

static bool needs_review(const json_t *session)
{
    return json_array_size(json_object_get(session, "changes")) > 0 &&
           !json_is_object(json_object_get(session, "review"));
}

static bool is_overdue(const struct ledger *ledger, const json_t *session)
{
    return needs_review(session) && ledger_wall_ms(ledger) > time_of(session, "due_ms");
}

unsigned ledger_reviews_overdue(struct ledger *ledger)
{
    json_t *all = sessions(ledger);
    json_t *session;
    unsigned count = 0;
    size_t i;

    json_array_foreach(all, i, session) count += is_overdue(ledger, session);
    json_decref(all);
    return count;
}

bool breakglass_is_open(struct ledger *ledger, const struct actor *actor, char *session_out,
                        size_t room)
{
    if (!actor->is_on_socket || !actor->is_human || (actor->roles & ROLE_BREAKGLASS) == 0 ||
        ledger->session[0] == '\0' || ledger_boot_ms(ledger) >= ledger->session_until_boot_ms ||
        strcmp(ledger->session_person, actor->person) != 0)
        return false;
    (void)snprintf(session_out, room, "%s", ledger->session);
    return true;
}

static void enter_session(struct ledger *ledger, const json_t *session, int64_t left_ms)
{
    (void)snprintf(ledger->session, sizeof(ledger->session), "%s", text_of(session, "id"));
    xfree(ledger->session_person);
    ledger->session_person = xstrdup(text_of(session, "person"));
    ledger->session_until_boot_ms = ledger_boot_ms(ledger) + (uint64_t)left_ms;
}

void breakglass_load(struct ledger *ledger)
{
    json_t *all = sessions(ledger);
    const json_t *newest = json_array_get(all, 0);
    int64_t passed_ms = ledger_wall_ms(ledger) - time_of(newest, "opened_ms");

    /* whoever sets the clock back, or writes into the store, while it is stopped gains nothing */
    if (newest != NULL && !ledger->clock_jumped && !ledger->is_violated && passed_ms >= 0 &&
        passed_ms < SESSION_MS)
        enter_session(ledger, newest, SESSION_MS - passed_ms);
    json_decref(all);
}

/* ---- opening ---- */

static json_t *approvers_of(const struct configuration *conf)
{
    json_t *names = json_array();

    for (size_t i = 0; i < conf->person_count; i++) {
        if (policy_may_approve(conf, conf->people[i].name))
            json_array_append_new(names, json_string(conf->people[i].name));
    }
    return names;
}

static json_t *time_or_null(int64_t wall_ms)
{
    char text[CLOCK_RFC3339_TEXT];

    return wall_ms != 0 ? json_string(clock_rfc3339(wall_ms, text)) : json_null();
}

static json_t *session_shown(const struct ledger *ledger, const json_t *session)
{
    const json_t *review = json_object_get(session, "review");
    char call[96];
    json_t *shown = json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:O, s:o, s:b, s:[]}", "id",
        text_of(session, "id"), "person", text_of(session, "person"), "reason",
        text_of(session, "reason"), "incident", text_of(session, "incident"), "open",
        (int)is_open(ledger, session), "opened", time_or_null(time_of(session, "opened_ms")),
        "expires", time_or_null(time_of(session, "opened_ms") + SESSION_MS), "review_due",
        time_or_null(time_of(session, "due_ms")), "changes", json_object_get(session, "changes"),
        "review", json_is_object(review) ? json_deep_copy(review) : json_null(), "overdue",
        (int)is_overdue(ledger, session), "next");

    if (needs_review(session)) {
        (void)snprintf(call, sizeof(call), "POST /v1/breakglass/%s/review", text_of(session, "id"));
        json_array_append_new(json_object_get(shown, "next"), json_string(call));
    }
    return shown;
}

static bool has_own_overdue(struct ledger *ledger, const char *person)
{
    json_t *all = sessions(ledger);
    json_t *session;
    size_t i;
    bool found = false;

    json_array_foreach(all, i, session)
    {
        if (strcmp(text_of(session, "person"), person) == 0 && is_overdue(ledger, session))
            found = true;
    }
    json_decref(all);
    return found;
}

static bool may_open(struct ledger *ledger, const struct actor *actor, const char *reason,
                     const char *incident, struct refusal *refusal)
{
    const char *bad = reason != NULL ? request_check_text(reason, REQUEST_REASON_MAX)
                                     : "is missing (say what has happened)";

    if (ledger_running_conf(ledger) == NULL)
        return refuse(refusal, "not-running", "GET /v1/status", "no configuration runs yet");
    if (!actor->is_on_socket)
        return refuse(refusal, "forbidden", "GET /v1/whoami",
                      "break-glass is opened over the Unix socket of the machine only");
    if (!actor->is_human || (actor->roles & ROLE_BREAKGLASS) == 0)
        return refuse(refusal, "forbidden", "GET /v1/whoami",
                      "%s does not have the role breakglass", actor->person);
    if (bad != NULL)
        return refuse(refusal, "invalid-field", NULL, "reason %s", bad);
    bad = incident != NULL ? request_check_text(incident, REQUEST_TICKET_MAX)
                           : "is missing (its number)";
    if (bad != NULL)
        return refuse(refusal, "invalid-field", NULL, "incident %s", bad);
    if (ledger->session[0] != '\0' && ledger_boot_ms(ledger) < ledger->session_until_boot_ms)
        return refuse(refusal, "state-conflict", "GET /v1/breakglass",
                      "session %s of %s is open: one at a time", ledger->session,
                      ledger->session_person);
    return true;
}

static void name_session(struct ledger *ledger, char id_out[CHANGE_ID_TEXT])
{
    char random[11];

    ledger_random_hex(random, sizeof(random) - 1);
    (void)snprintf(id_out, CHANGE_ID_TEXT, "bg_%013lld%s", (long long)ledger_wall_ms(ledger),
                   random);
}

/* `allowed_by` is NULL where nobody need allow it. */
static json_t *new_session(struct ledger *ledger, const json_t *asked, const char *allowed_by)
{
    int64_t now = ledger_wall_ms(ledger);
    char id[CHANGE_ID_TEXT];

    name_session(ledger, id);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:[], s:n, s:s?}", "id", id, "person",
        text_of(asked, "person"), "reason", text_of(asked, "reason"), "incident",
        text_of(asked, "incident"), "uid", (json_int_t)time_of(asked, "uid"), "opened_ms",
        (json_int_t)now, "due_ms", (json_int_t)review_due_ms(now), "approvers_before",
        approvers_of(ledger_running_conf(ledger)), "changes", "review", "allowed_by", allowed_by);
}

static bool open_session(struct ledger *ledger, const struct actor *actor, const json_t *asked,
                         const char *allowed_by, json_t **answer, struct refusal *refusal)
{
    json_t *session = new_session(ledger, asked, allowed_by);
    struct step step;
    bool is_done;

    step_begin(&step, ledger, actor);
    put_session(&step, session);
    store_delete(step.txn, ASKED);
    step_audit(&step, "breakglass.opened", NULL, NULL,
               json_pack("{s:s, s:s, s:s, s:s, s:I, s:s?}", "session", text_of(session, "id"),
                         "person", text_of(session, "person"), "reason", text_of(session, "reason"),
                         "incident", text_of(session, "incident"), "uid",
                         (json_int_t)time_of(session, "uid"), "allowed_by", allowed_by));
    is_done = step_commit(&step, refusal);
    if (is_done) {
        enter_session(ledger, session, SESSION_MS);
        *answer = session_shown(ledger, session);
    }
    json_decref(session);
    return is_done;
}

/* ---- together with a second person ---- */

/* What was asked for and may still be allowed; a new value, or NULL. */
static json_t *asked_now(struct ledger *ledger)
{
    json_t *asked = stored_json(ledger, ASKED, NULL);
    int64_t passed_ms = ledger_wall_ms(ledger) - time_of(asked, "asked_ms");

    if (asked != NULL && passed_ms >= 0 && passed_ms < SESSION_MS)
        return asked;
    json_decref(asked);
    return NULL;
}

/* Noted, and refused until somebody else allows it.  `asked` gets its name. */
static bool ask(struct ledger *ledger, const struct actor *actor, json_t *asked,
                struct refusal *refusal)
{
    char id[CHANGE_ID_TEXT];
    char next[96];
    struct step step;

    name_session(ledger, id);
    json_object_set_new(asked, "id", json_string(id));
    json_object_set_new(asked, "asked_ms", json_integer((json_int_t)ledger_wall_ms(ledger)));
    step_begin(&step, ledger, actor);
    step_put_json(&step, ASKED, asked);
    step_audit(&step, "breakglass.asked", NULL, NULL,
               json_pack("{s:s, s:s, s:s}", "asked", id, "reason", text_of(asked, "reason"),
                         "incident", text_of(asked, "incident")));
    if (!step_commit(&step, refusal))
        return false;
    (void)snprintf(next, sizeof(next), "POST /v1/breakglass/%s/review", id);
    return refuse_with(refusal, "review-overdue", next, json_pack("{s:s}", "asked", id),
                       "the review of an earlier session of %s is overdue: a second person, who "
                       "may approve, opens this one within half an hour with verdict \"allow\"",
                       actor->person);
}

static bool allow(struct ledger *ledger, const struct actor *actor, const json_t *asked,
                  json_t **answer, struct refusal *refusal)
{
    if (strcmp(text_of(asked, "person"), actor->person) == 0)
        return refuse(refusal, "self-approval", "GET /v1/breakglass",
                      "%s asked for the session: somebody else allows it", actor->person);
    if (!actor->is_human || !policy_may_approve(ledger_running_conf(ledger), actor->person))
        return refuse(refusal, "not-an-approver", "GET /v1/breakglass", "%s may not approve",
                      actor->person);
    if (ledger->session[0] != '\0' && ledger_boot_ms(ledger) < ledger->session_until_boot_ms)
        return refuse(refusal, "state-conflict", "GET /v1/breakglass",
                      "session %s of %s is open: one at a time", ledger->session,
                      ledger->session_person);
    return open_session(ledger, actor, asked, actor->person, answer, refusal);
}

/* True: it was about what is asked for, and is answered. */
static bool answer_asked(struct ledger *ledger, const struct actor *actor, const char *id,
                         const char *verdict, json_t **answer, struct refusal *refusal,
                         bool *is_done_out)
{
    json_t *asked = asked_now(ledger);
    bool is_it = asked != NULL && strcmp(text_of(asked, "id"), id) == 0;

    if (is_it && (verdict == NULL || strcmp(verdict, "allow") != 0))
        *is_done_out = refuse(refusal, "state-conflict", "GET /v1/breakglass",
                              "session %s is not open yet: verdict \"allow\" opens it", id);
    else if (is_it)
        *is_done_out = allow(ledger, actor, asked, answer, refusal);
    if (is_it && !*is_done_out)
        (void)ledger_denied(ledger, actor, "breakglass.opened", NULL, refusal);
    json_decref(asked);
    return is_it;
}

/* ---- the call ---- */

bool ledger_breakglass(struct ledger *ledger, const struct actor *actor, const char *reason,
                       const char *incident, json_t **answer, struct refusal *refusal)
{
    json_t *asked;
    bool is_done;

    ledger_enter(ledger);
    if (!may_open(ledger, actor, reason, incident, refusal))
        return ledger_denied(ledger, actor, "breakglass.opened", NULL, refusal);
    asked = json_pack("{s:s, s:s, s:s, s:I}", "person", actor->person, "reason", reason, "incident",
                      incident, "uid", (json_int_t)actor->uid);
    is_done = has_own_overdue(ledger, actor->person)
                  ? ask(ledger, actor, asked, refusal)
                  : open_session(ledger, actor, asked, NULL, answer, refusal);
    json_decref(asked);
    return is_done || ledger_denied(ledger, actor, "breakglass.opened", NULL, refusal);
}

/* ---- what it may not touch ---- */

static bool is_same(const json_t *before, const json_t *after)
{
    return before == after || (before != NULL && after != NULL && json_equal(before, after) == 1);
}

static bool touches_forbidden(const struct candidate *candidate, const char **what_out)
{
    static const char *const sections[] = {"people", "policy", "admin"};
    const json_t *before = candidate->base_json;
    const json_t *after = candidate->target_json;

    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        *what_out = sections[i];
        if (!is_same(json_object_get(before, sections[i]), json_object_get(after, sections[i])))
            return true;
    }
    *what_out = "observe.alerts";
    return !is_same(json_object_get(json_object_get(before, "observe"), "alerts"),
                    json_object_get(json_object_get(after, "observe"), "alerts"));
}

bool breakglass_allows(struct ledger *ledger, const struct change *change, struct refusal *refusal)
{
    struct candidate candidate;
    const char *what = NULL;
    bool touches;

    if (!candidate_init(&candidate, ledger, change, refusal))
        return false;
    if (!candidate_set_stored(&candidate, change, refusal)) {
        candidate_fini(&candidate);
        return false;
    }
    touches = touches_forbidden(&candidate, &what);
    candidate_fini(&candidate);
    if (!touches)
        return true;
    return refuse(refusal, "forbidden", "POST /v1/changes",
                  "change %s touches %s: break-glass may move traffic, not make a second person",
                  change->id, what);
}

void breakglass_note(struct step *step, struct change *change)
{
    const char *session = step->ledger->session;
    json_t *stored = session_named(step->ledger, session);

    change->is_forced = true;
    xfree(change->session);
    change->session = xstrdup(session);
    if (stored == NULL)
        return;
    json_array_append_new(json_object_get(stored, "changes"), json_string(change->id));
    put_session(step, stored);
    json_decref(stored);
}

/* ---- the review ---- */

static bool is_listed(const json_t *names, const char *person)
{
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (strcmp(json_string_value(name), person) == 0)
            return true;
    }
    return false;
}

static bool may_review(struct ledger *ledger, const struct actor *actor, const json_t *session,
                       const char *verdict, const char *comment, struct refusal *refusal)
{
    const struct configuration *conf = ledger_running_conf(ledger);
    const char *bad = comment != NULL ? request_check_text(comment, REQUEST_REASON_MAX) : NULL;

    if (strcmp(text_of(session, "person"), actor->person) == 0)
        return refuse(refusal, "self-approval", "GET /v1/breakglass",
                      "%s opened the session: somebody else reviews it", actor->person);
    if (!actor->is_human || conf == NULL || !policy_may_approve(conf, actor->person) ||
        !is_listed(json_object_get(session, "approvers_before"), actor->person))
        return refuse(refusal, "not-an-approver", "GET /v1/breakglass",
                      "%s was no approver before the session, or is none now", actor->person);
    if (verdict == NULL || (strcmp(verdict, "accept") != 0 && strcmp(verdict, "revert") != 0))
        return refuse(refusal, "invalid-field", NULL, "verdict is not \"accept\" or \"revert\"");
    if (bad != NULL)
        return refuse(refusal, "invalid-field", NULL, "comment %s", bad);
    if (!needs_review(session))
        return refuse(refusal, "state-conflict", "GET /v1/breakglass",
                      "nothing of session %s waits for a review", text_of(session, "id"));
    return true;
}

bool ledger_review(struct ledger *ledger, const struct actor *actor, const char *id,
                   const char *verdict, const char *comment, json_t **answer,
                   struct refusal *refusal)
{
    json_t *session;
    struct step step;
    bool is_done = false;

    ledger_enter(ledger);
    if (answer_asked(ledger, actor, id, verdict, answer, refusal, &is_done))
        return is_done;
    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    session = session_named(ledger, id);
    if (session == NULL)
        return refuse(refusal, "not-found", "GET /v1/breakglass", "there is no session %.40s", id);
    if (!may_review(ledger, actor, session, verdict, comment, refusal)) {
        json_decref(session);
        return ledger_denied(ledger, actor, "breakglass.reviewed", NULL, refusal);
    }
    json_object_set_new(session, "review",
                        json_pack("{s:s, s:s, s:s?, s:o}", "person", actor->person, "verdict",
                                  verdict, "comment", comment, "at",
                                  time_or_null(ledger_wall_ms(ledger))));
    step_begin(&step, ledger, actor);
    put_session(&step, session);
    step_audit(
        &step, "breakglass.reviewed", NULL, NULL,
        json_pack("{s:s, s:s, s:s?}", "session", id, "verdict", verdict, "comment", comment));
    is_done = step_commit(&step, refusal);
    if (is_done) {
        *answer = session_shown(ledger, session);
        if (strcmp(verdict, "revert") == 0)
            json_array_insert_new(json_object_get(*answer, "next"), 0,
                                  json_string("POST /v1/rollback"));
    }
    json_decref(session);
    return is_done;
}

static json_t *asked_shown(struct ledger *ledger)
{
    json_t *asked = asked_now(ledger);
    json_t *shown = json_null();
    char next[96];

    if (asked != NULL) {
        (void)snprintf(next, sizeof(next), "POST /v1/breakglass/%s/review", text_of(asked, "id"));
        shown = json_pack("{s:s, s:s, s:s, s:s, s:o, s:[s]}", "id", text_of(asked, "id"), "person",
                          text_of(asked, "person"), "reason", text_of(asked, "reason"), "incident",
                          text_of(asked, "incident"), "expires",
                          time_or_null(time_of(asked, "asked_ms") + SESSION_MS), "next", next);
    }
    json_decref(asked);
    return shown;
}

json_t *ledger_breakglass_shown(struct ledger *ledger)
{
    json_t *all = sessions(ledger);
    json_t *list = json_array();
    json_t *session;
    size_t i;

    json_array_foreach(all, i, session) json_array_append_new(list, session_shown(ledger, session));
    json_decref(all);
    return json_pack("{s:o, s:o}", "sessions", list, "asked", asked_shown(ledger));
}

void breakglass_tick(struct ledger *ledger)
{
    struct actor system = actor_system("timer");
    struct step step;

    if (ledger->session[0] == '\0' || ledger_boot_ms(ledger) < ledger->session_until_boot_ms)
        return;
    step_begin(&step, ledger, &system);
    step_audit(&step, "breakglass.ended", NULL, NULL,
               json_pack("{s:s}", "session", ledger->session));
    if (step_commit(&step, NULL))
        ledger->session[0] = '\0';
}
