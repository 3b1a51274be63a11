/* observer: a real thread, real rings and files; a file that takes nothing stops nobody. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "observe/counters.h"
#include "observe/observer.h"
#include "observe/ring.h"
#include "observe/sample.h"
#include "observe/summary.h"
#include "observe/tap.h"

enum { WORKERS = 2, PATIENCE_MS = 20000 };

static const char *const words[] = {"balancer", "hash"};
static char folder[] = "/tmp/observer-test-XXXXXX";
static struct ring *rings[WORKERS];
static struct tap *taps[WORKERS];
static struct counters *counters;
static struct observer *observer;
static _Atomic uint64_t summaries, summed_requests, sampled_requests, sampled_new;

static void on_summary(void *context, struct summary *summary)
{
    assert_ptr_equal(context, &summaries);
    atomic_store(&summed_requests, summary->process.requests_60s);
    atomic_fetch_add(&summaries, 1);
    summary_free(&summary);
}

static void on_sample(void *context, struct sample *sample)
{
    assert_ptr_equal(context, &summaries);
    for (size_t i = 0; i < sample->kind_count; i++)
        atomic_fetch_add(&sampled_new, sample->kinds[i].requests_new);
    atomic_store(&sampled_requests, sample->requests);
    sample_release(&sample);
}

static int setup(void **state)
{
    (void)state;
    counters = counters_new(WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        rings[i] = ring_new();
        taps[i] = tap_new();
    }
    observer = observer_start(&(struct observer_options){
        .rings = rings,
        .taps = taps,
        .worker_count = WORKERS,
        .counters = counters,
        .reason_words = words,
        .failure_words = words,
        .on_summary = on_summary,
        .on_sample = on_sample,
        .context = &summaries,
    });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    observer_stop(&observer);
    for (unsigned i = 0; i < WORKERS; i++) {
        ring_free(&rings[i]);
        tap_free(&taps[i]);
    }
    counters_free(&counters);
    return 0;
}

static const char *path_of(const char *name)
{
    static char path[2][256];
    static unsigned turn;

    turn = !turn;
    snprintf(path[turn], sizeof(path[0]), "%s/%s", folder, name);
    return path[turn];
}

static void log_to(const char *path)
{
    struct error why = {0};

    if (!observer_set_access_log(observer, path, &why))
        fail_msg("%s", why.text);
}

/* False when the record was dropped. */
static bool send_one(unsigned worker, const char *target)
{
    struct record *record = ring_claim(rings[worker]);

    if (record == NULL)
        return false;
    memset(record, 0, offsetof(struct record, text));
    record->wall_ms = clock_wall_ms();
    record->status = 200;
    record_put(record, RECORD_METHOD, slice_from("GET"), 16);
    record_put(record, RECORD_HOST, slice_from("a"), 16);
    record_put(record, RECORD_PATH, slice_from(target), 512);
    if (ring_publish(rings[worker]))
        observer_wake(observer);
    return true;
}

static void send_many(unsigned count, const char *target)
{
    for (unsigned i = 0; i < count; i++)
        send_one(i % WORKERS, target);
}

static void wait_a_little(void)
{
    (void)poll(NULL, 0, 5);
}

static void wait_summaries(unsigned more)
{
    uint64_t wanted = atomic_load(&summaries) + more;

    for (uint64_t until = clock_ms() + PATIENCE_MS; atomic_load(&summaries) < wanted;) {
        assert_true(clock_ms() < until);
        wait_a_little();
    }
}

/* Lines of a file that hold `text`; each must be whole. */
static unsigned lines_with(const char *path, const char *text)
{
    static char line[16384];
    unsigned count = 0;
    FILE *file = fopen(path, "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        count += strstr(line, text) != NULL && line[0] == '{' && strstr(line, "}\n") != NULL;
    if (file != NULL)
        fclose(file);
    return count;
}

static void wait_lines(const char *path, const char *text, unsigned wanted)
{
    uint64_t until = clock_ms() + PATIENCE_MS;

    while (lines_with(path, text) < wanted && clock_ms() < until)
        wait_a_little();
    assert_int_equal(lines_with(path, text), wanted);
}

