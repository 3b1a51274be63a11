/*
 * h2_frames - one HTTP/2 connection as bytes.  The only file that knows nghttp2.
 *
 * nghttp2 is told of bytes and calls back; what it says of a stream's end is kept until it has
 * returned, so that whoever is told may free what he likes.  DATA is not copied into nghttp2: it
 * goes from a stream's outbox to where the frames are taken to.
 *
 * Threads  one worker; pure
 * Invariants  a stream is in `streams` until its on_closed was told; nghttp2 knows it by its user
 *             data until it is closed.
 */
#include "proxy/http/h2_frames.h"

#include <nghttp2/nghttp2.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "proxy/http/h2_budget.h"
#include "proxy/http/headers.h"

enum {
    FRAME_HEAD_BYTES = 9,
    FRAME_BYTES = 16384,       /* what every peer takes (RFC 9113 §4.2), and the most that we do */
    FULL_BYTES = 64 * 1024,    /* of a stream's outbox: see h2_stream_is_full() */
    UNREAD_FRAMES = 1000,      /* control frames of ours that may wait */
    SMALL_CONTINUATION = 1024, /* bytes: smaller ones count */
    GOOD_ROOM = 1024,          /* for one more frame to be begun */
    FIRST_FIELDS = 32,
    PSEUDO_FIELDS = 5,
    FIELD_OVERHEAD = 32, /* RFC 9113 §6.5.2 */
    DEADLY_TIMES = 4,    /* so much over a limit, a head costs the connection */
    STACK_FIELDS = 96,
};

struct h2_stream {
    struct list link;     /* of `streams`, or of `closed` */
    struct list draining; /* of `drained` */
    struct h2_frames *frames;
    void *owner;
    int32_t id;
    uint32_t code; /* that it was closed with */
    struct buffer outbox;
    struct slice trailers; /* a copy, or empty */
    bool is_wanted : 1;    /* its owner is told of it */
    bool is_remote_ended : 1;
    bool has_final : 1; /* client's end: a head that is not interim has come */
    bool has_head : 1;  /* ours was given to nghttp2 */
    bool has_ended : 1; /* END_STREAM was asked for */
    bool is_end_sent : 1;
    bool is_deferred : 1; /* nghttp2 waits for h2_stream_send() or _end() */
    bool is_reset : 1;
    bool resets_at_end : 1;
    bool was_full : 1;
    bool is_closed : 1;
    bool is_by_peer : 1;
};

/* What a decoded field is held by. */
struct held {
    nghttp2_rcbuf *name;
    nghttp2_rcbuf *value;
};

/* The head that is being read; frames of others cannot come between. */
struct reading {
    struct h2_field *fields;
    struct held *held;
    uint32_t count;
    uint32_t room;
    uint32_t others; /* fields but pieces of Cookie, which are one field in the end */
    size_t bytes;
    uint32_t continuations;
    bool is_too_large;
};

struct h2_frames {
    nghttp2_session *session;
    const struct h2_events *events;
    void *connection;
    struct h2_limits limits;
    struct list streams;
    struct list closed;  /* whose on_closed is to be told */
    struct list drained; /* the same of on_drained */
    uint32_t open;
    enum h2_end end;
    bool is_over;
    bool is_violation_told;
    const char *why; /* of the violation, or NULL */
    uint32_t last_code;
    int32_t highest; /* stream that the peer has opened */
    struct reading head;
    struct slice pending; /* bytes of nghttp2 that did not fit */
    char *out;            /* where frames are taken to, while they are */
    char *out_end;
    size_t data_in_frame; /* bytes of the DATA frame that is being read */
    struct h2_budget budget;
};

/* ---- memory ---- */

static void *memory_malloc(size_t size, void *unused)
{
    (void)unused;
    return xmalloc(size);
}

static void memory_free(void *memory, void *unused)
{
    (void)unused;
    xfree(memory);
}

static void *memory_calloc(size_t count, size_t size, void *unused)
{
    (void)unused;
    return xcalloc(count, size);
}

static void *memory_realloc(void *memory, size_t size, void *unused)
{
    (void)unused;
    return xrealloc(memory, size);
}

static nghttp2_mem memory = {.malloc = memory_malloc,
                             .free = memory_free,
                             .calloc = memory_calloc,
                             .realloc = memory_realloc};

/* ---- violations ---- */

