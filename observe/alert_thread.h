/*
 * alert_thread - the thread that posts alerts: alert_sender's loop, and nothing that could hold it
 * up.
 *
 * It is not the observer's: a disk that hangs under the access log must not keep from people that
 * it does.
 *
 * Owner    control starts and stops it.      Threads  control
 */
#ifndef OBSERVE_ALERT_THREAD_H
#define OBSERVE_ALERT_THREAD_H

#include <jansson.h>

struct alert_report;
struct alert_thread;

/* Called on the thread once a second, while there are receivers; the report is the callee's
 * (alert_report_free). */
typedef void alert_report_fn(void *context, struct alert_report *report);

struct alert_thread *alert_thread_start(alert_report_fn *on_report, void *context);
/* Gives up what is under way. */
void alert_thread_stop(struct alert_thread **thread);

/* Who is told of alerts, and what is wrong: alert_sender.h has both shapes; each is taken. */
void alert_thread_set_receivers(struct alert_thread *thread, json_t *receivers);
void alert_thread_send(struct alert_thread *thread, json_t *batch);

#endif
