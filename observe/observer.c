/*
 * observer - the thread that drains the rings and taps: access log, windows, summaries, samples.
 *
 *   rings --format--> block --write--> log file
 *
 * Every 20 ms, and when a worker wakes it, the observer empties the rings into one large block
 * and writes that.  While the file takes nothing the block fills up, then the rings, then
 * workers drop records: they never wait.  What was dropped is told once a second.  Taps are emptied
 * first, whatever becomes of the log.
 *
 * Owner    control starts and stops it.
 * Threads  observer_start, _stop, _set_access_log, _reopen: control; observer_wake: workers;
 *          all static functions but `thread_main`: the observer
 */
#include "observe/observer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <uv.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/memory.h"
#include "base/thread.h"
#include "observe/access_log.h"
#include "observe/log_file.h"
#include "observe/ring.h"
#include "observe/sample.h"
#include "observe/sampling.h"
#include "observe/spills.h"
#include "observe/summary.h"
#include "observe/tap.h"
#include "observe/window.h"

enum {
    OBSERVER_TAG = 0x4f425352,
    DRAIN_MS = 20,
    BLOCK_BYTES = 512 * 1024,
    WRITE_AT_BYTES = 128 * 1024,
    RECORDS_PER_VISIT = 256,  /* of one ring, before the next has its turn */
    RECORDS_PER_TURN = 16384, /* before the loop's timers have theirs */
    RETRY_MS = 1000,          /* after a write error */
    REMIND_MS = 30000,        /* of an error that lasts */
    LAST_WRITE_MS = 2000,     /* for what is left when the process ends */
};

struct observer {
    uint32_t tag;
    struct observer_options options;
    uv_loop_t loop;
    uv_thread_t thread;
    struct mailbox mailbox;
    uv_async_t wake;
    uv_timer_t drain_timer;
    uv_timer_t second_timer;

    struct log_file *file; /* NULL: off */
    bool knows_file;       /* until it was told, records wait in their rings */
    struct access_log format;
    char *block; /* [block_start, block_end) waits to be written */
    size_t block_start, block_end;
    bool ends_in_line;   /* the last write stopped inside a line */
    bool is_stuck;       /* the file takes nothing until the next turn */
    uint64_t retry_ms;   /* no write before this, after an error */
    int failure;         /* the error that lasts, 0: none */
    uint64_t remind_ms;  /* when to tell of it again */
    uint64_t lines_lost; /* in the block, given up */
    uint64_t dropped_told;
    struct windows *windows;
    struct spills *spills;
    struct sampling *sampling; /* NULL: there are no taps */
    uint64_t lost_noted;       /* requests that lost samples stood for */
};

/* ---------------------------------------------------------------- writing */

static size_t block_length(const struct observer *observer)
{
    return observer->block_end - observer->block_start;
}

static void tell_failure(struct observer *observer, int reason)
{
    uint64_t now = clock_ms();

    if (reason == observer->failure && now < observer->remind_ms)
        return;
    observer->failure = reason;
    observer->remind_ms = now + REMIND_MS;
    log_event(EV_LOG_FAILED, LOG_TEXT("path", log_file_path(observer->file)),
              LOG_TEXT("reason", strerrordesc_np(reason)));
}

/* Writes until the block is empty or the file takes no more. */
static void write_block(struct observer *observer)
{
    while (block_length(observer) > 0 && !observer->is_stuck) {
        ssize_t written = log_file_write(observer->file, observer->block + observer->block_start,
                                         block_length(observer));

        if (written <= 0) {
            observer->is_stuck = true;
            if (written == -EAGAIN)
                break;
            tell_failure(observer, written == 0 ? EIO : (int)-written);
            observer->retry_ms = clock_ms() + RETRY_MS;
            break;
        }
        observer->failure = 0;
        observer->block_start += (size_t)written;
        observer->ends_in_line = observer->block[observer->block_start - 1] != '\n';
    }
    if (block_length(observer) == 0)
        observer->block_start = observer->block_end = 0;
}

/* True when one more line fits. */
static bool make_room(struct observer *observer)
{
    if (BLOCK_BYTES - observer->block_end >= ACCESS_LOG_LINE_BYTES)
        return true;
    if (observer->block_start == 0)
        return false;
    memmove(observer->block, observer->block + observer->block_start, block_length(observer));
    observer->block_end -= observer->block_start;
    observer->block_start = 0;
    return BLOCK_BYTES - observer->block_end >= ACCESS_LOG_LINE_BYTES;
}

