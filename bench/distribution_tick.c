/*
 * distribution_tick - what the distribution monitor costs control a second: 1,000 pools of 10
 * servers, first without a request, then with 50 a second each, then a reload.
 *
 * Prints milliseconds a second, and the resident memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proxy/publish.h"
#include "tests/support/snapshots.h"
#include "watch/distributions.h"

enum { POOLS = 1000, SERVERS = 10, WORKERS = 2, TEXT_BYTES = 2 << 20 };

static struct {
    struct snapshots in;
    struct snapshot *running;
    struct distributions *distributions;
    uint64_t now_ms;
} world;

/* In place of the publisher. */
struct snapshot *publisher_running(const struct publisher *publisher)
{
    (void)publisher;
    return world.running;
}

struct snapshot *publisher_candidate(const struct publisher *publisher)
{
    (void)publisher;
    return NULL;
}

static size_t write_configuration(char *text)
{
    size_t at = (size_t)snprintf(text, TEXT_BYTES,
                                 "{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}},"
                                 "\"routes\":{\"all\":{\"pool\":\"p0\"}},\"pools\":{");

    for (unsigned p = 0; p < POOLS; p++) {
        at += (size_t)snprintf(text + at, TEXT_BYTES - at, "%s\"p%u\":{\"servers\":{",
                               p > 0 ? "," : "", p);
        for (unsigned i = 0; i < SERVERS; i++)
            at += (size_t)snprintf(text + at, TEXT_BYTES - at,
                                   "%s\"s%u\":{\"address\":\"10.%u.%u.%u:80\"}", i > 0 ? "," : "",
                                   i, p / 200, p % 200, i + 1);
        at += (size_t)snprintf(text + at, TEXT_BYTES - at, "}}");
    }
    return at + (size_t)snprintf(text + at, TEXT_BYTES - at, "}}");
}

static struct snapshot *build(uint64_t generation)
{
    char *text = malloc(TEXT_BYTES);
    struct snapshot *snapshot =
        snapshots_build(&world.in, slice_of(text, write_configuration(text)), generation);

    free(text);
    return snapshot;
}

/* Five requests to each server, as workers count them. */
static void count_second(unsigned second)
{
    for (unsigned p = 0; p < POOLS; p++)
        for (unsigned i = 0; i < SERVERS; i++) {
            const struct snapshot_pool *pool = &world.running->pools[p];
            unsigned worker = (second + i) % WORKERS;
            struct pool_row *row = counters_pool(world.in.counters, worker, pool->counter_slot);
            struct server_row *server =
                counters_server(world.in.counters, worker,
                                counters_slot(world.in.counters, SCOPE_SERVER, pool->conf->name,
                                              pool->conf->servers[i].name));

            count_add(&row->requests, 5);
            count_add(&row->picked[0], 5);
            count_add(&server->requests, 5);
            count_add(&server->responses[2], 5);
            histogram_note(&server->latency, 4000);
        }
}

/* Of this thread: others' load does not count. */
static uint64_t spent_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Milliseconds a second. */
static double run(unsigned seconds, bool is_busy)
{
    uint64_t spent_ns = 0;

    for (unsigned second = 0; second < seconds; second++) {
        uint64_t began_ns;

        if (is_busy)
            count_second(second);
        world.now_ms += 1000;
        began_ns = spent_now_ns();
        distributions_tick(world.distributions, world.now_ms);
        spent_ns += spent_now_ns() - began_ns;
    }
    return (double)spent_ns / 1e6 / seconds;
}

static void print_memory(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            printf("resident: %s", line + 6);
    if (file != NULL)
        (void)fclose(file);
}

int main(void)
{
    snapshots_begin(&world.in, WORKERS);
    world.distributions = distributions_new(world.in.counters, WORKERS, NULL);
    world.now_ms = 1000000;
    world.running = build(1);
    printf("first look: %.1f ms\n", run(1, false));
    print_memory();
    printf("without requests: %.3f ms a second\n", run(100, false));
    (void)run(600, true);
    printf("with requests, phi not learnt: %.3f ms a second\n", run(600, true));
    (void)run(1200, true);
    printf("with requests, phi learnt: %.3f ms a second\n", run(600, true));
    print_memory();
    world.running = build(2); /* the first one stays: this is about time */
    printf("reload: %.1f ms\n", run(1, true));
    return 0;
}
