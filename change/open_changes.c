/*
 * open_changes - every change that is not over, in memory as it is in the store: loaded at the
 * start, read again after a failed step, held against the people who may approve now.
 *
 * Owner    the ledger.      Threads  control
 * Invariants  `open` holds the changes of the keys open/<id>, no more and no less
 */
#include "change/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/override.h"
#include "change/policy.h"
#include "change/refusal.h"
#include "config/load.h"
#include "config/model.h"

enum { KEY_TEXT = 256 };

/* ---- times ---- */

int64_t ledger_anchor_ms(const struct ledger *ledger, int64_t wall_ms)
{
    if (wall_ms == 0)
        return 0;
    return wall_ms - ledger_wall_ms(ledger) + (int64_t)ledger_boot_ms(ledger);
}

static void anchor(const struct ledger *ledger, struct change *change)
{
    change->submitted_boot_ms = ledger_anchor_ms(ledger, change->submitted_ms);
    change->approved_boot_ms = ledger_anchor_ms(ledger, change->approved_ms);
    change->not_after_boot_ms = ledger_anchor_ms(ledger, change->not_after_ms);
}

int64_t ledger_expires_in_ms(const struct ledger *ledger, const struct change *change)
{
    const struct configuration *conf = ledger_running_conf(ledger);
    int64_t now = (int64_t)ledger_boot_ms(ledger);
    int64_t left = INT64_MAX;

    if (conf == NULL)
        return left;
    if (change->state == CHANGE_PENDING)
        left = change->submitted_boot_ms + (int64_t)conf->policy.approval_expiry_ms - now;
    else if (change->state == CHANGE_APPROVED)
        left = change->approved_boot_ms + (int64_t)conf->policy.execution_expiry_ms - now;
    else
        return left;
    if (change->not_after_ms != 0 && change->not_after_boot_ms - now < left)
        left = change->not_after_boot_ms - now;
    return left;
}

/* ---- decisions ---- */

static void decision_key(const struct change *change, const char *person, char key_out[KEY_TEXT])
{
    (void)snprintf(key_out, KEY_TEXT, "change/%s/appr/%06u/%s", change->id, change->iteration,
                   person);
}

void ledger_put_decision(struct step *step, const struct change *change,
                         const struct change_decision *decision, const char *why_void)
{
    char key[KEY_TEXT];
    json_t *stored =
        json_pack("{s:s, s:s, s:s?, s:s, s:I, s:s, s:s?}", "person", decision->person, "decision",
                  decision->is_veto ? "veto" : "approve", "comment", decision->comment, "principal",
                  decision->principal, "at_ms", (json_int_t)decision->at_ms, "digest",
                  decision->digest, "void", why_void);

    CHECK(stored != NULL);
    decision_key(change, decision->person, key);
    step_put_json(step, key, stored);
    json_decref(stored);
}

void ledger_void_decisions(struct step *step, struct change *change, const char *why)
{
    for (size_t i = 0; i < change->decision_count; i++)
        ledger_put_decision(step, change, &change->decisions[i], why);
    change_drop_decisions(change);
}

struct change_decision *change_add_decision(struct change *change,
                                            const struct change_decision *from)
{
    struct change_decision *added;

    change->decisions =
        xrealloc(change->decisions, (change->decision_count + 1) * sizeof(struct change_decision));
    added = &change->decisions[change->decision_count++];
    *added = *from;
    added->person = xstrdup(from->person);
    added->comment = from->comment != NULL ? xstrdup(from->comment) : NULL;
    added->principal = xstrdup(from->principal);
    return added;
}

