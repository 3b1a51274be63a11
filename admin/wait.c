/*
 * wait - see wait.h.
 *
 * Owner    struct admin.      Threads  control only
 */
#include "admin/wait.h"

#include "admin/call.h"
#include "admin/internal.h"
#include "admin/problem.h"
#include "base/check.h"
#include "base/clock.h"
#include "config/text.h"

void wait_for(struct call *call, uint64_t delay_ms, void (*again)(struct call *call))
{
    CHECK_OBJ(call, CALL_TAG);
    list_remove(&call->wait_link);
    call->wait_due_ms = clock_ms() + delay_ms;
    call->wait_again = again;
    list_append(&call->admin->waits, &call->wait_link);
    admin_wake_after(call->admin, delay_ms);
}

void wait_stop(struct call *call)
{
    list_remove(&call->wait_link);
}

bool wait_parameter(struct call *call, uint64_t *patience_ms_out)
{
    struct slice text;

    *patience_ms_out = 0;
    if (!call_parameter(call, "wait", &text))
        return true;
    if (text_read_duration(text.at, patience_ms_out) == NULL) {
        if (*patience_ms_out > WAIT_MAX_MS)
            *patience_ms_out = WAIT_MAX_MS;
        return true;
    }
    problem_reply(call, PROBLEM_INVALID_FIELD, NULL, "wait: %.*s is not a duration such as 30s",
                  SLICE_ARGS(text));
    return false;
}

/* Those that wait again stand behind the mark, so that none runs twice in one turn. */
uint64_t wait_run_due(struct admin *admin, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    struct list due;

    list_init(&due);
    LIST_EACH_SAFE (link, &admin->waits) {
        if (container_of(link, struct call, wait_link)->wait_due_ms > now_ms)
            continue;
        list_remove(link);
        list_append(&due, link);
    }
    for (struct list *link = list_pop(&due); link != NULL; link = list_pop(&due)) {
        struct call *call = container_of(link, struct call, wait_link);
        call->wait_again(call);
    }
    LIST_EACH (link, &admin->waits) {
        uint64_t due_ms = container_of(link, struct call, wait_link)->wait_due_ms;
        uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
        if (left_ms < next_ms)
            next_ms = left_ms;
    }
    return next_ms;
}
