/*
 * alert_report - who is told of alerts, and how that goes: what alert_thread tells control.
 *
 * Owner    control, once received; alert_report_free().      Threads  one at a time
 */
#ifndef OBSERVE_ALERT_REPORT_H
#define OBSERVE_ALERT_REPORT_H

#include <stddef.h>
#include <stdint.h>

enum { ALERT_RECEIVER_TEXT = 160, ALERT_WHY_TEXT = 256 };

struct alert_receiver {
    char name[ALERT_RECEIVER_TEXT]; /* "alertmanager http://a:9093" */
    uint64_t delivered, failed;     /* posts */
    int64_t failing_since_ms;       /* wall clock; 0: it takes them */
    char why[ALERT_WHY_TEXT];       /* the last failure */
};

struct alert_report {
    size_t count;
    struct alert_receiver receivers[];
};

void alert_report_free(struct alert_report **report);

#endif