/* The connection ends with GOAWAY; it is told when nghttp2 has returned. */
static void violate(struct h2_frames *frames, const char *why, uint32_t code)
{
    frames->is_over = true;
    if (frames->why != NULL)
        return;
    frames->why = why;
    (void)nghttp2_session_terminate_session(frames->session, code); /* fails without memory only */
}

/* False: it is used up, and the connection over. */
static bool spend(struct h2_frames *frames, enum h2_budget_kind kind)
{
    if (h2_budget_spend(&frames->budget, kind))
        return true;
    violate(frames, h2_budget_name(kind), NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
}

/* For nghttp2: to go on, or to read nothing more. */
static int go_on(const struct h2_frames *frames)
{
    return frames->is_over ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ---- streams ---- */

static struct h2_stream *stream_new(struct h2_frames *frames, int32_t id, void *owner)
{
    struct h2_stream *stream = xcalloc(1, sizeof(*stream));

    stream->frames = frames;
    stream->owner = owner;
    stream->is_wanted = owner != NULL;
    stream->id = id;
    buffer_init(&stream->outbox);
    list_init(&stream->draining);
    list_append(&frames->streams, &stream->link);
    frames->open++;
    return stream;
}

static void stream_free(struct h2_stream *stream)
{
    list_remove(&stream->link);
    list_remove(&stream->draining);
    buffer_fini(&stream->outbox);
    xfree((void *)(uintptr_t)stream->trailers.at);
    xfree(stream);
}

static struct h2_stream *stream_of(const struct h2_frames *frames, int32_t id)
{
    return nghttp2_session_get_stream_user_data(frames->session, id);
}

static void tell_closed(struct h2_frames *frames, struct h2_stream *stream)
{
    if (stream->is_wanted)
        frames->events->on_closed(frames->connection, stream->owner, stream->code,
                                  stream->is_by_peer);
    stream_free(stream);
}

static void tell_drained(struct h2_frames *frames, struct h2_stream *stream)
{
    list_remove(&stream->draining);
    if (stream->is_wanted && !stream->is_closed)
        frames->events->on_drained(frames->connection, stream->owner);
}

/* Tells what had to wait until nghttp2 returned. */
static void settle(struct h2_frames *frames)
{
    if (frames->why != NULL && !frames->is_violation_told) {
        frames->is_violation_told = true;
        frames->events->on_violation(frames->connection, frames->why);
    }
    while (!list_is_empty(&frames->drained))
        tell_drained(frames, container_of(frames->drained.next, struct h2_stream, draining));
    while (!list_is_empty(&frames->closed))
        tell_closed(frames, container_of(frames->closed.next, struct h2_stream, link));
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    struct h2_frames *frames = context;
    struct h2_stream *stream = stream_of(frames, id);

    (void)session;
    if (stream == NULL)
        return 0;
    stream->is_closed = true;
    stream->code = code;
    list_remove(&stream->link);
    list_append(&frames->closed, &stream->link);
    frames->open--;
    return 0;
}

/* ---- heads that come ---- */

static void clear_head(struct reading *head)
{
    for (uint32_t i = 0; i < head->count; i++) {
        nghttp2_rcbuf_decref(head->held[i].name);
        nghttp2_rcbuf_decref(head->held[i].value);
    }
    head->count = 0;
    head->others = 0;
    head->bytes = 0;
    head->is_too_large = false;
}

static void free_head(struct reading *head)
{
    clear_head(head);
    xfree(head->fields);
    xfree(head->held);
    *head = (struct reading){0};
}

static void grow_head(struct reading *head)
{
    head->room = head->room == 0 ? FIRST_FIELDS : head->room * 2;
    head->fields = xrealloc(head->fields, head->room * sizeof(*head->fields));
    head->held = xrealloc(head->held, head->room * sizeof(*head->held));
}

static struct slice slice_of_rcbuf(nghttp2_rcbuf *buffer)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(buffer);

    return slice_of((const char *)vec.base, vec.len);
}

static void keep_field(struct reading *head, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
    if (head->count == head->room)
        grow_head(head);
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    head->held[head->count] = (struct held){name, value};
    head->fields[head->count++] = (struct h2_field){slice_of_rcbuf(name), slice_of_rcbuf(value)};
}

/* Counts a field against the limits; false when the head is too large to be kept. */
static bool count_field(struct h2_frames *frames, struct slice name, struct slice value)
{
    struct reading *head = &frames->head;
    const struct head_limits *limits = &frames->limits.head;

    head->bytes += name.len + value.len + FIELD_OVERHEAD;
    head->others += !slice_equal(name, SLICE("cookie"));
    if (head->bytes <= limits->head_bytes && head->others <= limits->fields + PSEUDO_FIELDS)
        return true;
    head->is_too_large = true;
    if (head->bytes > limits->head_bytes * DEADLY_TIMES)
        violate(frames, h2_budget_name(H2_BUDGET_HEADER_LIST), NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *context)
{
    struct h2_frames *frames = context;

    (void)session;
    (void)frame;
    (void)flags;
    if (count_field(frames, slice_of_rcbuf(name), slice_of_rcbuf(value)))
        keep_field(&frames->head, name, value);
    return go_on(frames);
}

/* nghttp2 would leave such a field out and go on. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
                             void *context)
{
    (void)name;
    (void)value;
    (void)flags;
    (void)context;
    (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                    NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2_frames *frames = context;

    clear_head(&frames->head);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        struct h2_stream *stream = stream_new(frames, frame->hd.stream_id, NULL);

        (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    }
    return go_on(frames);
}

static void reset_by_us(struct h2_stream *stream, uint32_t code)
{
    if (stream->is_closed || stream->is_reset)
        return;
    stream->is_reset = true;
    (void)nghttp2_submit_rst_stream(stream->frames->session, NGHTTP2_FLAG_NONE, stream->id, code);
}

static void tell_request(struct h2_frames *frames, struct h2_stream *stream,
                         const struct h2_head *head, bool is_last)
{
    if (frames->head.is_too_large) {
        if (!spend(frames, H2_BUDGET_HEADER_LIST))
            return;
        stream->owner = frames->events->on_request_too_large(frames->connection, stream);
        stream->is_wanted = stream->owner != NULL;
        return;
    }
    stream->owner = frames->events->on_request(frames->connection, stream, head, is_last);
    stream->is_wanted = stream->owner != NULL;
}

static bool is_interim(const struct h2_head *head)
{
    return head->count > 0 && slice_equal(head->fields[0].name, SLICE(":status")) &&
           head->fields[0].value.len == 3 && head->fields[0].value.at[0] == '1';
}

static void tell_head(struct h2_frames *frames, struct h2_stream *stream,
                      const struct h2_head *head, bool is_last)
{
    if (frames->head.is_too_large) {
        reset_by_us(stream, H2_ENHANCE_YOUR_CALM);
        return;
    }
    if (frames->end == H2_SERVER || stream->has_final) {
        frames->events->on_trailers(frames->connection, stream->owner, head);
        return;
    }
    stream->has_final = !is_interim(head);
    frames->events->on_response(frames->connection, stream->owner, head, is_last);
}

static void tell_end(struct h2_frames *frames, struct h2_stream *stream)
{
    stream->is_remote_ended = true;
    if (stream->is_wanted && !stream->is_reset)
        frames->events->on_end(frames->connection, stream->owner);
}

static void head_is_there(struct h2_frames *frames, const nghttp2_frame *frame)
{
    struct h2_stream *stream = stream_of(frames, frame->hd.stream_id);
    struct h2_head head = {frames->head.fields, frames->head.count};
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (stream == NULL || stream->is_reset)
        return;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        tell_request(frames, stream, &head, is_last);
    else if (stream->is_wanted)
        tell_head(frames, stream, &head, is_last);
    if (is_last && !frames->is_over)
        tell_end(frames, stream);
}

/* ---- frames that come ---- */

/* A head may come in so many frames as its limit needs, whatever their size; small ones count. */
static void count_continuation(struct h2_frames *frames, const nghttp2_frame_hd *hd)
{
    size_t most = frames->limits.head.head_bytes * DEADLY_TIMES / FRAME_BYTES + 16;

    if (++frames->head.continuations > most)
        violate(frames, h2_budget_name(H2_BUDGET_CONTINUATION), NGHTTP2_ENHANCE_YOUR_CALM);
    else if (hd->length < SMALL_CONTINUATION)
        (void)spend(frames, H2_BUDGET_CONTINUATION);
}

static void count_head(struct h2_frames *frames, const nghttp2_frame_hd *hd)
{
    frames->head.continuations = 0;
    if (frames->end == H2_CLIENT)
        return;
    if (hd->stream_id > frames->highest)
        frames->highest = hd->stream_id;
    else if (stream_of(frames, hd->stream_id) == NULL)
        (void)spend(frames, H2_BUDGET_CLOSED);
}

/* Every frame passes here before nghttp2 looks at what is in it. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *context)
{
    struct h2_frames *frames = context;

    (void)session;
    switch (hd->type) {
    case NGHTTP2_DATA: frames->data_in_frame = 0; break;
    case NGHTTP2_HEADERS: count_head(frames, hd); break;
    case NGHTTP2_PRIORITY: (void)spend(frames, H2_BUDGET_PRIORITY); break;
    case NGHTTP2_RST_STREAM: (void)spend(frames, H2_BUDGET_RESETS); break;
    case NGHTTP2_SETTINGS: (void)spend(frames, H2_BUDGET_SETTINGS); break;
    case NGHTTP2_PING: (void)spend(frames, H2_BUDGET_PING); break;
    case NGHTTP2_WINDOW_UPDATE: (void)spend(frames, H2_BUDGET_WINDOW_UPDATE); break;
    case NGHTTP2_CONTINUATION: count_continuation(frames, hd); break;
    case NGHTTP2_PUSH_PROMISE:
    case NGHTTP2_GOAWAY: break;
    default: (void)spend(frames, H2_BUDGET_UNKNOWN); break;
    }
    return go_on(frames);
}

static void data_is_over(struct h2_frames *frames, const nghttp2_frame *frame)
{
    struct h2_stream *stream = stream_of(frames, frame->hd.stream_id);

    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        if (stream != NULL)
            tell_end(frames, stream);
    } else if (frames->data_in_frame == 0) {
        (void)spend(frames, H2_BUDGET_EMPTY_DATA);
    }
}

static void settings_are_there(struct h2_frames *frames, const nghttp2_frame *frame)
{
    if (frames->end == H2_CLIENT && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        frames->events->on_settings(frames->connection,
                                    nghttp2_session_get_remote_settings(
                                        frames->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2_frames *frames = context;
    struct h2_stream *stream;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS: head_is_there(frames, frame); break;
    case NGHTTP2_DATA: data_is_over(frames, frame); break;
    case NGHTTP2_SETTINGS: settings_are_there(frames, frame); break;
    case NGHTTP2_RST_STREAM:
        stream = stream_of(frames, frame->hd.stream_id);
        if (stream != NULL)
            stream->is_by_peer = true;
        break;
    case NGHTTP2_GOAWAY:
        if (frames->end == H2_CLIENT)
            frames->events->on_goaway(frames->connection, (uint32_t)frame->goaway.last_stream_id,
                                      frame->goaway.error_code);
        break;
    default: break;
    }
    return go_on(frames);
}

/* The connection's window is given back at once: what a stream may hold, its own window bounds. */
static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t count, void *context)
{
    struct h2_frames *frames = context;
    struct h2_stream *stream = stream_of(frames, id);

    (void)flags;
    frames->data_in_frame += count;
    (void)nghttp2_session_consume_connection(session, count);
    if (stream == NULL)
        return 0;
    if (stream->is_wanted && !stream->is_reset)
        frames->events->on_data(frames->connection, stream->owner,
                                slice_of((const char *)data, count));
    else
        (void)nghttp2_session_consume_stream(session, id, count);
    return go_on(frames);
}

/* ---- frames that go ---- */

static void end_is_sent(struct h2_stream *stream)
{
    stream->is_end_sent = true;
    /* Nobody waits for the rest of its body (RFC 9113 §8.1). */
    if (stream->resets_at_end || (!stream->is_wanted && !stream->is_remote_ended))
        reset_by_us(stream, H2_NO_ERROR);
}

static void reset_is_sent(struct h2_frames *frames, const nghttp2_frame *frame)
{
    const struct h2_stream *stream = stream_of(frames, frame->hd.stream_id);

    if (stream == NULL || !stream->is_reset)
        (void)spend(frames, H2_BUDGET_PROVOKED_RESETS);
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2_frames *frames = context;
    struct h2_stream *stream;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        h2_budget_earn(&frames->budget, H2_BUDGET_WINDOW_UPDATE, 10);
        h2_budget_earn(&frames->budget, H2_BUDGET_PING, 1);
        /* fall through */
    case NGHTTP2_HEADERS:
        stream = stream_of(frames, frame->hd.stream_id);
        if (stream != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            end_is_sent(stream);
        break;
    case NGHTTP2_RST_STREAM: reset_is_sent(frames, frame); break;
    case NGHTTP2_GOAWAY:
        /* nghttp2 has found a fault of the peer's that ends the connection. */
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR &&
            frame->goaway.error_code != frames->last_code)
            violate(frames, "protocol", frame->goaway.error_code);
        break;
    default: break;
    }
    return 0;
}

