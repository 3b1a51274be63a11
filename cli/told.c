/*
 * told - see told.h.
 *
 * Owner    cli/serve.c.      Threads  on_…: control; told_…: whoever tells
 */
#include "cli/told.h"

#include "admin/admin.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/memory.h"
#include "change/ledger.h"
#include "cli/serve.h"
#include "observe/alert_report.h"
#include "observe/sample.h"
#include "observe/summary.h"
#include "watch/watch.h"

struct summary_mail {
    struct mail mail;
    struct summary *summary;
};

static void on_summary(struct mail *mail, void *receiver)
{
    struct summary_mail *summary = container_of(mail, struct summary_mail, mail);
    struct server_process *process = receiver;

    /* a rate over ten seconds, a second of it: near enough for how long a revision has served */
    if (process->ledger != NULL)
        ledger_count_requests(process->ledger,
                              (uint64_t)(summary->summary->process.requests_per_second + 0.5));
    if (process->watch != NULL && !process->is_stopping)
        watch_tick(process->watch, summary->summary);
    if (process->admin != NULL)
        admin_take_summary(process->admin, summary->summary);
    else
        summary_free(&summary->summary);
    xfree(summary);
}

void told_summary(void *context, struct summary *summary)
{
    struct server_process *process = context;
    struct summary_mail *mail = xcalloc(1, sizeof(*mail));

    mail->mail.handle = on_summary;
    mail->summary = summary;
    if (!mailbox_post(&process->mailbox, &mail->mail)) {
        summary_free(&summary);
        xfree(mail);
    }
}

struct sample_mail {
    struct mail mail;
    struct sample *sample;
};

static void on_sample(struct mail *mail, void *receiver)
{
    struct sample_mail *sample = container_of(mail, struct sample_mail, mail);
    struct server_process *process = receiver;

    if (process->ledger != NULL)
        ledger_take_sample(process->ledger, sample->sample);
    else
        sample_release(&sample->sample);
    xfree(sample);
}

void told_sample(void *context, struct sample *sample)
{
    struct server_process *process = context;
    struct sample_mail *mail = xcalloc(1, sizeof(*mail));

    mail->mail.handle = on_sample;
    mail->sample = sample;
    if (!mailbox_post(&process->mailbox, &mail->mail)) {
        sample_release(&sample);
        xfree(mail);
    }
}

struct report_mail {
    struct mail mail;
    struct alert_report *report;
};

static void on_report(struct mail *mail, void *receiver)
{
    struct report_mail *report = container_of(mail, struct report_mail, mail);
    struct server_process *process = receiver;

    if (process->watch != NULL)
        watch_take_report(process->watch, report->report);
    else
        alert_report_free(&report->report);
    xfree(report);
}

void told_report(void *context, struct alert_report *report)
{
    struct server_process *process = context;
    struct report_mail *mail = xcalloc(1, sizeof(*mail));

    mail->mail.handle = on_report;
    mail->report = report;
    if (!mailbox_post(&process->mailbox, &mail->mail)) {
        alert_report_free(&report);
        xfree(mail);
    }
}
