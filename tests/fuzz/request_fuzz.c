/*
 * request_fuzz - any bytes as a request: found, parsed, routed, written for a server, parsed again.
 *
 * The first byte chooses what the listener says: underscores, trust, https.
 *
 * Threads  the first
 * Invariant  llhttp takes what we took, field for field.
 *            What a server gets means what was understood: method, target, host and framing are
 *            the same, nothing of this hop passes, and no line is anything but a line.
 */
#include "tests/fuzz/behind_us.h"
#include "tests/fuzz/second_opinion.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct head_limits limits = {16384, 4096, 100, HEAD_UNDERSCORES_DROP};
    struct slice bytes = slice_of((const char *)data, size);
    struct slice head;
    const char *why = NULL;
    size_t head_bytes;
    uint8_t choice;

    headers_init();
    if (size == 0)
        return 0;
    choice = data[0];
    limits.underscores = choice % 3;
    bytes = slice_after(bytes, 1);
    bytes = slice_after(bytes, head_skip_empty_lines(bytes));
    if (search_both_ways(bytes, &limits, &head_bytes) != HEAD_FOUND)
        return 0;
    head = exact_copy(slice_of(bytes.at, head_bytes));
    if (head_parse_request(&request, head, &limits, &why) == 0) {
        ask_llhttp(&request, head, HTTP_REQUEST);
        forward_head(choice);
    } else {
        CHECK(why != NULL);
    }
    exact_free(head);
    return 0;
}
