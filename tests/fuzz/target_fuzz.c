/*
 * target_fuzz - any line as host and port, and what follows it as a path.
 *
 * Threads  the first
 * Invariant  A normal form is not longer than what it came from, is its own normal form, and has
 *            nothing left in it by which two readers could differ.
 */
#include "proxy/http/target.h"

#include "tests/fuzz/heads.h"

static void check_host_bytes(struct slice host)
{
    CHECK(host.len > 0 && host.len < TARGET_HOST_BYTES);
    CHECK(host.len == 1 || host.at[host.len - 1] != '.');
    for (size_t i = 0; i < host.len; i++) {
        char c = host.at[i];

        CHECK((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              c == '_' || c == '~' || (host.at[0] == '[' && (c == '[' || c == ']' || c == ':')));
    }
}

static void try_host(struct slice authority)
{
    char out[TARGET_HOST_BYTES];
    char again[TARGET_HOST_BYTES];
    struct slice host;
    struct slice same;
    const char *why = NULL;

    if (!target_normal_host(authority, out, &host, &why)) {
        CHECK(why != NULL);
        return;
    }
    CHECK(host.len <= authority.len);
    check_host_bytes(host);
    CHECK(target_normal_host(host, again, &same, &why));
    CHECK(slice_equal(host, same));
}

static void check_path_bytes(struct slice path)
{
    CHECK(path.len > 0 && path.at[0] == '/');
    for (size_t i = 0; i < path.len; i++) {
        struct slice rest = slice_after(path, i);
        unsigned char c = (unsigned char)path.at[i];

        CHECK(c > 0x20 && c < 0x7f && c != '#');
        CHECK(!slice_starts_with(rest, SLICE("/../")) && !slice_starts_with(rest, SLICE("/./")));
        CHECK(!slice_equal(rest, SLICE("/..")) && !slice_equal(rest, SLICE("/.")));
        CHECK(!slice_starts_with(rest, SLICE("%00")) && !slice_starts_with(rest, SLICE("%2e")) &&
              !slice_starts_with(rest, SLICE("%2E")));
        CHECK(c != '%' || rest.len >= 3);
    }
}

static void try_path(struct slice path)
{
    char *out = xmalloc(path.len + 1);
    char *again = xmalloc(path.len + 1);
    struct slice normal;
    struct slice same;
    const char *why = NULL;

    if (target_normal_path(path, out, &normal, &why)) {
        CHECK(normal.len <= path.len);
        check_path_bytes(normal);
        CHECK(target_normal_path(normal, again, &same, &why));
        CHECK(slice_equal(normal, same));
    } else {
        CHECK(why != NULL);
    }
    xfree(out);
    xfree(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t line = newline == NULL ? size : (size_t)(newline - data);
    struct slice authority = exact_copy(slice_of((const char *)data, line));
    struct slice path = newline == NULL
                            ? exact_copy(SLICE(""))
                            : exact_copy(slice_of((const char *)newline + 1, size - line - 1));

    try_host(authority);
    try_path(path);
    exact_free(authority);
    exact_free(path);
    return 0;
}
