/*
 * suggest - did you mean: the nearest of several words.
 *
 * Owner    the caller, on its stack      Threads  any
 */
#include "config/suggest.h"

#include <stdint.h>
#include <string.h>

enum { SUGGEST_MAX = 64 };

/* Edits (insert, delete, replace, swap neighbours) from one to the other. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][SUGGEST_MAX + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *now = rows[2];

    if (a_len > SUGGEST_MAX || b_len > SUGGEST_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        before[j] = last[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *spare = before;

        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[b_len];
}

void suggestion_init(struct suggestion *suggestion, const char *text)
{
    *suggestion = (struct suggestion){.text = text, .distance = strlen(text) / 3 + 1};
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
    size_t distance = edit_distance(suggestion->text, candidate);

    if (distance < suggestion->distance ||
        (suggestion->best == NULL && distance == suggestion->distance)) {
        suggestion->best = candidate;
        suggestion->distance = distance;
    }
}
