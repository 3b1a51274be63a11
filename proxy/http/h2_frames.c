/*
 * h2_frames - one HTTP/2 connection as bytes.
 *
 * nghttp2 is told of bytes and calls back; what it says of a stream's end is kept until it has
 * returned, so that whoever is told may free what he likes.
 *
 * Threads  one worker; pure
 */
#include "proxy/http/h2_frames.h"

#include <pthread.h>

#include "base/check.h"
#include "base/memory.h"
#include "proxy/http/h2_internal.h"
#include "proxy/http/h2_pool.h"

enum {
    UNREAD_FRAMES = 1000,        /* control frames of ours that may wait */
    IGNORED_CONTINUATIONS = 128, /* of a head that nghttp2 does not show us */
};

/* ---- memory ---- */

static void *memory_malloc(size_t size, void *unused)
{
    (void)unused;
    return h2_pool_take(size);
}

static void memory_free(void *memory, void *unused)
{
    (void)unused;
    h2_pool_give(memory);
}

static void *memory_calloc(size_t count, size_t size, void *unused)
{
    (void)unused;
    return h2_pool_take_zeroed(count, size);
}

static void *memory_realloc(void *memory, size_t size, void *unused)
{
    (void)unused;
    return h2_pool_resize(memory, size);
}

static nghttp2_mem memory = {.malloc = memory_malloc,
                             .free = memory_free,
                             .calloc = memory_calloc,
                             .realloc = memory_realloc};

/* ---- violations ---- */

void h2_violate(struct h2_frames *frames, const char *why, uint32_t code)
{
    frames->is_over = true;
    if (frames->why != NULL)
        return;
    frames->why = why;
    (void)nghttp2_session_terminate_session(frames->session, code); /* fails without memory only */
}

