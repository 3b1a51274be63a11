/*
 * response_fuzz - any bytes as a response: found, parsed, written for a client, parsed again.
 *
 * The first byte chooses how the client is served: version, body, the end of the connection.
 *
 * Threads  the first
 * Invariant  llhttp takes what we took, field for field.
 *            What a client gets means what was understood: status and framing are the same, and
 *            nothing of this hop passes.
 */
#include "proxy/http/forward.h"

#include "tests/fuzz/heads.h"
#include "tests/fuzz/second_opinion.h"

static struct message response;
static struct message written;
static char out[FUZZ_OUT_BYTES];

static void check_framing(const struct forward_response *forward)
{
    bool has_none = response.status < 200 || response.status == 204;

    if (has_none) {
        CHECK(!written.is_chunked && written.content_length == MESSAGE_NO_LENGTH);
    } else if (forward->keeps_length && response.content_length != MESSAGE_NO_LENGTH) {
        CHECK(written.content_length == response.content_length);
    } else {
        CHECK(written.is_chunked == (forward->body == FORWARD_CHUNKED));
        CHECK(written.content_length ==
              (forward->body == FORWARD_LENGTH ? forward->length : MESSAGE_NO_LENGTH));
    }
}

static void check_written_head(struct slice head, const struct forward_response *forward)
{
    const char *why;

    check_written(head);
    CHECK(head_parse_response(&written, head, &written_limits, &why) == 0);
    CHECK(written.status == response.status);
    CHECK(slice_equal(written.reason, response.reason));
    check_fields(&written);
    check_connection(&response, &written);
    check_order(&response, &written);
    if (forward == NULL)
        return;
    check_framing(forward);
    CHECK(written.has_connection_close == (forward->closes && !forward->is_upgrade));
    CHECK(count_of(&written, HEADER_DATE) >= 1);
    CHECK(slice_equal(written.upgrade, forward->is_upgrade ? response.upgrade : SLICE("")));
}

static void parse_again(const struct writer *w, const struct forward_response *forward)
{
    struct slice head = exact_copy(writer_slice(w));

    CHECK(!w->overflow);
    check_written_head(head, forward);
    exact_free(head);
}

static void forward_head(uint8_t choice)
{
    struct writer w = writer_over(out, sizeof(out));
    struct forward_response forward = {
        .to_http_10 = choice & 1,
        .closes = (choice & 2) != 0,
        .keeps_length = (choice & 4) != 0 || response.status == 304,
        .is_upgrade = response.status == 101 && response.upgrade.len > 0,
        .body = (enum forward_body)(choice >> 3 & 3),
        .length = 42,
        .date = SLICE("Sun, 22 Nov 2026 12:00:00 GMT"),
        .request_id = choice & 32 ? SLICE("0123456789") : SLICE(""),
    };

    if (response.status < 200 && response.status != 101) {
        forward_write_interim(&w, &response);
        parse_again(&w, NULL);
        return;
    }
    if (forward.keeps_length)
        forward.body = FORWARD_NO_BODY;
    forward_write_response(&w, &response, &forward);
    parse_again(&w, &forward);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct head_limits limits = {16384, 4096, 100, HEAD_UNDERSCORES_DROP};
    struct slice bytes = slice_of((const char *)data, size);
    struct slice head;
    const char *why = NULL;
    size_t head_bytes;

    headers_init();
    if (size == 0)
        return 0;
    bytes = slice_after(bytes, 1);
    if (search_both_ways(bytes, &limits, &head_bytes) != HEAD_FOUND)
        return 0;
    head = exact_copy(slice_of(bytes.at, head_bytes));
    if (head_parse_response(&response, head, &limits, &why) == 0) {
        ask_llhttp(&response, head, HTTP_RESPONSE);
        forward_head(data[0]);
    } else {
        CHECK(why != NULL);
    }
    exact_free(head);
    return 0;
}
