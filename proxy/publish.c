/*
 * publish - control's side of snapshots: hand out, count back, free.
 *
 * One message to each worker, plain counters here.  The prober counts as one more holder: it reads
 * the pools' checks.
 *
 * Threads  control only, but for the handlers named worker_*: the worker's, and publish_let_go()
 */
#include "proxy/publish.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/memory.h"
#include "base/thread.h"
#include "proxy/hold.h"
#include "proxy/listener.h"
#include "proxy/snapshot.h"
#include "proxy/transport.h"
#include "proxy/upstream/prober.h"
#include "proxy/upstream/server.h"
#include "proxy/upstream/upstream.h"
#include "proxy/worker.h"

/* One published snapshot and who still has it. */
struct edition {
    struct list link;
    struct publisher *publisher;
    struct snapshot *snapshot;
    struct prober_target *targets;
    unsigned holders;  /* workers, and the prober */
    unsigned to_adopt; /* of the same */
    publish_adopted_fn *on_adopted;
    void *context;
};

struct publisher {
    struct mailbox *control;
    struct prober *prober;
    struct worker *const *workers;
    unsigned worker_count;
    struct edition *current;
    struct edition *running; /* the newest that all have adopted */
    struct list editions;    /* oldest first */
};

struct adopt {
    struct mail mail;
    struct publisher *publisher;
    struct snapshot *snapshot;
    int sockets[];
};

struct notice {
    struct mail mail;
    struct publisher *publisher;
    struct snapshot *snapshot;
};

struct publisher *publisher_new(struct mailbox *control, struct prober *prober,
                                struct worker *const *workers, unsigned worker_count)
{
    struct publisher *publisher = xcalloc(1, sizeof(*publisher));

    publisher->control = control;
    publisher->prober = prober;
    publisher->workers = workers;
    publisher->worker_count = worker_count;
    list_init(&publisher->editions);
    return publisher;
}

static void free_edition(struct edition *edition)
{
    list_remove(&edition->link);
    snapshot_free(&edition->snapshot);
    xfree(edition->targets);
    xfree(edition);
}

void publisher_free(struct publisher **holder)
{
    struct publisher *publisher = TAKE_POINTER(holder);

    while (!list_is_empty(&publisher->editions))
        free_edition(container_of(publisher->editions.next, struct edition, link));
    xfree(publisher);
}

static struct edition *edition_of(struct publisher *publisher, const struct snapshot *snapshot)
{
    LIST_EACH (link, &publisher->editions) {
        struct edition *edition = container_of(link, struct edition, link);

        if (edition->snapshot == snapshot)
            return edition;
    }
    panic("a snapshot is let go that nobody published");
}

/* ---- messages back to control ---- */

static void post_notice(struct publisher *publisher, struct snapshot *snapshot, mail_fn *handle)
{
    struct notice *notice = xcalloc(1, sizeof(*notice));

    notice->mail.handle = handle;
    notice->publisher = publisher;
    notice->snapshot = snapshot;
    if (!mailbox_post(publisher->control, &notice->mail))
        xfree(notice); /* control has ended: publisher_free() frees them all */
}

static struct edition *take_notice(struct mail *mail)
{
    struct notice *notice = container_of(mail, struct notice, mail);
    struct edition *edition = edition_of(notice->publisher, notice->snapshot);

    xfree(notice);
    return edition;
}

/* Who has let go of the running one has adopted the next, though not everybody has said so yet. */
static void run_next(struct publisher *publisher)
{
    CHECK(publisher->running->link.next != &publisher->editions);
    publisher->running = container_of(publisher->running->link.next, struct edition, link);
}

static void on_let_go(struct mail *mail, void *receiver)
{
    struct edition *edition = take_notice(mail);

    (void)receiver;
    ON_CONTROL();
    CHECK(edition->holders > 0);
    if (--edition->holders > 0)
        return;
    if (edition->publisher->running == edition)
        run_next(edition->publisher);
    log_event(EV_CONFIG_RELEASED, LOG_NUMBER("generation", edition->snapshot->generation));
    free_edition(edition);
}

static void on_adopted(struct mail *mail, void *receiver)
{
    struct edition *edition = take_notice(mail);

    (void)receiver;
    ON_CONTROL();
    CHECK(edition->to_adopt > 0);
    if (--edition->to_adopt > 0)
        return;
    edition->publisher->running = edition;
    if (edition->on_adopted != NULL)
        edition->on_adopted(edition->context, edition->snapshot);
}

void publish_let_go(struct publisher *publisher, struct snapshot *snapshot)
{
    post_notice(publisher, snapshot, on_let_go);
}

/* ---- the worker's side of ADOPT ---- */