bool h2_spend(struct h2_frames *frames, enum h2_budget_kind kind)
{
    if (h2_budget_spend(&frames->budget, kind))
        return true;
    h2_violate(frames, h2_budget_name(kind), NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
}

/* ---- streams ---- */

struct h2_stream *h2_stream_new(struct h2_frames *frames, int32_t id, void *owner)
{
    struct h2_stream *stream = h2_pool_take_zeroed(1, sizeof(*stream));

    stream->frames = frames;
    stream->owner = owner;
    stream->is_wanted = owner != NULL;
    stream->id = id;
    list_init(&stream->draining);
    list_append(&frames->streams, &stream->link);
    frames->open++;
    return stream;
}

void h2_stream_free(struct h2_stream *stream)
{
    list_remove(&stream->link);
    list_remove(&stream->draining);
    stream->frames->unsent -= stream->outbox.bytes;
    h2_outbox_fini(&stream->outbox);
    xfree((void *)(uintptr_t)stream->trailers.at);
    h2_pool_give(stream);
}

void h2_stream_reset_now(struct h2_stream *stream, uint32_t code)
{
    if (stream->is_closed || stream->is_reset)
        return;
    stream->is_reset = true;
    (void)nghttp2_submit_rst_stream(stream->frames->session, NGHTTP2_FLAG_NONE, stream->id, code);
}

static void tell_closed(struct h2_frames *frames, struct h2_stream *stream)
{
    if (stream->is_wanted)
        frames->events->on_closed(frames->connection, stream->owner, stream->code,
                                  stream->is_by_peer);
    h2_stream_free(stream);
}

static void tell_drained(struct h2_frames *frames, struct h2_stream *stream)
{
    list_remove(&stream->draining);
    if (stream->is_wanted && !stream->is_closed && !stream->is_reset)
        frames->events->on_drained(frames->connection, stream->owner);
}

/* Not within nghttp2's own end of the stream, for whoever is told may free what he likes. */
void h2_tell_closed(struct h2_frames *frames)
{
    while (!list_is_empty(&frames->closed))
        tell_closed(frames, container_of(frames->closed.next, struct h2_stream, link));
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
    h2_tell_closed(frames);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    struct h2_frames *frames = context;
    struct h2_stream *stream = h2_stream_of(frames, id);

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

/* ---- a connection ---- */

/* The same for every connection; made once, and never changed. */
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *option;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_callbacks(void)
{
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    h2_receive_callbacks(callbacks);
    h2_send_callbacks(callbacks);
}

/* What we count ourselves, nghttp2 need not.  Types of frames that it does not know it shows only
 * when they are said to be somebody's. */
static void make_option(void)
{
    CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, UNREAD_FRAMES * 2);
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
    nghttp2_option_set_max_continuations(option, IGNORED_CONTINUATIONS);
    for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
        nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
}

static void make_once(void)
{
    make_callbacks();
    make_option();
}

static void make_session(struct h2_frames *frames)
{
    int result;

    pthread_once(&once, make_once);
    result =
        frames->end == H2_SERVER
            ? nghttp2_session_server_new3(&frames->session, callbacks, frames, option, &memory)
            : nghttp2_session_client_new3(&frames->session, callbacks, frames, option, &memory);
    CHECK(result == 0);
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
    frames->place.preface_left = end == H2_SERVER ? NGHTTP2_CLIENT_MAGIC_LEN : 0;
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
    h2_reading_free(&frames->head);
    xfree(frames);
}

/* Between requests a connection keeps no memory for heads. */
static void rest(struct h2_frames *frames)
{
    if (frames->open == 0 && frames->head.room > 0 && !frames->head.has_begun)
        h2_reading_free(&frames->head);
}

/* nghttp2 reads no further. */
static void give_up(struct h2_frames *frames, int error)
{
    switch (error) {
    case NGHTTP2_ERR_FLOODED:
        h2_violate(frames, h2_budget_name(H2_BUDGET_UNREAD), NGHTTP2_ENHANCE_YOUR_CALM);
        break;
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
        h2_violate(frames, h2_budget_name(H2_BUDGET_CONTINUATION), NGHTTP2_ENHANCE_YOUR_CALM);
        break;
    default: h2_violate(frames, "protocol", NGHTTP2_PROTOCOL_ERROR); break;
    }
}

static struct slice follow_head(struct h2_place *place, struct slice bytes)
{
    size_t count = sizeof(place->head) - place->head_count;

    count = count < bytes.len ? count : bytes.len;
    memcpy(place->head + place->head_count, bytes.at, count);
    place->head_count = (uint8_t)(place->head_count + count);
    if (place->head_count == sizeof(place->head)) {
        place->left = (uint32_t)place->head[0] << 16 | (uint32_t)place->head[1] << 8 |
                      (uint32_t)place->head[2];
        place->head_count = 0;
    }
    return slice_after(bytes, count);
}

/* nghttp2 does not tell of a frame before its head is whole. */
static void follow(struct h2_place *place, struct slice bytes)
{
    size_t skip = place->preface_left < bytes.len ? place->preface_left : bytes.len;

    place->preface_left = (uint8_t)(place->preface_left - skip);
    bytes = slice_after(bytes, skip);
    while (bytes.len > 0) {
        skip = place->left < bytes.len ? place->left : bytes.len;
        place->left -= (uint32_t)skip;
        bytes = slice_after(bytes, skip);
        if (bytes.len > 0)
            bytes = follow_head(place, bytes);
    }
}

bool h2_frames_read(struct h2_frames *frames, struct slice bytes, uint64_t now_ms)
{
    ssize_t used;

    if (frames->is_over)
        return false;
    h2_budget_refill(&frames->budget, now_ms);
    follow(&frames->place, bytes);
    frames->is_reading = true;
    used = nghttp2_session_mem_recv(frames->session, (const uint8_t *)bytes.at, bytes.len);
    frames->is_reading = false;
    if (used < 0)
        give_up(frames, (int)used);
    else if (nghttp2_session_get_outbound_queue_size(frames->session) > UNREAD_FRAMES)
        h2_violate(frames, h2_budget_name(H2_BUDGET_UNREAD), NGHTTP2_ENHANCE_YOUR_CALM);
    settle(frames);
    rest(frames);
    return !frames->is_over;
}

/* Copies what nghttp2 gave, as far as there is room; false when some is left. */
static bool put_pending(struct h2_frames *frames)
{
    size_t room = h2_room_left(frames);
    size_t count = frames->pending.len < room ? frames->pending.len : room;

    if (count > 0) {
        memcpy(frames->out, frames->pending.at, count);
        frames->out += count;
        frames->pending = slice_after(frames->pending, count);
    }
    return frames->pending.len == 0;
}

size_t h2_frames_take_untold(struct h2_frames *frames, char *at, size_t room)
{
    const uint8_t *bytes;
    ssize_t count;

    if (frames->is_reading)
        return 0;
    frames->out = at;
    frames->out_end = at + room;
    while (put_pending(frames) && h2_room_left(frames) >= H2_GOOD_ROOM) {
        count = nghttp2_session_mem_send(frames->session, &bytes);
        if (count <= 0) {
            frames->is_over |= count < 0;
            break;
        }
        frames->pending = slice_of((const char *)bytes, (size_t)count);
    }
    room = (size_t)(frames->out - at);
    frames->out = frames->out_end = NULL;
    return room;
}

size_t h2_frames_take(struct h2_frames *frames, char *at, size_t room)
{
    size_t count = h2_frames_take_untold(frames, at, room);

    settle(frames);
    return count;
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

bool h2_frames_is_crowded(const struct h2_frames *frames)
{
    return frames->limits.crowded_bytes > 0 && frames->unsent > frames->limits.crowded_bytes;
}

uint32_t h2_frames_streams(const struct h2_frames *frames)
{
    return frames->open;
}

bool h2_frames_is_in_head(const struct h2_frames *frames)
{
    const struct h2_place *place = &frames->place;
    bool is_of_head = place->head[3] == NGHTTP2_HEADERS || place->head[3] == NGHTTP2_CONTINUATION;

    return frames->head.has_begun || place->preface_left > 0 || place->head_count > 0 ||
           (place->left > 0 && is_of_head);
}

bool h2_frames_spend(struct h2_frames *frames, enum h2_budget_kind kind)
{
    bool is_left = frames->is_over || h2_spend(frames, kind);

    settle(frames);
    return is_left;
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
