/*
 * h2_send - what we send: HTTP/1 text as fields, and bodies.
 *
 * DATA is not copied into nghttp2: it goes from a stream's outbox, or from where its owner has it,
 * to where the frames are taken to.
 *
 * Threads  one worker; pure
 */
#include "proxy/http/h2_internal.h"

#include "base/check.h"
#include "base/memory.h"
#include "proxy/http/headers.h"

enum {
    FULL_BYTES = 64 * 1024,        /* of a stream's outbox: see h2_stream_is_full() */
    CROWDED_FULL_BYTES = 8 * 1024, /* the same while the connection is crowded */
    STACK_FIELDS = 96,
    RESETS_OF_ENDS = 4, /* streams that we end earn one that the peer may reset */
};

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

/* Those whose name is a literal here. */
#define OWN_NAME NGHTTP2_NV_FLAG_NO_COPY_NAME

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

/* A known name stands in lower case in our table and need not be copied.  What differs from message
 * to message would only push other fields out of the peer's table. */
static void add_known_field(struct fields *fields, enum header header, struct slice name,
                            struct slice value)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NONE;

    if (header != HEADER_OTHER) {
        name = header_slice(header);
        flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME;
    }
    if (header == HEADER_X_REQUEST_ID || header == HEADER_CONTENT_LENGTH)
        flags |= NGHTTP2_NV_FLAG_NO_INDEX;
    add_field(fields, name, value, flags);
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
            add_known_field(fields, header, name, value);
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

static size_t waiting_bytes(const struct h2_stream *stream)
{
    return stream->outbox.bytes + stream->lent.len;
}

static void take_body(struct h2_stream *stream, char *to, size_t count)
{
    size_t kept = count < stream->outbox.bytes ? count : stream->outbox.bytes;

    h2_outbox_take(&stream->outbox, to, kept);
    stream->frames->unsent -= kept;
    if (count == kept)
        return;
    memcpy(to + kept, stream->lent.at, count - kept);
    stream->lent = slice_after(stream->lent, count - kept);
}

/* nghttp2 asks for DATA: how much there is; send_data() is asked to write it. */
static ssize_t read_data(nghttp2_session *session, int32_t id, uint8_t *unused, size_t most,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct h2_stream *stream = source->ptr;
    size_t waiting = waiting_bytes(stream);
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

static size_t full_mark(const struct h2_frames *frames)
{
    return h2_frames_is_crowded(frames) ? CROWDED_FULL_BYTES : FULL_BYTES;
}

static void drain(struct h2_stream *stream)
{
    struct h2_frames *frames = stream->frames;

    if (!stream->was_full || stream->outbox.bytes > full_mark(frames) / 2)
        return;
    stream->was_full = false;
    list_append(&frames->drained, &stream->draining);
}

/* DATA goes to where frames are taken to.  The next frame is begun only where there
 * is room for a good one: once its length is chosen, it stays. */
static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t count, nghttp2_data_source *source, void *context)
{
    struct h2_frames *frames = context;
    struct h2_stream *stream = source->ptr;

    (void)session;
    (void)frame;
    if (h2_room_left(frames) < H2_FRAME_HEAD_BYTES + count)
        return NGHTTP2_ERR_WOULDBLOCK;
    memcpy(frames->out, head, H2_FRAME_HEAD_BYTES);
    frames->out += H2_FRAME_HEAD_BYTES;
    if (count > 0) {
        take_body(stream, frames->out, count);
        frames->out += count;
        drain(stream);
    }
    return h2_room_left(frames) < H2_GOOD_ROOM ? NGHTTP2_ERR_PAUSE : 0;
}

/* ---- frames that go ---- */

static void end_is_sent(struct h2_stream *stream)
{
    stream->is_end_sent = true;
    /* Who takes many responses may well give up some. */
    h2_budget_earn(&stream->frames->budget, H2_BUDGET_RESETS, H2_BUDGET_EVENT / RESETS_OF_ENDS);
    /* Nobody waits for the rest of its body (RFC 9113 §8.1). */
    if (stream->resets_at_end || (!stream->is_wanted && !stream->is_remote_ended))
        h2_stream_reset_now(stream, H2_NO_ERROR);
}

static void reset_is_sent(struct h2_frames *frames, const nghttp2_frame *frame)
{
    const struct h2_stream *stream = h2_stream_of(frames, frame->hd.stream_id);

    if (stream == NULL || !stream->is_reset)
        (void)h2_spend(frames, H2_BUDGET_PROVOKED_RESETS);
}

static void last_is_sent(struct h2_frames *frames, const nghttp2_frame *frame)
{
    struct h2_stream *stream;

    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return;
    stream = h2_stream_of(frames, frame->hd.stream_id);
    if (stream != NULL)
        end_is_sent(stream);
}

/* An honest peer may answer it: with windows given back, with a look at how long the way is. */
static void data_is_sent(struct h2_frames *frames, const nghttp2_frame *frame)
{
    h2_budget_earn(&frames->budget, H2_BUDGET_WINDOW_UPDATE, 10 * H2_BUDGET_EVENT);
    h2_budget_earn(&frames->budget, H2_BUDGET_PING, H2_BUDGET_EVENT);
    last_is_sent(frames, frame);
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2_frames *frames = context;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_DATA: data_is_sent(frames, frame); break;
    case NGHTTP2_HEADERS: last_is_sent(frames, frame); break;
    case NGHTTP2_RST_STREAM: reset_is_sent(frames, frame); break;
    case NGHTTP2_GOAWAY:
        /* nghttp2 has found a fault of the peer's that ends the connection. */
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR &&
            frame->goaway.error_code != frames->last_code)
            h2_violate(frames, "protocol", frame->goaway.error_code);
        break;
    default: break;
    }
    return 0;
}

