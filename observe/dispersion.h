/*
 * dispersion - how much more the shares of a pool vary than independent requests would: phi.
 *
 * Of each minute comes one number, G over its median where requests are independent.  Phi is the
 * median of the last 24 hours, kept as a histogram for each hour, in half octaves.
 *
 * Owner    whoever embeds it      Threads  one at a time
 */
#ifndef OBSERVE_DISPERSION_H
#define OBSERVE_DISPERSION_H

#include <stdbool.h>
#include <stdint.h>

enum { DISPERSION_HOURS = 24, DISPERSION_STEPS = 24, DISPERSION_LEARNT = 30 };

struct dispersion {
    uint64_t hour; /* the newest one */
    double phi;    /* 1 until enough is known */
    uint32_t samples;
    uint8_t counts[DISPERSION_HOURS][DISPERSION_STEPS];
};

/* One minute's G over its median. */
void dispersion_note(struct dispersion *dispersion, uint64_t now_s, double ratio);
/* At least 1. */
double dispersion_phi(const struct dispersion *dispersion);
/* Half an hour's worth of minutes is known. */
bool dispersion_is_learnt(const struct dispersion *dispersion);

#endif
