/*
 * on_alerts - what somebody should look at now.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/call.h"
#include "admin/change_text.h"
#include "admin/internal.h"
#include "admin/operations.h"
#include "watch/watch.h"

void on_alerts(struct call *call)
{
    struct watch *watch = call->admin->options.watch;
    json_t *alerts = watch != NULL ? watch_alerts(watch) : json_array();

    change_reply_or_text(call, json_pack("{s:o}", "alerts", alerts), change_text_alerts);
}
