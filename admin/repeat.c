/*
 * repeat - see repeat.h.
 *
 * Owner      struct admin.      Threads  control only
 * Invariant  A repeat lives from the first call's begin to its answer or end; repeat->first is that
 *            call, and every other call that points to it waits.
 */
#include "admin/repeat.h"

#include "admin/call.h"
#include "admin/internal.h"
#include "admin/operations.h"
#include "admin/problem.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "change/ledger.h"

enum { KEY_BYTES = 255 };

struct repeat {
    struct list link; /* in admin->repeats */
    struct call *first;
    struct list waiting; /* calls, by repeat_link */
    char *person;
    struct slice key;     /* these two live in the first call's arena */
    struct slice request; /* method, target and body */
};

static bool key_is_plain(struct slice key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.at[i] < 0x21 || key.at[i] > 0x7e)
            return false;
    return key.len > 0 && key.len <= KEY_BYTES;
}

/* The header's value is a string in quotes; without them it means the same. */
static struct slice unquoted(struct slice key)
{
    if (key.len >= 2 && key.at[0] == '"' && key.at[key.len - 1] == '"')
        return slice_of(key.at + 1, key.len - 2);
    return key;
}

static struct slice request_of(struct call *call)
{
    struct slice body = buffer_slice(&call->body);
    size_t len = call->method.len + call->target.len + body.len + 2;
    char *bytes = arena_alloc(call->arena, len + 1), *at = bytes;

    memcpy(at, call->method.at, call->method.len);
    at += call->method.len;
    *at++ = ' ';
    memcpy(at, call->target.at, call->target.len);
    at += call->target.len;
    *at++ = '\n';
    if (body.len > 0)
        memcpy(at, body.at, body.len);
    return slice_of(bytes, len);
}

static struct repeat *find(struct admin *admin, const char *person, struct slice key)
{
    LIST_EACH (link, &admin->repeats) {
        struct repeat *repeat = container_of(link, struct repeat, link);
        if (strcmp(repeat->person, person) == 0 && slice_equal(repeat->key, key))
            return repeat;
    }
    return NULL;
}

static void reply_mismatch(struct call *call)
{
    problem_reply(call, PROBLEM_IDEMPOTENCY_MISMATCH, "repeat with another Idempotency-Key",
                  "this key was used for another call; it is kept for 24 hours");
}

static void reply_kept(struct call *call, struct kept_answer *kept)
{
    if (kept->location != NULL)
        reply_header(call, "Location", arena_strdup(call->arena, kept->location));
    if (kept->etag != NULL)
        reply_header(call, "ETag", arena_strdup(call->arena, kept->etag));
    reply_header(call, "Idempotent-Replayed", "true");
    xfree(kept->location);
    xfree(kept->etag);
    if (json_is_object(kept->body))
        reply_json(call, kept->status, kept->body);
    else
        reply_written(call, kept->status, NULL);
}

/* True: it was asked before, and has its answer. */
static bool is_known(struct call *call, struct slice key, struct slice request)
{
    struct ledger *ledger = call->admin->options.ledger;
    struct kept_answer kept = {0};

    switch (ledger_kept_find(ledger, call->actor.person, key, request, &kept)) {
    case KEPT_NONE: return false;
    case KEPT_SAME: reply_kept(call, &kept); return true;
    case KEPT_OTHER_BODY: reply_mismatch(call); return true;
    }
    return false;
}

static void join(struct call *call, struct repeat *repeat, struct slice request)
{
    if (!slice_equal(repeat->request, request)) {
        reply_mismatch(call);
        return;
    }
    call->repeat = repeat;
    list_append(&repeat->waiting, &call->repeat_link);
}

bool repeat_begin(struct call *call)
{
    struct admin *admin = call->admin;
    struct slice key = unquoted(call->idempotency_key), request;
    struct repeat *repeat;

    if (call->idempotency_key.len == 0 || admin->options.ledger == NULL)
        return false;
    if (!key_is_plain(key)) {
        problem_reply(call, PROBLEM_INVALID_FIELD, NULL,
                      "Idempotency-Key: 1 to %d visible ASCII characters", KEY_BYTES);
        return true;
    }
    request = request_of(call);
    repeat = find(admin, call->actor.person, key);
    if (repeat != NULL) {
        join(call, repeat, request);
        return true;
    }
    if (is_known(call, key, request))
        return true;
    repeat = xcalloc(1, sizeof(*repeat));
    repeat->first = call;
    repeat->person = xstrdup(call->actor.person);
    repeat->key = key;
    repeat->request = request;
    list_init(&repeat->waiting);
    list_append(&admin->repeats, &repeat->link);
    call->repeat = repeat;
    return false;
}

static char *header_value(const struct reply *reply, const char *name)
{
    for (unsigned i = 0; i < reply->header_count; i++)
        if (strcmp(reply->headers[i].name, name) == 0)
            return xstrdup(reply->headers[i].value);
    return NULL;
}

static void keep(const struct call *call, const struct repeat *repeat)
{
    struct slice body = buffer_slice(&call->reply.body);
    struct kept_answer kept = {
        .status = call->reply.status,
        .body = body.len > 0 ? json_loadb(body.at, body.len, JSON_DECODE_ANY, NULL) : json_null(),
        .location = header_value(&call->reply, "Location"),
        .etag = header_value(&call->reply, "ETag"),
    };

    ledger_kept_put(call->admin->options.ledger, repeat->person, repeat->key, repeat->request,
                    &kept);
    json_decref(kept.body);
    xfree(kept.location);
    xfree(kept.etag);
}

static void copy_answer(struct call *to, const struct call *from)
{
    const struct reply *reply = &from->reply;

    for (unsigned i = 0; i < reply->header_count; i++)
        reply_header(to, reply->headers[i].name, arena_strdup(to->arena, reply->headers[i].value));
    buffer_append_slice(&to->reply.body, buffer_slice(&reply->body));
    reply_written(to, reply->status, reply->content_type);
}

static void free_repeat(struct repeat *repeat)
{
    list_remove(&repeat->link);
    xfree(repeat->person);
    xfree(repeat);
}

void repeat_answered(struct call *call)
{
    struct repeat *repeat = call->repeat;

    if (repeat == NULL || repeat->first != call)
        return;
    if (call->reply.status >= 200 && call->reply.status < 300)
        keep(call, repeat);
    for (struct list *link = list_pop(&repeat->waiting); link != NULL;
         link = list_pop(&repeat->waiting)) {
        struct call *waiting = container_of(link, struct call, repeat_link);
        waiting->repeat = NULL;
        copy_answer(waiting, call);
    }
    call->repeat = NULL;
    free_repeat(repeat);
}

bool repeat_keeps(struct call *call)
{
    if (call->repeat == NULL || call->repeat->first != call || call->reply.is_ready)
        return false;
    list_append(&call->admin->left, &call->repeat_link);
    return true;
}

void repeat_forget(struct call *call)
{
    struct repeat *repeat = call->repeat;

    list_remove(&call->repeat_link);
    if (repeat == NULL || repeat->first != call)
        return;
    CHECK(list_is_empty(&repeat->waiting)); /* only at the end, when all callers have gone */
    free_repeat(repeat);
}

void repeat_sweep(struct admin *admin, bool all)
{
    LIST_EACH_SAFE (link, &admin->left) {
        struct call *call = container_of(link, struct call, repeat_link);
        if (all || call->reply.is_ready)
            call_free(&call);
    }
}
