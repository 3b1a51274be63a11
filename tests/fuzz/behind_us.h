/*
 * behind_us - a request that was understood, written for a server and read as the server would: it
 * must mean the same.
 *
 * Threads  the first
 * Invariant  Method, target, host and framing are the same, nothing of this hop passes, and no line
 *            is anything but a line.
 */
#ifndef TESTS_FUZZ_BEHIND_US_H
#define TESTS_FUZZ_BEHIND_US_H

#include "proxy/http/forward.h"
#include "proxy/http/target.h"

#include "tests/fuzz/heads.h"

static struct message request;
static struct message written;
static char out[FUZZ_OUT_BYTES];
static char path_memory[8192];
static struct target_memory memory = {.path = path_memory, .path_bytes = sizeof(path_memory)};

static inline bool trusts_some(void *context, struct slice address)
{
    (void)context;
    CHECK(address.len > 0 && address.len < 46);
    for (size_t i = 0; i < address.len; i++)
        CHECK(address.at[i] == '.' || address.at[i] == ':' ||
              (address.at[i] >= '0' && address.at[i] <= '9') ||
              (ascii_lower(address.at[i]) >= 'a' && ascii_lower(address.at[i]) <= 'f'));
    return address.at[0] == '1';
}

static inline struct forward_request forward_of(const struct target *target, uint8_t choice)
{
    struct forward_request forward = {
        .path = target->path,
        .query = target->query,
        .host = target->authority.len > 0 ? target->authority : SLICE("own.example"),
        .peer = choice & 8 ? SLICE("2001:db8::1") : SLICE("192.0.2.1"),
        .forwarded_host = target->authority,
        .request_id = SLICE("0123456789"),
        .is_https = target->is_https,
        .is_peer_trusted = (choice & 4) != 0,
        .passes_upgrade = request.upgrade.len > 0,
        .passes_expect = request.expects_continue,
        .body = FORWARD_NO_BODY,
    };

    if (request.is_chunked)
        forward.body = FORWARD_CHUNKED;
    else if (request.content_length != MESSAGE_NO_LENGTH)
        forward.body = FORWARD_LENGTH;
    forward.length = request.content_length;
    return forward;
}

/* The target's normal form is its own normal form. */
static inline void check_target(const struct forward_request *forward)
{
    struct target again;
    const char *why;

    CHECK(target_parse(&written, &memory, &again, &why) == 0);
    CHECK(slice_equal(again.path, forward->path));
    CHECK(slice_equal(again.query, forward->query));
    CHECK(slice_equal(again.authority, forward->host));
}

static inline void check_request(const struct forward_request *forward)
{
    CHECK(slice_equal(written.method_text, request.method_text));
    CHECK(written.target.len == forward->path.len + forward->query.len);
    CHECK(slice_starts_with(written.target, forward->path));
    CHECK(slice_equal(slice_after(written.target, forward->path.len), forward->query));
    CHECK(slice_equal(written.known[HEADER_HOST], forward->host));
    CHECK(written.is_chunked == request.is_chunked);
    CHECK(written.content_length == request.content_length);
    CHECK(slice_equal(written.upgrade, request.upgrade));
    CHECK(written.expects_continue == request.expects_continue);
    CHECK(!written.has_connection_close && !written.has_connection_keep_alive);
    CHECK(written.http_minor == 1);
    CHECK(count_of(&written, HEADER_VIA) == 1);
    CHECK(count_of(&written, HEADER_X_FORWARDED_FOR) == 1);
    CHECK(count_of(&written, HEADER_X_REQUEST_ID) == 1);
    CHECK(forward_via_count(&written) == forward_via_count(&request) + 1);
}

/* `request` is what was understood. */
static inline void forward_head(uint8_t choice)
{
    struct writer w = writer_over(out, sizeof(out));
    struct forward_request forward;
    struct target target;
    struct slice head;
    const char *why = NULL;

    if (target_parse(&request, &memory, &target, &why) != 0) {
        CHECK(why != NULL);
        return;
    }
    (void)forward_client_address(&request, trusts_some, NULL);
    forward = forward_of(&target, choice);
    forward_write_request(&w, &request, &forward);
    CHECK(!w.overflow);
    head = exact_copy(writer_slice(&w));
    check_written(head);
    CHECK(head_parse_request(&written, head, &written_limits, &why) == 0);
    check_fields(&written);
    check_connection(&request, &written);
    check_order(&request, &written);
    check_request(&forward);
    check_target(&forward);
    exact_free(head);
}

#endif
