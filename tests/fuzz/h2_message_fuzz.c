/*
 * h2_message_fuzz - any fields as the head of an HTTP/2 request, a response or trailers.
 *
 * The first byte chooses which, and what the listener says; then each field is a length, its name,
 * a length, its value.
 *
 * Threads  the first
 * Invariant  What is taken as a request, a server behind us reads as the same request.
 *            What is taken as a response, or as trailers, is written as lines and nothing else.
 */
#include "proxy/http/h2_message.h"

#include "tests/fuzz/behind_us.h"

enum { MOST_FIELDS = 300 };

static struct h2_field fields[MOST_FIELDS];
static char joined[16384];

static struct slice take(struct slice *rest)
{
    size_t len = rest->len > 0 ? (unsigned char)rest->at[0] : 0;
    struct slice taken;

    if (rest->len > 0)
        *rest = slice_after(*rest, 1);
    len = len < rest->len ? len : rest->len;
    taken = exact_copy(slice_of(rest->at, len));
    *rest = slice_after(*rest, len);
    return taken;
}

static struct h2_head take_head(struct slice rest)
{
    struct h2_head head = {fields, 0};

    while (rest.len > 0 && head.count < MOST_FIELDS) {
        fields[head.count].name = take(&rest);
        fields[head.count++].value = take(&rest);
    }
    return head;
}

static void try_request(const struct h2_head *head, uint8_t choice)
{
    struct head_limits limits = {16384, 4096, 100, choice % 3};
    struct h2_scratch scratch = {joined, sizeof(joined)};
    bool is_extended;
    const char *why = NULL;

    if (h2_request_message(&request, head, (choice & 16) != 0, &limits, &scratch, &is_extended,
                           &why) != 0) {
        CHECK(why != NULL);
        return;
    }
    CHECK(is_extended == (request.upgrade.len > 0));
    CHECK(!((choice & 16) && request.is_chunked));
    forward_head(choice);
}

static void try_response(const struct h2_head *head, uint8_t choice)
{
    struct writer w = writer_over(out, sizeof(out));
    struct forward_response forward = {.date = SLICE("Sun, 22 Nov 2026 22:35:21 GMT")};
    const char *why = NULL;

    if (h2_response_message(&request, head, (choice & 16) != 0, &why) != 0) {
        CHECK(why != NULL);
        return;
    }
    CHECK(request.status >= 100 && request.status < 600 && request.status != 101);
    forward.body = request.is_chunked                            ? FORWARD_CHUNKED
                   : request.content_length != MESSAGE_NO_LENGTH ? FORWARD_LENGTH
                                                                 : FORWARD_NO_BODY;
    forward.length = request.content_length;
    if (request.status < 200)
        forward_write_interim(&w, &request);
    else
        forward_write_response(&w, &request, &forward);
    CHECK(!w.overflow);
    check_written(writer_slice(&w));
    CHECK(head_parse_response(&written, writer_slice(&w), &written_limits, &why) == 0);
    CHECK(written.status == request.status);
    check_fields(&written);
    check_order(&request, &written);
}

static void try_trailers(const struct h2_head *head, uint8_t choice)
{
    struct head_limits limits = {16384, 4096, 100, choice % 3};
    struct writer w = writer_over(out, sizeof(out));
    const char *why = NULL;

    if (h2_trailers_message(&request, head, &limits, &why) != 0) {
        CHECK(why != NULL);
        return;
    }
    forward_write_trailers(&w, &request);
    write_literal(&w, "\r\n");
    CHECK(!w.overflow);
    CHECK(head_parse_trailers(&written, writer_slice(&w), &written_limits, &why) == 0);
    CHECK(written.field_count + request.dropped_fields == request.field_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h2_head head;

    headers_init();
    if (size == 0)
        return 0;
    head = take_head(slice_of((const char *)data + 1, size - 1));
    if (data[0] & 64)
        try_response(&head, data[0]);
    else if (data[0] & 128)
        try_trailers(&head, data[0]);
    else
        try_request(&head, data[0]);
    for (size_t i = 0; i < head.count; i++) {
        exact_free(fields[i].name);
        exact_free(fields[i].value);
    }
    return 0;
}
