/*
 * model_test - an exhaustive walk: every order of a few moves of several people, of crashes at each
 * commit, of clocks that jump, of policies and people that change meanwhile.
 *
 * An oracle of its own notes who agreed to which digest.  After each move: what runs is what people
 * agreed to, or was applied by force in a session, or ran before; the audit chain verifies, and
 * tells no move but those of the table; memory and store say the same.
 *
 * States are compared by what matters in them, and walked once (for each depth that is left).
 *
 * Threads  the first
 */
#include "base/log.h"
#include "change/activity.h"
#include "change/audit.h"
#include "tests/support/ledger_fixture.h"

/* Moves from each beginning; TWOKEY_MODEL_DEPTH=4 for a walk of some minutes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { DEPTH = 2, DEPTH_MAX = 8 };
#else
enum { DEPTH = 3, DEPTH_MAX = 8 };
#endif
enum { BEGINNING_MAX = 4 };
#define SEEN_ROOM (1u << 17)
#define MINUTE_MS (60 * 1000)
#define HOUR_MS   (60 * MINUTE_MS)

/* ---- what the oracle knows ---- */

enum { AGREED_MAX = 48, RAN_MAX = 24, CHANGES = 2 };

struct agreed {
    char person[8];
    char change[CHANGE_ID_TEXT];
    char digest[DIGEST_TEXT];
};

static struct oracle {
    struct agreed agreed[AGREED_MAX];
    size_t agreed_count;
    char ran[RAN_MAX][DIGEST_TEXT]; /* ran rightly, at some time */
    size_t ran_count;
    char ids[CHANGES][CHANGE_ID_TEXT]; /* A of ann, B of bob */
    bool edited[CHANGES];
    bool forced; /* a session was opened */
} oracle;

static struct {
    uint64_t states;
    uint64_t moves;
    uint64_t applied;
    uint64_t forced;
    uint64_t refused;
} seen_counts;

static const char *const authors[CHANGES] = {"ann", "bob"};

/* ---- configurations ---- */

#define PEOPLE_OF(bob)                                                                             \
    HUMAN("ann", "a", ALL_ROLES)                                                                   \
    "," bob "," HUMAN("cat", "c", ALL_ROLES) "," HUMAN("dan", "d", "\"approver\"") "," HUMAN(      \
        "eve", "e", "\"author\",\"operator\",\"breakglass\"")
#define ALL_ROLES "\"author\",\"operator\",\"approver\""
#define FIRST                                                                                      \
    "{" POOLS "," ROUTES ",\"people\":{" PEOPLE_OF(                                                \
        HUMAN("bob", "b",                                                                          \
              ALL_ROLES)) "},"                                                                     \
                          "\"policy\":{\"mode\":\"enforced\",\"confirm\":{\"min_bake\":\"1s\"}}}"

static const char *const patches[CHANGES][2] = {
    {"{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":90}}}}}",
     "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":95}}}}}"},
    {"{\"pools\":{\"shop\":{\"servers\":{\"s2\":{\"weight\":90}}}}}",
     "{\"pools\":{\"shop\":{\"servers\":{\"s2\":{\"weight\":95}}}}}"},
};

/* ---- calls, noted by the oracle ---- */

static bool model_approve(const char *person, const char *id)
{
    struct agreed *agreed = &oracle.agreed[oracle.agreed_count];
    const struct change *change = change_now(id);
    char digest[DIGEST_TEXT];

    memcpy(digest, change->digest, sizeof(digest));
    if (strcmp(decide_with(person, id, digest, false, "read"), "") != 0)
        return false;
    assert_true(oracle.agreed_count < AGREED_MAX);
    (void)snprintf(agreed->person, sizeof(agreed->person), "%s", person);
    (void)snprintf(agreed->change, sizeof(agreed->change), "%s", id);
    memcpy(agreed->digest, digest, sizeof(digest));
    oracle.agreed_count++;
    return true;
}

