/*
 * events - see events.h.
 *
 * Owner    struct admin.      Threads  control only
 */
#include "admin/events.h"

#include <jansson.h>
#include <stdio.h>

#include "admin/asked.h"
#include "admin/auth.h"
#include "admin/call.h"
#include "admin/internal.h"
#include "admin/operations.h"
#include "admin/problem.h"
#include "admin/wait.h"
#include "base/arena.h"
#include "base/check.h"
#include "change/audit.h"
#include "change/ledger.h"
#include "change/store.h"

enum { RECORDS_AT_ONCE = 64, KEY_ROOM = 32 };

/* In call->handler_part, in the call's arena. */
struct stream {
    struct list link; /* in admin->streams */
    struct call *call;
    uint64_t next_seq;
};

/* Who did what to which change: no addresses and no data, so that a viewer may see it. */
static json_t *told(const json_t *record)
{
    const json_t *actor = json_object_get(record, "actor");
    static const char *const members[] = {"seq", "t", "event", "change", "digest", "outcome"};
    json_t *told = json_object();

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        json_t *value = json_object_get(record, members[i]);
        json_object_set(told, members[i], value);
        if (value == NULL)
            json_object_set_new(told, members[i], json_null());
    }
    json_object_set(told, "person", json_object_get(actor, "person"));
    return told;
}

static int append_json(const char *bytes, size_t count, void *body)
{
    buffer_append(body, bytes, count);
    return 0;
}

struct telling {
    struct stream *stream;
    unsigned count;
};

static bool tell(void *context, const char *key, struct slice line, uint64_t version)
{
    struct telling *telling = context;
    struct stream *stream = telling->stream;
    struct buffer *out = &stream->call->reply.body;
    json_t *record = json_loadb(line.at, line.len, 0, NULL);
    const char *event = json_string_value(json_object_get(record, "event"));
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(record, "seq"));

    (void)key;
    (void)version;
    if (event != NULL) { /* a damaged record is skipped here; GET /v1/audit shows it */
        json_t *data = told(record);
        buffer_printf(out, "id: %llu\nevent: %s\ndata: ", (unsigned long long)seq, event);
        CHECK(json_dump_callback(data, append_json, out, JSON_COMPACT) == 0);
        buffer_append_literal(out, "\n\n");
        json_decref(data);
    }
    stream->next_seq++;
    json_decref(record);
    return ++telling->count < RECORDS_AT_ONCE;
}

static void refill(struct call *call)
{
    struct stream *stream = call->handler_part;
    struct ledger *ledger = call->admin->options.ledger;
    struct telling telling = {.stream = stream};
    char after[KEY_ROOM];

    if (!auth_still_holds(call)) {
        call->reply.has_ended = true;
        return;
    }
    if (stream->next_seq > audit_head(ledger_audit(ledger)).seq)
        return;
    if (stream->next_seq > 0)
        snprintf(after, sizeof(after), "audit/%020llu", (unsigned long long)stream->next_seq - 1);
    store_list(ledger_store(ledger), "audit/", stream->next_seq > 0 ? after : NULL, false, tell,
               &telling);
}

/* Who has gone without a word is noticed when this cannot be sent. */
static void say_alive(struct call *call)
{
    if (buffer_length(&call->reply.body) == 0)
        buffer_append_literal(&call->reply.body, ": alive\n\n");
    wait_for(call, EVENTS_ALIVE_MS, say_alive);
    reply_more(call);
}

static void on_stream_gone(struct call *call)
{
    struct stream *stream = call->handler_part;

    list_remove(&stream->link);
    call->admin->stream_count--;
}

/* Where to begin; false: the call was answered. */
static bool read_start(struct call *call, uint64_t head, uint64_t *next_seq_out)
{
    uint64_t last;

    *next_seq_out = head + 1;
    if (call->last_event_id.len == 0)
        return true;
    if (!slice_to_u64(call->last_event_id, &last)) {
        problem_reply(call, PROBLEM_INVALID_FIELD, NULL,
                      "Last-Event-ID is the number of an audit record, not %.*s",
                      SLICE_ARGS(call->last_event_id));
        return false;
    }
    if (last < head)
        *next_seq_out = last + 1;
    return true;
}

void on_events(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct admin *admin = call->admin;
    struct stream *stream;
    uint64_t next_seq;

    if (ledger == NULL || !read_start(call, audit_head(ledger_audit(ledger)).seq, &next_seq))
        return;
    if (admin->stream_count >= EVENTS_STREAMS) {
        reply_header(call, "Retry-After", "10");
        problem_reply(call, PROBLEM_SLOW_DOWN,
                      "GET /v1/audit?from_seq=", "%d streams of events are open already",
                      EVENTS_STREAMS);
        return;
    }
    stream = arena_alloc(call->arena, sizeof(*stream));
    stream->call = call;
    stream->next_seq = next_seq;
    list_append(&admin->streams, &stream->link);
    admin->stream_count++;
    call->handler_part = stream;
    call->on_gone = on_stream_gone;
    buffer_append_literal(&call->reply.body, "retry: 2000\n\n");
    reply_stream(call, "text/event-stream", refill);
    wait_for(call, EVENTS_ALIVE_MS, say_alive);
}

void events_wake(struct admin *admin)
{
    LIST_EACH (link, &admin->streams)
        reply_more(container_of(link, struct stream, link)->call);
}
