/*
 * h2_internal - what the three files of h2_frames share: a connection and its streams, in nghttp2's
 * terms.
 *
 *   h2_frames.c   the connection: bytes in and out, what is told when nghttp2 has returned
 *   h2_receive.c  what comes: heads, bodies, and what floods cost
 *   h2_send.c     what goes: HTTP/1 text as fields, bodies from a stream's outbox
 *
 * Invariants  a stream is in `streams`, or in `closed` until its on_closed was told; nghttp2 knows
 *             it by its user data until it is closed.
 */
#ifndef PROXY_HTTP_H2_INTERNAL_H
#define PROXY_HTTP_H2_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "proxy/http/h2_budget.h"
#include "proxy/http/h2_frames.h"
#include "proxy/http/h2_outbox.h"

enum {
    H2_FRAME_HEAD_BYTES = 9,
    H2_FRAME_BYTES = 16384, /* what every peer takes (RFC 9113 §4.2), and the most that we do */
    H2_GOOD_ROOM = 1024,    /* for one more frame to be begun */
};

struct h2_stream {
    struct list link;     /* of `streams`, or of `closed` */
    struct list draining; /* of `drained` */
    struct h2_frames *frames;
    void *owner;
    int32_t id;
    uint32_t code; /* that it was closed with */
    struct h2_outbox outbox;
    struct slice lent;     /* body behind the outbox's, where its owner has it */
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
    bool takes_turns : 1;
    bool was_full : 1;
    bool is_closed : 1;
    bool is_by_peer : 1;
};

/* What a decoded field is held by. */
struct h2_held {
    nghttp2_rcbuf *name;
    nghttp2_rcbuf *value;
};

/* The head that is being read; frames of others cannot come between. */
struct h2_reading {
    struct h2_field *fields;
    struct h2_held *held;
    uint32_t count;
    uint32_t room;
    uint32_t others; /* fields but pieces of Cookie, which are one field in the end */
    size_t bytes;
    uint32_t continuations;
    bool is_too_large;
    bool has_begun; /* and is not whole */
};

/* Where the bytes read so far have left a frame. */
struct h2_place {
    uint8_t preface_left; /* of a client's preface */
    uint8_t head_count;
    uint8_t head[9];
    uint32_t left; /* of the frame behind `head` */
};

struct h2_frames {
    nghttp2_session *session;
    const struct h2_events *events;
    void *connection;
    struct h2_limits limits;
    struct list streams;
    struct list closed;  /* whose on_closed is to be told: by the next frame that comes, or when
                            nghttp2 has returned */
    struct list drained; /* the same of on_drained */
    uint32_t open;
    enum h2_end end;
    bool is_over;
    bool is_reading; /* nghttp2 is: it must not be asked for frames */
    bool is_violation_told;
    const char *why; /* of the violation, or NULL */
    uint32_t last_code;
    int32_t highest; /* stream that the peer has opened */
    struct h2_reading head;
    struct h2_place place;
    struct slice pending; /* bytes of nghttp2 that did not fit */
    char *out;            /* where frames are taken to, while they are */
    char *out_end;
    size_t unsent;        /* bytes in all outboxes */
    size_t data_in_frame; /* bytes of the DATA frame that is being read */
    struct h2_budget budget;
};

/* The connection ends with GOAWAY; it is told when nghttp2 has returned. */
void h2_violate(struct h2_frames *frames, const char *why, uint32_t code);
/* False: it is used up, and the connection over. */
bool h2_spend(struct h2_frames *frames, enum h2_budget_kind kind);

/* Tells on_closed of those that were closed before. */
void h2_tell_closed(struct h2_frames *frames);

struct h2_stream *h2_stream_new(struct h2_frames *frames, int32_t id, void *owner);
void h2_stream_free(struct h2_stream *stream);
void h2_stream_reset_now(struct h2_stream *stream, uint32_t code);
static inline struct h2_stream *h2_stream_of(const struct h2_frames *frames, int32_t id)
{
    return nghttp2_session_get_stream_user_data(frames->session, id);
}

/* Of what frames are taken to. */
static inline size_t h2_room_left(const struct h2_frames *frames)
{
    return (size_t)(frames->out_end - frames->out);
}

void h2_receive_callbacks(nghttp2_session_callbacks *callbacks);
void h2_reading_free(struct h2_reading *head);
void h2_send_callbacks(nghttp2_session_callbacks *callbacks);

#endif
