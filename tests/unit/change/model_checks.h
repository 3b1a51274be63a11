/*
 * model_checks - what must hold after each move of model_test's walk: what runs was agreed to, the
 * audit chain verifies, and tells no move but those of the table; memory and store say the same.
 */
#ifndef TESTS_UNIT_CHANGE_MODEL_CHECKS_H
#define TESTS_UNIT_CHANGE_MODEL_CHECKS_H

#include "change/audit.h"
#include "tests/unit/change/model_moves.h"

enum { BEGINNING_MAX = 4, DEPTH_MAX = 8 };

/* ---- what must hold ---- */

static size_t path[BEGINNING_MAX + DEPTH_MAX];
static size_t path_length;

static void tell_path(void)
{
    for (size_t i = 0; i < path_length; i++)
        print_error("  %zu. %s\n", i + 1, move_words[path[i]]);
}

#define HOLDS(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error(__VA_ARGS__);                                                              \
            print_error("\nafter:\n");                                                             \
            tell_path();                                                                           \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

static bool may_approve_then(const struct configuration *conf, const char *name)
{
    for (size_t i = 0; i < conf->person_count; i++) {
        const struct conf_person *person = &conf->people[i];

        if (strcmp(person->name, name) == 0)
            return person->kind == PERSON_HUMAN && (person->roles & ROLE_APPROVER) != 0 &&
                   !person->is_disabled && person->revoked_since_ms == 0;
    }
    return false;
}

static bool is_author(const struct change *change, const char *person)
{
    for (size_t i = 0; i < CHANGES; i++) {
        if (strcmp(change->id, oracle.ids[i]) == 0)
            return strcmp(authors[i], person) == 0;
    }
    return strcmp(person, "eve") == 0;
}

static uint32_t agreed_to(const struct configuration *before, const struct change *change)
{
    uint32_t count = 0;

    for (size_t i = 0; i < oracle.agreed_count; i++) {
        const struct agreed *agreed = &oracle.agreed[i];
        bool is_first = agreed->person[0] != '\0';

        for (size_t n = 0; n < i; n++)
            is_first = is_first && !(strcmp(oracle.agreed[n].person, agreed->person) == 0 &&
                                     strcmp(oracle.agreed[n].digest, agreed->digest) == 0);
        count += is_first && strcmp(agreed->digest, change->digest) == 0 &&
                 may_approve_then(before, agreed->person) && !is_author(change, agreed->person);
    }
    return count;
}

/* The bytes that the digest covers name the target, and it is what runs. */
static void check_bound(const struct change *change)
{
    struct buffer bytes;
    struct buffer all;
    json_t *bound;
    struct digest digest;
    char text[DIGEST_TEXT];

    buffer_init(&bytes);
    buffer_init(&all);
    fresh_answer();
    HOLDS(ledger_bound_bytes(world.ledger, change->id, &bytes, &world.refusal), "no bound bytes");
    buffer_append_literal(&all, "twokey-change-v1\n");
    buffer_append_slice(&all, buffer_slice(&bytes));
    digest = digest_of(buffer_slice(&all));
    HOLDS(strcmp(digest_text(&digest, text), change->digest) == 0, "the digest is another");
    bound = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
    HOLDS(strcmp(json_string_value(json_object_get(bound, "target")), world.running->digest) == 0,
          "what runs is not what was agreed to");
    json_decref(bound);
    buffer_fini(&bytes);
    buffer_fini(&all);
}

static bool ran_before(const char *digest)
{
    for (size_t i = 0; i < oracle.ran_count; i++) {
        if (strcmp(oracle.ran[i], digest) == 0)
            return true;
    }
    return false;
}

static void check_rolled_back(const struct configuration *before)
{
    json_t *old = json_loadb(before->canonical, before->canonical_bytes, 0, NULL);
    json_t *now = json_loadb(world.running->canonical, world.running->canonical_bytes, 0, NULL);
    bool is_pending_gone = !world.ledger->pending.is_set;

    HOLDS(is_pending_gone, "a rollback leaves something pending");
    (void)old;
    HOLDS(json_object_get(now, "people") != NULL && json_object_get(now, "policy") != NULL,
          "a rollback without people");
    json_decref(old);
    json_decref(now);
}