/* Takes up to RECORDS_PER_VISIT off a ring; returns how many. */
static unsigned drain_ring(struct observer *observer, struct ring *ring)
{
    const struct record *record;
    unsigned count = 0;

    while (count < RECORDS_PER_VISIT) {
        if (observer->file != NULL && !make_room(observer))
            break;
        record = ring_take(ring);
        if (record == NULL)
            break;
        if (observer->file != NULL)
            observer->block_end +=
                access_log_format(&observer->format, record, observer->block + observer->block_end);
        ring_done(ring);
        count++;
        if (block_length(observer) >= WRITE_AT_BYTES)
            write_block(observer);
    }
    return count;
}

/* One turn over all rings; true when records are left that could be taken. */
static bool drain(struct observer *observer)
{
    unsigned total = 0, taken;

    if (!observer->knows_file)
        return false;
    observer->is_stuck = observer->retry_ms > 0 && clock_ms() < observer->retry_ms;
    do {
        taken = 0;
        for (unsigned i = 0; i < observer->options.worker_count; i++)
            taken += drain_ring(observer, observer->options.rings[i]);
        total += taken;
    } while (taken > 0 && total < RECORDS_PER_TURN);
    if (observer->file != NULL)
        write_block(observer);
    return taken > 0;
}

static uint64_t count_lines(const char *at, size_t len)
{
    uint64_t lines = 0;

    for (const char *end = at + len; at < end; lines++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        if (newline == NULL)
            break;
        at = newline + 1;
    }
    return lines;
}

/* The file changes: what is under way goes to the old one if it takes it, and a line that it
 * has in part is not continued in the new one. */
static void finish_old_file(struct observer *observer)
{
    if (observer->file == NULL)
        return;
    drain(observer);
    if (!observer->ends_in_line || block_length(observer) == 0)
        return;
    const char *rest = observer->block + observer->block_start;
    const char *newline = memchr(rest, '\n', block_length(observer));

    CHECK(newline != NULL);
    observer->block_start += (size_t)(newline - rest) + 1;
    observer->lines_lost++;
}

static void begin_new_file(struct observer *observer)
{
    observer->ends_in_line = false;
    observer->failure = 0;
    observer->retry_ms = 0;
}

static void give_up_block(struct observer *observer)
{
    observer->lines_lost +=
        count_lines(observer->block + observer->block_start, block_length(observer));
    observer->block_start = observer->block_end = 0;
}

static void tell_drops(struct observer *observer)
{
    uint64_t dropped = observer->lines_lost;

    for (unsigned i = 0; i < observer->options.worker_count; i++)
        dropped += atomic_load_explicit(&observer->options.rings[i]->dropped, memory_order_relaxed);
    if (dropped == observer->dropped_told)
        return;
    log_event(EV_LOG_DROPPED, LOG_NUMBER("lines", dropped - observer->dropped_told),
              LOG_NUMBER("total", dropped));
    observer->dropped_told = dropped;
}

/* ---------------------------------------------------------------- recent traffic */

static void drain_taps(struct observer *observer)
{
    uint64_t lost = 0;

    if (observer->sampling == NULL)
        return;
    for (unsigned i = 0; i < observer->options.worker_count; i++) {
        struct tap *tap = observer->options.taps[i];
        const struct tap_cell *cell;

        for (unsigned n = 0; n < TAP_CELLS && (cell = tap_take(tap)) != NULL; n++) {
            sampling_note(observer->sampling, cell);
            tap_done(tap);
        }
        lost += atomic_load_explicit(&tap->lost, memory_order_relaxed);
    }
    if (lost > observer->lost_noted)
        sampling_note_lost(observer->sampling, lost - observer->lost_noted);
    observer->lost_noted = lost;
}

static void tell_sample(struct observer *observer, struct sample *sample)
{
    if (sample != NULL && observer->options.on_sample != NULL)
        observer->options.on_sample(observer->options.context, sample);
    else
        sample_release(&sample);
}

/* ---------------------------------------------------------------- the loop */

static void on_wake(uv_async_t *wake)
{
    struct observer *observer = container_of(wake, struct observer, wake);

    ON_OBSERVER();
    drain_taps(observer);
    if (drain(observer))
        uv_async_send(&observer->wake);
}

