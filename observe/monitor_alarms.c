/*
 * monitor_alarms - what the rules say becomes an alarm, and stops being one.
 *
 * Three times wrong in a row raise it, thirty times right clear it; what cannot be told does
 * neither.  It is a page only where enough comes, or where it lasts; and what is expected (a
 * standby pool, a moment after a change) raises nothing.
 *
 * Owner    the monitor      Threads  one at a time
 */
#include "observe/monitor_rules.h"

enum {
    RAISE_AFTER = 3,
    CLEAR_AFTER = 30,
    CLEAR_AFTER_FLAPS = 90,
    FLAPS_WITHIN_S = 3600,
    ACTIVE_AT_LEAST_S = 120,
    PAGE_REQUESTS = 60, /* a minute */
};

/* ---- hysteresis ---- */

static bool was_flapping(const struct alarm_state *alarm, uint64_t now_s)
{
    return alarm->raised_count >= MONITOR_FLAPS &&
           now_s - alarm->raised_s[alarm->raised_count % MONITOR_FLAPS] < FLAPS_WITHIN_S;
}

static void raise_alarm(struct alarm_state *alarm, uint64_t now_s)
{
    alarm->shown.is_raised = true;
    alarm->shown.is_page = false;
    alarm->shown.since_s = now_s;
    alarm->raised_s[alarm->raised_count++ % MONITOR_FLAPS] = now_s;
}

static void take_numbers(struct alarm_state *alarm, const struct judgement *judgement)
{
    struct monitor_alarm before = alarm->shown;

    alarm->shown = judgement->numbers;
    alarm->shown.is_raised = before.is_raised;
    alarm->shown.is_page = before.is_page;
    alarm->shown.since_s = before.since_s;
    alarm->speed = judgement->speed;
}

static void clear_if_over(struct alarm_state *alarm, uint64_t now_s)
{
    unsigned needed = was_flapping(alarm, now_s) ? CLEAR_AFTER_FLAPS : CLEAR_AFTER;

    if (alarm->clean < needed || now_s - alarm->shown.since_s < ACTIVE_AT_LEAST_S)
        return;
    alarm->shown.is_raised = alarm->shown.is_page = false;
    alarm->clean = 0;
}

static void take_to_heart(struct alarm_state *alarm, const struct judgement *judgement,
                          const struct court *court, bool may_page, uint64_t now_s)
{
    alarm->streak = judgement->word == WRONG ? alarm->streak + 1 : 0;
    if (judgement->word == WRONG) {
        alarm->clean = 0;
        take_numbers(alarm, judgement);
        if (!alarm->shown.is_raised && alarm->streak >= RAISE_AFTER)
            raise_alarm(alarm, now_s);
        if (alarm->shown.is_raised && may_page &&
            (court->view->windows[0].all >= PAGE_REQUESTS || judgement->is_lasting))
            alarm->shown.is_page = true;
    } else if (alarm->shown.is_raised) {
        alarm->clean = judgement->word == RIGHT ? alarm->clean + 1 : alarm->clean;
        clear_if_over(alarm, now_s);
    }
}

static bool is_inhibited(const struct monitor *monitor, enum monitor_rule rule, uint64_t now_s)
{
    if (monitor->traits.is_standby)
        return rule != RULE_OVERLOAD;
    return monitor_rules[rule].ref == REF_CONFIGURED && now_s < monitor->settles_s;
}

void monitor_decide(struct monitor *monitor, const struct monitor_view *view, uint64_t now_s,
                    const struct monitor_limits *limits)
{
    struct court court = {.monitor = monitor, .view = view, .limits = limits};

    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        court.ref = (enum distribution_ref)ref;
        monitor->is_enough[ref] = monitor_can_judge(&court);
    }
    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        struct alarm_state *alarm = &monitor->alarms[rule];
        struct judgement judgement;

        court.alarm = alarm;
        court.ref = monitor_rules[rule].ref;
        judgement = monitor_judge(&court, (enum monitor_rule)rule);
        if (is_inhibited(monitor, (enum monitor_rule)rule, now_s) && judgement.word == WRONG)
            judgement.word = RIGHT;
        take_to_heart(alarm, &judgement, &court, monitor_rules[rule].severity == MONITOR_PAGE,
                      now_s);
    }
}
