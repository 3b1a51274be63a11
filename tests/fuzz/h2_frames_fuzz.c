/*
 * h2_frames_fuzz - any bytes as what a client, or a server, sends on an HTTP/2 connection.
 *
 * The first byte chooses the end that is tried, and how large the pieces are that it reads; what is
 * done with a stream depends on its number.
 *
 * Threads  the first
 * Invariant  A stream's events come in order, and on_closed once, as the last of them.
 *            A body that ends is as long as its Content-Length said.
 *            What is taken as a request, a server behind us reads as the same request.
 *            What is written are whole frames; no more streams are open than may be.
 */
#include "proxy/http/h2_frames.h"

#include "base/buffer.h"
#include "proxy/http/h2_message.h"

#include "tests/fuzz/behind_us.h"

enum { MOST_STREAMS = 20, REQUESTS = 9, BODY_BYTES = 40000 };

static const struct h2_limits limits = {
    .streams = MOST_STREAMS,
    .stream_window = 20000,
    .connection_window = 1 << 17,
    .head = {16384, 4096, 100, HEAD_UNDERSCORES_DROP},
    .extended_connect = true,
};

struct owner {
    struct h2_stream *stream;
    struct owner *next;
    uint32_t id;
    uint64_t body;
    uint64_t length;
    bool has_head;
    bool has_ended;
    bool is_closed;
};

static struct owner *owners;
static struct h2_frames *frames;
static char joined[16384];
static char body_bytes[BODY_BYTES];
static uint8_t choice;
static bool is_over;

static struct owner *owner_new(void)
{
    struct owner *owner = xcalloc(1, sizeof(*owner));

    owner->next = owners;
    owner->length = MESSAGE_NO_LENGTH;
    owners = owner;
    return owner;
}

static void answer(struct h2_stream *stream, uint32_t id)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nServer: a\r\nX-Some: b\r\nConnection: close\r\n\r\n";

    switch (id / 2 % 8) {
    case 0: break;
    case 1: h2_stream_respond(stream, SLICE(head), true); break;
    case 2: h2_stream_reset(stream, H2_CANCEL); break;
    case 3:
        h2_stream_interim(stream, SLICE("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"));
        h2_stream_respond(stream, SLICE(head), false);
        h2_stream_send(stream, SLICE("0123456789"));
        h2_stream_end(stream, SLICE("Grpc-Status: 0\r\n"));
        break;
    case 4:
        h2_stream_respond(stream, SLICE(head), false);
        h2_stream_send(stream, slice_of(body_bytes, sizeof(body_bytes)));
        h2_stream_send(stream, slice_of(body_bytes, sizeof(body_bytes)));
        break;
    case 5:
        h2_stream_respond(stream, SLICE(head), true);
        h2_stream_reset(stream, H2_NO_ERROR);
        break;
    default:
        h2_stream_respond(stream, SLICE(head), false);
        h2_stream_send(stream, SLICE("0123456789"));
        h2_stream_end(stream, SLICE(""));
    }
}

static void *on_request(void *connection, struct h2_stream *stream, const struct h2_head *head,
                        bool is_last)
{
    struct h2_scratch scratch = {joined, sizeof(joined)};
    struct owner *owner;
    bool is_extended;
    const char *why;

    (void)connection;
    CHECK(!is_over);
    CHECK(h2_frames_streams(frames) <= MOST_STREAMS);
    if (h2_request_message(&request, head, is_last, &limits.head, &scratch, &is_extended, &why) !=
        0) {
        h2_stream_reset(stream, H2_PROTOCOL_ERROR);
        return NULL;
    }
    owner = owner_new();
    owner->stream = stream;
    owner->id = h2_stream_id(stream);
    owner->length = request.content_length;
    forward_head(choice);
    answer(stream, owner->id);
    return owner;
}

static void *on_request_too_large(void *connection, struct h2_stream *stream)
{
    (void)connection;
    h2_stream_respond(stream, SLICE("HTTP/1.1 431 \r\n\r\n"), true);
    return NULL;
}

static void on_response(void *connection, void *context, const struct h2_head *head, bool is_last)
{
    struct owner *owner = context;
    const char *why;

    (void)connection;
    CHECK(!owner->is_closed && !owner->has_ended && !owner->has_head);
    if (h2_response_message(&request, head, is_last, &why) != 0) {
        h2_stream_reset(owner->stream, H2_PROTOCOL_ERROR);
        return;
    }
    owner->has_head = request.status >= 200;
}

static void on_trailers(void *connection, void *context, const struct h2_head *head)
{
    struct owner *owner = context;
    const char *why;

    (void)connection;
    CHECK(!owner->is_closed && !owner->has_ended);
    if (h2_trailers_message(&request, head, &limits.head, &why) != 0)
        h2_stream_reset(owner->stream, H2_PROTOCOL_ERROR);
}

static void on_data(void *connection, void *context, struct slice data)
{
    struct owner *owner = context;

    (void)connection;
    CHECK(!owner->is_closed && !owner->has_ended);
    owner->body += data.len;
    if (owner->id % 3 != 0)
        h2_stream_consumed(owner->stream, data.len);
}

