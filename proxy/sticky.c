/*
 * sticky - the cookie that keeps a client with its server.
 *
 * Threads  any (pure), but sticky_key_open: control
 */
#include "proxy/sticky.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/memory.h"

enum { KEY_BYTES = 32, SIGNATURE_BYTES = 16, SIGNATURE_TEXT = 2 * SIGNATURE_BYTES };

struct sticky_key {
    unsigned char bytes[KEY_BYTES];
};

/* ---- the key ---- */

static bool make_key(const char *path, struct sticky_key *key, struct error *why)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok;

    if (file < 0) {
        error_set(why, ERROR_SYSTEM, "%s: cannot be made: %s", path, strerror(errno));
        return false;
    }
    ok = getrandom(key->bytes, KEY_BYTES, 0) == KEY_BYTES &&
         write(file, key->bytes, KEY_BYTES) == KEY_BYTES && fsync(file) == 0;
    if (close(file) != 0)
        ok = false;
    if (!ok) {
        error_set(why, ERROR_SYSTEM, "%s: cannot be written: %s", path, strerror(errno));
        unlink(path);
    }
    return ok;
}

static bool read_key(const char *path, int file, struct sticky_key *key, struct error *why)
{
    ssize_t got = read(file, key->bytes, KEY_BYTES);

    if (close(file) == 0 && got == KEY_BYTES)
        return true;
    error_set(why, ERROR_INVALID,
              "%s: holds %zd bytes, not %d: remove it, and sticky clients are balanced anew", path,
              got, KEY_BYTES);
    return false;
}

struct sticky_key *sticky_key_open(const char *directory, struct error *why)
{
    char path[4096];
    struct sticky_key *key = xcalloc(1, sizeof(*key));
    int file;
    bool ok;

    snprintf(path, sizeof(path), "%s/keys", directory);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        error_set(why, ERROR_SYSTEM, "%s: cannot be made: %s", path, strerror(errno));
        xfree(key);
        return NULL;
    }
    snprintf(path, sizeof(path), "%s/keys/sticky.key", directory);
    file = open(path, O_RDONLY | O_CLOEXEC);
    ok = file >= 0 ? read_key(path, file, key, why) : make_key(path, key, why);
    if (!ok)
        xfree(TAKE_POINTER(&key));
    return key;
}

void sticky_key_free(struct sticky_key **key)
{
    xfree(TAKE_POINTER(key));
}

/* ---- the cookie ---- */

static void sign(const struct sticky_key *key, const char *pool, struct slice server,
                 char text_out[SIGNATURE_TEXT])
{
    char content[256];
    struct writer w = writer_over(content, sizeof(content));
    struct digest digest;

    write_literal(&w, "twokey-sticky-v1\n");
    write_text(&w, pool);
    write_literal(&w, "\n");
    write_slice(&w, server);
    digest = digest_hmac(slice_of((const char *)key->bytes, KEY_BYTES), writer_slice(&w));
    for (size_t i = 0; i < SIGNATURE_BYTES; i++) {
        text_out[2 * i] = "0123456789abcdef"[digest.bytes[i] >> 4];
        text_out[2 * i + 1] = "0123456789abcdef"[digest.bytes[i] & 15];
    }
}

bool sticky_read(const struct sticky_key *key, const char *pool, struct slice value,
                 struct slice *server_out)
{
    char expected[SIGNATURE_TEXT];
    struct slice server;

    if (value.len <= SIGNATURE_TEXT + 1 || value.len > SIGNATURE_TEXT + 64 ||
        value.at[value.len - SIGNATURE_TEXT - 1] != '.')
        return false;
    server = slice_of(value.at, value.len - SIGNATURE_TEXT - 1);
    sign(key, pool, server, expected);
    if (!digest_equal(expected, value.at + server.len + 1, SIGNATURE_TEXT))
        return false;
    *server_out = server;
    return true;
}

void sticky_write(const struct sticky_key *key, struct writer *w, const char *cookie,
                  const char *pool, const char *server, uint64_t ttl_ms, bool is_https)
{
    char signature[SIGNATURE_TEXT];

    sign(key, pool, slice_from(server), signature);
    write_text(w, cookie);
    write_char(w, '=');
    write_text(w, server);
    write_char(w, '.');
    write_bytes(w, signature, SIGNATURE_TEXT);
    write_literal(w, "; Path=/; HttpOnly; SameSite=Lax");
    if (ttl_ms > 0) {
        write_literal(w, "; Max-Age=");
        write_u64(w, ttl_ms / 1000);
    }
    if (is_https)
        write_literal(w, "; Secure");
}

bool sticky_find_cookie(struct slice cookies, struct slice name, struct slice *value_out)
{
    while (cookies.len > 0) {
        const char *semicolon = memchr(cookies.at, ';', cookies.len);
        size_t len = semicolon == NULL ? cookies.len : (size_t)(semicolon - cookies.at);
        struct slice one = slice_trim(slice_of(cookies.at, len));

        if (one.len > name.len && one.at[name.len] == '=' && slice_starts_with(one, name)) {
            *value_out = slice_after(one, name.len + 1);
            return true;
        }
        cookies = semicolon == NULL ? SLICE("") : slice_after(cookies, len + 1);
    }
    return false;
}
