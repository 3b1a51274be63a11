/*
 * detectors - see detectors.h.
 *
 * Threads  any
 */
#include "cli/detectors.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "config/finding.h"
#include "detect/detect.h"

/* 0: as many as one likes, or not known. */
static uint64_t descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur;
}

void detectors_look(const struct configuration *conf, struct findings *out)
{
    struct detect_subject subject = {
        .target = conf, .now_ms = clock_wall_ms(), .descriptor_limit = descriptor_limit()};
    size_t kept = out->count;
    size_t all;

    detect_run(&subject, out);
    all = out->count;
    for (size_t i = kept; i < all; i++)
        if (out->items[i].severity >= FINDING_WARNING)
            out->items[kept++] = out->items[i];
    out->count = kept;
}