static void test_records_of_all_workers_are_written_soon(void **state)
{
    (void)state;
    log_to(path_of("soon.log"));
    send_many(10, "/soon");
    wait_lines(path_of("soon.log"), "\"path\":\"/soon\"", 10);
}

static void test_records_that_come_before_the_file_is_known_wait_for_it(void **state)
{
    (void)state;
    send_many(10, "/early");
    wait_summaries(1); /* it has looked at the rings many times by then */
    log_to(path_of("early.log"));
    wait_lines(path_of("early.log"), "/early", 10);
}

static void test_what_is_in_the_rings_is_written_before_the_end(void **state)
{
    (void)state;
    log_to(path_of("end.log"));
    send_many(5000, "/end");
    observer_stop(&observer);
    assert_int_equal(lines_with(path_of("end.log"), "/end"), 5000);
    assert_int_equal(rings[0]->dropped + rings[1]->dropped, 0);
}

static void test_an_existing_log_is_continued(void **state)
{
    (void)state;
    for (int round = 1; round <= 2; round++) {
        log_to(path_of("again.log"));
        send_many(3, "/again");
        wait_lines(path_of("again.log"), "/again", (unsigned)round * 3);
        log_to("off");
    }
}

static void test_after_a_rename_reopen_begins_a_new_file(void **state)
{
    (void)state;
    log_to(path_of("now.log"));
    send_many(20, "/before");
    wait_lines(path_of("now.log"), "/before", 20);
    assert_int_equal(rename(path_of("now.log"), path_of("now.log.1")), 0);
    send_many(20, "/between");
    observer_reopen(observer);
    wait_lines(path_of("now.log.1"), "/between", 20);
    for (uint64_t until = clock_ms() + PATIENCE_MS; access(path_of("now.log"), F_OK) != 0;) {
        assert_true(clock_ms() < until);
        wait_a_little();
    }
    send_many(20, "/after");
    wait_lines(path_of("now.log"), "/after", 20);
    assert_int_equal(lines_with(path_of("now.log.1"), "/after"), 0);
}

static void test_a_path_that_cannot_be_opened_is_told_at_once(void **state)
{
    struct error why = {0};

    (void)state;
    log_to(path_of("stays.log"));
    assert_false(observer_set_access_log(observer, path_of("missing/folder.log"), &why));
    assert_int_equal(why.code, ERROR_SYSTEM);
    assert_non_null(strstr(why.text, "missing/folder.log"));
    assert_non_null(strstr(why.text, "No such file"));
    send_many(4, "/stays");
    wait_lines(path_of("stays.log"), "/stays", 4);
}

static void test_off_takes_the_records_and_writes_nothing(void **state)
{
    (void)state;
    log_to(path_of("off.log"));
    log_to("off");
    wait_summaries(2);
    for (unsigned i = 0; i < 20 * RING_CELLS; i++) {
        uint64_t until = clock_ms() + PATIENCE_MS;

        while (!send_one(0, "/off") && clock_ms() < until)
            wait_a_little();
    }
    observer_reopen(observer);
    observer_stop(&observer);
    assert_int_equal(lines_with(path_of("off.log"), "/off"), 0);
}

static void test_a_fifo_without_reader_drops_but_stops_nobody(void **state)
{
    unsigned sent = 0, read_lines = 0;
    uint64_t dropped;
    int fd;

    (void)state;
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    log_to(path_of("fifo"));
    for (unsigned i = 0; i < 20 * RING_CELLS; i++)
        sent += send_one(i % WORKERS, "/fifo");
    dropped = rings[0]->dropped + rings[1]->dropped;
    assert_true(dropped > 0);
    assert_int_equal(sent + dropped, 20 * RING_CELLS);
    /* It still lives: a summary comes, and a reader gets what was kept. */
    wait_summaries(1);
    fd = open(path_of("fifo"), O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    for (uint64_t until = clock_ms() + PATIENCE_MS; read_lines < sent && clock_ms() < until;) {
        static char bytes[65536];
        ssize_t got = read(fd, bytes, sizeof(bytes));

        if (got <= 0) {
            wait_a_little();
            continue;
        }
        for (ssize_t i = 0; i < got; i++)
            read_lines += bytes[i] == '\n';
    }
    assert_int_equal(read_lines, sent);
    close(fd);
}

static void test_the_end_does_not_wait_for_a_reader_forever(void **state)
{
    uint64_t began;

    (void)state;
    assert_int_equal(mkfifo(path_of("nobody"), 0600), 0);
    log_to(path_of("nobody"));
    send_many(3 * RING_CELLS, "/nobody");
    began = clock_ms();
    observer_stop(&observer);
    assert_true(clock_ms() - began < PATIENCE_MS);
}

static void test_a_line_cut_by_a_full_pipe_does_not_go_on_in_the_next_file(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path_of("cut"), 0600), 0);
    log_to(path_of("cut"));
    send_many(2000, "/cut"); /* more than a pipe holds */
    log_to(path_of("whole.log"));
    send_many(10, "/whole");
    wait_lines(path_of("whole.log"), "/whole", 10);
    FILE *file = fopen(path_of("whole.log"), "r");
    assert_non_null(file);
    assert_int_equal(fgetc(file), '{');
    fclose(file);
}

