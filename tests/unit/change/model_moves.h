/*
 * model_moves - the moves of model_test's walk: what people do with two changes, what crashes and
 * clocks do to it, and what its oracle notes of it.
 */
#ifndef TESTS_UNIT_CHANGE_MODEL_MOVES_H
#define TESTS_UNIT_CHANGE_MODEL_MOVES_H

#include "change/activity.h"
#include "tests/support/ledger_fixture.h"

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

#endif
