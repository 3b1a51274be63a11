/*
 * audit - see audit.h.
 *
 * A record is written in the transaction of what it witnesses: audit_add() puts it there and notes
 * it as waiting; audit_settle() says whether it happened.
 *
 * Owner    the ledger.      Threads  control
 * Invariant  `head` is the last durable record; `waiting` are those behind it, in the transaction
 *            that is open
 */
#include "change/audit.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/audit_mirror.h"
#include "change/store.h"

enum {
    AUDIT_TAG = 0x41554454,
    TAIL_CHECKED = 64, /* records that are verified at a start */
    KEY_TEXT = 32,
    HEX_TEXT = 2 * DIGEST_BYTES + 1,
    BOOT_TEXT = 40,
    SOURCES_MAX = 64, /* whose attempts are counted apart */
    FOLD_MS = 60000,
};

struct waiting {
    uint64_t seq;
    char *line;
};

/* Attempts alike, within a minute. */
struct folded {
    char *source;
    char *event;
    char *outcome;
    uint64_t since_ms;
    uint64_t count; /* since the one that was written */
};

struct audit {
    uint32_t tag;
    struct store *store;
    struct mirror *mirror;
    struct audit_head head;
    bool has_head;
    bool is_whole;
    struct error broken;
    int64_t last_wall_ms;
    char boot[BOOT_TEXT];
    int64_t (*wall_ms)(void);
    audit_record_fn *on_record;
    void *context;
    struct audit_head next; /* behind what is waiting */
    struct waiting *waiting;
    size_t waiting_count;
    size_t waiting_room;
    struct folded folded[SOURCES_MAX];
    size_t folded_count;
};

/* ---- one line ---- */

static void to_hex(const unsigned char *bytes, size_t count, char *text_out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        text_out[2 * i] = digits[bytes[i] >> 4];
        text_out[2 * i + 1] = digits[bytes[i] & 15];
    }
    text_out[2 * count] = '\0';
}

static char *record_key(uint64_t seq, char key_out[KEY_TEXT])
{
    (void)snprintf(key_out, KEY_TEXT, "audit/%020llu", (unsigned long long)seq);
    return key_out;
}

/* A text that need not be UTF-8: it may come from a peer. */
static json_t *text_json(const char *text)
{
    json_t *string = json_string(text);
    char *escaped;

    if (string != NULL)
        return string;
    escaped = xmalloc(6 * strlen(text) + 1);
    escaped[log_escape(slice_from(text), escaped)] = '\0';
    string = json_string(escaped);
    xfree(escaped);
    return string != NULL ? string : json_string("?");
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL)
        (void)json_object_set_new(object, key, text_json(text));
}

static json_t *actor_json(const struct actor *actor)
{
    json_t *object = json_object();

    set_text(object, "person", actor->person);
    set_text(object, "principal", actor->principal);
    set_text(object, "auth", actor->auth);
    set_text(object, "src", actor->source);
    set_text(object, "on_behalf_of", actor->on_behalf_of);
    return object;
}

/* The line but for `,"h":"…"}`: what is hashed, without its closing brace. */
static char *unsealed_line(const struct audit *audit, const struct actor *actor,
                           const struct audit_event *event, uint64_t seq,
                           const unsigned char prev[DIGEST_BYTES])
{
    json_t *record = json_object();
    char time[CLOCK_RFC3339_TEXT];
    char hex[HEX_TEXT];
    char *text;

    (void)json_object_set_new(record, "seq", json_integer((json_int_t)seq));
    set_text(record, "t", clock_rfc3339(audit->wall_ms(), time));
    set_text(record, "boot", audit->boot);
    (void)json_object_set_new(record, "mono_ns", json_integer((json_int_t)clock_ns()));
    (void)json_object_set_new(record, "actor", actor_json(actor));
    set_text(record, "event", event->event);
    set_text(record, "change", event->change);
    set_text(record, "digest", event->digest);
    set_text(record, "outcome", event->outcome);
    set_text(record, "req", actor->request);
    if (event->data != NULL)
        (void)json_object_set(record, "data", event->data);
    to_hex(prev, DIGEST_BYTES, hex);
    set_text(record, "prev", hex);
    text = json_dumps(record, JSON_COMPACT);
    CHECK(text != NULL);
    json_decref(record);
    return text;
}