static ssize_t read_length(nghttp2_session *session, uint8_t type, int32_t id, int32_t window,
                           int32_t stream_window, uint32_t frame_bytes, void *context)
{
    struct h2_frames *frames = context;
    ssize_t room = frames->out_end - frames->out - FRAME_HEAD_BYTES;
    ssize_t most = window < stream_window ? window : stream_window;

    (void)session;
    (void)type;
    (void)id;
    most = most < (ssize_t)frame_bytes ? most : (ssize_t)frame_bytes;
    most = most < FRAME_BYTES ? most : FRAME_BYTES;
    return room > 0 && room < most ? room : most;
}

/* ---- heads that go ---- */

/* HTTP/1 text as fields of nghttp2, which copies them and makes their names lower case. */
struct fields {
    nghttp2_nv few[STACK_FIELDS];
    nghttp2_nv *at;
    size_t count;
    size_t room;
};

static void fields_begin(struct fields *fields)
{
    fields->at = fields->few;
    fields->count = 0;
    fields->room = STACK_FIELDS;
}

static void fields_end(struct fields *fields)
{
    if (fields->at != fields->few)
        xfree(fields->at);
}

static void fields_grow(struct fields *fields)
{
    nghttp2_nv *more = xmalloc(fields->room * 2 * sizeof(*more));

    memcpy(more, fields->at, fields->count * sizeof(*more));
    fields_end(fields);
    fields->at = more;
    fields->room *= 2;
}