static void model_retract(const char *person, const char *id)
{
    struct actor actor = who(person);

    fresh_answer();
    if (!ledger_retract(world.ledger, &actor, id, person, &world.answer, &world.refusal))
        return;
    for (size_t i = 0; i < oracle.agreed_count; i++) {
        if (strcmp(oracle.agreed[i].person, person) == 0 &&
            strcmp(oracle.agreed[i].change, id) == 0)
            oracle.agreed[i].person[0] = '\0';
    }
}

static void done_note(void *context, json_t *answer, const struct refusal *refusal)
{
    bool *is_done = context;

    *is_done = refusal == NULL;
    json_decref(answer);
}

static bool model_apply(struct actor actor, const char *id)
{
    bool is_done = false;

    ledger_apply(world.ledger, &actor, id, NULL, done_note, &is_done);
    return is_done;
}

static bool model_confirm(const char *person)
{
    char id[CHANGE_ID_TEXT];
    struct actor actor = who(person);

    if (!world.ledger->pending.is_set)
        return false;
    memcpy(id, world.ledger->pending.change, sizeof(id));
    pass_ms(2000);
    fresh_answer();
    return ledger_confirm(world.ledger, &actor, id, &world.answer, &world.refusal);
}

static void boot(void)
{
    struct ledger_boot boot;
    struct error why = {0};
    char *text;

    memory_fails = false;
    memory_commits_left = -1;
    ledger_close(&world.ledger);
    world_open();
    if (!ledger_choose_boot(world.ledger, &boot, &why))
        fail_msg("%s", why.text);
    assert_false(boot.is_violated);
    config_free(&world.running);
    text = xmalloc(boot.bytes.len + 1);
    (void)slice_copy(boot.bytes, text, boot.bytes.len + 1);
    world.running = world_parse(text);
    xfree(text);
    ledger_started(world.ledger, boot.rev);
}

static struct actor on_socket(const char *name)
{
    struct actor actor = who(name);

    actor.is_on_socket = true;
    actor.uid = 0;
    return actor;
}

/* A change of eve's goes the whole way, when nothing stands in it. */
static void whole_way(const char *patch)
{
    char body[512];
    char id[CHANGE_ID_TEXT];
    struct actor eve = who("eve");

    (void)snprintf(body, sizeof(body), "{\"title\":\"t\",\"reason\":\"r\",\"patch\":%s}", patch);
    (void)snprintf(id, sizeof(id), "%s", create_as(who("eve"), body, true));
    if (id[0] == '\0')
        return;
    (void)model_approve("cat", id);
    (void)model_approve("dan", id);
    if (model_apply(who("eve"), id) && model_confirm("ann"))
        return;
    fresh_answer();
    (void)ledger_withdraw(world.ledger, &eve, id, NULL, &world.answer, &world.refusal);
}

/* ---- the moves ---- */

static void edit(size_t which)
{
    char body[512];
    const struct change *change = change_now(oracle.ids[which]);
    char etag[DIGEST_TEXT];

    oracle.edited[which] = !oracle.edited[which];
    (void)snprintf(body, sizeof(body), "{\"patch\":%s}", patches[which][oracle.edited[which]]);
    memcpy(etag, change->etag, sizeof(etag));
    if (strcmp(edit_as(authors[which], oracle.ids[which], etag, body), "") != 0)
        oracle.edited[which] = !oracle.edited[which];
    else
        (void)call(ledger_submit, authors[which], oracle.ids[which]);
}

static void rebase(size_t which)
{
    (void)call(ledger_rebase, authors[which], oracle.ids[which]);
    (void)call(ledger_submit, authors[which], oracle.ids[which]);
}

static void apply_and_crash(size_t which, int commits)
{
    memory_commits_left = commits;
    (void)model_apply(who("cat"), oracle.ids[which]);
    boot();
}

/* The disk is full from that commit on, for a while. */
static void apply_on_full_disk(size_t which, int commits)
{
    memory_commits_left = commits;
    (void)model_apply(who("cat"), oracle.ids[which]);
    memory_fails = false;
    memory_commits_left = -1;
    for (int i = 0; i < 3; i++) {
        pass_ms(6000);
        ledger_tick(world.ledger);
    }
}

