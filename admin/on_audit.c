/*
 * on_audit - the evidence: audit records as they were written, and the head of their chain.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include <stdio.h>

#include "admin/asked.h"
#include "admin/call.h"
#include "admin/change_text.h"
#include "admin/internal.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "change/audit.h"
#include "change/ledger.h"
#include "change/store.h"

enum { RECORDS = 100, RECORDS_MAX = 1000, KEY_ROOM = 32 };
enum { ANSWER_BYTES = 4 << 20 };

struct reading {
    struct buffer *out;
    uint64_t limit;
    uint64_t count;
    uint64_t last_seq;
};

/* The record's bytes as they are, so that its hash can be recomputed. */
static bool take(void *context, const char *key, struct slice line, uint64_t version)
{
    struct reading *reading = context;

    (void)version;
    if (reading->count > 0)
        buffer_append_literal(reading->out, ",\n");
    buffer_append_slice(reading->out, slice_trim(line));
    slice_to_u64(slice_from(key + sizeof("audit/") - 1), &reading->last_seq);
    reading->count++;
    return reading->count < reading->limit && buffer_length(reading->out) < ANSWER_BYTES;
}

static void reply_records(struct call *call)
{
    struct buffer text = call->reply.body;
    json_t *answer;

    if (!call_wants_text(call)) {
        reply_written(call, 200, reply_json_type);
        return;
    }
    answer = json_loadb(text.data + text.start, buffer_length(&text), 0, NULL);
    buffer_init(&call->reply.body);
    change_text_audit(call, answer);
    json_decref(answer);
    buffer_fini(&text);
    reply_written(call, 200, reply_text_type);
}

void on_audit(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct reading reading = {.out = &call->reply.body, .limit = RECORDS};
    uint64_t from_seq = 0, head;
    char after[KEY_ROOM];

    if (ledger == NULL || !asked_number(call, "from_seq", 0, INT64_MAX, &from_seq) ||
        !asked_number(call, "limit", 1, RECORDS_MAX, &reading.limit))
        return;
    head = audit_head(ledger_audit(ledger)).seq;
    if (from_seq > 0)
        snprintf(after, sizeof(after), "audit/%020llu", (unsigned long long)from_seq - 1);
    buffer_append_literal(reading.out, "{\"records\":[");
    store_list(ledger_store(ledger), "audit/", from_seq > 0 ? after : NULL, false, take, &reading);
    buffer_append_literal(reading.out, "]}\n");
    if (reading.count > 0 && reading.last_seq < head)
        reply_header(call, "Link",
                     arena_printf(call->arena, "</v1/audit?from_seq=%llu&limit=%llu>; rel=\"next\"",
                                  (unsigned long long)reading.last_seq + 1,
                                  (unsigned long long)reading.limit));
    reply_records(call);
}

static char *hex_of(const struct digest *digest, char text_out[DIGEST_TEXT])
{
    return digest_text(digest, text_out) + sizeof("sha256:") - 1;
}

void on_audit_head(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct audit_head head;
    struct error mirror = {0}, chain = {0};
    char text[DIGEST_TEXT];
    bool mirror_is_whole, chain_is_whole;

    if (ledger == NULL)
        return;
    head = audit_head(ledger_audit(ledger));
    mirror_is_whole = audit_mirror_is_whole(ledger_audit(ledger), &mirror);
    chain_is_whole = audit_is_whole(ledger_audit(ledger), &chain);
    reply_json(call, 200,
               json_pack("{s:I, s:s, s:s, s:b, s:s?, s:b, s:s?}", "seq", (json_int_t)head.seq, "h",
                         hex_of(&head.hash, text), "cluster", ledger_cluster(ledger), "chain_whole",
                         chain_is_whole, "chain_why", chain_is_whole ? NULL : chain.text,
                         "mirror_whole", mirror_is_whole, "mirror_why",
                         mirror_is_whole ? NULL : mirror.text));
}
