/*
 * chunked_fuzz - any bytes as a chunked body, its trailers behind it.
 *
 * The first byte is the size of the pieces in which the body is read a second time.
 *
 * Threads  the first
 * Invariant  What comes out does not depend on how the bytes arrived, and written as chunks it
 *            is read as the same again.
 */
#include "proxy/http/body.h"
#include "proxy/http/forward.h"

#include "tests/fuzz/heads.h"

static const struct head_limits limits = {4096, 4096, 20, HEAD_UNDERSCORES_DROP};

struct result {
    enum body_result result;
    char *data;
    size_t length;
    size_t used;
    struct slice trailers; /* a copy */
};

/* Reads as a connection does: what was not used is shown again, with `step` bytes more. */
static struct result read_in_steps(struct slice coded, size_t step)
{
    struct result r = {.result = BODY_MORE, .data = xmalloc(coded.len + 1), .trailers = {"", 0}};
    struct body body;
    size_t seen = 0;

    body_begin(&body, FORWARD_CHUNKED, 0);
    while ((r.result == BODY_MORE || r.result == BODY_NEEDS) && seen < coded.len) {
        struct slice bytes;
        struct slice data;
        struct slice trailers;
        size_t used = 0;

        seen = coded.len - seen < step ? coded.len : seen + step;
        bytes = exact_copy(slice_of(coded.at + r.used, seen - r.used));
        r.result = body_read(&body, &limits, (char *)(uintptr_t)bytes.at, bytes.len, &data, &used,
                             &trailers);
        CHECK(used <= bytes.len);
        CHECK(r.result != BODY_MORE || used == bytes.len);
        if (data.len > 0)
            memcpy(r.data + r.length, data.at, data.len);
        r.length += data.len;
        r.used += used;
        if (r.result == BODY_ENDED)
            r.trailers = exact_copy(trailers);
        exact_free(bytes);
    }
    return r;
}

static void result_free(struct result *r)
{
    xfree(r->data);
    if (r->result == BODY_ENDED)
        exact_free(r->trailers);
}

static void check_same(struct slice coded, const struct result *whole, size_t step)
{
    struct result parts = read_in_steps(coded, step);

    CHECK(parts.result == whole->result);
    if (whole->result != BODY_MALFORMED) {
        CHECK(parts.length == whole->length);
        CHECK(memcmp(parts.data, whole->data, whole->length) == 0);
        CHECK(parts.used == whole->used);
        CHECK(slice_equal(parts.trailers, whole->trailers));
    }
    result_free(&parts);
}

static void check_coded_again(const struct result *whole)
{
    size_t room = whole->length * 2 + 64;
    char *coded = xmalloc(room);
    struct writer w = writer_over(coded, room);
    struct result again;

    if (whole->length > 0) {
        write_hex(&w, whole->length);
        write_literal(&w, "\r\n");
        write_bytes(&w, whole->data, whole->length);
        write_literal(&w, "\r\n");
    }
    write_literal(&w, "0\r\n\r\n");
    again = read_in_steps(writer_slice(&w), room);
    CHECK(again.result == BODY_ENDED);
    CHECK(again.length == whole->length);
    CHECK(memcmp(again.data, whole->data, whole->length) == 0);
    result_free(&again);
    xfree(coded);
}

/* Trailers that are forwarded are trailers, and hold nothing that frames a message. */
static void check_trailers(struct slice trailers)
{
    static struct message message;
    static char out[8192];
    struct writer w = writer_over(out, sizeof(out));
    const char *why = NULL;
    uint32_t passed = 0;

    if (head_parse_trailers(&message, trailers, &limits, &why) != 0) {
        CHECK(why != NULL);
        return;
    }
    for (uint32_t i = 0; i < message.field_count; i++)
        passed += !message.fields[i].is_dropped;
    forward_write_trailers(&w, &message);
    write_literal(&w, "\r\n");
    CHECK(!w.overflow);
    check_written(writer_slice(&w));
    CHECK(head_parse_trailers(&message, writer_slice(&w), &written_limits, &why) == 0);
    CHECK(message.field_count == passed);
    for (uint32_t i = 0; i < message.field_count; i++)
        CHECK(message.fields[i].header == HEADER_OTHER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice coded;
    struct result whole;

    headers_init();
    if (size < 2)
        return 0;
    coded = slice_of((const char *)data + 1, size - 1);
    whole = read_in_steps(coded, coded.len);
    check_same(coded, &whole, 1);
    check_same(coded, &whole, 1 + data[0] % 64);
    if (whole.result == BODY_ENDED) {
        check_coded_again(&whole);
        check_trailers(whole.trailers);
    }
    result_free(&whole);
    return 0;
}
