/*
 * late - see late.h.
 *
 * Threads  the worker's
 */
#include "proxy/late.h"

#include "base/check.h"
#include "proxy/transport.h"
#include "proxy/worker.h"

static void disarm(struct late_list *list)
{
    list->is_armed = false;
    uv_check_stop(&list->after_poll);
    uv_prepare_stop(&list->before_poll);
}

/* What is marked meanwhile runs too. */
static void run_all(struct worker *worker)
{
    struct list *link;

    worker_note_time(worker);
    while ((link = list_pop(&worker->late.marked)) != NULL) {
        struct late *late = container_of(link, struct late, link);

        late->run(late);
        transport_end_callback(worker);
    }
    disarm(&worker->late);
}

static void on_check(uv_check_t *check)
{
    run_all(container_of(check, struct worker, late.after_poll));
}

static void on_prepare(uv_prepare_t *prepare)
{
    run_all(container_of(prepare, struct worker, late.before_poll));
}

void late_open(struct worker *worker)
{
    struct late_list *list = &worker->late;

    list_init(&list->marked);
    list->is_armed = false;
    CHECK(uv_check_init(&worker->loop, &list->after_poll) == 0);
    CHECK(uv_prepare_init(&worker->loop, &list->before_poll) == 0);
}

void late_close(struct worker *worker)
{
    uv_close((uv_handle_t *)&worker->late.after_poll, NULL);
    uv_close((uv_handle_t *)&worker->late.before_poll, NULL);
}

void late_init(struct late *late, late_fn *run)
{
    list_init(&late->link);
    late->run = run;
}

void late_mark(struct worker *worker, struct late *late)
{
    struct late_list *list = &worker->late;

    if (!list_is_empty(&late->link))
        return;
    list_append(&list->marked, &late->link);
    if (list->is_armed)
        return;
    list->is_armed = true;
    uv_check_start(&list->after_poll, on_check);
    uv_prepare_start(&list->before_poll, on_prepare);
}

void late_forget(struct late *late)
{
    list_remove(&late->link);
}
