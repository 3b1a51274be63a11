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

enum {
    BETWEEN = MONITOR_KEPT,
    G_REQUESTS_PER_SERVER = 3,
    TURN_DEGREES = 3, /* fewer buckets, and fewer requests, may look alike by chance */
    TURN_REQUESTS_PER_SERVER = 50,
};

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

/* Buckets that are held against what they have in common, the newest first. */
struct stretch {
    unsigned newest, oldest; /* buckets back; none where the oldest is less */
};

/* How much buckets differ from what each stretch of them has in common. */
struct variation {
    double spread, requests; /* each bucket weighs as much as it has requests */
    unsigned used, stretches;
    size_t serving;
};

/* `lean` has room for twice the servers. */
static void find_lean(const struct monitor *monitor, struct stretch stretch, bool with_sticky,
                      double *lean)
{
    double *due = lean + monitor->count;

    memset(lean, 0, 2 * monitor->count * sizeof(*lean));
    for (unsigned back = stretch.newest; back <= stretch.oldest; back++)
        for (size_t i = 0; i < monitor->count; i++) {
            lean[i] += picks_of(&bucket_back(monitor, back)[i], with_sticky);
            due[i] += (double)bucket_back(monitor, back)[i].due[REF_CONFIGURED];
        }
    for (size_t i = 0; i < monitor->count; i++)
        lean[i] = due[i] > 0 ? lean[i] / due[i] : 0;
}

static double requests_in(const struct monitor *monitor, unsigned back, bool with_sticky)
{
    double requests = 0;

    for (size_t i = 0; i < monitor->count; i++)
        requests += picks_of(&bucket_back(monitor, back)[i], with_sticky);
    return requests;
}

static void add_stretch(struct variation *variation, const struct monitor *monitor,
                        struct stretch stretch, bool with_sticky)
{
    double *lean = xcalloc(2 * monitor->count + 1, sizeof(*lean));
    unsigned used = 0;
    size_t serving = 0;

    find_lean(monitor, stretch, with_sticky, lean);
    for (size_t i = 0; i < monitor->count; i++)
        serving += lean[i] > 0;
    for (unsigned back = stretch.newest; back <= stretch.oldest; back++) {
        double requests = requests_in(monitor, back, with_sticky);

        if (requests <= 0)
            continue;
        used++;
        variation->requests += requests;
        variation->spread +=
            requests * bucket_spread(bucket_back(monitor, back), lean, monitor->count, with_sticky);
    }
    xfree(lean);
    variation->used += used;
    variation->stretches += used > 0;
    variation->serving = serving > variation->serving ? serving : variation->serving;
}

/* Negative: too few buckets to tell. */
static double phi_of_variation(const struct variation *variation, unsigned least_degrees)
{
    unsigned degrees = variation->used - variation->stretches;

    if (degrees < least_degrees || variation->serving < 2)
        return -1;
    return variation->spread / variation->requests / (double)(variation->serving - 1) *
           variation->used / degrees;
}

/* Before which bucket (back) requests have gone elsewhere most: where what each server had too much
 * or too little until then, against what is usual in all buckets, is largest. */
static unsigned find_turn(const struct monitor *monitor, unsigned last, bool with_sticky)
{
    size_t count = monitor->count;
    double *lean = xcalloc(4 * count + 1, sizeof(*lean)); /* and due, too much, expected */
    double *excess = lean + 2 * count, *expected = lean + 3 * count;
    double largest = 0;
    unsigned turn = 0;

    find_lean(monitor, (struct stretch){1, last}, with_sticky, lean);
    for (size_t i = 0; i < count; i++)
        for (unsigned back = 1; back <= last; back++)
            expected[i] += picks_of(&bucket_back(monitor, back)[i], with_sticky);
    for (unsigned back = last; back >= 1; back--) {
        const struct monitor_cell *cells = bucket_back(monitor, back);
        double requests = requests_in(monitor, back, with_sticky), due = 0, sum = 0;

        for (size_t i = 0; i < count; i++)
            due += lean[i] * (double)cells[i].due[REF_CONFIGURED];
        for (size_t i = 0; i < count && due > 0; i++) {
            excess[i] += picks_of(&cells[i], with_sticky) -
                         requests * lean[i] * (double)cells[i].due[REF_CONFIGURED] / due;
            sum += expected[i] > 0 ? excess[i] * excess[i] / expected[i] : 0;
        }
        if (sum > largest) {
            largest = sum;
            turn = back;
        }
    }
    xfree(lean);
    return turn;
}

/* Shares that turned once differ before and after without being dispersed: as much as buckets
 * differ on either side.  The one in which they turned is on none.  Negative: too few. */
static double phi_around(const struct monitor *monitor, unsigned turned, unsigned last,
                         bool with_sticky)
{
    struct variation variation = {0};

    add_stretch(&variation, monitor, (struct stretch){1, turned - 1}, with_sticky);
    add_stretch(&variation, monitor, (struct stretch){turned + 1, last}, with_sticky);
    if (variation.requests < (double)(TURN_REQUESTS_PER_SERVER * variation.serving))
        return -1;
    return phi_of_variation(&variation, TURN_DEGREES);
}

/* While phi is not learnt: how much the last buckets differ from each other, whatever they have in
 * common. */
static double dispersion_between_buckets(const struct monitor *monitor, bool with_sticky)
{
    unsigned last = closed_buckets(monitor) < BETWEEN ? closed_buckets(monitor) : BETWEEN;
    struct variation whole = {0};
    unsigned turn;
    double phi;

    add_stretch(&whole, monitor, (struct stretch){1, last}, with_sticky);
    phi = fmax(1, phi_of_variation(&whole, 1));
    turn = phi > 1 ? find_turn(monitor, last, with_sticky) : 0;
    for (unsigned turned = turn; turned > 0 && turned + 1 >= turn; turned--) {
        double around = phi_around(monitor, turned, last, with_sticky);

        if (around >= 0)
            phi = fmin(phi, fmax(1, around));
    }
    return phi;
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
