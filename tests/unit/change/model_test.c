/*
 * model_test - an exhaustive walk: every order of a few moves of several people, of crashes at each
 * commit, of clocks that jump, of policies and people that change meanwhile.
 *
 * An oracle of its own notes who agreed to which digest (model_moves.h).  After each move: what
 * runs is what people agreed to, or was applied by force in a session, or ran before
 * (model_checks.h).
 *
 * States are compared by what matters in them, and walked once (for each depth that is left).
 *
 * Threads  the first
 */
#include "base/log.h"
#include "tests/unit/change/model_checks.h"

/* Moves from each beginning; TWOKEY_MODEL_DEPTH=4 for a walk of some minutes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { DEPTH = 2 };
#else
enum { DEPTH = 3 };
#endif
#define SEEN_ROOM (1u << 17)

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