static ssize_t read_length(nghttp2_session *session, uint8_t type, int32_t id, int32_t window,
                           int32_t stream_window, uint32_t frame_bytes, void *context)
{
    struct h2_frames *frames = context;
    ssize_t room = frames->out_end - frames->out - H2_FRAME_HEAD_BYTES;
    ssize_t most = window < stream_window ? window : stream_window;

    (void)session;
    (void)type;
    (void)id;
    most = most < (ssize_t)frame_bytes ? most : (ssize_t)frame_bytes;
    most = most < H2_FRAME_BYTES ? most : H2_FRAME_BYTES;
    return room > 0 && room < most ? room : most;
}

void h2_send_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, read_length);
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
    add_field(fields, SLICE(":method"), slice_of(line.at, method), OWN_NAME);
    add_field(fields, SLICE(":scheme"), is_https ? SLICE("https") : SLICE("http"), OWN_NAME);
    add_field(fields, SLICE(":path"), slice_of(space + 1, line.len - method - sizeof(" HTTP/1.1")),
              OWN_NAME);
}

/* Pseudo-fields stand in front: its place is kept until Host was met. */
static void add_request_fields(struct fields *fields, struct slice text)
{
    struct slice authority = SLICE("");
    size_t place = fields->count;

    add_field(fields, SLICE(":authority"), authority, OWN_NAME);
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
    stream = h2_stream_new(frames, 0, owner);
    provider = provider_of(stream);
    fields_begin(&fields);
    add_request_line(&fields, line, is_https);
    add_request_fields(&fields, head);
    stream->has_head = true;
    stream->has_ended = is_last;
    stream->id = nghttp2_submit_request(frames->session, NULL, fields.at, fields.count,
                                        is_last ? NULL : &provider, stream);
    fields_end(&fields);
    /* What we ask for, a server may refuse. */
    h2_budget_earn(&frames->budget, H2_BUDGET_RESETS, H2_BUDGET_EVENT);
    if (stream->id > 0)
        return stream;
    frames->open--;
    h2_stream_free(stream);
    return NULL;
}

/* "HTTP/1.1 200 OK" */
static void add_status_line(struct fields *fields, struct slice *head)
{
    struct slice line;

    CHECK(take_line(head, &line) && line.len >= sizeof("HTTP/1.1 200") - 1);
    add_field(fields, SLICE(":status"), slice_of(line.at + sizeof("HTTP/1.1 ") - 1, 3), OWN_NAME);
}

static void fields_of_response(struct fields *fields, struct slice head)
{
    fields_begin(fields);
    add_status_line(fields, &head);
    add_lines(fields, head, NULL);
}

void h2_stream_respond(struct h2_stream *stream, struct slice head, bool is_last)
{
    nghttp2_data_provider provider = provider_of(stream);
    struct fields fields;

    if (stream->is_closed || stream->has_head)
        return;
    fields_of_response(&fields, head);
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
    fields_of_response(&fields, head);
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

/* Streams of more than a frame take turns; nghttp2 would serve one to its end before the next. */
static void take_turns(struct h2_stream *stream)
{
    nghttp2_extpri turns = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};

    stream->takes_turns = true;
    if (stream->frames->end == H2_SERVER)
        (void)nghttp2_session_change_extpri_stream_priority(stream->frames->session, stream->id,
                                                            &turns, 1);
}

void h2_stream_lend(struct h2_stream *stream, struct slice data)
{
    if (stream->is_closed || stream->is_reset || stream->has_ended || data.len == 0)
        return;
    stream->lent = data;
    if (!stream->takes_turns && waiting_bytes(stream) > H2_FRAME_BYTES)
        take_turns(stream);
    resume(stream);
}

void h2_stream_keep(struct h2_stream *stream)
{
    struct slice left = stream->lent;

    stream->lent = SLICE("");
    if (stream->is_closed || stream->is_reset)
        return;
    h2_outbox_put(&stream->outbox, left);
    stream->frames->unsent += left.len;
    (void)h2_stream_is_full(stream);
}

void h2_stream_send(struct h2_stream *stream, struct slice data)
{
    h2_stream_lend(stream, data);
    h2_stream_keep(stream);
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
        h2_stream_reset_now(stream, code);
}

void h2_stream_consumed(struct h2_stream *stream, size_t bytes)
{
    if (!stream->is_closed)
        (void)nghttp2_session_consume_stream(stream->frames->session, stream->id, bytes);
}

size_t h2_stream_unsent(const struct h2_stream *stream)
{
    return stream->outbox.bytes;
}

/* Who hears that it is full waits to hear that it has drained, even if others have made room. */
bool h2_stream_is_full(struct h2_stream *stream)
{
    bool is_full = stream->outbox.bytes > full_mark(stream->frames);

    stream->was_full |= is_full;
    return is_full;
}

uint32_t h2_stream_id(const struct h2_stream *stream)
{
    return (uint32_t)stream->id;
}