static void add_field(struct fields *fields, struct slice name, struct slice value, uint8_t flags)
{
    if (fields->count == fields->room)
        fields_grow(fields);
    fields->at[fields->count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.at,
        .value = (uint8_t *)(uintptr_t)value.at,
        .namelen = name.len,
        .valuelen = value.len,
        .flags = flags,
    };
}

/* Takes a line off `text`, without its CRLF; false at the empty line, or the end. */
static bool take_line(struct slice *text, struct slice *line_out)
{
    const char *newline = text->len > 0 ? memchr(text->at, '\n', text->len) : NULL;
    size_t len = newline == NULL ? 0 : (size_t)(newline - text->at);

    if (len < 2)
        return false;
    *line_out = slice_of(text->at, len - 1);
    *text = slice_after(*text, len + 1);
    return true;
}

/* Is it of one hop in HTTP/1, and nothing in HTTP/2 (RFC 9113 §8.2.2)? */
static bool is_left_out(enum header header, struct slice value)
{
    switch (header) {
    case HEADER_CONNECTION:
    case HEADER_KEEP_ALIVE:
    case HEADER_PROXY_CONNECTION:
    case HEADER_TRANSFER_ENCODING:
    case HEADER_UPGRADE: return true;
    case HEADER_TE: return !slice_equal(value, SLICE("trailers"));
    default: return false;
    }
}