/* ---- adding ---- */

static bool is_event(const char *name)
{
    static const char *const names[] = {
#define AUDIT_EVENT(event, help) event,
#include "change/audit_events.def"
#undef AUDIT_EVENT
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void note_waiting(struct audit *audit, uint64_t seq, char *line)
{
    if (audit->waiting_count == audit->waiting_room) {
        audit->waiting_room = audit->waiting_room > 0 ? 2 * audit->waiting_room : 4;
        audit->waiting = xrealloc(audit->waiting, audit->waiting_room * sizeof(*audit->waiting));
    }
    audit->waiting[audit->waiting_count++] = (struct waiting){seq, line};
}

static void add_record(struct audit *audit, struct store_txn *txn, const struct actor *actor,
                       const struct audit_event *event)
{
    bool is_first = !audit->has_head && audit->waiting_count == 0;
    uint64_t seq = is_first ? 0 : audit->next.seq + 1;
    char *line = unsealed_line(audit, actor, event, seq, audit->next.hash.bytes);
    struct buffer sealed;
    char key[KEY_TEXT];
    char hex[HEX_TEXT];

    audit->next.hash = audit_hash(&audit->next.hash, seq, slice_from(line));
    audit->next.seq = seq;
    to_hex(audit->next.hash.bytes, DIGEST_BYTES, hex);
    buffer_init(&sealed);
    buffer_append(&sealed, line, strlen(line) - 1);
    buffer_printf(&sealed, ",\"h\":\"%s\"}", hex);
    xfree(line);
    store_expect(txn, record_key(seq, key), 0);
    store_put(txn, key, buffer_slice(&sealed));
    note_waiting(audit, seq, xstrdup(buffer_text(&sealed)));
    buffer_fini(&sealed);
}

void audit_add(struct audit *audit, struct store_txn *txn, const struct actor *actor,
               const struct audit_event *event)
{
    CHECK_OBJ(audit, AUDIT_TAG);
    CHECK(is_event(event->event));
    if (audit->waiting_count == 0)
        audit->next = audit->head;
    add_record(audit, txn, actor, event);
    mirror_mark(audit->mirror, txn);
    json_decref(event->data);
}

void audit_settle(struct audit *audit, bool is_committed)
{
    struct waiting *settled = audit->waiting;
    size_t count = audit->waiting_count;

    CHECK_OBJ(audit, AUDIT_TAG);
    /* Whoever is told may add the next. */
    audit->waiting = NULL;
    audit->waiting_count = audit->waiting_room = 0;
    if (is_committed && count > 0) {
        audit->head = audit->next;
        audit->has_head = true;
    }
    for (size_t i = 0; i < count && is_committed; i++) {
        mirror_append(audit->mirror, settled[i].seq, slice_from(settled[i].line));
        if (audit->on_record != NULL)
            audit->on_record(audit->context, settled[i].seq, settled[i].line);
    }
    for (size_t i = 0; i < count; i++)
        xfree(settled[i].line);
    xfree(settled);
}

/* A record in a transaction of its own.  Takes event->data. */
static bool write_alone(struct audit *audit, const struct actor *actor,
                        const struct audit_event *event, struct error *why)
{
    struct store_txn *txn = store_begin(audit->store);
    bool is_done;

    audit_add(audit, txn, actor, event);
    is_done = store_commit(&txn, false, why) == STORE_DONE;
    audit_settle(audit, is_done);
    return is_done;
}

/* ---- attempts ---- */

static void forget_folded(struct folded *folded)
{
    xfree(folded->source);
    xfree(folded->event);
    xfree(folded->outcome);
    *folded = (struct folded){0};
}

static struct folded *find_folded(struct audit *audit, const char *source,
                                  const struct audit_event *event)
{
    for (size_t i = 0; i < audit->folded_count; i++) {
        struct folded *folded = &audit->folded[i];

        if (strcmp(folded->source, source) == 0 && strcmp(folded->event, event->event) == 0 &&
            strcmp(folded->outcome, event->outcome) == 0)
            return folded;
    }
    return NULL;
}

static struct folded *add_folded(struct audit *audit, const char *source,
                                 const struct audit_event *event)
{
    struct folded *folded = &audit->folded[audit->folded_count++];

    CHECK(audit->folded_count <= SOURCES_MAX);
    *folded = (struct folded){.source = xstrdup(source),
                              .event = xstrdup(event->event),
                              .outcome = xstrdup(event->outcome),
                              .since_ms = clock_ms()};
    return folded;
}

/* Where too many come at once, the rest are counted together. */
static struct folded *fold(struct audit *audit, const char *source, const struct audit_event *event,
                           bool *is_new_out)
{
    static const struct audit_event many = {.event = "attempts.many", .outcome = "denied"};
    struct folded *folded = find_folded(audit, source, event);

    *is_new_out = folded == NULL && audit->folded_count < SOURCES_MAX - 1;
    if (*is_new_out)
        return add_folded(audit, source, event);
    if (folded == NULL)
        folded = find_folded(audit, "several", &many);
    return folded != NULL ? folded : add_folded(audit, "several", &many);
}

void audit_attempt(struct audit *audit, const struct actor *actor, const struct audit_event *event)
{
    struct folded *folded;
    bool is_new;

    CHECK_OBJ(audit, AUDIT_TAG);
    folded = fold(audit, actor->source != NULL ? actor->source : "?", event, &is_new);
    if (!is_new) {
        folded->count++;
        json_decref(event->data);
    } else if (!write_alone(audit, actor, event, NULL)) {
        folded->count++; /* told with the minute's, once the store can be written */
    }
}

/* False: it could not be written, and is kept. */
static bool write_folded(struct audit *audit, const struct folded *folded)
{
    struct actor actor = {.source = folded->source, .uid = -1};
    struct audit_event event = {
        .event = folded->event,
        .outcome = folded->outcome,
        .data = json_pack("{s:I, s:b}", "count", (json_int_t)folded->count, "folded", 1)};

    return write_alone(audit, &actor, &event, NULL);
}

static void unfold(struct audit *audit, uint64_t now_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < audit->folded_count; i++) {
        struct folded *folded = &audit->folded[i];
        bool is_over = now_ms - folded->since_ms >= FOLD_MS;
        bool can_write = store_condition(audit->store, NULL) == STORE_GOOD;

        if (is_over && (folded->count == 0 || (can_write && write_folded(audit, folded))))
            forget_folded(folded);
        else
            audit->folded[kept++] = *folded;
    }
    audit->folded_count = kept;
}

void audit_tick(struct audit *audit)
{
    CHECK_OBJ(audit, AUDIT_TAG);
    store_tick(audit->store);
    unfold(audit, clock_ms());
    mirror_tick(audit->mirror);
}

/* ---- opening ---- */

struct tail {
    uint64_t first; /* where the check begins */
    size_t count;
};

static bool count_back(void *context, const char *key, struct slice value, uint64_t version)
{
    struct tail *tail = context;

    (void)value;
    (void)version;
    (void)slice_to_u64(slice_from(key + strlen("audit/")), &tail->first);
    return ++tail->count < TAIL_CHECKED;
}

struct check {
    struct audit *audit;
    struct audit_verifier verifier;
};

static bool check_record(void *context, const char *key, struct slice value, uint64_t version)
{
    struct check *check = context;
    struct audit *audit = check->audit;
    struct error why = {0};
    uint64_t seq = 0;

    (void)version;
    if (!slice_to_u64(slice_from(key + strlen("audit/")), &seq) ||
        !audit_verify_line(&check->verifier, value, &why)) {
        if (audit->is_whole)
            audit->broken = why;
        audit->is_whole = false;
        check->verifier = (struct audit_verifier){0};
    } else if (seq + 1 != check->verifier.next_seq) {
        error_set(&audit->broken, ERROR_INVALID, "record %llu stands under the key %s",
                  (unsigned long long)check->verifier.next_seq - 1, key);
        audit->is_whole = false;
    }
    if (check->verifier.has_begun)
        audit->head.hash = check->verifier.hash;
    audit->head.seq = seq;
    audit->has_head = true;
    audit->last_wall_ms = audit_line_wall_ms(value);
    return true;
}

static void read_tail(struct audit *audit)
{
    struct tail tail = {0};
    struct check check = {.audit = audit};
    char before[KEY_TEXT];

    store_list(audit->store, "audit/", NULL, true, count_back, &tail);
    if (tail.count == 0)
        return;
    record_key(tail.first > 0 ? tail.first - 1 : 0, before);
    store_list(audit->store, "audit/", tail.first > 0 ? before : NULL, false, check_record, &check);
    if (!audit->is_whole)
        log_event(EV_AUDIT_BROKEN, LOG_TEXT("why", audit->broken.text));
}

static void read_boot_id(char boot_out[BOOT_TEXT])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    (void)snprintf(boot_out, BOOT_TEXT, "unknown");
    if (file == NULL)
        return;
    if (fgets(boot_out, BOOT_TEXT, file) != NULL)
        boot_out[strcspn(boot_out, "\n")] = '\0';
    (void)fclose(file);
}