static void confirm_and_crash(void)
{
    memory_commits_left = 1;
    (void)model_confirm("cat");
    boot();
}

static void force(size_t which)
{
    struct actor eve = on_socket("eve");
    char session[CHANGE_ID_TEXT];

    if (!breakglass_is_open(world.ledger, &eve, session, sizeof(session))) {
        fresh_answer();
        if (!ledger_breakglass(world.ledger, &eve, "all is down", "INC-1", &world.answer,
                               &world.refusal))
            return;
    }
    oracle.forced = true;
    (void)model_apply(eve, oracle.ids[which]);
}

static void cancel(void)
{
    struct actor ann = who("ann");
    char id[CHANGE_ID_TEXT];
    bool is_done;

    memcpy(id, world.ledger->pending.change, sizeof(id));
    if (world.ledger->pending.is_set)
        ledger_cancel(world.ledger, &ann, id, "no", done_note, &is_done);
}

static void roll_back(void)
{
    struct actor ann = who("ann");
    bool is_done;

    ledger_rollback(world.ledger, &ann, "previous", "bad", done_note, &is_done);
}

static void gate_reads(enum gate_word word, unsigned times)
{
    struct gate_readings readings = {0};

    for (unsigned i = 0; i < GATE_INPUTS; i++)
        readings.inputs[i].word = i == GATE_ERRORS ? word : GATE_PASS;
    for (unsigned i = 0; i < times && world.ledger->pending.is_set; i++) {
        pass_ms(GATE_TICK_MS);
        ledger_gate_tick(world.ledger, &readings);
    }
}

static void veto(size_t which)
{
    char digest[DIGEST_TEXT];

    memcpy(digest, change_now(oracle.ids[which])->digest, sizeof(digest));
    (void)decide_with("cat", oracle.ids[which], digest, true, "no");
}

#define MOVES(MOVE)                                                                                \
    MOVE("ann edits A", edit(0))                                                                   \
    MOVE("bob edits B", edit(1))                                                                   \
    MOVE("bob approves A", (void)model_approve("bob", oracle.ids[0]))                              \
    MOVE("cat approves A", (void)model_approve("cat", oracle.ids[0]))                              \
    MOVE("ann approves A", (void)model_approve("ann", oracle.ids[0]))                              \
    MOVE("ann approves B", (void)model_approve("ann", oracle.ids[1]))                              \
    MOVE("cat takes back", model_retract("cat", oracle.ids[0]))                                    \
    MOVE("cat vetoes A", veto(0))                                                                  \
    MOVE("A is applied", (void)model_apply(who("cat"), oracle.ids[0]))                             \
    MOVE("B is applied", (void)model_apply(who("ann"), oracle.ids[1]))                             \
    MOVE("A crashes after INTENT", apply_and_crash(0, 1))                                          \
    MOVE("A crashes after PREPARED", apply_and_crash(0, 2))                                        \
    MOVE("A crashes after ARMED", apply_and_crash(0, 3))                                           \
    MOVE("A meets a full disk", apply_on_full_disk(0, 0))                                          \
    MOVE("A meets a full disk after INTENT", apply_on_full_disk(0, 1))                             \
    MOVE("A meets a full disk after ARMED", apply_on_full_disk(0, 3))                              \
    MOVE("it is confirmed", (void)model_confirm("cat"))                                            \
    MOVE("it crashes after CONFIRMED", confirm_and_crash())                                        \
    MOVE("it is cancelled", cancel())                                                              \
    MOVE("the deadline", (pass_ms(11 * MINUTE_MS), ledger_tick(world.ledger)))                     \
    MOVE("the gate fails once", gate_reads(GATE_FAIL, 1))                                          \
    MOVE("the gate fails", gate_reads(GATE_FAIL, GATE_FAILS))                                      \
    MOVE("a rollback", roll_back())                                                                \
    MOVE("A is rebased", rebase(0))                                                                \
    MOVE("B is rebased", rebase(1))                                                                \
    MOVE("another change",                                                                         \
         whole_way("{\"pools\":{\"blog\":{\"servers\":{\"b1\":{\"weight\":70}}}}}"))               \
    MOVE("a stricter policy", whole_way("{\"policy\":{\"approvals\":{\"normal\":2}}}"))            \
    MOVE("a weaker policy", whole_way("{\"policy\":{\"approvals\":{\"normal\":0}}}"))              \
    MOVE("bob is disabled", whole_way("{\"people\":{\"bob\":{\"disabled\":true}}}"))               \
    MOVE("a crash", boot())                                                                        \
    MOVE("a crash, and the clock goes back", (world.wall_ms -= HOUR_MS, boot()))                   \
    MOVE("the clock goes back", (world.wall_ms -= HOUR_MS, ledger_tick(world.ledger)))             \
    MOVE("five hours", (pass_ms(5 * HOUR_MS), ledger_tick(world.ledger)))                          \
    MOVE("eve forces A", force(0))

