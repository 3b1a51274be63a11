/*
 * tickets - see tickets.h.
 *
 * Owner    cli/serve.c      Threads  rotate: control; the callback: any worker
 */
#include "tls/tickets.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "tls/internal.h"

enum {
    TICKETS_TAG = 0x544b4554,
    KEYS = 3,
    NAME_BYTES = 16,
    SECRET_BYTES = 32,
    IV_BYTES = 16,
    PATH_BYTES = 4096,
};

/* As it lies in the file: written and read by one machine only. */
struct ticket_key {
    int64_t made_ms;
    unsigned char name[NAME_BYTES];
    unsigned char cipher[SECRET_BYTES];
    unsigned char mac[SECRET_BYTES];
};

/* Newest first; one that was never made has made_ms 0. */
struct ticket_keys {
    struct ticket_keys *older; /* sets that a worker may still look at; freed at the end */
    struct ticket_key keys[KEYS];
};

struct tls_tickets {
    uint32_t tag;
    char *path;         /* NULL: in memory only */
    EVP_CIPHER *cipher; /* looked up once: by name it takes a lock */
    struct ticket_keys *_Atomic current;
};

static void make_key(struct ticket_key *key, int64_t now_ms)
{
    key->made_ms = now_ms;
    CHECK(RAND_bytes(key->name, sizeof(key->name)) == 1);
    CHECK(RAND_priv_bytes(key->cipher, sizeof(key->cipher)) == 1);
    CHECK(RAND_priv_bytes(key->mac, sizeof(key->mac)) == 1);
}

/* ---- the file ---- */

static bool is_written(const char *path, const struct ticket_keys *keys)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok;

    if (file < 0)
        return false;
    ok = write(file, keys->keys, sizeof(keys->keys)) == (ssize_t)sizeof(keys->keys) &&
         fsync(file) == 0;
    return close(file) == 0 && ok;
}

static bool write_file(const char *path, const struct ticket_keys *keys, struct error *why)
{
    char fresh[PATH_BYTES];

    (void)snprintf(fresh, sizeof(fresh), "%s.new", path);
    if (is_written(fresh, keys) && rename(fresh, path) == 0)
        return true;
    error_set(why, ERROR_SYSTEM, "%s: cannot be written: %s", path, strerror(errno));
    (void)unlink(fresh);
    return false;
}

/* False: there is none, or not one that can be used; then there are new keys. */
static bool read_file(const char *path, struct ticket_keys *keys)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got;

    if (file < 0)
        return false;
    got = read(file, keys->keys, sizeof(keys->keys));
    (void)close(file);
    return got == (ssize_t)sizeof(keys->keys) && keys->keys[0].made_ms > 0;
}

/* ---- life ---- */

struct tls_tickets *tls_tickets_new(int64_t now_ms)
{
    struct tls_tickets *tickets = xcalloc(1, sizeof(*tickets));
    struct ticket_keys *keys = xcalloc(1, sizeof(*keys));

    tickets->tag = TICKETS_TAG;
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    CHECK(tickets->cipher != NULL);
    make_key(&keys->keys[0], now_ms);
    atomic_init(&tickets->current, keys);
    return tickets;
}

struct tls_tickets *tls_tickets_open(const char *directory, int64_t now_ms, struct error *why)
{
    struct tls_tickets *tickets = tls_tickets_new(now_ms);
    struct ticket_keys *keys = atomic_load_explicit(&tickets->current, memory_order_relaxed);
    struct ticket_keys stored = {0};
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/keys", directory);
    (void)mkdir(path, 0700); /* it may be there */
    (void)snprintf(path, sizeof(path), "%s/keys/tickets.key", directory);
    tickets->path = xstrdup(path);
    if (read_file(path, &stored)) {
        memcpy(keys->keys, stored.keys, sizeof(keys->keys));
    } else if (!write_file(path, keys, why)) {
        tls_tickets_free(&tickets);
        return NULL;
    }
    OPENSSL_cleanse(&stored, sizeof(stored));
    return tickets;
}

void tls_tickets_free(struct tls_tickets **holder)
{
    struct tls_tickets *tickets = TAKE_POINTER(holder);
    struct ticket_keys *keys;

    if (tickets == NULL)
        return;
    CHECK_OBJ(tickets, TICKETS_TAG);
    keys = atomic_load_explicit(&tickets->current, memory_order_relaxed);
    while (keys != NULL) {
        struct ticket_keys *older = keys->older;

        OPENSSL_cleanse(keys->keys, sizeof(keys->keys));
        xfree(keys);
        keys = older;
    }
    xfree(tickets->path);
    EVP_CIPHER_free(tickets->cipher);
    tickets->tag = 0;
    xfree(tickets);
}

bool tls_tickets_rotate(struct tls_tickets *tickets, int64_t now_ms, struct error *why)
{
    struct ticket_keys *now = atomic_load_explicit(&tickets->current, memory_order_relaxed);
    struct ticket_keys *next;

    CHECK_OBJ(tickets, TICKETS_TAG);
    /* A clock that was set back must not keep a key for ever. */
    if (now_ms >= now->keys[0].made_ms &&
        now_ms - now->keys[0].made_ms < (int64_t)TLS_TICKET_ROTATION_S * 1000)
        return true;
    next = xcalloc(1, sizeof(*next));
    make_key(&next->keys[0], now_ms);
    memcpy(&next->keys[1], now->keys, (KEYS - 1) * sizeof(next->keys[0]));
    if (tickets->path != NULL && !write_file(tickets->path, next, why)) {
        OPENSSL_cleanse(next->keys, sizeof(next->keys));
        xfree(next);
        return false;
    }
    next->older = now;
    atomic_store_explicit(&tickets->current, next, memory_order_release);
    return true;
}

/* ---- sealing and opening ---- */

static bool start_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
    OSSL_PARAM parameters[3];

    parameters[0] = OSSL_PARAM_construct_octet_string(
        OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof(key->mac));
    parameters[1] =
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0);
    parameters[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

static const struct ticket_key *find_key(const struct ticket_keys *keys, const unsigned char *name)
{
    for (int i = 0; i < KEYS && keys->keys[i].made_ms > 0; i++)
        if (memcmp(keys->keys[i].name, name, NAME_BYTES) == 0)
            return &keys->keys[i];
    return NULL;
}

int tls_tickets_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int seals)
{
    const struct tls_tickets *tickets = tls_server_tickets(ssl);
    const struct ticket_keys *keys;
    const struct ticket_key *key;

    if (tickets == NULL)
        return 0;
    keys = atomic_load_explicit(&tickets->current, memory_order_acquire);
    if (seals != 0) {
        key = &keys->keys[0];
        memcpy(name, key->name, NAME_BYTES);
        return RAND_bytes(iv, IV_BYTES) == 1 &&
                       EVP_EncryptInit_ex(cipher, tickets->cipher, NULL, key->cipher, iv) == 1 &&
                       start_mac(mac, key)
                   ? 1
                   : -1;
    }
    key = find_key(keys, name);
    if (key == NULL)
        return 0;
    if (!start_mac(mac, key) ||
        EVP_DecryptInit_ex(cipher, tickets->cipher, NULL, key->cipher, iv) != 1)
        return -1;
    return key == &keys->keys[0] ? 1 : 2; /* 2: give it a new one */
}
