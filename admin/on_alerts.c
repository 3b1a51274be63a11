/*
 * on_alerts - what somebody should look at now.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/on_alerts.h"

#include "admin/call.h"
#include "admin/change_text.h"
#include "admin/internal.h"
#include "admin/operations.h"
#include "change/ledger.h"

static bool has_drift(const struct admin *admin)
{
    return admin->options.has_drift != NULL && admin->options.has_drift(admin->options.context);
}

static json_t *drift_alert(const struct admin *admin)
{
    return json_pack("{s:s, s:s, s:o, s:s, s:s+}", "name", "Drift", "severity", "warning", "since",
                     reply_time(admin->drift_since_ms), "summary",
                     "conf.d on disk differs from what was last taken over", "description",
                     "GET /v1/drift shows what differs; POST /v1/reload takes it over, in mode "
                     "enforced as a change that others approve. Directory: ",
                     admin->options.configuration_directory);
}

void alerts_notice_drift(struct admin *admin, int64_t now_ms)
{
    if (!has_drift(admin))
        admin->drift_since_ms = 0;
    else if (admin->drift_since_ms == 0)
        admin->drift_since_ms = now_ms;
}

json_t *alerts_list(const struct admin *admin)
{
    json_t *list =
        admin->options.ledger != NULL ? ledger_alerts(admin->options.ledger) : json_array();

    if (has_drift(admin))
        json_array_append_new(list, drift_alert(admin));
    return list;
}

void on_alerts(struct call *call)
{
    change_reply_or_text(call, json_pack("{s:o}", "alerts", alerts_list(call->admin)),
                         change_text_alerts);
}