/* What differs from message to message would only push other fields out of the peer's table. */
static uint8_t flags_of(enum header header)
{
    return header == HEADER_X_REQUEST_ID || header == HEADER_CONTENT_LENGTH
               ? NGHTTP2_NV_FLAG_NO_INDEX
               : NGHTTP2_NV_FLAG_NONE;
}

/* Field lines to fields; Host becomes `*authority_out`, where it is asked for. */
static void add_lines(struct fields *fields, struct slice text, struct slice *authority_out)
{
    struct slice line;

    while (take_line(&text, &line)) {
        const char *colon = memchr(line.at, ':', line.len);
        struct slice name = slice_of(line.at, colon == NULL ? 0 : (size_t)(colon - line.at));
        struct slice value;
        enum header header;

        if (name.len == 0)
            continue;
        value = slice_trim(slice_after(line, name.len + 1));
        header = header_find(name);
        if (header == HEADER_HOST && authority_out != NULL)
            *authority_out = value;
        else if (!is_left_out(header, value))
            add_field(fields, name, value, flags_of(header));
    }
}

static void submit_trailers(struct h2_stream *stream)
{
    struct fields fields;

    fields_begin(&fields);
    add_lines(&fields, stream->trailers, NULL);
    (void)nghttp2_submit_trailer(stream->frames->session, stream->id, fields.at, fields.count);
    fields_end(&fields);
}

/* ---- bodies that go ---- */

