/*
 * Fuzzes the admin API with the ledger behind it: sequences of calls by several people against a
 * store in memory.  Every call must be answered with a status, a JSON answer must be JSON, the
 * audit chain must verify, and what runs must be what started or a change that another person
 * approved.
 *
 * Input: calls, separated by the byte 0x1e.  A call is
 *
 *   person METHOD target      "@person": over the Unix socket; "-": nobody; "+3600000": so many
 *   If-Match: …               milliseconds pass
 *   Idempotency-Key: …
 *   (an empty line)
 *   body
 *
 * $I, $E, $D and $S stand for the id, etag and digest of the change that was answered last, and for
 * the last break-glass session.  ADMIN_CALL_TRACE=1 shows what an input does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/wait.h"
#include "change/audit.h"
#include "change/internal.h"
#include "change/ledger.h"
#include "change/refusal.h"
#include "tests/support/admin_fixture.h"
#include "tests/support/ledger_process.h"
#include "tests/support/memory_store.h"

enum { CALLS = 24, SETTLES = 40, LEARNT = 128 };

#define A43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* The hashes are those of tk_<person>_ and 43 times A. */
static const char configuration[] =
    "{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}},"
    "\"pools\":{\"app\":{\"servers\":{\"s1\":{\"address\":\"127.0.0.1:1\"},"
    "\"s2\":{\"address\":\"127.0.0.1:2\"}}}},"
    "\"routes\":{\"everything\":{\"pool\":\"app\"}},"
    "\"people\":{"
    "\"ann\":{\"roles\":[\"author\",\"operator\",\"approver\"],\"tokens\":[\"@ann\"]},"
    "\"bob\":{\"roles\":[\"author\",\"operator\",\"approver\"],\"tokens\":[\"@bob\"]},"
    "\"cat\":{\"roles\":[\"viewer\",\"approver\",\"auditor\"],\"tokens\":[\"@cat\"]},"
    "\"dan\":{\"roles\":[\"author\",\"approver\",\"breakglass\"],\"tokens\":[\"@dan\"]},"
    "\"ci\":{\"kind\":\"service\",\"owner\":\"ann\",\"roles\":[\"author\",\"operator\"],"
    "\"tokens\":[\"@ci\"]}},"
    "\"policy\":{\"mode\":\"enforced\",\"confirm\":{\"min_bake\":\"0s\"}}}";

/* The fixture lives as long as the fuzzer. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:fixture_open\n";
}

/* What the answers told. */
static struct {
    char id[LEARNT], etag[LEARNT], digest[LEARNT], session[LEARNT];
} told;

/* ---- one world an input ---- */

static const char *token_of(struct arena *arena, struct slice person)
{
    return arena_printf(arena, "tk_%.*s_" A43, SLICE_ARGS(person));
}

/* `configuration` with "@person" replaced by the hash of his token. */
static const char *with_hashes(struct arena *arena)
{
    struct buffer out;
    const char *at = configuration, *mark;
    const char *text;

    buffer_init(&out);
    for (; (mark = strchr(at, '@')) != NULL; at = strchr(mark, '"')) {
        size_t len = (size_t)(strchr(mark, '"') - mark) - 1;
        char digest[DIGEST_TEXT];
        struct digest hash = digest_of(slice_from(token_of(arena, slice_of(mark + 1, len))));
        buffer_append(&out, at, (size_t)(mark - at));
        buffer_append_slice(&out, slice_from(digest_text(&hash, digest)));
    }
    buffer_append_slice(&out, slice_from(at));
    text = arena_strdup(arena, buffer_text(&out));
    buffer_fini(&out);
    return text;
}

static void world_open(void)
{
    struct ledger_options options = {
        .state_directory = "/nonexistent/twokey", .runner = &world_runner, .clock = &world_clock};
    struct actor system = actor_system("fuzz");
    struct refusal refusal = {0};
    struct error why = {0};

    memset(&world, 0, sizeof(world));
    memset(&told, 0, sizeof(told));
    memory_clear(&memory);
    world.wall_ms = 1795341600000;
    world.boot_ms = 1000000;
    world.ledger = ledger_open(&options, &why);
    CHECK(world.ledger != NULL);
    world.running = fixture_configuration(with_hashes(fixture.arena));
    CHECK(ledger_adopt(world.ledger, &system, world.running, "revision.imported", &refusal));
    ledger_started(world.ledger, 1);
    fixture.admin.options.ledger = world.ledger;
    memset(&fixture.admin.pace, 0, sizeof(fixture.admin.pace));
    memset(&fixture.admin.failures, 0, sizeof(fixture.admin.failures));
}

