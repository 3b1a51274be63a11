/*
 * publish - control's side of snapshots: hand out, count back, free.
 *
 * One message to each worker, plain counters here.  The prober counts as one more holder: it reads
 * the pools' checks, of the current snapshot and of the candidate, which are given to it as one
 * list.
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
#include "proxy/secure.h"
#include "proxy/snapshot.h"
#include "proxy/transport.h"
#include "proxy/upstream/prober.h"
#include "proxy/upstream/reuse.h"
#include "proxy/upstream/server.h"
#include "proxy/worker.h"

/* One published snapshot and who still has it. */
struct edition {
    struct list link;
    struct publisher *publisher;
    struct snapshot *snapshot;
    bool is_candidate;
    unsigned holders;  /* workers, and lists that the prober has */
    unsigned to_adopt; /* workers, and the prober */
    publish_adopted_fn *on_adopted;
    void *context;
};

struct publisher {
    struct mailbox *control;
    struct prober *prober;
    struct worker *const *workers;
    unsigned worker_count;
    struct edition *current;
    struct edition *running;   /* the newest current one that all have adopted */
    struct edition *candidate; /* or NULL */
    uint32_t candidate_below;
    struct prober_list *given; /* the newest; NULL before the first */
    struct list editions;      /* oldest first */
};

/* What the prober was given at once.  Lives until the next one is adopted. */
struct prober_list {
    struct mail mail; /* back to control: adopted */
    struct publisher *publisher;
    struct prober_list *before;
    struct edition *reads[HOLD_ARMS]; /* each counts as a holder; NULL: none */
    struct edition *adopts;           /* that waits for it, or NULL */
    size_t count;
    struct prober_target targets[];
};

struct adopt {
    struct mail mail;
    struct publisher *publisher;
    struct snapshot *snapshot;
    int sockets[];
};

/* A candidate comes, gets more, or goes. */
struct trial {
    struct mail mail;
    struct publisher *publisher;
    struct snapshot *snapshot; /* NULL: the one that is there */
    uint32_t below;            /* 0: it goes */
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
    xfree(edition);
}

static void free_lists(struct prober_list *list)
{
    while (list != NULL) {
        struct prober_list *before = list->before;

        xfree(list);
        list = before;
    }
}

void publisher_free(struct publisher **holder)
{
    struct publisher *publisher = TAKE_POINTER(holder);

    while (!list_is_empty(&publisher->editions))
        free_edition(container_of(publisher->editions.next, struct edition, link));
    free_lists(publisher->given);
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
    const struct list *link = publisher->running->link.next;

    while (link != &publisher->editions && container_of(link, struct edition, link)->is_candidate)
        link = link->next;
    CHECK(link != &publisher->editions);
    publisher->running = container_of(link, struct edition, link);
}

static void let_go(struct edition *edition)
{
    CHECK(edition->holders > 0);
    if (--edition->holders > 0)
        return;
    if (edition->publisher->running == edition)
        run_next(edition->publisher);
    log_event(EV_CONFIG_RELEASED, LOG_NUMBER("generation", edition->snapshot->generation));
    free_edition(edition);
}

static void on_let_go(struct mail *mail, void *receiver)
{
    (void)receiver;
    ON_CONTROL();
    let_go(take_notice(mail));
}

static void adopted(struct edition *edition)
{
    CHECK(edition->to_adopt > 0);
    if (--edition->to_adopt > 0)
        return;
    if (!edition->is_candidate)
        edition->publisher->running = edition;
    if (edition->on_adopted != NULL)
        edition->on_adopted(edition->context, edition->snapshot);
}

static void on_adopted(struct mail *mail, void *receiver)
{
    (void)receiver;
    ON_CONTROL();
    adopted(take_notice(mail));
}

void publish_let_go(struct publisher *publisher, struct snapshot *snapshot)
{
    post_notice(publisher, snapshot, on_let_go);
}

/* ---- the worker's side ---- */

static void stamp(struct worker *worker, const struct snapshot *snapshot, uint64_t generation)
{
    for (size_t p = 0; snapshot != NULL && p < snapshot->pool_count; p++)
        for (size_t i = 0; i < snapshot->pools[p].server_count; i++)
            worker->server_generations[snapshot->pools[p].servers[i]->slot] = generation;
}