/* A limit on the size of files stands for a full disk. */
static void test_a_write_error_is_retried(void **state)
{
    struct rlimit before, limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 4096;
    log_to(path_of("full.log"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    send_many(50, "/full");
    for (uint64_t until = clock_ms() + PATIENCE_MS; clock_ms() < until; wait_a_little()) {
        struct stat status;

        if (stat(path_of("full.log"), &status) == 0 && status.st_size >= 4096)
            break;
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    wait_lines(path_of("full.log"), "/full", 50);
}

static void test_a_summary_comes_each_second(void **state)
{
    uint32_t web = counters_slot(counters, SCOPE_LISTENER, NULL, "web");

    (void)state;
    count_add(&counters_listener(counters, 1, web)->requests, 17);
    wait_summaries(2);
    assert_int_equal(atomic_load(&summed_requests), 17);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    char command[512];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- recent traffic ---- */

/* Those that did not fit. */
static unsigned tap_many(unsigned count)
{
    struct tap_cell cell = {
        .weight = 2, .route = TAP_NONE, .pool = TAP_NONE, .server = TAP_NONE, .sticky = TAP_NONE};
    unsigned lost = 0;

    (void)tap_put(&cell, SLICE("/GET"), 4);
    cell.path_bytes = 1;
    cell.method_bytes = 3;
    for (unsigned i = 0; i < count; i++)
        lost += !tap_give(taps[i % WORKERS], &cell);
    return lost;
}

/* Whatever becomes of the log: here it is not even known. */
static void test_samples_come_without_a_log(void **state)
{
    uint64_t until = clock_ms() + PATIENCE_MS;

    (void)state;
    atomic_store(&sampled_requests, 0);
    assert_int_equal(tap_many(100), 0);
    while (atomic_load(&sampled_requests) < 200) {
        assert_true(clock_ms() < until);
        wait_a_little();
    }
    assert_int_equal(atomic_load(&sampled_requests), 200);
}

static void test_what_a_tap_lost_is_in_the_sum(void **state)
{
    unsigned lost;

    (void)state;
    atomic_store(&sampled_new, 0);
    lost = tap_many(20 * TAP_CELLS);
    observer_stop(&observer); /* the rest comes at the end */
    assert_int_equal(atomic_load(&sampled_requests), 2 * 20 * TAP_CELLS);
    assert_int_equal(atomic_load(&sampled_new), 2 * (20 * TAP_CELLS - lost));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_records_of_all_workers_are_written_soon),
        TEST(test_records_that_come_before_the_file_is_known_wait_for_it),
        TEST(test_what_is_in_the_rings_is_written_before_the_end),
        TEST(test_an_existing_log_is_continued),
        TEST(test_after_a_rename_reopen_begins_a_new_file),
        TEST(test_a_path_that_cannot_be_opened_is_told_at_once),
        TEST(test_off_takes_the_records_and_writes_nothing),
        TEST(test_a_fifo_without_reader_drops_but_stops_nobody),
        TEST(test_the_end_does_not_wait_for_a_reader_forever),
        TEST(test_a_line_cut_by_a_full_pipe_does_not_go_on_in_the_next_file),
        TEST(test_a_write_error_is_retried),
        TEST(test_a_summary_comes_each_second),
        TEST(test_samples_come_without_a_log),
        TEST(test_what_a_tap_lost_is_in_the_sum),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
