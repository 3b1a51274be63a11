/*
 * attempt - one try at a server: chosen, its place taken, asked for a connection; and what follows
 * when the try fails (request_upstream_failed, request_try_queued: declared in request.h).
 *
 * Owner    the request.      Threads  the worker's
 */
#ifndef PROXY_ATTEMPT_H
#define PROXY_ATTEMPT_H

struct deadline;
struct request;

/* Picks a server not tried yet and goes there, or stands in line, or fails the request. */
void attempt_begin(struct request *req);
/* The request is done with its server: places and counts are given back. */
void attempt_leave_server(struct request *req);
/* The whole response came: tells outlier and balancer. */
void attempt_note_success(struct request *req);
/* queue.timeout is over. */
void attempt_on_queue_due(struct deadline *deadline);

#endif