static void world_close(void)
{
    ledger_close(&world.ledger);
    config_free(&world.running);
    config_free(&world.tried);
    memory_clear(&memory);
    arena_free(&fixture.arena);
    fixture.arena = arena_new(4096);
}

/* ---- what must hold ---- */

static bool verify_line(void *context, const char *key, struct slice value, uint64_t version)
{
    struct error why = {0};

    (void)key;
    (void)version;
    if (!audit_verify_line(context, value, &why))
        panic("%s", why.text);
    return true;
}

/* As many people as were asked for, none of them a contributor or a service, agreed to these bytes.
 */
static bool has_approvals(const char *id)
{
    const struct change *change = ledger_find(world.ledger, id);
    size_t count = 0;

    if (change == NULL)
        return false;
    for (size_t i = 0; i < change->decision_count; i++)
        count += !change->decisions[i].is_veto && strcmp(change->decisions[i].person, "ci") != 0 &&
                 !change_has_contributor(change, change->decisions[i].person) &&
                 strcmp(change->decisions[i].digest, change->digest) == 0;
    return change->is_forced || count >= change->required;
}

/* What runs came with the start, by going back, or by a change that somebody else approved. */
static void check_world(void)
{
    struct audit_verifier verifier = {0};
    struct refusal refusal = {0};
    json_t *revision = NULL;
    const char *change;

    store_list(ledger_store(world.ledger), "audit/", NULL, false, verify_line, &verifier);
    CHECK(verifier.next_seq == audit_head(ledger_audit(world.ledger)).seq + 1);
    CHECK(ledger_revision(world.ledger, "running", &revision, &refusal));
    change = json_string_value(json_object_get(revision, "change"));
    CHECK(change == NULL || has_approvals(change));
    json_decref(revision);
}

/* ---- calls ---- */

static struct slice next_line(struct slice *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
    struct slice line = slice_of(rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len);

    *rest = slice_after(*rest, end != NULL ? line.len + 1 : line.len);
    return line;
}

static struct slice next_word(struct slice *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->at, ' ', rest->len) : NULL;
    struct slice word = slice_of(rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len);

    *rest = slice_after(*rest, end != NULL ? word.len + 1 : word.len);
    return word;
}

static const char *learnt(char letter)
{
    switch (letter) {
    case 'I': return told.id;
    case 'E': return told.etag;
    case 'D': return told.digest;
    case 'S': return told.session;
    default: return NULL;
    }
}

static struct slice filled_in(struct arena *arena, struct slice text)
{
    struct buffer out;
    struct slice copy;

    buffer_init(&out);
    for (size_t i = 0; i < text.len; i++) {
        const char *known = text.at[i] == '$' && i + 1 < text.len ? learnt(text.at[i + 1]) : NULL;
        if (known != NULL)
            buffer_append_slice(&out, slice_from(known));
        else
            buffer_append(&out, &text.at[i], 1);
        i += known != NULL;
    }
    copy = arena_slice(arena, buffer_slice(&out));
    buffer_fini(&out);
    return copy;
}

static void learn(const json_t *answer, const char *name, char out[LEARNT])
{
    const char *text = json_string_value(json_object_get(answer, name));

    if (text != NULL)
        slice_copy(slice_from(text), out, LEARNT);
}

