/*
 * client_h2 - a client's connection on which HTTP/2 is spoken: many streams, each with a request.
 *
 *   stream:  HEADERS --> a request, until request_end --> what waits goes out --> on_closed
 *
 * Frames are read as they come; uploads are bounded by the windows, which are given back as servers
 * take the bytes.  What is to be written is taken once at the end of the loop's turn (late.h).
 *
 *   leaving:  no --GOAWAY 2^31-1--> asked --a round trip--> GOAWAY n --no stream left--> ended
 *
 * Owner    the client, from client_h2_begin() to client_h2_free().      Threads  the worker's
 */
#ifndef PROXY_CLIENT_CLIENT_H2_H
#define PROXY_CLIENT_CLIENT_H2_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/list.h"
#include "proxy/client/client.h"
#include "proxy/http/h2_frames.h"
#include "proxy/late.h"

struct request;
struct worker;

enum { CLIENT_STREAM_TAG = 0x4353544d };

enum client_leaving {
    LEAVING_NO,
    LEAVING_ASKED, /* no new streams, please: those on their way are still served */
    LEAVING_SAID,  /* which was the last */
};

struct client_h2 {
    struct client *client;
    struct h2_frames *frames;
    struct late late;
    struct list streams;
    uint8_t leaving;       /* enum client_leaving */
    bool is_over;          /* the frames are, by a violation */
    uint64_t asked_ms;     /* when it was asked to open no more */
    uint64_t moved_ms;     /* when the socket was last seen to take bytes */
    uint64_t head_from_ms; /* a head has begun and is not whole; 0: none */
};

/* What a request is to its connection. */
struct client_stream {
    uint32_t tag;
    bool has_ended;   /* the client's side: END_STREAM has come */
    struct list link; /* h2->streams */
    struct client_h2 *h2;
    struct h2_stream *wire;  /* NULL: closed */
    struct request *request; /* NULL: it has ended, what is left goes out */
    struct buffer inbox;     /* of the upload: what the server has not taken, at most a window */
    struct buffer trailers;  /* as lines, until the upload is given on whole */
    uint64_t given;          /* bytes of the response's body so far */
    uint64_t seen_sent;      /* of them, those that had gone at the last look */
    uint64_t progress_ms;    /* when bytes last went out, or through a tunnel */
};

static inline struct client_stream *client_stream_of(void *owner)
{
    struct client_stream *stream = owner;

    CHECK_OBJ(stream, CLIENT_STREAM_TAG);
    return stream;
}

static inline struct worker *client_h2_worker(const struct client_h2 *h2)
{
    return h2->client->transport.worker;
}

/* There is something to be written: it goes out at the end of the turn. */
void client_h2_mark(struct client_h2 *h2);

/* Writes what can go now: what came of it is told at the end of the turn, for which the connection
 * is marked. */
void client_h2_write_now(struct client_h2 *h2);

/* ---- client_h2_upload.c ---- */

/* Gives on what waits of the upload, as far as it is taken. */
void client_h2_pump(struct client_stream *stream);
/* One read may hold many heads, and pieces of bodies. */
void client_h2_keep_scratch(struct client_h2 *h2);
/* Of h2_events. */
void client_h2_on_data(void *connection, void *owner, struct slice data);
void client_h2_on_trailers(void *connection, void *owner, const struct h2_head *head);
void client_h2_on_end(void *connection, void *owner);

#endif