/* Who agreed is asked of the configuration that ran when it was applied. */
static void check_running(const struct configuration *before, uint64_t rev_before)
{
    struct revision revision = {0};
    const struct change *change;
    uint32_t need;

    if (world.ledger->running.rev == rev_before)
        return;
    HOLDS(revision_read(world.ledger, world.ledger->running.rev, &revision), "no such revision");
    HOLDS(strcmp(revision.digest, world.running->digest) == 0, "another runs than the store says");
    change = revision.change[0] != '\0' ? ledger_find(world.ledger, revision.change) : NULL;
    if (ran_before(revision.digest) && world.ledger->running.rev < world.ledger->newest_rev) {
        /* back to what ran */
    } else if (strcmp(revision.event, "rollback") == 0) {
        check_rolled_back(before);
    } else {
        HOLDS(change != NULL, "revision %llu has no change",
              (unsigned long long)world.ledger->running.rev);
        HOLDS(change->state == CHANGE_CONFIRMING || change->state == CHANGE_APPLIED,
              "change %s is %s and runs", change->id, change_state_word(change->state));
        check_bound(change);
        need = change->class >= 3 ? before->policy.approvals_high : before->policy.approvals_normal;
        if (change->is_forced)
            HOLDS(oracle.forced && change->session != NULL, "forced without a session");
        else
            HOLDS(agreed_to(before, change) >= need, "%u of %u agreed to change %s of class %u",
                  agreed_to(before, change), need, change->id, change->class);
        if (change->is_forced)
            seen_counts.forced++;
        else
            seen_counts.applied++;
    }
    if (!ran_before(revision.digest)) {
        assert_true(oracle.ran_count < RAN_MAX);
        memcpy(oracle.ran[oracle.ran_count++], revision.digest, DIGEST_TEXT);
    }
    revision_fini(&revision);
}

static struct audit_verifier chain; /* as far as it was verified */

static bool check_record(void *context, const char *key, struct slice value, uint64_t version)
{
    struct audit_verifier *verifier = context;
    struct error why = {0};
    json_t *record;
    const char *from;
    const char *to;
    enum change_state from_state;
    enum change_state to_state;

    (void)version;
    HOLDS(audit_verify_line(verifier, value, &why), "%s: %s", key, why.text);
    record = json_loadb(value.at, value.len, 0, NULL);
    from = json_string_value(json_object_get(json_object_get(record, "data"), "from"));
    to = json_string_value(json_object_get(json_object_get(record, "data"), "state"));
    if (from != NULL && to != NULL && change_state_parse(from, &from_state) &&
        change_state_parse(to, &to_state))
        HOLDS(change_may_move(from_state, to_state,
                              json_string_value(json_object_get(record, "event"))),
              "no row %s -> %s", from, to);
    json_decref(record);
    return true;
}

/* The records since the last check. */
static void check_chain(void)
{
    char after[32];

    (void)snprintf(after, sizeof(after), "audit/%020llu",
                   (unsigned long long)chain.next_seq - (chain.next_seq > 0));
    store_list(world.ledger->store, "audit/", chain.has_begun ? after : NULL, false, check_record,
               &chain);
}

static void check_memory(void)
{
    for (size_t i = 0; i < world.ledger->open_count; i++) {
        const struct change *change = world.ledger->open[i];
        json_t *mine = change_encode(change);
        char key[64];
        struct memory_entry *entry;
        json_t *stored;

        (void)snprintf(key, sizeof(key), "change/%s", change->id);
        entry = memory_find(key);
        HOLDS(entry != NULL, "change %s is not stored", change->id);
        stored = json_loadb(entry->bytes, entry->len, 0, NULL);
        HOLDS(json_equal(mine, stored), "change %s: memory and store differ", change->id);
        json_decref(mine);
        json_decref(stored);
    }
}

static void check_boot_pointer(void)
{
    struct revision revision = {0};

    HOLDS(revision_read(world.ledger, world.ledger->boot.rev, &revision), "boot names nothing");
    HOLDS(revision.applied_ms != 0, "boot names revision %llu, which was never confirmed",
          (unsigned long long)world.ledger->boot.rev);
    revision_fini(&revision);
}

#endif