/* Ends idle connections to servers of `old` that no snapshot has any more. */
static void close_unstamped(struct worker *worker, const struct snapshot *old)
{
    for (size_t p = 0; old != NULL && p < old->pool_count; p++)
        for (size_t i = 0; i < old->pools[p].server_count; i++)
            if (worker->server_generations[old->pools[p].servers[i]->slot] !=
                worker->newest_generation)
                reuse_close_server(worker, old->pools[p].servers[i]);
}

static const struct snapshot *snapshot_of(const struct hold *hold)
{
    return hold != NULL ? hold->snapshot : NULL;
}

static void worker_adopt(struct mail *mail, void *receiver)
{
    struct adopt *adopt = container_of(mail, struct adopt, mail);
    struct worker *worker = receiver;

    ON_WORKER(worker->index);
    worker_note_time(worker);
    worker->newest_generation = adopt->snapshot->generation;
    stamp(worker, adopt->snapshot, worker->newest_generation);
    stamp(worker, snapshot_of(worker->candidate), worker->newest_generation);
    close_unstamped(worker, snapshot_of(worker->current));
    listener_adopt(worker, adopt->snapshot, adopt->sockets);
    hold_adopt(worker, adopt->snapshot);
    transport_end_callback(worker);
    post_notice(adopt->publisher, adopt->snapshot, on_adopted);
    xfree(adopt);
}

/* The candidate is `snapshot` from now on; NULL: there is none. */
static void replace_candidate(struct worker *worker, struct snapshot *snapshot)
{
    const struct snapshot *old = snapshot_of(worker->candidate);

    stamp(worker, old, 0);
    stamp(worker, snapshot_of(worker->current), worker->newest_generation);
    stamp(worker, snapshot, worker->newest_generation);
    close_unstamped(worker, old);
    hold_try(worker, snapshot);
}

static void worker_try(struct mail *mail, void *receiver)
{
    struct trial *trial = container_of(mail, struct trial, mail);
    struct worker *worker = receiver;

    ON_WORKER(worker->index);
    worker_note_time(worker);
    worker->candidate_below = trial->below;
    if (trial->snapshot != NULL || trial->below == 0)
        replace_candidate(worker, trial->snapshot);
    transport_end_callback(worker);
    if (trial->snapshot != NULL)
        post_notice(trial->publisher, trial->snapshot, on_adopted);
    xfree(trial);
}

/* ---- the prober ---- */

static void on_list_adopted(struct mail *mail, void *receiver)
{
    struct prober_list *list = container_of(mail, struct prober_list, mail);
    struct prober_list *before = TAKE_POINTER(&list->before);

    (void)receiver;
    ON_CONTROL();
    if (list->adopts != NULL)
        adopted(list->adopts);
    for (unsigned arm = 0; before != NULL && arm < HOLD_ARMS; arm++)
        if (before->reads[arm] != NULL)
            let_go(before->reads[arm]);
    xfree(before);
}

/* On the prober's thread: it reads the list before no longer. */
static void prober_has_adopted(void *context)
{
    struct prober_list *list = context;

    (void)mailbox_post(list->publisher->control, &list->mail); /* else publisher_free() frees it */
}

static size_t count_servers(const struct edition *edition)
{
    size_t count = 0;

    for (size_t p = 0; edition != NULL && p < edition->snapshot->pool_count; p++)
        count += edition->snapshot->pools[p].server_count;
    return count;
}

static void add_targets(struct prober_list *list, struct edition *edition, enum hold_arm arm)
{
    const struct snapshot *snapshot = edition->snapshot;

    edition->holders++;
    list->reads[arm] = edition;
    for (size_t p = 0; p < snapshot->pool_count; p++) {
        const struct snapshot_pool *pool = &snapshot->pools[p];

        for (size_t i = 0; i < pool->server_count; i++)
            list->targets[list->count++] = (struct prober_target){
                .server = pool->servers[i],
                .pool = pool->conf,
                .is_backup = pool->balance.servers[i].is_backup,
                .trust = pool->trust,
                .tls_name = secure_server_name(&pool->conf->tls,
                                               &pool->conf->servers[pool->server_conf[i]]),
                .is_tried = arm == ARM_CANDIDATE};
    }
}

