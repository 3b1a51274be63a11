/*
 * monitor_dispersion - how much the shares of this pool vary: phi, as dispersion.h has it once it
 * is learnt, and until then as the buckets and sessions of the last minutes tell it.
 *
 * Owner    the monitor      Threads  one at a time
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "observe/internal.h"

enum { BETWEEN = MONITOR_KEPT, G_REQUESTS_PER_SERVER = 3 };

/* Where no cookie holds clients, shares that vary more than this are skewed, not dispersed. */
#define DISPERSION_AT_MOST 50.0

/* Requests of one session go together; while phi is not learnt it is at least their number. */
static double requests_per_session(const struct monitor *monitor)
{
    return monitor->session_requests / fmax(monitor->sessions_begun, 1);
}

static double picks_of(const struct monitor_cell *cell, bool with_sticky)
{
    return cell->due[REF_CONFIGURED] <= 0 ? 0 : cell->picks + (with_sticky ? cell->sticky : 0.0);
}

/* Pearson's chi-squared of one bucket against shares that are `lean` times what was due: its mean
 * is right however few requests there are. */
static double bucket_spread(const struct monitor_cell *cells, const double *lean, size_t count,
                            bool with_sticky)
{
    double requests = 0, due = 0, sum = 0;

    for (size_t i = 0; i < count; i++) {
        requests += picks_of(&cells[i], with_sticky);
        due += lean[i] * (double)cells[i].due[REF_CONFIGURED];
    }
    for (size_t i = 0; i < count && due > 0; i++) {
        double expected = requests * lean[i] * (double)cells[i].due[REF_CONFIGURED] / due;

        if (expected > 0)
            sum += pow(picks_of(&cells[i], with_sticky) - expected, 2) / expected;
    }
    return sum;
}

/* While phi is not learnt: how much the last buckets differ from each other, whatever they have in
 * common. */
static double dispersion_between_buckets(const struct monitor *monitor, bool with_sticky)
{
    double *lean = xcalloc(2 * monitor->count + 1, sizeof(*lean)), *due = lean + monitor->count;
    unsigned last = closed_buckets(monitor) < BETWEEN ? closed_buckets(monitor) : BETWEEN;
    unsigned serving = 0, used = 0;
    double spread = 0, all = 0; /* each bucket weighs as much as it has requests */

    for (size_t i = 0; i < monitor->count; i++) {
        for (unsigned back = 1; back <= last; back++) {
            lean[i] += picks_of(&bucket_back(monitor, back)[i], with_sticky);
            due[i] += (double)bucket_back(monitor, back)[i].due[REF_CONFIGURED];
        }
        lean[i] = due[i] > 0 ? lean[i] / due[i] : 0;
        serving += lean[i] > 0;
    }
    for (unsigned back = 1; back <= last; back++) {
        double requests = 0;

        for (size_t i = 0; i < monitor->count; i++)
            requests += picks_of(&bucket_back(monitor, back)[i], with_sticky);
        if (requests <= 0)
            continue;
        used++;
        all += requests;
        spread +=
            requests * bucket_spread(bucket_back(monitor, back), lean, monitor->count, with_sticky);
    }
    xfree(lean);
    return used < 2 || serving < 2 ? 1 : fmax(1, spread / all / (serving - 1) * used / (used - 1));
}

/* While phi is not learnt. */
static double guess(const struct monitor *monitor, bool with_sticky)
{
    double phi = dispersion_between_buckets(monitor, with_sticky);

    /* sessions differ in length: where that is exponential, twice the mean */
    return with_sticky ? fmax(phi, 2 * requests_per_session(monitor)) : phi;
}

/* What is known of a shorter window is true of a longer one at least. */
static void find(const struct monitor *monitor, const struct dispersion *known, bool with_sticky,
                 double phi_out[DISTRIBUTION_WINDOWS])
{
    double guessed = 0, shorter = 1;

    for (unsigned w = 0; w < DISTRIBUTION_WINDOWS; w++) {
        if (!dispersion_is_learnt(&known[w]) && guessed == 0)
            guessed = guess(monitor, with_sticky);
        phi_out[w] =
            dispersion_is_learnt(&known[w]) ? dispersion_phi(&known[w]) : fmax(shorter, guessed);
        shorter = fmax(shorter, dispersion_phi(&known[w]));
    }
}

/* Where fewer independent things come than there are servers, G cannot tell how large they are: a
 * few long sessions.  Then what a session makes is asked again. */
static double for_few_sessions(const struct monitor *monitor, const struct monitor_sums *sums,
                               double phi)
{
    double serving = 0;

    for (size_t i = 0; i < monitor->count; i++)
        serving += sums->due[REF_CONFIGURED][i] > 0;
    return (double)sums->all / phi < serving ? fmax(phi, 2 * requests_per_session(monitor)) : phi;
}

void monitor_find_dispersion(struct monitor *monitor, const struct monitor_view *view)
{
    double *configured = monitor->phi[REF_CONFIGURED], *capacity = monitor->phi[REF_CAPACITY];

    find(monitor, monitor->first, false, configured);
    if (monitor->traits.is_sticky)
        find(monitor, monitor->all, true, capacity);
    for (unsigned w = 0; w < DISTRIBUTION_WINDOWS; w++) {
        configured[w] = fmin(configured[w], DISPERSION_AT_MOST);
        capacity[w] = monitor->traits.is_sticky
                          ? for_few_sessions(monitor, &view->windows[w], capacity[w])
                          : configured[w];
    }
    memcpy(monitor->phi[REF_PREVIOUS], capacity, sizeof(monitor->phi[REF_PREVIOUS]));
}

static void learn_from(struct dispersion *dispersion, uint64_t now_s, const uint64_t *picks,
                       const double *due, size_t count, size_t serving)
{
    dispersion_note(dispersion, now_s,
                    distribution_g(picks, due, count) / distribution_g_median(serving));
}

/* Each minute, of each window that has enough requests for G to mean something. */
void monitor_learn_dispersion(struct monitor *monitor, const struct monitor_view *view,
                              uint64_t now_s)
{
    for (unsigned w = 0; w < DISTRIBUTION_WINDOWS; w++) {
        const struct monitor_sums *sums = &view->windows[w];
        const double *due = sums->due[REF_CONFIGURED];
        size_t serving = 0;

        for (size_t i = 0; i < monitor->count; i++)
            serving += due[i] >= MONITOR_NOTHING;
        if (serving < 2 || closed_buckets(monitor) < monitor_window_buckets[w])
            return;
        if (sums->first >= serving * G_REQUESTS_PER_SERVER)
            learn_from(&monitor->first[w], now_s, sums->picks[REF_CONFIGURED], due, monitor->count,
                       serving);
        if (monitor->traits.is_sticky && sums->all >= serving * G_REQUESTS_PER_SERVER)
            learn_from(&monitor->all[w], now_s, sums->both, due, monitor->count, serving);
    }
}