/* nghttp2 asks for DATA: how much there is; send_data() is asked to write it. */
static ssize_t read_data(nghttp2_session *session, int32_t id, uint8_t *unused, size_t most,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct h2_stream *stream = source->ptr;
    size_t waiting = buffer_length(&stream->outbox);
    size_t count = waiting < most ? waiting : most;

    (void)session;
    (void)id;
    (void)unused;
    (void)context;
    if (count == 0 && !stream->has_ended) {
        stream->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (count < waiting || !stream->has_ended)
        return (ssize_t)count;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->trailers.len > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(stream);
    }
    return (ssize_t)count;
}

static void drain(struct h2_stream *stream)
{
    struct h2_frames *frames = stream->frames;

    if (!stream->was_full || buffer_length(&stream->outbox) > FULL_BYTES / 2)
        return;
    stream->was_full = false;
    list_append(&frames->drained, &stream->draining);
}

static size_t room_left(const struct h2_frames *frames)
{
    return (size_t)(frames->out_end - frames->out);
}

/* DATA goes from the outbox to where frames are taken to.  The next frame is begun only where there
 * is room for a good one: once its length is chosen, it stays. */
static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t count, nghttp2_data_source *source, void *context)
{
    struct h2_frames *frames = context;
    struct h2_stream *stream = source->ptr;

    (void)session;
    (void)frame;
    if (room_left(frames) < FRAME_HEAD_BYTES + count)
        return NGHTTP2_ERR_WOULDBLOCK;
    memcpy(frames->out, head, FRAME_HEAD_BYTES);
    frames->out += FRAME_HEAD_BYTES;
    if (count > 0) {
        memcpy(frames->out, buffer_slice(&stream->outbox).at, count);
        frames->out += count;
        buffer_consume(&stream->outbox, count);
        drain(stream);
    }
    return room_left(frames) < GOOD_ROOM ? NGHTTP2_ERR_PAUSE : 0;
}

/* ---- a connection ---- */

static nghttp2_session_callbacks *callbacks_new(void)
{
    nghttp2_session_callbacks *callbacks;

    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, read_length);
    return callbacks;
}

/* What we count ourselves, nghttp2 need not. */
static nghttp2_option *option_new(void)
{
    nghttp2_option *option;

    CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, UNREAD_FRAMES * 2);
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
    nghttp2_option_set_max_continuations(option, SIZE_MAX);
    return option;
}