void change_remove_decision(struct change *change, struct change_decision *decision)
{
    size_t index = (size_t)(decision - change->decisions);

    CHECK(index < change->decision_count);
    xfree(decision->person);
    xfree(decision->comment);
    xfree(decision->principal);
    change->decision_count--;
    memmove(decision, decision + 1, (change->decision_count - index) * sizeof(*decision));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static bool load_decision(void *context, const char *key, struct slice value, uint64_t version)
{
    struct change *change = context;
    json_t *stored = json_loadb(value.at, value.len, 0, NULL);
    const json_t *comment = json_object_get(stored, "comment");
    struct change_decision decision = {0};

    (void)key;
    (void)version;
    decision.is_veto = strcmp(text_of(stored, "decision"), "veto") == 0;
    decision.at_ms = json_integer_value(json_object_get(stored, "at_ms"));
    decision.comment = json_is_string(comment) ? xstrdup(json_string_value(comment)) : NULL;
    decision.person = xstrdup(text_of(stored, "person"));
    decision.principal = xstrdup(text_of(stored, "principal"));
    (void)snprintf(decision.digest, sizeof(decision.digest), "%s", text_of(stored, "digest"));
    if (stored != NULL && !json_is_string(json_object_get(stored, "void")))
        change_add_decision(change, &decision);
    xfree(decision.comment);
    xfree(decision.person);
    xfree(decision.principal);
    json_decref(stored);
    return true;
}

void ledger_load_decisions(struct ledger *ledger, struct change *change)
{
    char prefix[KEY_TEXT];

    change_drop_decisions(change);
    decision_key(change, "", prefix);
    store_list(ledger->store, prefix, NULL, false, load_decision, change);
}

/* ---- reading changes ---- */

static struct change *read_change(struct ledger *ledger, const char *id)
{
    char key[KEY_TEXT];
    struct buffer bytes;
    struct change *change = NULL;
    json_t *stored;
    uint64_t version = 0;

    if (strlen(id) >= CHANGE_ID_TEXT || strchr(id, '/') != NULL)
        return NULL;
    (void)snprintf(key, sizeof(key), "change/%s", id);
    buffer_init(&bytes);
    if (store_get(ledger->store, key, &bytes, &version)) {
        stored = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
        change = stored != NULL ? change_decode(stored) : NULL;
        json_decref(stored);
    }
    buffer_fini(&bytes);
    if (change == NULL)
        return NULL;
    change->version = version;
    anchor(ledger, change);
    ledger_load_decisions(ledger, change);
    return change;
}

void change_reload(struct ledger *ledger, struct change *change)
{
    struct change *stored = read_change(ledger, change->id);
    struct change old = *change;

    if (stored == NULL)
        return;
    *change = *stored;
    if (old.submitted_ms == change->submitted_ms)
        change->submitted_boot_ms = old.submitted_boot_ms;
    if (old.approved_ms == change->approved_ms)
        change->approved_boot_ms = old.approved_boot_ms;
    if (old.not_after_ms == change->not_after_ms)
        change->not_after_boot_ms = old.not_after_boot_ms;
    *stored = old;
    change_free(&stored);
}

struct change *ledger_open_change(struct ledger *ledger, const char *id)
{
    for (size_t i = 0; i < ledger->open_count; i++) {
        if (strcmp(ledger->open[i]->id, id) == 0)
            return ledger->open[i];
    }
    return NULL;
}

const struct change *ledger_find(struct ledger *ledger, const char *id)
{
    struct change *change = ledger_open_change(ledger, id);

    if (change != NULL)
        return change;
    if (ledger->found != NULL && strcmp(ledger->found->id, id) == 0)
        return ledger->found;
    change_free(&ledger->found);
    ledger->found = read_change(ledger, id);
    return ledger->found;
}

struct change *ledger_need_open(struct ledger *ledger, const char *id, struct refusal *refusal)
{
    struct change *change = ledger_open_change(ledger, id);
    const struct change *other = change == NULL ? ledger_find(ledger, id) : NULL;

    if (change != NULL)
        return change;
    if (other != NULL)
        (void)refuse(refusal, "state-conflict", "POST /v1/changes",
                     "change %s is %s: nothing more can be done with it", other->id,
                     change_state_word(other->state));
    else
        (void)refuse(refusal, "not-found", "GET /v1/changes", "there is no change %.40s", id);
    return NULL;
}

void ledger_add_open(struct ledger *ledger, struct change *change)
{
    if (ledger->open_count == ledger->open_room) {
        ledger->open_room = ledger->open_room * 2 + 16;
        ledger->open = xrealloc(ledger->open, ledger->open_room * sizeof(struct change *));
    }
    ledger->open[ledger->open_count++] = change;
}

void ledger_settle_change(struct ledger *ledger, struct change *change)
{
    char key[KEY_TEXT];

    (void)snprintf(key, sizeof(key), "change/%s", change->id);
    (void)store_get(ledger->store, key, NULL, &change->version);
    if (json_array_size(change->overrides) > 0)
        override_restore(ledger); /* they came, or went */
    if (!change_is_terminal(change->state))
        return;
    for (size_t i = 0; i < ledger->open_count; i++) {
        if (ledger->open[i] != change)
            continue;
        ledger->open[i] = ledger->open[--ledger->open_count];
        change_free(&ledger->found);
        ledger->found = change;
        return;
    }
}

static bool load_open(void *context, const char *key, struct slice value, uint64_t version)
{
    struct ledger *ledger = context;
    struct change *change = read_change(ledger, key + strlen("open/"));

    (void)value;
    (void)version;
    if (change != NULL && !change_is_terminal(change->state))
        ledger_add_open(ledger, change);
    else
        change_free(&change);
    return true;
}

void ledger_load_open(struct ledger *ledger)
{
    store_list(ledger->store, "open/", NULL, false, load_open, ledger);
}

/* ---- what time and other changes do to them ---- */

static void expire(struct ledger *ledger, struct change *change, const char *why)
{
    struct actor system = actor_system("timer");
    struct step step;

    step_begin(&step, ledger, &system);
    change_move(&step, change, CHANGE_EXPIRED, "change.expired", json_pack("{s:s}", "why", why));
    (void)step_commit(&step, NULL); /* the disk refuses: the next tick tries again */
}

void ledger_expire(struct ledger *ledger, bool after_jump)
{
    for (size_t i = ledger->open_count; i-- > 0;) {
        struct change *change = ledger->open[i];
        bool may_expire = change->state == CHANGE_PENDING || change->state == CHANGE_APPROVED;

        if (may_expire && after_jump)
            expire(ledger, change, "the clock jumped while twokey was stopped");
        else if (may_expire && ledger_expires_in_ms(ledger, change) <= 0)
            expire(ledger, change,
                   change->state == CHANGE_PENDING ? "not approved in time"
                                                   : "not applied in time");
    }
}

void ledger_make_stale(struct ledger *ledger, struct step *step, const char *but_id)
{
    const struct configuration *conf = ledger_running_conf(ledger);
    bool is_kept = conf != NULL && conf->policy.keep_on_clean_rebase;

    for (size_t i = 0; i < ledger->open_count; i++) {
        struct change *change = ledger->open[i];
        bool may = change->state == CHANGE_DRAFT || change->state == CHANGE_PENDING ||
                   change->state == CHANGE_APPROVED;

        if (!may || change->base_rev == ledger->running.rev ||
            (but_id != NULL && strcmp(change->id, but_id) == 0))
            continue;
        if (!is_kept)
            ledger_void_decisions(step, change, "stale");
        change_move(step, change, CHANGE_STALE, "change.stale",
                    but_id != NULL ? json_pack("{s:s}", "applied", but_id) : NULL);
    }
}

/* ---- decisions against the people of now ---- */

bool ledger_decision_counts(const struct configuration *conf, const struct change *change,
                            const struct change_decision *decision)
{
    const struct conf_person *person = config_find_person(conf, decision->person);

    return person != NULL && policy_may_approve(conf, decision->person) &&
           !change_has_contributor(change, decision->person) &&
           strcmp(decision->digest, change->digest) == 0 &&
           (person->revoked_since_ms == 0 || decision->at_ms < person->revoked_since_ms);
}

static void reconsider_one(struct ledger *ledger, const struct configuration *conf,
                           struct change *change)
{
    struct actor system = actor_system("policy");
    json_t *people = json_array();
    struct step step;

    step_begin(&step, ledger, &system);
    for (size_t i = change->decision_count; i-- > 0;) {
        struct change_decision *decision = &change->decisions[i];

        if (ledger_decision_counts(conf, change, decision))
            continue;
        json_array_append_new(people, json_string(decision->person));
        ledger_put_decision(&step, change, decision, "the person may not approve any more");
        change_remove_decision(change, decision);
    }
    if (json_array_size(people) > 0 ||
        (change->state == CHANGE_APPROVED && !policy_is_approved(conf, change, NULL, NULL, NULL))) {
        enum change_state to =
            change->state == CHANGE_APPROVED && policy_is_approved(conf, change, NULL, NULL, NULL)
                ? CHANGE_APPROVED
                : CHANGE_PENDING;

        change_move(&step, change, to, "change.approval-void",
                    json_pack("{s:O}", "people", people));
        (void)step_commit(&step, NULL); /* apply asks again whatever is stored */
    } else {
        step_abandon(&step);
    }
    json_decref(people);
}

void ledger_reconsider(struct ledger *ledger)
{
    const struct configuration *conf = ledger_running_conf(ledger);

    if (conf == NULL || conf->policy.mode == POLICY_OFF)
        return;
    for (size_t i = 0; i < ledger->open_count; i++) {
        struct change *change = ledger->open[i];

        if (change->state == CHANGE_PENDING || change->state == CHANGE_APPROVED)
            reconsider_one(ledger, conf, change);
    }
}

void ledger_enter(struct ledger *ledger)
{
    const struct configuration *conf = ledger_running_conf(ledger);

    if (conf == NULL || strcmp(ledger->considered, conf->digest) == 0)
        return;
    (void)snprintf(ledger->considered, sizeof(ledger->considered), "%s", conf->digest);
    ledger_reconsider(ledger);
}
