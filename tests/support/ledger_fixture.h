/*
 * ledger_fixture - the ledger with a store in memory, and the process and clocks of
 * ledger_process.h.  For unit tests.
 */
#ifndef TESTS_SUPPORT_LEDGER_FIXTURE_H
#define TESTS_SUPPORT_LEDGER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "change/actor.h"
#include "change/internal.h"
#include "change/refusal.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "tests/support/ledger_process.h"
#include "tests/support/memory_store.h"

#define TOKEN_OF(digit) "sha256:" digit digit digit digit digit digit digit digit
#define EIGHT(digit)    digit digit digit digit digit digit digit digit
#define TOKEN(digit)    "\"sha256:" EIGHT(EIGHT(digit)) "\""
#define HUMAN(name, digit, roles)                                                                  \
    "\"" name "\":{\"roles\":[" roles "],\"tokens\":[" TOKEN(digit) "]}"
#define ANN HUMAN("ann", "a", "\"author\",\"operator\",\"approver\"")
#define BOB HUMAN("bob", "b", "\"author\",\"operator\",\"approver\"")
#define CAT HUMAN("cat", "c", "\"author\",\"approver\"")
#define DAN HUMAN("dan", "d", "\"approver\"")
#define EVE HUMAN("eve", "e", "\"author\",\"operator\",\"breakglass\"")
#define CI                                                                                         \
    "\"ci\":{\"kind\":\"service\",\"owner\":\"ann\","                                              \
    "\"roles\":[\"author\",\"operator\"],\"tokens\":[" TOKEN("f") "]}"
#define EVERYBODY ANN "," BOB "," CAT "," DAN "," EVE "," CI
#define POOLS                                                                                      \
    "\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"address\":\"10.0.0.1:80\"},"                      \
    "\"s2\":{\"address\":\"10.0.0.2:80\"},\"s3\":{\"address\":\"10.0.0.3:80\"},"                   \
    "\"s4\":{\"address\":\"10.0.0.4:80\"}},\"health_check\":{}},"                                  \
    "\"blog\":{\"servers\":{\"b1\":{\"address\":\"10.0.1.1:80\"},"                                 \
    "\"b2\":{\"address\":\"10.0.1.2:80\"}},\"health_check\":{}}}"
#define ROUTES                                                                                     \
    "\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}},"                                    \
    "\"routes\":{\"all\":{\"pool\":\"shop\"},\"blog\":{\"path_prefix\":\"/"                        \
    "blog\",\"pool\":\"blog\"}}"
#define CONFIGURATION(policy)                                                                      \
    "{" POOLS "," ROUTES ",\"people\":{" EVERYBODY "},\"policy\":{" policy "}}"
#define ENFORCED "\"mode\":\"enforced\""

/* ---- a configuration that runs ---- */

static struct configuration *world_parse(const char *text)
{
    struct arena *arena = arena_new(4096);
    struct findings findings;
    struct configuration *conf;

    findings_init(&findings, arena);
    conf = ledger_parse(slice_from(text), "test", &findings);
    for (size_t i = 0; conf == NULL && i < findings.count; i++) {
        char line[512];

        finding_text(&findings.items[i], line, sizeof(line));
        print_error("%s\n", line);
    }
    findings_fini(&findings);
    arena_free(&arena);
    assert_non_null(conf);
    return conf;
}

static int64_t world_last_record_ms(void)
{
    size_t at = memory_place("audit0"); /* behind the last of audit/ */

    assert_true(at > 0);
    return audit_line_wall_ms(slice_of(memory.entries[at - 1].bytes, memory.entries[at - 1].len));
}

static void world_open(void)
{
    struct ledger_options options = {.state_directory = world.state_directory != NULL
                                                            ? world.state_directory
                                                            : "/nonexistent/twokey",
                                     .runner = &world_runner,
                                     .clock = &world_clock};
    struct error why = {0};
    int64_t wall_ms = world.wall_ms;

    if (world.opens_quietly)
        world.wall_ms = world_last_record_ms();
    world.ledger = ledger_open(&options, &why);
    world.wall_ms = wall_ms;
    if (world.ledger == NULL)
        fail_msg("%s", why.text);
}

/* As if `text` had been applied long ago: the next revision, and all pointers on it. */
static void run_configuration(const char *text)
{
    struct ledger *ledger = world.ledger;
    struct actor system = actor_system("test");
    struct revision revision = {.rev = ++ledger->newest_rev, .created_ms = world.wall_ms};
    struct step step;

    config_free(&world.running);
    world.running = world_parse(text);
    step_begin(&step, ledger, &system);
    step_put_blob(&step, slice_of(world.running->canonical, world.running->canonical_bytes),
                  revision.digest);
    revision_write(&step, &revision);
    pointer_put(&step, "running", &ledger->running, revision.rev, revision.digest);
    pointer_put(&step, "boot", &ledger->boot, revision.rev, revision.digest);
    assert_true(step_commit(&step, &world.refusal));
    pointer_load(ledger, "running", &ledger->running);
    pointer_load(ledger, "boot", &ledger->boot);
    world.generation++;
}

static __attribute__((unused)) void world_begin(const char *text)
{
    memory_clear(&memory);
    memory_fails = false;
    world.wall_ms = 1795341600000; /* 2026-11-22, a Sunday */
    world.boot_ms = 1000000;
    world_open();
    run_configuration(text);
}

