/*
 * heads - what the fuzzers of proxy/http share: exact copies, and what holds for every head that
 * is written.
 *
 * Threads  the first
 */
#ifndef TESTS_FUZZ_HEADS_H
#define TESTS_FUZZ_HEADS_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/memory.h"
#include "proxy/http/h1_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written may be longer than what was read, and has fields more. */
enum { FUZZ_OUT_BYTES = 512 * 1024 };
static const struct head_limits written_limits = {FUZZ_OUT_BYTES, FUZZ_OUT_BYTES, 200,
                                                  HEAD_UNDERSCORES_ALLOW};

/* A copy whose end is the end of its memory, for the sanitizer. */
static inline struct slice exact_copy(struct slice text)
{
    char *copy = xmalloc(text.len + (text.len == 0));

    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    return slice_of(copy, text.len);
}

static inline void exact_free(struct slice text)
{
    xfree((void *)(uintptr_t)text.at);
}

/* Looks for the end of the head at once and byte for byte: the same must come out. */
static inline enum head_search search_both_ways(struct slice bytes,
                                                const struct head_limits *limits,
                                                size_t *head_bytes)
{
    enum head_search found = HEAD_INCOMPLETE;
    enum head_search at_once;
    size_t from = 0;

    *head_bytes = 0;
    at_once = head_search(bytes, head_bytes, limits);
    for (size_t len = 1; len <= bytes.len && found == HEAD_INCOMPLETE; len++)
        found = head_search(slice_of(bytes.at, len), &from, limits);
    /* A limit may be told sooner than what is wrong behind it. */
    if (found == HEAD_FOUND || at_once == HEAD_FOUND) {
        CHECK(found == at_once);
        CHECK(from == *head_bytes);
    }
    return at_once;
}

/* A whole head, its lines ended by CRLF and of nothing but text. */
static inline void check_written(struct slice head)
{
    size_t from = 0;

    CHECK(head_search(head, &from, &written_limits) == HEAD_FOUND);
    CHECK(from == head.len);
    for (size_t i = 0; i < head.len; i++) {
        unsigned char c = (unsigned char)head.at[i];

        CHECK(c != '\r' || head.at[i + 1] == '\n');
        CHECK(c != '\n' || head.at[i - 1] == '\r');
        CHECK(c >= 0x20 || c == '\t' || c == '\r' || c == '\n');
        CHECK(c != 0x7f);
    }
}

static inline unsigned count_of(const struct message *message, enum header header)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < message->field_count; i++)
        count += message->fields[i].header == header;
    return count;
}

/* Framing stands once, and what is of one hop only where we write it. */
static inline void check_fields(const struct message *written)
{
    static const enum header never[] = {HEADER_KEEP_ALIVE, HEADER_PROXY_CONNECTION,
                                        HEADER_HTTP2_SETTINGS, HEADER_PROXY_AUTHORIZATION,
                                        HEADER_PROXY_AUTHENTICATE};

    CHECK(count_of(written, HEADER_CONTENT_LENGTH) + count_of(written, HEADER_TRANSFER_ENCODING) <=
          1);
    CHECK(count_of(written, HEADER_CONNECTION) <= 1);
    CHECK(count_of(written, HEADER_TE) <= 1);
    CHECK(count_of(written, HEADER_UPGRADE) <= 1);
    CHECK(count_of(written, HEADER_HOST) <= 1);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        CHECK(count_of(written, never[i]) == 0);
}

/* What Connection named in what was read does not stand in what was written. */
static inline void check_connection(const struct message *read, const struct message *written)
{
    for (uint32_t i = 0; i < read->field_count; i++) {
        struct slice rest = read->fields[i].value;
        struct slice option;

        if (read->fields[i].header != HEADER_CONNECTION)
            continue;
        while (slice_next_element(&rest, &option))
            CHECK(option.len == 0 || header_find(option) != HEADER_OTHER ||
                  message_find(written, option) == NULL);
    }
}

/* The end-to-end fields that were read stand in what was written, in their order. */
static inline void check_order(const struct message *read, const struct message *written)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < read->field_count; i++) {
        const struct field *field = &read->fields[i];

        if (field->header != HEADER_OTHER || field->is_dropped)
            continue;
        while (at < written->field_count && !(slice_equal(written->fields[at].name, field->name) &&
                                              slice_equal(written->fields[at].value, field->value)))
            at++;
        CHECK(at < written->field_count);
        at++;
    }
}

#endif
