/*
 * on_sample - recent traffic, as it was last frozen.
 *
 * For those who propose, operate or audit: host names and paths are among it, and hashes of
 * clients' addresses.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include "admin/call.h"
#include "admin/internal.h"
#include "change/ledger.h"
#include "observe/sample_json.h"
#include "proxy/balance/balance.h"

void on_sample(struct call *call)
{
    const struct sample_words words = {balance_reason_words, REASON_COUNT};
    const struct ledger *ledger = call->admin->options.ledger;

    sample_json_write(ledger != NULL ? ledger_sample(ledger) : NULL, &words, &call->reply.body);
    reply_written(call, 200, reply_json_type);
}