/* Record 0 hangs on nothing that anybody could have known. */
static bool begin_chain(struct audit *audit, struct error *why)
{
    struct actor actor = actor_system("boot");
    struct audit_event event = {.event = "chain.begun", .outcome = "ok"};

    if (getrandom(audit->head.hash.bytes, DIGEST_BYTES, 0) != DIGEST_BYTES) {
        error_set(why, ERROR_SYSTEM, "the audit chain: no random bytes for its genesis");
        return false;
    }
    return write_alone(audit, &actor, &event, why);
}

/* What does not verify is not hidden by what comes behind it. */
static void continue_chain(struct audit *audit)
{
    struct actor actor = actor_system("boot");
    struct audit_event event = {.event = "chain.continued",
                                .outcome = "failed",
                                .data = json_pack("{s:o}", "why", text_json(audit->broken.text))};

    (void)write_alone(audit, &actor, &event, NULL); /* the log has it already */
}

static void tell_of_mirror(struct audit *audit)
{
    struct actor actor = actor_system("boot");
    struct audit_event event = {
        .event = "mirror.replaced",
        .outcome = "failed",
        .data = json_pack("{s:o}", "kept_as", text_json(mirror_moved_aside(audit->mirror)))};

    (void)write_alone(audit, &actor, &event, NULL); /* the log has it already */
}

