/*
 * h2_receive - what a peer sends: heads gathered and counted, bodies handed on, and each frame that
 * costs it little taken from its budget.
 *
 * Threads  one worker; pure
 */
#include "proxy/http/h2_internal.h"

#include "base/memory.h"

enum {
    SMALL_CONTINUATION = 1024, /* bytes: smaller ones count */
    FIRST_FIELDS = 32,
    PSEUDO_FIELDS = 5,
    FIELD_OVERHEAD = 32, /* RFC 9113 §6.5.2 */
    DEADLY_TIMES = 4,    /* so much over a limit, a head costs the connection */
};

/* For nghttp2: to go on, or to read nothing more. */
static int go_on(const struct h2_frames *frames)
{
    return frames->is_over ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ---- heads that come ---- */

static void clear_head(struct h2_reading *head)
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

void h2_reading_free(struct h2_reading *head)
{
    clear_head(head);
    xfree(head->fields);
    xfree(head->held);
    *head = (struct h2_reading){0};
}

static void grow_head(struct h2_reading *head)
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

static void keep_field(struct h2_reading *head, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
    if (head->count == head->room)
        grow_head(head);
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    head->held[head->count] = (struct h2_held){name, value};
    head->fields[head->count++] = (struct h2_field){slice_of_rcbuf(name), slice_of_rcbuf(value)};
}

/* Counts a field against the limits; false when the head is too large to be kept. */
static bool count_field(struct h2_frames *frames, struct slice name, struct slice value)
{
    struct h2_reading *head = &frames->head;
    const struct head_limits *limits = &frames->limits.head;

    head->bytes += name.len + value.len + FIELD_OVERHEAD;
    head->others += !slice_equal(name, SLICE("cookie"));
    if (head->bytes <= limits->head_bytes && head->others <= limits->fields + PSEUDO_FIELDS)
        return true;
    head->is_too_large = true;
    if (head->bytes > limits->head_bytes * DEADLY_TIMES)
        h2_violate(frames, h2_budget_name(H2_BUDGET_HEADER_LIST), NGHTTP2_ENHANCE_YOUR_CALM);
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
        struct h2_stream *stream = h2_stream_new(frames, frame->hd.stream_id, NULL);

        (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    }
    return go_on(frames);
}

static void tell_request(struct h2_frames *frames, struct h2_stream *stream,
                         const struct h2_head *head, bool is_last)
{
    if (frames->head.is_too_large) {
        if (!h2_spend(frames, H2_BUDGET_HEADER_LIST))
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
        h2_stream_reset_now(stream, H2_ENHANCE_YOUR_CALM);
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
    struct h2_stream *stream = h2_stream_of(frames, frame->hd.stream_id);
    struct h2_head head = {frames->head.fields, frames->head.count};
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    h2_budget_earn(&frames->budget, H2_BUDGET_EMPTY_DATA, H2_BUDGET_EVENT);
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
    size_t most = frames->limits.head.head_bytes * DEADLY_TIMES / H2_FRAME_BYTES + 16;

    if (++frames->head.continuations > most)
        h2_violate(frames, h2_budget_name(H2_BUDGET_CONTINUATION), NGHTTP2_ENHANCE_YOUR_CALM);
    else if (hd->length < SMALL_CONTINUATION)
        (void)h2_spend(frames, H2_BUDGET_CONTINUATION);
}

static void count_head(struct h2_frames *frames, const nghttp2_frame_hd *hd)
{
    frames->head.continuations = 0;
    if (frames->end == H2_CLIENT)
        return;
    if (hd->stream_id > frames->highest)
        frames->highest = hd->stream_id;
    else if (h2_stream_of(frames, hd->stream_id) == NULL)
        (void)h2_spend(frames, H2_BUDGET_CLOSED);
}

/* Every frame passes here before nghttp2 looks at what is in it.  What a client has reset ends
 * before the next request begins, so that a read full of both has few under way at once. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *context)
{
    struct h2_frames *frames = context;

    (void)session;
    if (hd->type == NGHTTP2_HEADERS && frames->end == H2_SERVER && !frames->is_over)
        h2_tell_closed(frames);
    frames->head.has_begun = hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION;
    switch (hd->type) {
    case NGHTTP2_DATA: frames->data_in_frame = 0; break;
    case NGHTTP2_HEADERS: count_head(frames, hd); break;
    case NGHTTP2_PRIORITY:
        if (hd->stream_id == 0) /* nghttp2 looks at none since priorities are switched off */
            h2_violate(frames, "protocol", NGHTTP2_PROTOCOL_ERROR);
        else
            (void)h2_spend(frames, H2_BUDGET_PRIORITY);
        break;
    case NGHTTP2_RST_STREAM: (void)h2_spend(frames, H2_BUDGET_RESETS); break;
    case NGHTTP2_SETTINGS: (void)h2_spend(frames, H2_BUDGET_SETTINGS); break;
    case NGHTTP2_PING: (void)h2_spend(frames, H2_BUDGET_PING); break;
    case NGHTTP2_WINDOW_UPDATE: (void)h2_spend(frames, H2_BUDGET_WINDOW_UPDATE); break;
    case NGHTTP2_CONTINUATION: count_continuation(frames, hd); break;
    case NGHTTP2_PUSH_PROMISE:
    case NGHTTP2_GOAWAY: break;
    default: (void)h2_spend(frames, H2_BUDGET_UNKNOWN); break;
    }
    return go_on(frames);
}

static void data_is_over(struct h2_frames *frames, const nghttp2_frame *frame)
{
    struct h2_stream *stream = h2_stream_of(frames, frame->hd.stream_id);

    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        if (stream != NULL)
            tell_end(frames, stream);
    } else if (frames->data_in_frame == 0) {
        (void)h2_spend(frames, H2_BUDGET_EMPTY_DATA);
    } else {
        h2_budget_earn(&frames->budget, H2_BUDGET_EMPTY_DATA, H2_BUDGET_EVENT);
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
    case NGHTTP2_HEADERS:
        frames->head.has_begun = false;
        head_is_there(frames, frame);
        break;
    case NGHTTP2_DATA: data_is_over(frames, frame); break;
    case NGHTTP2_SETTINGS: settings_are_there(frames, frame); break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && frames->events->on_pong != NULL)
            frames->events->on_pong(frames->connection);
        break;
    case NGHTTP2_RST_STREAM:
        stream = h2_stream_of(frames, frame->hd.stream_id);
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
    struct h2_stream *stream = h2_stream_of(frames, id);

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

/* A frame of a type that is not known was counted; what is in it nobody reads. */
static int unpack_extension(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd,
                            void *context)
{
    (void)session;
    (void)hd;
    (void)context;
    *payload = NULL;
    return NGHTTP2_ERR_CANCEL;
}

void h2_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, unpack_extension);
}