#define AS_WORDS(words, action) words,
static const char *const move_words[] = {MOVES(AS_WORDS)};
enum { MOVE_COUNT = sizeof(move_words) / sizeof(move_words[0]) };

static void make_move(size_t move)
{
    size_t at = 0;

#define AS_CALL(words, action)                                                                     \
    if (at++ == move) {                                                                            \
        action;                                                                                    \
        return;                                                                                    \
    }
    MOVES(AS_CALL)
}

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

/* ---- states ---- */

static void add_change_key(struct buffer *key, const char *id)
{
    const struct change *change = change_now(id);
    const char *people[] = {"ann", "bob", "cat", "dan"};
    int64_t left = ledger_expires_in_ms(world.ledger, change);

    buffer_printf(key, "|%s %s %d %u %u %u %d", change_state_word(change->state),
                  change->target_digest + 60, change->base_rev == world.ledger->running.rev,
                  change->class, change->required, change->failures, change->is_forced);
    for (size_t i = 0; i < 4; i++)
        buffer_printf(key, "%d", change_decision_of(change, people[i]) != NULL);
    buffer_printf(key, "%lld", left == INT64_MAX ? -1LL : (long long)(left / MINUTE_MS / 10));
}

static uint64_t state_key(void)
{
    struct ledger *ledger = world.ledger;
    struct revision previous = {0};
    struct buffer key;
    struct digest digest;
    uint64_t number;

    buffer_init(&key);
    (void)revision_read(ledger, ledger->previous.rev, &previous);
    buffer_printf(&key, "%s %d %d %d %s %d %d %d", world.running->digest, ledger->pending.is_set,
                  ledger->pending.is_confirmed, ledger->boot.rev == ledger->running.rev,
                  previous.digest,
                  ledger->session[0] != '\0' && world.boot_ms < ledger->session_until_boot_ms,
                  ledger->clock_jumped, oracle.forced);
    if (ledger->pending.is_set)
        buffer_printf(&key, " %d %u", gate_now(ledger), ledger->gate.inputs[GATE_ERRORS].fails);
    revision_fini(&previous);
    for (size_t i = 0; i < CHANGES; i++)
        add_change_key(&key, oracle.ids[i]);
    digest = digest_of(buffer_slice(&key));
    memcpy(&number, digest.bytes, sizeof(number));
    buffer_fini(&key);
    return number | 1;
}

static struct {
    uint64_t key;
    unsigned char left; /* moves that were still to be made from there */
} seen[SEEN_ROOM];

/* True when it is new, or was seen with fewer moves left. */
static bool is_new(uint64_t key, unsigned left)
{
    size_t at = key % SEEN_ROOM;

    while (seen[at].key != 0 && seen[at].key != key)
        at = (at + 1) % SEEN_ROOM;
    if (seen[at].key == key && seen[at].left >= left)
        return false;
    if (seen[at].key == 0)
        seen_counts.states++;
    assert_true(seen_counts.states < SEEN_ROOM / 2);
    seen[at].key = key;
    seen[at].left = (unsigned char)left;
    return true;
}