/* The current one's come first: what both have is checked as it says. */
static void tell_prober(struct publisher *publisher, struct edition *adopts)
{
    size_t room = count_servers(publisher->current) + count_servers(publisher->candidate);
    struct prober_list *list = xcalloc(1, sizeof(*list) + room * sizeof(struct prober_target));

    list->mail.handle = on_list_adopted;
    list->publisher = publisher;
    list->before = publisher->given;
    list->adopts = adopts;
    add_targets(list, publisher->current, ARM_RUNNING);
    if (publisher->candidate != NULL)
        add_targets(list, publisher->candidate, ARM_CANDIDATE);
    publisher->given = list;
    prober_adopt(publisher->prober, list->targets, list->count, prober_has_adopted, list);
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

static struct edition *new_edition(struct publisher *publisher, struct snapshot *snapshot,
                                   publish_adopted_fn *on_adopted_fn, void *context)
{
    struct edition *edition = xcalloc(1, sizeof(*edition));

    edition->publisher = publisher;
    edition->snapshot = snapshot;
    edition->holders = publisher->worker_count;
    edition->to_adopt = publisher->worker_count + 1;
    edition->on_adopted = on_adopted_fn;
    edition->context = context;
    list_append(&publisher->editions, &edition->link);
    return edition;
}

void publish(struct publisher *publisher, struct snapshot *snapshot, struct listener_set *listeners,
             publish_adopted_fn *on_adopted_fn, void *context)
{
    ON_CONTROL();
    publisher->current = new_edition(publisher, snapshot, on_adopted_fn, context);
    snapshot_configure_servers(snapshot);
    tell_prober(publisher, publisher->current);
    for (unsigned i = 0; i < publisher->worker_count; i++)
        post_adopt(publisher, snapshot, listeners, i);
}

/* ---- the candidate ---- */

static void post_trial(struct publisher *publisher, struct snapshot *snapshot, uint32_t below)
{
    publisher->candidate_below = below;
    for (unsigned i = 0; i < publisher->worker_count; i++) {
        struct trial *trial = xcalloc(1, sizeof(*trial));

        trial->mail.handle = worker_try;
        trial->publisher = publisher;
        trial->snapshot = snapshot;
        trial->below = below;
        if (!mailbox_post(&publisher->workers[i]->mailbox, &trial->mail)) {
            CHECK(snapshot == NULL); /* nothing new is tried while workers stop */
            xfree(trial);            /* that one has ended, and let everything go */
        }
    }
}

static bool has_same_listeners(const struct snapshot *a, const struct snapshot *b)
{
    if (a->listener_count != b->listener_count)
        return false;
    for (size_t i = 0; i < a->listener_count; i++)
        if (strcmp(a->listeners[i].conf->name, b->listeners[i].conf->name) != 0)
            return false;
    return true;
}

void publish_candidate(struct publisher *publisher, struct snapshot *snapshot, uint32_t below,
                       publish_adopted_fn *on_adopted_fn, void *context)
{
    ON_CONTROL();
    CHECK(below > 0 && below < PUBLISH_WHOLE);
    CHECK(has_same_listeners(publisher->current->snapshot, snapshot));
    publisher->candidate = new_edition(publisher, snapshot, on_adopted_fn, context);
    publisher->candidate->is_candidate = true;
    tell_prober(publisher, publisher->candidate);
    post_trial(publisher, snapshot, below);
}

void publish_widen(struct publisher *publisher, uint32_t below)
{
    ON_CONTROL();
    CHECK(publisher->candidate != NULL && below > publisher->candidate_below &&
          below < PUBLISH_WHOLE);
    post_trial(publisher, NULL, below);
}

void publish_end_candidate(struct publisher *publisher)
{
    ON_CONTROL();
    if (publisher->candidate == NULL)
        return;
    publisher->candidate = NULL;
    tell_prober(publisher, NULL);
    post_trial(publisher, NULL, 0);
}

struct snapshot *publisher_candidate(const struct publisher *publisher)
{
    return publisher->candidate == NULL ? NULL : publisher->candidate->snapshot;
}

uint32_t publisher_candidate_below(const struct publisher *publisher)
{
    return publisher->candidate == NULL ? 0 : publisher->candidate_below;
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