/* Not at once: a message that changes the file comes before records that were made after it. */
static void on_drain_timer(uv_timer_t *timer)
{
    uv_async_send(&container_of(timer, struct observer, drain_timer)->wake);
}

static struct summary *make_summary(const struct observer *observer)
{
    struct summary *summary = windows_summary(observer->windows, clock_wall_ms());

    summary->is_log_failing = observer->failure != 0;
    summary->log_lines_dropped = observer->dropped_told;
    return summary;
}

static void on_second(uv_timer_t *timer)
{
    struct observer *observer = container_of(timer, struct observer, second_timer);

    ON_OBSERVER();
    tell_drops(observer);
    spills_tell(observer->spills, clock_ms());
    windows_tick(observer->windows, clock_ms());
    if (observer->sampling != NULL)
        tell_sample(observer, sampling_tick(observer->sampling, clock_ms(), clock_wall_ms()));
    if (observer->options.on_summary != NULL)
        observer->options.on_summary(observer->options.context, make_summary(observer));
}

/* ---------------------------------------------------------------- messages */

struct file_message {
    struct mail message;
    struct log_file *file;
};

static void handle_file(struct mail *message, void *receiver)
{
    struct observer *observer = receiver;
    struct file_message *new = container_of(message, struct file_message, message);

    ON_OBSERVER();
    finish_old_file(observer);
    log_file_close(&observer->file);
    observer->file = new->file;
    observer->knows_file = true;
    begin_new_file(observer);
    if (observer->file == NULL)
        give_up_block(observer);
    xfree(new);
}

static void handle_reopen(struct mail *message, void *receiver)
{
    struct observer *observer = receiver;
    struct error why;

    ON_OBSERVER();
    xfree(message);
    if (observer->file == NULL)
        return;
    finish_old_file(observer);
    if (log_file_reopen(observer->file, &why))
        begin_new_file(observer);
    else
        log_event(EV_LOG_FAILED, LOG_TEXT("path", log_file_path(observer->file)),
                  LOG_TEXT("reason", why.text));
}

/* Workers have ended: what is in the rings is all there will be. */
static void write_the_rest(struct observer *observer)
{
    uint64_t until = clock_ms() + LAST_WRITE_MS;

    observer->retry_ms = 0;
    while (drain(observer) || (observer->file != NULL && block_length(observer) > 0)) {
        if (clock_ms() >= until)
            break;
        if (observer->is_stuck)
            (void)poll(NULL, 0, DRAIN_MS); /* only waits */
    }
    give_up_block(observer);
    for (unsigned i = 0; i < observer->options.worker_count; i++)
        for (; ring_take(observer->options.rings[i]) != NULL; observer->lines_lost++)
            ring_done(observer->options.rings[i]);
    tell_drops(observer);
}

static void handle_stop(struct mail *message, void *receiver)
{
    struct observer *observer = receiver;

    ON_OBSERVER();
    xfree(message);
    write_the_rest(observer);
    drain_taps(observer);
    if (observer->sampling != NULL)
        tell_sample(observer, sampling_rest(observer->sampling, clock_ms(), clock_wall_ms()));
    uv_close((uv_handle_t *)&observer->wake, NULL);
    uv_close((uv_handle_t *)&observer->drain_timer, NULL);
    uv_close((uv_handle_t *)&observer->second_timer, NULL);
    mailbox_close(&observer->mailbox);
}

static void thread_main(void *argument)
{
    struct observer *observer = argument;

    thread_take_role(THREAD_OBSERVER, 0);
    uv_run(&observer->loop, UV_RUN_DEFAULT);
}

/* ---------------------------------------------------------------- control's side */