/* ---- going back to a state ---- */

struct moment {
    struct memory_image image;
    struct oracle oracle;
    struct audit_verifier chain;
    char *conf;
    int64_t wall_ms;
    uint64_t boot_ms;
    uint64_t generation;
    struct pending_confirm pending;
    struct serving serving;
    struct gate gate;
    struct revision_pointer running;
    char session[CHANGE_ID_TEXT];
    uint64_t session_until_boot_ms;
    bool clock_jumped;
    int64_t anchors[CHANGES][3];
    size_t path_length;
};

static void keep_moment(struct moment *moment)
{
    const struct ledger *ledger = world.ledger;

    *moment = (struct moment){
        .image = memory_save(),
        .oracle = oracle,
        .chain = chain,
        .conf = xstrdup(world.running->canonical),
        .wall_ms = world.wall_ms,
        .boot_ms = world.boot_ms,
        .generation = world.generation,
        .pending = ledger->pending,
        .serving = ledger->serving,
        .gate = ledger->gate,
        .running = ledger->running,
        .session_until_boot_ms = ledger->session_until_boot_ms,
        .clock_jumped = ledger->clock_jumped,
        .path_length = path_length,
    };
    HOLDS(ledger->activity == NULL && ledger->serving.undurable == NULL, "something is under way");
    moment->serving.alerts = NULL;
    moment->gate.changed = moment->gate.prediction = NULL; /* for who takes readings */
    memcpy(moment->session, ledger->session, sizeof(moment->session));
    for (size_t i = 0; i < CHANGES; i++) {
        const struct change *change = change_now(oracle.ids[i]);

        moment->anchors[i][0] = change->submitted_boot_ms;
        moment->anchors[i][1] = change->approved_boot_ms;
        moment->anchors[i][2] = change->not_after_boot_ms;
    }
}

static struct memory_image image_copy(const struct memory_image *image)
{
    struct memory_image kept = memory;
    struct memory_image copy;

    memory = *image;
    copy = memory_save();
    memory = kept;
    return copy;
}

/* No crash: what only memory knew is there again. */
static void return_to(const struct moment *moment)
{
    struct memory_image image = image_copy(&moment->image);
    struct ledger *ledger;

    ledger_close(&world.ledger);
    memory_restore(&image);
    memory_fails = false;
    memory_commits_left = -1;
    if (strcmp(world.running->canonical, moment->conf) != 0) {
        config_free(&world.running);
        world.running = world_parse(moment->conf);
    }
    chain = moment->chain;
    world.wall_ms = moment->wall_ms;
    world.boot_ms = moment->boot_ms;
    world.generation = moment->generation;
    oracle = moment->oracle;
    path_length = moment->path_length;
    world.ledger = NULL;
    world.opens_quietly = true; /* no clock has jumped */
    world_open();
    world.opens_quietly = false;
    ledger = world.ledger;
    ledger->pending = moment->pending;
    ledger->serving = moment->serving;
    ledger->gate = moment->gate;
    ledger->running = moment->running;
    ledger->session_until_boot_ms = moment->session_until_boot_ms;
    ledger->clock_jumped = moment->clock_jumped;
    memcpy(ledger->session, moment->session, sizeof(ledger->session));
    xfree(ledger->session_person);
    ledger->session_person = NULL;
    if (ledger->session[0] != '\0')
        ledger->session_person = xstrdup("eve");
    (void)snprintf(ledger->considered, sizeof(ledger->considered), "%s", world.running->digest);
    for (size_t i = 0; i < CHANGES; i++) {
        struct change *change = ledger_open_change(ledger, oracle.ids[i]);

        if (change == NULL)
            continue;
        change->submitted_boot_ms = moment->anchors[i][0];
        change->approved_boot_ms = moment->anchors[i][1];
        change->not_after_boot_ms = moment->anchors[i][2];
    }
}

static void forget_moment(struct moment *moment)
{
    memory_clear(&moment->image);
    xfree(moment->conf);
}