static void world_close(void)
{
    if (world.ledger != NULL)
        ledger_close(&world.ledger);
}

static void world_end(void)
{
    memory_fails = false;
    world_close();
    config_free(&world.running);
    config_free(&world.tried);
    refusal_clear(&world.refusal);
    json_decref(world.answer);
    memory_clear(&memory);
    memset(&world, 0, sizeof(world));
}

/* cmocka's setup and teardown of tests that begin with everybody in mode enforced. */
static __attribute__((unused)) int begin_enforced(void **state)
{
    (void)state;
    world_begin(CONFIGURATION(ENFORCED));
    return 0;
}

static __attribute__((unused)) int end_enforced(void **state)
{
    (void)state;
    world_end();
    return 0;
}

/* kill -9, and a start. */
static __attribute__((unused)) void world_restart(void)
{
    world_close();
    config_free(&world.tried); /* with the process */
    world.percent = 0;
    world_open();
}

/* ---- people and calls ---- */

static struct actor who(const char *name)
{
    struct actor actor = {.person = name,
                          .principal = "token:test",
                          .auth = "token",
                          .source = "127.0.0.1",
                          .request = "test",
                          .uid = -1};

    for (size_t i = 0; i < world.running->person_count; i++) {
        const struct conf_person *person = &world.running->people[i];

        if (strcmp(person->name, name) != 0)
            continue;
        actor.roles = person->is_disabled ? 0 : person->roles;
        actor.is_human = person->kind == PERSON_HUMAN;
    }
    return actor;
}

static __attribute__((unused)) struct actor on_socket(const char *name)
{
    struct actor actor = who(name);

    actor.is_on_socket = true;
    actor.uid = 1000;
    return actor;
}

static void fresh_answer(void)
{
    refusal_clear(&world.refusal);
    json_decref(world.answer);
    world.answer = NULL;
}

/* The refusal's problem, or "" when it was done. */
static const char *problem(void)
{
    return world.refusal.problem != NULL ? world.refusal.problem : "";
}

static const char *said(const char *key)
{
    const char *text = json_string_value(json_object_get(world.answer, key));

    return text != NULL ? text : "";
}

static const char *create_as(struct actor actor, const char *body, bool is_submitted)
{
    struct create_options options = {.is_submitted = is_submitted};
    json_t *request = json_loads(body, 0, NULL);

    assert_non_null(request);
    fresh_answer();
    (void)ledger_create(world.ledger, &actor, request, &options, &world.answer, &world.refusal);
    json_decref(request);
    return said("id");
}

/* A change of ann's: a weight of one server of shop. */
static __attribute__((unused)) void propose(const char *person, const char *patch, bool submitted,
                                            char id_out[CHANGE_ID_TEXT])
{
    char body[2048];

    (void)snprintf(body, sizeof(body), "{\"title\":\"t\",\"reason\":\"r\",\"patch\":%s}", patch);
    (void)snprintf(id_out, CHANGE_ID_TEXT, "%s", create_as(who(person), body, submitted));
    if (id_out[0] == '\0')
        print_error("refused: %s: %s\n", problem(), world.refusal.detail);
    assert_string_not_equal(id_out, "");
}

static const struct change *change_now(const char *id)
{
    const struct change *change = ledger_find(world.ledger, id);

    assert_non_null(change);
    return change;
}

static __attribute__((unused)) const char *state_of(const char *id)
{
    return change_state_word(change_now(id)->state);
}

static const char *decide_with(const char *person, const char *id, const char *digest, bool is_veto,
                               const char *comment)
{
    struct decision_request decision = {.digest = digest, .is_veto = is_veto, .comment = comment};
    struct actor actor = who(person);

    fresh_answer();
    (void)ledger_decide(world.ledger, &actor, id, &decision, &world.answer, &world.refusal);
    return problem();
}

/* Returns the problem, "" for none. */
static __attribute__((unused)) const char *approve(const char *person, const char *id)
{
    char digest[DIGEST_TEXT];

    (void)snprintf(digest, sizeof(digest), "%s", change_now(id)->digest);
    return decide_with(person, id, digest, false, "looked at it");
}

typedef bool ledger_call_fn(struct ledger *, const struct actor *, const char *, json_t **,
                            struct refusal *);

static __attribute__((unused)) const char *call(ledger_call_fn *function, const char *person,
                                                const char *id)
{
    struct actor actor = who(person);

    fresh_answer();
    (void)function(world.ledger, &actor, id, &world.answer, &world.refusal);
    return problem();
}

static __attribute__((unused)) const char *edit_as(const char *person, const char *id,
                                                   const char *etag, const char *body)
{
    json_t *request = json_loads(body, 0, NULL);
    struct actor actor = who(person);

    assert_non_null(request);
    fresh_answer();
    (void)ledger_edit(world.ledger, &actor, id, request, false, etag, &world.answer,
                      &world.refusal);
    json_decref(request);
    return problem();
}

/* The guards of apply alone. */
static __attribute__((unused)) const char *may_apply(const char *person, const char *id)
{
    struct actor actor = who(person);
    struct change *change = ledger_open_change(world.ledger, id);

    assert_non_null(change);
    fresh_answer();
    (void)change_guard_apply(world.ledger, &actor, change, &world.refusal);
    return problem();
}

#endif