struct audit *audit_open(struct store *store, const char *state_directory, struct error *why)
{
    struct audit *audit = xcalloc(1, sizeof(*audit));
    bool is_readable;

    audit->tag = AUDIT_TAG;
    audit->store = store;
    audit->is_whole = true;
    audit->wall_ms = clock_wall_ms;
    read_boot_id(audit->boot);
    read_tail(audit);
    is_readable = store_condition(store, NULL) != STORE_DAMAGED;
    if (!is_readable) {
        (void)store_condition(store, &audit->broken);
        audit->is_whole = false;
    }
    audit->mirror = mirror_open(store, state_directory);
    if (is_readable && !audit->has_head && !begin_chain(audit, why)) {
        audit_close(&audit);
        return NULL;
    }
    if (is_readable && !audit->is_whole)
        continue_chain(audit);
    if (mirror_moved_aside(audit->mirror) != NULL)
        tell_of_mirror(audit);
    mirror_tick(audit->mirror);
    return audit;
}

void audit_close(struct audit **audit)
{
    struct audit *closing = *audit;

    if (closing == NULL)
        return;
    CHECK_OBJ(closing, AUDIT_TAG);
    CHECK(closing->waiting_count == 0);
    for (size_t i = 0; i < closing->folded_count; i++) {
        if (closing->folded[i].count > 0)
            (void)write_folded(closing, &closing->folded[i]); /* no later chance */
        forget_folded(&closing->folded[i]);
    }
    mirror_close(&closing->mirror);
    closing->tag = 0;
    xfree(closing);
    *audit = NULL;
}

struct audit_head audit_head(const struct audit *audit)
{
    return audit->head;
}

int64_t audit_last_wall_ms(const struct audit *audit)
{
    return audit->last_wall_ms;
}

bool audit_is_whole(const struct audit *audit, struct error *why)
{
    if (!audit->is_whole && why != NULL)
        *why = audit->broken;
    return audit->is_whole;
}

bool audit_mirror_is_whole(const struct audit *audit, struct error *why)
{
    return mirror_is_whole(audit->mirror, why);
}

void audit_set_clock(struct audit *audit, int64_t (*wall_ms)(void))
{
    audit->wall_ms = wall_ms;
}

void audit_on_record(struct audit *audit, audit_record_fn *on_record, void *context)
{
    audit->on_record = on_record;
    audit->context = context;
}
