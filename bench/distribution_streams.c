/*
 * distribution_streams - how often the distribution monitor would wake somebody for nothing:
 * streams of traffic that are as they should be, for a number of decisions.
 *
 *   distribution_streams [DECISIONS [A_START]]      by default ten million, of pools that go on
 *
 * With A_START (180: as long as dispersion is not learnt) each pool starts anew after so many.
 *
 * Prints for each kind of stream the decisions, the pages and the tickets that were raised, and the
 * processor time a decision took.  Exit code 1: a page.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/observe/streams.h"

enum { POOLS_A_KIND = 42 };

static const size_t counts_of_servers[] = {2, 3, 4, 5, 8, 10, 20};
static const double rates[] = {0.2, 1, 5, 20, 60, 200};

struct result {
    uint64_t decisions, pages, tickets;
    uint64_t raised[RULE_COUNT];
    uint64_t spent_ns;
};

/* Of this thread: others' load does not count. */
static uint64_t spent_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Raised now and not before. */
static void note_raised(const struct monitor *monitor, bool *was_raised, bool *was_page,
                        struct result *result)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        const struct monitor_alarm *alarm = monitor_alarm(monitor, (enum monitor_rule)rule);

        if (monitor_rules[rule].severity == MONITOR_GATE)
            continue;
        result->raised[rule] += alarm->is_raised && !was_raised[rule];
        result->tickets += alarm->is_raised && !was_raised[rule];
        result->pages += alarm->is_page && !was_page[rule];
        was_raised[rule] = alarm->is_raised;
        was_page[rule] = alarm->is_page;
    }
}

/* Weights that are up to a fifth from equal, in every second pool. */
static void lean(struct stream *stream, unsigned pool)
{
    double sum = 0;

    for (size_t i = 0; i < stream->count && pool % 2 == 1; i++)
        stream->shares[i] *= 0.8 + 0.4 * stream_draw(stream);
    for (size_t i = 0; i < stream->count; i++)
        sum += stream->shares[i];
    for (size_t i = 0; i < stream->count; i++)
        stream->shares[i] /= sum;
}

static void run_pool(enum stream_kind kind, unsigned pool, uint64_t start, uint64_t decisions,
                     struct result *result)
{
    struct stream stream;
    struct monitor_counts counts[STREAM_SERVERS];
    struct monitor *monitor;
    bool was_raised[RULE_COUNT] = {false}, was_page[RULE_COUNT] = {false};

    stream_init(&stream, kind, counts_of_servers[pool % 7], rates[pool / 7 % 6],
                ((uint64_t)kind << 32) + (start << 8) + pool);
    if (kind != STREAM_ROUND_ROBIN)
        lean(&stream, pool);
    monitor = stream_monitor(&stream);
    for (uint64_t i = 0; i < decisions; i++) {
        uint64_t began;

        stream_bucket(&stream, counts);
        began = spent_now_ns();
        stream_tell(&stream, monitor, counts);
        result->spent_ns += spent_now_ns() - began;
        note_raised(monitor, was_raised, was_page, result);
    }
    result->decisions += decisions;
    monitor_free(&monitor);
}

int main(int argc, char **argv)
{
    uint64_t decisions = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    uint64_t a_start = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t a_pool = decisions / STREAM_KINDS / POOLS_A_KIND + 1;
    uint64_t pages = 0;

    printf("| stream | decisions | pages | tickets | us a decision |\n|---|---:|---:|---:|---:|\n");
    for (unsigned kind = 0; kind < STREAM_KINDS; kind++) {
        struct result result = {0};

        for (unsigned pool = 0; pool < POOLS_A_KIND; pool++)
            for (uint64_t begun = 0; begun<a_pool; begun += a_start> 0 ? a_start : a_pool)
                run_pool((enum stream_kind)kind, pool, begun, a_start > 0 ? a_start : a_pool,
                         &result);
        printf("| %s | %llu | %llu | %llu | %.1f |\n", stream_words[kind],
               (unsigned long long)result.decisions, (unsigned long long)result.pages,
               (unsigned long long)result.tickets,
               (double)result.spent_ns / 1000 / (double)result.decisions);
        for (unsigned rule = 0; rule < RULE_COUNT; rule++)
            if (result.raised[rule] > 0)
                (void)fprintf(stderr, "%s: %s (%s) %llu times\n", stream_words[kind],
                              monitor_rules[rule].alert,
                              distribution_ref_words[monitor_rules[rule].ref],
                              (unsigned long long)result.raised[rule]);
        (void)fflush(stdout);
        pages += result.pages;
    }
    return pages > 0;
}
