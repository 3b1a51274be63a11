/*
 * dispersion - see dispersion.h.
 *
 * Owner    whoever embeds it      Threads  one at a time
 */
#include "observe/dispersion.h"

#include <math.h>
#include <string.h>

enum { HOUR_S = 3600 };

static void turn_to(struct dispersion *dispersion, uint64_t hour)
{
    for (unsigned steps = 0; dispersion->hour < hour && steps < DISPERSION_HOURS; steps++) {
        dispersion->hour++;
        memset(dispersion->counts[dispersion->hour % DISPERSION_HOURS], 0,
               sizeof(dispersion->counts[0]));
    }
    dispersion->hour = hour;
}

/* Step 0 is up to 1, step i up to 2^(i/2); the last one is everything above. */
static unsigned step_of(double ratio)
{
    double step = ratio <= 1 ? 0 : ceil(2 * log2(ratio));

    return step < DISPERSION_STEPS ? (unsigned)step : DISPERSION_STEPS - 1;
}

static double median(const struct dispersion *dispersion, uint32_t *samples_out)
{
    uint32_t all[DISPERSION_STEPS] = {0};
    uint32_t samples = 0;
    double before = 0;

    for (unsigned hour = 0; hour < DISPERSION_HOURS; hour++)
        for (unsigned step = 0; step < DISPERSION_STEPS; step++) {
            all[step] += dispersion->counts[hour][step];
            samples += dispersion->counts[hour][step];
        }
    *samples_out = samples;
    for (unsigned step = 0; step < DISPERSION_STEPS; step++) {
        if (before + all[step] >= samples / 2.0 && all[step] > 0)
            return step == 0 ? 1 : exp2((step - 1 + (samples / 2.0 - before) / all[step]) / 2);
        before += all[step];
    }
    return 1;
}

void dispersion_note(struct dispersion *dispersion, uint64_t now_s, double ratio)
{
    uint8_t *count;

    turn_to(dispersion, now_s / HOUR_S);
    count = &dispersion->counts[dispersion->hour % DISPERSION_HOURS][step_of(ratio)];
    if (*count < UINT8_MAX)
        ++*count;
    dispersion->phi = median(dispersion, &dispersion->samples);
}

double dispersion_phi(const struct dispersion *dispersion)
{
    return dispersion_is_learnt(dispersion) && dispersion->phi > 1 ? dispersion->phi : 1;
}

bool dispersion_is_learnt(const struct dispersion *dispersion)
{
    return dispersion->samples >= DISPERSION_LEARNT;
}
