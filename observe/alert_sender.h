/*
 * alert_sender - tells receivers what is wrong: Alertmanagers, each of them, and webhooks.
 *
 *   IDLE --something to send is due--> SENDING --2xx--> IDLE, due again in a minute
 *                                         \--else--> IDLE, due after a pause that doubles
 *
 * What is sent is always the newest that control has said: there is no queue that could grow.  An
 * end is sent until a receiver has taken it, or control has forgotten it.  Nobody ever waits for
 * a receiver, and what it answers is not read beyond its status.
 *
 * Owner    alert_thread.      Threads  its own; alert_sender_new, _free: control
 */
#ifndef OBSERVE_ALERT_SENDER_H
#define OBSERVE_ALERT_SENDER_H

#include <jansson.h>
#include <stddef.h>
#include <uv.h>

struct alert_report;
struct alert_sender;

enum { ALERT_RECEIVERS_MAX = 64 }; /* those that were taken out of the configuration included */

struct alert_sender *alert_sender_new(uv_loop_t *loop);
/* Its loop has ended. */
void alert_sender_free(struct alert_sender **sender);
/* Gives up what is under way; the last handles close on the loop's next turns. */
void alert_sender_close(struct alert_sender *sender);

/* Whom to tell from now on: {"alertmanager": [URL…], "webhook": [URL…]}; taken.  Those that stay
 * keep what they know. */
void alert_sender_set_receivers(struct alert_sender *sender, json_t *receivers);
/* What is wrong now; taken.  alert_payload.h has its shape. */
void alert_sender_take(struct alert_sender *sender, json_t *batch);
/* Each second: sends what is due. */
void alert_sender_tick(struct alert_sender *sender);

/* How it goes; the caller's. */
struct alert_report *alert_sender_report(const struct alert_sender *sender);

#endif