/* Nothing was written, and no time has passed: what was asked for was refused. */
static bool is_there(const struct moment *moment)
{
    return memory.transactions == moment->image.transactions && world.wall_ms == moment->wall_ms &&
           world.boot_ms == moment->boot_ms && world.generation == moment->generation;
}

static void walk(unsigned left)
{
    struct moment here;
    struct configuration *before;

    if (left == 0 || !is_new(state_key(), left))
        return;
    keep_moment(&here);
    before = world_parse(here.conf);
    for (size_t move = 0; move < MOVE_COUNT; move++) {
        uint64_t rev;

        if (move > 0 && !is_there(&here))
            return_to(&here);
        rev = world.ledger->running.rev;
        path_length = here.path_length;
        path[path_length++] = move;
        make_move(move);
        seen_counts.moves++;
        check_running(before, rev);
        check_chain();
        check_memory();
        check_boot_pointer();
        if (!is_there(&here))
            walk(left - 1);
    }
    config_free(&before);
    forget_moment(&here);
}

/* Where something is about to happen. */
static const char *const beginnings[][BEGINNING_MAX] = {
    {NULL},
    {"cat approves A", "ann approves B"},
    {"cat approves A", "A is applied"},
    {"cat approves A", "A is applied", "it is confirmed", "ann approves B"},
    {"bob approves A", "cat approves A", "another change"},
    {"cat approves A", "a stricter policy", "A is rebased"},
    {"bob approves A", "bob is disabled"},
    {"eve forces A", "ann approves B"},
    {"cat approves A", "A crashes after ARMED", "ann approves B"},
    {"cat approves A", "A is applied", "it is confirmed", "another change"},
    {"cat approves A", "A is applied", "the clock goes back"},
};

static void begin_with(const char *const *words)
{
    for (size_t i = 0; i < BEGINNING_MAX && words[i] != NULL; i++) {
        struct configuration *before = world_parse(world.running->canonical);
        uint64_t rev = world.ledger->running.rev;
        size_t move = 0;

        while (move < MOVE_COUNT && strcmp(move_words[move], words[i]) != 0)
            move++;
        assert_true(move < MOVE_COUNT);
        path[path_length++] = move;
        make_move(move);
        check_running(before, rev);
        check_chain();
        check_memory();
        config_free(&before);
    }
}

static unsigned depth(void)
{
    const char *wanted = getenv("TWOKEY_MODEL_DEPTH");

    return wanted != NULL && wanted[0] >= '1' && wanted[0] <= '0' + DEPTH_MAX
               ? (unsigned)(wanted[0] - '0')
               : DEPTH;
}

static void nothing_runs_that_was_not_agreed_to(void **state)
{
    struct actor system = actor_system("test");
    struct moment first;

    (void)state;
    log_set_level((enum log_level)(LOG_ERROR + 1)); /* full disks are meant */
    memory_clear(&memory);
    world.wall_ms = 1795341600000;
    world.boot_ms = 100 * HOUR_MS;
    world_open();
    world.running = world_parse(FIRST);
    assert_true(
        ledger_adopt(world.ledger, &system, world.running, "revision.imported", &world.refusal));
    ledger_started(world.ledger, 1);
    memcpy(oracle.ran[oracle.ran_count++], world.running->digest, DIGEST_TEXT);
    for (size_t i = 0; i < CHANGES; i++)
        propose(authors[i], patches[i][0], true, oracle.ids[i]);
    keep_moment(&first);
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        return_to(&first);
        begin_with(beginnings[i]);
        walk(depth());
    }
    forget_moment(&first);
    print_message("%llu states, %llu moves, %llu times applied, %llu times by force\n",
                  (unsigned long long)seen_counts.states, (unsigned long long)seen_counts.moves,
                  (unsigned long long)seen_counts.applied, (unsigned long long)seen_counts.forced);
    assert_true(seen_counts.applied > 0);
    assert_true(seen_counts.forced > 0);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_runs_that_was_not_agreed_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
