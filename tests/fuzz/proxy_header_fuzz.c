/*
 * proxy_header_fuzz - any bytes as a PROXY header, versions 1 and 2.
 *
 * Threads  the first
 * Invariant  The verdict over a prefix is the verdict over the whole, or that more must come;
 *            what stands behind a header does not change it.
 */
#include "proxy/http/proxy_protocol.h"

#include "tests/fuzz/heads.h"

static enum proxy_protocol_result read_part(struct slice bytes, size_t len,
                                            struct proxy_protocol_source *source, size_t *used)
{
    struct slice part = exact_copy(slice_of(bytes.at, len));
    enum proxy_protocol_result result = proxy_protocol_read(part, source, used);

    exact_free(part);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of((const char *)data, size);
    struct proxy_protocol_source source;
    struct proxy_protocol_source same;
    size_t used = 0;
    size_t again = 0;
    enum proxy_protocol_result whole = read_part(bytes, size, &source, &used);
    size_t shown = size < 400 ? size : 400;

    CHECK(whole != PROXY_PROTOCOL_INCOMPLETE || size < PROXY_PROTOCOL_MAX_BYTES);
    if (whole == PROXY_PROTOCOL_DONE) {
        CHECK(used > 0 && used <= size && used <= PROXY_PROTOCOL_MAX_BYTES);
        CHECK(read_part(bytes, used, &same, &again) == PROXY_PROTOCOL_DONE);
        CHECK(again == used && same.is_known == source.is_known);
        CHECK(!source.is_known ||
              (memcmp(same.address, source.address, 16) == 0 && same.port == source.port));
        shown = used - 1 < shown ? used - 1 : shown;
    }
    for (size_t len = 0; len < shown; len++) {
        enum proxy_protocol_result part = read_part(bytes, len, &same, &again);

        CHECK(part == PROXY_PROTOCOL_INCOMPLETE ||
              (part == PROXY_PROTOCOL_MALFORMED && whole == PROXY_PROTOCOL_MALFORMED));
    }
    return 0;
}