static void on_end(void *connection, void *context)
{
    struct owner *owner = context;

    (void)connection;
    CHECK(!owner->is_closed && !owner->has_ended);
    CHECK(owner->length == MESSAGE_NO_LENGTH || owner->length == owner->body);
    owner->has_ended = true;
}

static void on_closed(void *connection, void *context, uint32_t code, bool is_by_peer)
{
    struct owner *owner = context;

    (void)connection;
    (void)code;
    (void)is_by_peer;
    CHECK(!owner->is_closed);
    owner->is_closed = true;
}

static void on_drained(void *connection, void *context)
{
    struct owner *owner = context;

    (void)connection;
    CHECK(!owner->is_closed);
    CHECK(!h2_stream_is_full(owner->stream));
}

static void on_goaway(void *connection, uint32_t last, uint32_t code)
{
    (void)connection;
    (void)last;
    (void)code;
}

static void on_settings(void *connection, uint32_t streams)
{
    (void)connection;
    (void)streams;
}

static void on_violation(void *connection, const char *why)
{
    (void)connection;
    CHECK(!is_over && why != NULL && why[0] != '\0');
    is_over = true;
}

static const struct h2_events events = {
    .on_request = on_request,
    .on_request_too_large = on_request_too_large,
    .on_response = on_response,
    .on_trailers = on_trailers,
    .on_data = on_data,
    .on_end = on_end,
    .on_closed = on_closed,
    .on_drained = on_drained,
    .on_goaway = on_goaway,
    .on_settings = on_settings,
    .on_violation = on_violation,
};

/* ---- what is written ---- */

static struct buffer taken;

/* Whole frames, or the beginning of one, behind the preface of a client. */
static void check_taken(enum h2_end end)
{
    struct slice rest = buffer_slice(&taken);
    const unsigned char *at;

    if (end == H2_CLIENT && rest.len >= 24)
        rest = slice_after(rest, 24);
    while (rest.len >= 9) {
        size_t length;

        at = (const unsigned char *)rest.at;
        length = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        CHECK(length <= 16384 && at[3] <= 9 && (at[5] & 0x80) == 0);
        if (rest.len < 9 + length)
            break;
        rest = slice_after(rest, 9 + length);
    }
    CHECK(rest.len == 0 || h2_frames_wants_write(frames) || is_over);
}

static void take_some(void)
{
    char bytes[4096];
    size_t count;

    for (unsigned i = 0; i < 8; i++) {
        count = h2_frames_take(frames, bytes, choice & 32 ? 2048 : sizeof(bytes));
        buffer_append(&taken, bytes, count);
        if (count == 0)
            return;
    }
}

static void ask(void)
{
    static const char post[] = "POST /a HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 10\r\n\r\n";
    static const char get[] = "GET /a HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n";

    for (unsigned i = 0; i < REQUESTS; i++) {
        struct owner *owner = owner_new();
        bool is_last = i % 2 == 0;

        owner->stream =
            h2_frames_request(frames, is_last ? SLICE(get) : SLICE(post), false, is_last, owner);
        if (owner->stream == NULL) {
            owner->is_closed = true;
            return;
        }
        owner->id = h2_stream_id(owner->stream);
        if (!is_last) {
            h2_stream_send(owner->stream, SLICE("0123456789"));
            h2_stream_end(owner->stream, SLICE(""));
        }
        if (i == 5)
            h2_stream_reset(owner->stream, H2_CANCEL);
    }
}

static void read_all(struct slice bytes)
{
    size_t piece = choice & 1 ? bytes.len : 1 + (choice >> 1 & 7) * 37;
    uint64_t now_ms = 1000;

    while (bytes.len > 0) {
        struct slice part = slice_of(bytes.at, piece < bytes.len ? piece : bytes.len);
        struct slice copy = exact_copy(part);

        (void)h2_frames_read(frames, copy, now_ms);
        exact_free(copy);
        now_ms += 10;
        take_some();
        bytes = slice_after(bytes, part.len);
    }
}

static void end_all(void)
{
    h2_frames_goaway_final(frames, H2_NO_ERROR);
    take_some();
    h2_frames_free(&frames);
    while (owners != NULL) {
        struct owner *next = owners->next;

        CHECK(owners->is_closed);
        xfree(owners);
        owners = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    enum h2_end end;

    headers_init();
    if (size == 0)
        return 0;
    choice = data[0];
    is_over = false;
    end = choice & 128 ? H2_CLIENT : H2_SERVER;
    buffer_init(&taken);
    frames = h2_frames_new(end, &limits, &events, NULL);
    if (end == H2_CLIENT)
        ask();
    else
        (void)h2_frames_read(frames, SLICE(preface), 1000);
    take_some();
    read_all(slice_of((const char *)data + 1, size - 1));
    check_taken(end);
    end_all();
    buffer_fini(&taken);
    return 0;
}