static void check_answer(const struct call *call)
{
    struct slice body = buffer_slice(&call->reply.body);
    const char *id;
    json_t *json;

    CHECK(call->reply.is_ready);
    CHECK(call->reply.status >= 200 && call->reply.status < 600);
    if (call->reply.content_type == NULL || strstr(call->reply.content_type, "json") == NULL)
        return;
    json = json_loadb(body.at, body.len, JSON_DECODE_ANY, NULL);
    CHECK(json != NULL);
    id = json_string_value(json_object_get(json, "id"));
    if (id != NULL && strncmp(id, "chg_", 4) == 0) {
        learn(json, "id", told.id);
        learn(json, "etag", told.etag);
        learn(json, "digest", told.digest);
    } else {
        learn(json, "id", told.session);
    }
    json_decref(json);
}

static void trace(const struct call *call)
{
    if (getenv("ADMIN_CALL_TRACE") != NULL)
        fprintf(stderr, "%.*s %.*s -> %u %.*s\n", SLICE_ARGS(call->method),
                SLICE_ARGS(call->target), call->reply.status,
                (int)(buffer_length(&call->reply.body) % 400), buffer_slice(&call->reply.body).at);
}

static void read_headers(struct call *call, struct slice *rest)
{
    struct slice line;

    for (line = next_line(rest); line.len > 0; line = next_line(rest)) {
        struct slice value = filled_in(call->arena, line);
        if (slice_starts_with(value, SLICE("If-Match: ")))
            call->if_match = slice_after(value, 10);
        else if (slice_starts_with(value, SLICE("Idempotency-Key: ")))
            call->idempotency_key = slice_after(value, 17);
        else if (slice_starts_with(value, SLICE("Last-Event-ID: ")))
            call->last_event_id = slice_after(value, 15);
        else if (slice_starts_with(value, SLICE("X-On-Behalf-Of: ")))
            call->on_behalf_of = slice_after(value, 16);
        else if (slice_starts_with(value, SLICE("Accept: ")))
            call->accept = slice_after(value, 8);
    }
}

static struct call *new_call(struct slice text, struct slice person)
{
    struct slice first = next_line(&text), target;
    struct call *call;
    bool is_local;

    (void)next_word(&first); /* the person */
    struct slice method = next_word(&first);
    target = filled_in(fixture.arena, first);
    call = call_new(&fixture.admin, target);
    call->method = method;
    call->host = SLICE("127.0.0.1:9901");
    is_local = person.len > 0 && person.at[0] == '@';
    call->is_local = is_local;
    call->peer = is_local ? "unix:uid=1000" : "127.0.0.1";
    call->uid = is_local ? 1000 : -1;
    if (is_local)
        person = slice_after(person, 1);
    if (!slice_equal(person, SLICE("-")))
        call->authorization =
            slice_from(arena_printf(call->arena, "Bearer %s", token_of(call->arena, person)));
    read_headers(call, &text);
    buffer_append_slice(&call->body, filled_in(call->arena, text));
    return call;
}

static void one_call(struct slice text)
{
    struct slice rest = text, line = next_line(&rest), person = next_word(&line);
    uint64_t pass_ms;
    struct call *call;

    if (person.len > 0 && person.at[0] == '+' && slice_to_u64(slice_after(person, 1), &pass_ms)) {
        world.wall_ms += (int64_t)(pass_ms % (48 * 3600 * 1000));
        world.boot_ms += pass_ms % (48 * 3600 * 1000);
        ledger_tick(world.ledger);
        return;
    }
    if (memchr(text.at, '\0', text.len) != NULL)
        return;
    call = new_call(text, person);
    dispatch(call);
    for (unsigned i = 0; i < SETTLES && !call->reply.is_ready; i++)
        wait_run_due(&fixture.admin, UINT64_MAX);
    if (call->reply.is_ready) {
        if (call->reply.refill != NULL)
            call->reply.refill(call);
        trace(call);
        check_answer(call);
    }
    call_free(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data, size);

    if (fixture.snapshot == NULL) {
        struct arena *arena = arena_new(4096);
        fixture_open(with_hashes(arena));
        arena_free(&arena);
    }
    world_open();
    for (unsigned i = 0; i < CALLS && rest.len > 0; i++) {
        const char *end = memchr(rest.at, 0x1e, rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.at) : rest.len;
        one_call(slice_of(rest.at, len));
        rest = slice_after(rest, end != NULL ? len + 1 : len);
    }
    check_world();
    world_close();
    return 0;
}