/* Signals are control's; a log pipe that breaks is an error to be told, not one to die of. */
static void start_thread(struct observer *observer)
{
    sigset_t all, before;

    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    CHECK(uv_thread_create(&observer->thread, thread_main, observer) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

struct observer *observer_start(const struct observer_options *options)
{
    struct observer *observer = xcalloc(1, sizeof(*observer));

    ON_CONTROL();
    observer->tag = OBSERVER_TAG;
    observer->options = *options;
    observer->block = xmalloc(BLOCK_BYTES);
    observer->windows = windows_new(options->counters, clock_ms());
    observer->spills = spills_new(options->counters);
    if (options->taps != NULL)
        observer->sampling = sampling_new(options->counters, clock_ms());
    access_log_init(&observer->format, options->reason_words, options->failure_words);
    CHECK(uv_loop_init(&observer->loop) == 0);
    CHECK(mailbox_open(&observer->mailbox, &observer->loop, observer) == 0);
    CHECK(uv_async_init(&observer->loop, &observer->wake, on_wake) == 0);
    CHECK(uv_timer_init(&observer->loop, &observer->drain_timer) == 0);
    CHECK(uv_timer_init(&observer->loop, &observer->second_timer) == 0);
    CHECK(uv_timer_start(&observer->drain_timer, on_drain_timer, DRAIN_MS, DRAIN_MS) == 0);
    CHECK(uv_timer_start(&observer->second_timer, on_second, 1000, 1000) == 0);
    start_thread(observer);
    return observer;
}

static void post(struct observer *observer, struct mail *message, mail_fn *handle)
{
    message->handle = handle;
    CHECK(mailbox_post(&observer->mailbox, message));
}

void observer_stop(struct observer **held)
{
    struct observer *observer = TAKE_POINTER(held);

    ON_CONTROL();
    if (observer == NULL)
        return;
    CHECK_OBJ(observer, OBSERVER_TAG);
    post(observer, xcalloc(1, sizeof(struct mail)), handle_stop);
    CHECK(uv_thread_join(&observer->thread) == 0);
    CHECK(uv_loop_close(&observer->loop) == 0);
    log_file_close(&observer->file);
    windows_free(&observer->windows);
    spills_free(&observer->spills);
    sampling_free(&observer->sampling);
    xfree(observer->block);
    observer->tag = 0;
    xfree(observer);
}

bool observer_set_access_log(struct observer *observer, const char *path, struct error *why)
{
    struct log_file *file = NULL;

    ON_CONTROL();
    CHECK_OBJ(observer, OBSERVER_TAG);
    if (strcmp(path, "off") != 0) {
        file = log_file_open(path, why);
        if (file == NULL)
            return false;
    }
    struct file_message *message = xcalloc(1, sizeof(*message));
    message->file = file;
    post(observer, &message->message, handle_file);
    return true;
}

void observer_reopen(struct observer *observer)
{
    ON_CONTROL();
    CHECK_OBJ(observer, OBSERVER_TAG);
    post(observer, xcalloc(1, sizeof(struct mail)), handle_reopen);
}

struct violation_message {
    struct mail message;
    bool is_server;
    char place[64]; /* listener, or pool */
    char peer[64];  /* client's address, or server */
    const char *budget;
};

static void handle_violation(struct mail *message, void *receiver)
{
    struct violation_message *told = container_of(message, struct violation_message, message);

    (void)receiver;
    if (told->is_server)
        log_event(EV_SERVER_H2_VIOLATION, LOG_TEXT("pool", told->place),
                  LOG_TEXT("server", told->peer), LOG_TEXT("budget", told->budget));
    else
        log_event(EV_H2_VIOLATION, LOG_TEXT("listener", told->place),
                  LOG_TEXT("client", told->peer), LOG_TEXT("budget", told->budget));
    xfree(told);
}

static void tell_violation(struct observer *observer, bool is_server, const char *place,
                           const char *peer, const char *budget)
{
    struct violation_message *told = xcalloc(1, sizeof(*told));

    told->message.handle = handle_violation;
    told->is_server = is_server;
    slice_copy(slice_from(place), told->place, sizeof(told->place));
    slice_copy(slice_from(peer), told->peer, sizeof(told->peer));
    told->budget = budget;
    if (!mailbox_post(&observer->mailbox, &told->message))
        xfree(told); /* it has ended */
}

void observer_tell_violation(struct observer *observer, const char *listener, const char *client,
                             const char *budget)
{
    tell_violation(observer, false, listener, client, budget);
}

void observer_tell_server_violation(struct observer *observer, const char *pool, const char *server,
                                    const char *budget)
{
    tell_violation(observer, true, pool, server, budget);
}

void observer_wake(struct observer *observer)
{
    /* The handle lives until the workers have ended; a lost wake only costs 20 ms. */
    (void)uv_async_send(&observer->wake);
}