/* Stamps the servers that the new snapshot has, and ends idle connections to those it has not. */
static void worker_note_servers(struct worker *worker, const struct snapshot *old,
                                const struct snapshot *now)
{
    worker->newest_generation = now->generation;
    for (size_t p = 0; p < now->pool_count; p++)
        for (size_t i = 0; i < now->pools[p].server_count; i++)
            worker->server_generations[now->pools[p].servers[i]->slot] = now->generation;
    for (size_t p = 0; old != NULL && p < old->pool_count; p++)
        for (size_t i = 0; i < old->pools[p].server_count; i++)
            if (worker->server_generations[old->pools[p].servers[i]->slot] != now->generation)
                reuse_close_server(worker, old->pools[p].servers[i]);
}

static void worker_adopt(struct mail *mail, void *receiver)
{
    struct adopt *adopt = container_of(mail, struct adopt, mail);
    struct worker *worker = receiver;

    ON_WORKER(worker->index);
    worker_note_time(worker);
    worker_note_servers(worker, worker->current != NULL ? worker->current->snapshot : NULL,
                        adopt->snapshot);
    listener_adopt(worker, adopt->snapshot, adopt->sockets);
    hold_adopt(worker, adopt->snapshot);
    transport_end_callback(worker);
    post_notice(adopt->publisher, adopt->snapshot, on_adopted);
    xfree(adopt);
}

/* ---- publishing ---- */

static void post_adopt(struct publisher *publisher, struct snapshot *snapshot,
                       struct listener_set *listeners, unsigned worker)
{
    size_t count = snapshot->listener_count;
    struct adopt *adopt = xcalloc(1, sizeof(*adopt) + count * sizeof(int));

    adopt->mail.handle = worker_adopt;
    adopt->publisher = publisher;
    adopt->snapshot = snapshot;
    for (size_t i = 0; i < count; i++)
        adopt->sockets[i] = listener_set_take(listeners, i, worker);
    CHECK(mailbox_post(&publisher->workers[worker]->mailbox, &adopt->mail));
}

struct prober_done {
    struct publisher *publisher;
    struct snapshot *snapshot;
    struct snapshot *before; /* or NULL */
};

/* On the prober's thread: it reads the snapshot before no longer. */
static void prober_has_adopted(void *context)
{
    struct prober_done *done = context;

    post_notice(done->publisher, done->snapshot, on_adopted);
    if (done->before != NULL)
        publish_let_go(done->publisher, done->before);
    xfree(done);
}

static void tell_prober(struct publisher *publisher, struct edition *edition,
                        struct snapshot *before)
{
    const struct snapshot *snapshot = edition->snapshot;
    struct prober_done *done = xcalloc(1, sizeof(*done));
    size_t count = 0;

    for (size_t p = 0; p < snapshot->pool_count; p++)
        count += snapshot->pools[p].server_count;
    edition->targets = xcalloc(count, sizeof(*edition->targets));
    count = 0;
    for (size_t p = 0; p < snapshot->pool_count; p++) {
        const struct snapshot_pool *pool = &snapshot->pools[p];

        for (size_t i = 0; i < pool->server_count; i++)
            edition->targets[count++] =
                (struct prober_target){.server = pool->servers[i],
                                       .pool = pool->conf,
                                       .is_backup = pool->balance.servers[i].is_backup};
    }
    done->publisher = publisher;
    done->snapshot = edition->snapshot;
    done->before = before;
    prober_adopt(publisher->prober, edition->targets, count, prober_has_adopted, done);
}

void publish(struct publisher *publisher, struct snapshot *snapshot, struct listener_set *listeners,
             publish_adopted_fn *on_adopted_fn, void *context)
{
    struct edition *edition = xcalloc(1, sizeof(*edition));
    struct edition *before = publisher->current;

    ON_CONTROL();
    edition->publisher = publisher;
    edition->snapshot = snapshot;
    edition->holders = publisher->worker_count + 1;
    edition->to_adopt = edition->holders;
    edition->on_adopted = on_adopted_fn;
    edition->context = context;
    list_append(&publisher->editions, &edition->link);
    publisher->current = edition;
    snapshot_configure_servers(snapshot);
    tell_prober(publisher, edition, before != NULL ? before->snapshot : NULL);
    for (unsigned i = 0; i < publisher->worker_count; i++)
        post_adopt(publisher, snapshot, listeners, i);
}

struct snapshot *publisher_current(const struct publisher *publisher)
{
    return publisher->current == NULL ? NULL : publisher->current->snapshot;
}

struct snapshot *publisher_running(const struct publisher *publisher)
{
    return publisher->running == NULL ? NULL : publisher->running->snapshot;
}

size_t publisher_alive(const struct publisher *publisher)
{
    size_t count = 0;

    LIST_EACH (link, &publisher->editions)
        count++;
    return count;
}
