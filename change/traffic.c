/*
 * traffic - what the ledger knows of recent traffic.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/internal.h"

#include "base/thread.h"
#include "observe/sample.h"

void ledger_take_sample(struct ledger *ledger, struct sample *sample)
{
    ON_CONTROL();
    sample_release(&ledger->sample);
    ledger->sample = sample;
}

struct sample *ledger_sample(const struct ledger *ledger)
{
    return ledger->sample;
}
