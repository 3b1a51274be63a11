/*
 * told - what the observer and the thread of alerts tell control, once a second: mail to its loop.
 *
 * Owner    cli/serve.c; `context` is its struct server_process.      Threads  whoever tells
 */
#ifndef CLI_TOLD_H
#define CLI_TOLD_H

struct alert_report;
struct sample;
struct summary;

/* Each is taken. */
void told_summary(void *context, struct summary *summary);
void told_sample(void *context, struct sample *sample);
void told_report(void *context, struct alert_report *report);

#endif
