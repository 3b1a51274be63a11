/*
 * monitor_rules - what monitor_rules.c (is something wrong now?) says to monitor_alarms.c (so is
 * somebody told?).
 *
 * Owner    whoever decides      Threads  one at a time
 */
#ifndef OBSERVE_MONITOR_RULES_H
#define OBSERVE_MONITOR_RULES_H

#include "observe/internal.h"

enum word { CANNOT_TELL, RIGHT, WRONG };

/* What a rule says now; the numbers only where something is wrong. */
struct judgement {
    enum word word;
    enum distribution_speed speed;
    bool is_lasting; /* the 15 minutes say so too */
    struct monitor_alarm numbers;
};

struct court {
    struct monitor *monitor;
    const struct monitor_view *view;
    const struct monitor_limits *limits; /* NULL: not known */
    const struct alarm_state *alarm;     /* of the rule that is asked */
    enum distribution_ref ref;
};

/* What the rule of court->alarm and court->ref finds. */
struct judgement monitor_judge(const struct court *court, enum monitor_rule rule);
/* Enough came in some window to judge the shares of court->ref. */
bool monitor_can_judge(const struct court *court);

#endif