static void make_session(struct h2_frames *frames)
{
    nghttp2_session_callbacks *callbacks = callbacks_new();
    nghttp2_option *option = option_new();
    int result =
        frames->end == H2_SERVER
            ? nghttp2_session_server_new3(&frames->session, callbacks, frames, option, &memory)
            : nghttp2_session_client_new3(&frames->session, callbacks, frames, option, &memory);

    CHECK(result == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
}

static void say_settings(struct h2_frames *frames)
{
    const struct h2_limits *limits = &frames->limits;
    bool is_server = frames->end == H2_SERVER;
    nghttp2_settings_entry server[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head.head_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    nghttp2_settings_entry client[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head.head_bytes},
    };

    CHECK(nghttp2_submit_settings(frames->session, NGHTTP2_FLAG_NONE, is_server ? server : client,
                                  is_server ? 4 + limits->extended_connect : 3) == 0);
    CHECK(nghttp2_session_set_local_window_size(frames->session, NGHTTP2_FLAG_NONE, 0,
                                                (int32_t)limits->connection_window) == 0);
}

struct h2_frames *h2_frames_new(enum h2_end end, const struct h2_limits *limits,
                                const struct h2_events *events, void *connection)
{
    struct h2_frames *frames = xcalloc(1, sizeof(*frames));

    frames->end = end;
    frames->limits = *limits;
    frames->events = events;
    frames->connection = connection;
    list_init(&frames->streams);
    list_init(&frames->closed);
    list_init(&frames->drained);
    h2_budget_init(&frames->budget);
    make_session(frames);
    say_settings(frames);
    return frames;
}

static void close_all(struct h2_frames *frames)
{
    while (!list_is_empty(&frames->streams)) {
        struct h2_stream *stream = container_of(frames->streams.next, struct h2_stream, link);

        stream->is_closed = true;
        stream->code = H2_INTERNAL_ERROR;
        list_remove(&stream->link);
        list_append(&frames->closed, &stream->link);
        frames->open--;
    }
}

void h2_frames_free(struct h2_frames **frames_at)
{
    struct h2_frames *frames = *frames_at;

    *frames_at = NULL;
    if (frames == NULL)
        return;
    frames->is_over = true;
    close_all(frames);
    settle(frames);
    nghttp2_session_del(frames->session);
    free_head(&frames->head);
    xfree(frames);
}

/* Between requests a connection keeps no memory for heads. */
static void rest(struct h2_frames *frames)
{
    if (frames->open == 0 && frames->head.room > 0)
        free_head(&frames->head);
}

bool h2_frames_read(struct h2_frames *frames, struct slice bytes, uint64_t now_ms)
{
    ssize_t used;

    if (frames->is_over)
        return false;
    h2_budget_refill(&frames->budget, now_ms);
    used = nghttp2_session_mem_recv(frames->session, (const uint8_t *)bytes.at, bytes.len);
    if (used < 0)
        violate(frames, "protocol", NGHTTP2_PROTOCOL_ERROR);
    else if (nghttp2_session_get_outbound_queue_size(frames->session) > UNREAD_FRAMES)
        violate(frames, h2_budget_name(H2_BUDGET_UNREAD), NGHTTP2_ENHANCE_YOUR_CALM);
    settle(frames);
    rest(frames);
    return !frames->is_over;
}

/* Copies what nghttp2 gave, as far as there is room; false when some is left. */
static bool put_pending(struct h2_frames *frames)
{
    size_t room = room_left(frames);
    size_t count = frames->pending.len < room ? frames->pending.len : room;

    if (count > 0) {
        memcpy(frames->out, frames->pending.at, count);
        frames->out += count;
        frames->pending = slice_after(frames->pending, count);
    }
    return frames->pending.len == 0;
}

size_t h2_frames_take(struct h2_frames *frames, char *at, size_t room)
{
    const uint8_t *bytes;
    ssize_t count;

    frames->out = at;
    frames->out_end = at + room;
    while (put_pending(frames) && room_left(frames) >= GOOD_ROOM) {
        count = nghttp2_session_mem_send(frames->session, &bytes);
        if (count <= 0) {
            frames->is_over |= count < 0;
            break;
        }
        frames->pending = slice_of((const char *)bytes, (size_t)count);
    }
    room = (size_t)(frames->out - at);
    frames->out = frames->out_end = NULL;
    settle(frames);
    return room;
}

bool h2_frames_wants_write(const struct h2_frames *frames)
{
    return frames->pending.len > 0 || nghttp2_session_want_write(frames->session);
}

bool h2_frames_is_over(const struct h2_frames *frames)
{
    return frames->pending.len == 0 && !nghttp2_session_want_write(frames->session) &&
           (frames->is_over || !nghttp2_session_want_read(frames->session));
}

uint32_t h2_frames_streams(const struct h2_frames *frames)
{
    return frames->open;
}

void h2_frames_goaway(struct h2_frames *frames)
{
    (void)nghttp2_submit_shutdown_notice(frames->session);
}

void h2_frames_goaway_final(struct h2_frames *frames, enum h2_code code)
{
    frames->last_code = code;
    (void)nghttp2_submit_goaway(frames->session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(frames->session), code,
                                NULL, 0);
}

void h2_frames_ping(struct h2_frames *frames)
{
    (void)nghttp2_submit_ping(frames->session, NGHTTP2_FLAG_NONE, NULL);
}

/* ---- streams, as others see them ---- */

static nghttp2_data_provider provider_of(struct h2_stream *stream)
{
    return (nghttp2_data_provider){.source.ptr = stream, .read_callback = read_data};
}

/* "METHOD target HTTP/1.1" */
static void add_request_line(struct fields *fields, struct slice line, bool is_https)
{
    const char *space = memchr(line.at, ' ', line.len);
    size_t method = space == NULL ? 0 : (size_t)(space - line.at);

    CHECK(method > 0 && line.len > method + 1 + sizeof(" HTTP/1.1") - 1);
    add_field(fields, SLICE(":method"), slice_of(line.at, method), NGHTTP2_NV_FLAG_NONE);
    add_field(fields, SLICE(":scheme"), is_https ? SLICE("https") : SLICE("http"),
              NGHTTP2_NV_FLAG_NONE);
    add_field(fields, SLICE(":path"), slice_of(space + 1, line.len - method - sizeof(" HTTP/1.1")),
              NGHTTP2_NV_FLAG_NONE);
}

/* Pseudo-fields stand in front: its place is kept until Host was met. */
static void add_request_fields(struct fields *fields, struct slice text)
{
    struct slice authority = SLICE("");
    size_t place = fields->count;

    add_field(fields, SLICE(":authority"), authority, NGHTTP2_NV_FLAG_NONE);
    add_lines(fields, text, &authority);
    fields->at[place].value = (uint8_t *)(uintptr_t)authority.at;
    fields->at[place].valuelen = authority.len;
}

static bool may_open(const struct h2_frames *frames)
{
    uint32_t most = nghttp2_session_get_remote_settings(frames->session,
                                                        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    return !frames->is_over && frames->open < most &&
           nghttp2_session_check_request_allowed(frames->session);
}

struct h2_stream *h2_frames_request(struct h2_frames *frames, struct slice head, bool is_https,
                                    bool is_last, void *owner)
{
    struct h2_stream *stream;
    struct fields fields;
    struct slice line;
    nghttp2_data_provider provider;

    if (!may_open(frames))
        return NULL;
    CHECK(take_line(&head, &line));
    stream = stream_new(frames, 0, owner);
    provider = provider_of(stream);
    fields_begin(&fields);
    add_request_line(&fields, line, is_https);
    add_request_fields(&fields, head);
    stream->has_head = true;
    stream->has_ended = is_last;
    stream->id = nghttp2_submit_request(frames->session, NULL, fields.at, fields.count,
                                        is_last ? NULL : &provider, stream);
    fields_end(&fields);
    if (stream->id > 0)
        return stream;
    frames->open--;
    stream_free(stream);
    return NULL;
}

/* "HTTP/1.1 200 OK" */
static void add_status_line(struct fields *fields, struct slice *head)
{
    struct slice line;

    CHECK(take_line(head, &line) && line.len >= sizeof("HTTP/1.1 200") - 1);
    add_field(fields, SLICE(":status"), slice_of(line.at + sizeof("HTTP/1.1 ") - 1, 3),
              NGHTTP2_NV_FLAG_NONE);
}

void h2_stream_respond(struct h2_stream *stream, struct slice head, bool is_last)
{
    nghttp2_data_provider provider = provider_of(stream);
    struct fields fields;

    if (stream->is_closed || stream->has_head)
        return;
    fields_begin(&fields);
    add_status_line(&fields, &head);
    add_lines(&fields, head, NULL);
    stream->has_head = true;
    stream->has_ended |= is_last;
    (void)nghttp2_submit_response(stream->frames->session, stream->id, fields.at, fields.count,
                                  is_last ? NULL : &provider);
    fields_end(&fields);
}

void h2_stream_interim(struct h2_stream *stream, struct slice head)
{
    struct fields fields;

    if (stream->is_closed || stream->has_head)
        return;
    fields_begin(&fields);
    add_status_line(&fields, &head);
    add_lines(&fields, head, NULL);
    (void)nghttp2_submit_headers(stream->frames->session, NGHTTP2_FLAG_NONE, stream->id, NULL,
                                 fields.at, fields.count, NULL);
    fields_end(&fields);
}

static void resume(struct h2_stream *stream)
{
    if (!stream->is_deferred)
        return;
    stream->is_deferred = false;
    (void)nghttp2_session_resume_data(stream->frames->session, stream->id);
}

void h2_stream_send(struct h2_stream *stream, struct slice data)
{
    if (stream->is_closed || stream->is_reset || stream->has_ended || data.len == 0)
        return;
    buffer_append_slice(&stream->outbox, data);
    stream->was_full |= h2_stream_is_full(stream);
    resume(stream);
}

void h2_stream_end(struct h2_stream *stream, struct slice trailers)
{
    if (stream->is_closed || stream->is_reset || stream->has_ended)
        return;
    stream->has_ended = true;
    if (trailers.len > 0) {
        char *copy = xmalloc(trailers.len);

        memcpy(copy, trailers.at, trailers.len);
        stream->trailers = slice_of(copy, trailers.len);
    }
    resume(stream);
}

void h2_stream_reset(struct h2_stream *stream, enum h2_code code)
{
    if (code == H2_NO_ERROR && stream->has_ended && !stream->is_end_sent)
        stream->resets_at_end = true;
    else
        reset_by_us(stream, code);
}

void h2_stream_consumed(struct h2_stream *stream, size_t bytes)
{
    if (!stream->is_closed)
        (void)nghttp2_session_consume_stream(stream->frames->session, stream->id, bytes);
}

size_t h2_stream_unsent(const struct h2_stream *stream)
{
    return buffer_length(&stream->outbox);
}

bool h2_stream_is_full(const struct h2_stream *stream)
{
    return buffer_length(&stream->outbox) > FULL_BYTES;
}

uint32_t h2_stream_id(const struct h2_stream *stream)
{
    return (uint32_t)stream->id;
}
