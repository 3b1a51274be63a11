/*
 * sample_fuzz - any bytes as a sample of traffic.
 *
 * Threads  the first
 * Invariant  What is taken is written again, read again, and then the same to the byte; what is
 *            refused is refused with a text.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "observe/sample.h"
#include "observe/sample_json.h"
#include "proxy/balance/balance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sample_words words = {balance_reason_words, REASON_COUNT};

static void check_bounds(const struct sample *sample)
{
    CHECK(sample->kind_count <= SAMPLE_KINDS && sample->single_count <= SAMPLE_REQUESTS);
    for (size_t i = 0; i < sample->kind_count; i++)
        CHECK(strlen(sample->kinds[i].host) <= SAMPLE_JSON_TEXT);
    for (size_t i = 0; i < sample->single_count; i++)
        CHECK(sample->singles[i].weight > 0 && sample->singles[i].reason < REASON_COUNT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error why = {0};
    struct sample *sample = sample_json_read(slice_of((const char *)data, size), &words, &why);
    struct buffer first;
    struct buffer second;

    if (sample == NULL) {
        CHECK(why.text[0] != '\0');
        return 0;
    }
    buffer_init(&first);
    buffer_init(&second);
    check_bounds(sample);
    sample_json_write(sample, &words, &first);
    sample_release(&sample);
    sample = sample_json_read(buffer_slice(&first), &words, &why);
    CHECK(sample != NULL);
    sample_json_write(sample, &words, &second);
    CHECK(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    sample_release(&sample);
    buffer_fini(&first);
    buffer_fini(&second);
    return 0;
}
