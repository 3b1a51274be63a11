/*
 * alert_thread - see alert_thread.h.
 *
 * Owner    control starts and stops it.
 * Threads  alert_thread_…: control; the static functions but `post` and `start_thread`: its own
 */
#include "observe/alert_thread.h"

#include <signal.h>
#include <uv.h>

#include "base/check.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/memory.h"
#include "base/thread.h"
#include "observe/alert_report.h"
#include "observe/alert_sender.h"

enum { ALERT_THREAD_TAG = 0x414c5254, SECOND_MS = 1000 };

struct alert_thread {
    uint32_t tag;
    alert_report_fn *on_report;
    void *context;
    uv_loop_t loop;
    uv_thread_t thread;
    struct mailbox mailbox;
    uv_timer_t second_timer;
    struct alert_sender *sender;
};

/* ---- on the thread ---- */

static void on_second(uv_timer_t *timer)
{
    struct alert_thread *thread = container_of(timer, struct alert_thread, second_timer);
    struct alert_report *report;

    ON_ALERTS();
    alert_sender_tick(thread->sender);
    report = alert_sender_report(thread->sender);
    if (report->count > 0)
        thread->on_report(thread->context, report);
    else
        alert_report_free(&report);
}

struct json_message {
    struct mail message;
    json_t *json;
};

static json_t *take_json(struct mail *message)
{
    struct json_message *new = container_of(message, struct json_message, message);
    json_t *json = new->json;

    xfree(new);
    return json;
}

static void handle_receivers(struct mail *message, void *receiver)
{
    struct alert_thread *thread = receiver;

    ON_ALERTS();
    alert_sender_set_receivers(thread->sender, take_json(message));
}

static void handle_batch(struct mail *message, void *receiver)
{
    struct alert_thread *thread = receiver;

    ON_ALERTS();
    alert_sender_take(thread->sender, take_json(message));
}

static void handle_stop(struct mail *message, void *receiver)
{
    struct alert_thread *thread = receiver;

    ON_ALERTS();
    xfree(message);
    alert_sender_close(thread->sender);
    uv_close((uv_handle_t *)&thread->second_timer, NULL);
    mailbox_close(&thread->mailbox);
}

static void thread_main(void *argument)
{
    struct alert_thread *thread = argument;

    thread_take_role(THREAD_ALERTS, 0);
    uv_run(&thread->loop, UV_RUN_DEFAULT);
}

/* ---- control's side ---- */

/* Signals are control's. */
static void start_thread(struct alert_thread *thread)
{
    sigset_t all, before;

    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    CHECK(uv_thread_create(&thread->thread, thread_main, thread) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

struct alert_thread *alert_thread_start(alert_report_fn *on_report, void *context)
{
    struct alert_thread *thread = xcalloc(1, sizeof(*thread));

    ON_CONTROL();
    thread->tag = ALERT_THREAD_TAG;
    thread->on_report = on_report;
    thread->context = context;
    CHECK(uv_loop_init(&thread->loop) == 0);
    CHECK(mailbox_open(&thread->mailbox, &thread->loop, thread) == 0);
    CHECK(uv_timer_init(&thread->loop, &thread->second_timer) == 0);
    CHECK(uv_timer_start(&thread->second_timer, on_second, SECOND_MS, SECOND_MS) == 0);
    thread->sender = alert_sender_new(&thread->loop);
    start_thread(thread);
    return thread;
}

static void post(struct alert_thread *thread, struct mail *message, mail_fn *handle)
{
    message->handle = handle;
    CHECK(mailbox_post(&thread->mailbox, message));
}

void alert_thread_stop(struct alert_thread **held)
{
    struct alert_thread *thread = TAKE_POINTER(held);

    ON_CONTROL();
    if (thread == NULL)
        return;
    CHECK_OBJ(thread, ALERT_THREAD_TAG);
    post(thread, xcalloc(1, sizeof(struct mail)), handle_stop);
    CHECK(uv_thread_join(&thread->thread) == 0);
    CHECK(uv_loop_close(&thread->loop) == 0);
    alert_sender_free(&thread->sender);
    thread->tag = 0;
    xfree(thread);
}

static void post_json(struct alert_thread *thread, json_t *json, mail_fn *handle)
{
    struct json_message *message = xcalloc(1, sizeof(*message));

    ON_CONTROL();
    CHECK_OBJ(thread, ALERT_THREAD_TAG);
    message->json = json;
    post(thread, &message->message, handle);
}

void alert_thread_set_receivers(struct alert_thread *thread, json_t *receivers)
{
    post_json(thread, receivers, handle_receivers);
}

void alert_thread_send(struct alert_thread *thread, json_t *batch)
{
    post_json(thread, batch, handle_batch);
}
