/*
 * api_client - see api_client.h.
 *
 * Proxies of the environment are not used: what is called is on this machine.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/api_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

enum { CONNECT_MS = 15000, ANSWER_MS = 20 * 60 * 1000, ANSWER_BYTES = 256 << 20 };

struct api_client {
    CURL *curl;
    char *base;          /* "http://127.0.0.1:9901" */
    char *socket;        /* a path, or NULL */
    char *authorization; /* the whole header, or NULL */
    char *ca_file;       /* these three: NULL: none */
    char *cert_file;
    char *key_file;
    char said[CURL_ERROR_SIZE];
};

/* ---- opening ---- */

static bool take_address(struct api_client *client, const char *address, struct error *why)
{
    size_t len = strlen(address);

    if (strncmp(address, "unix:", 5) == 0)
        address += 5;
    if (address[0] == '/') {
        client->socket = xstrdup(address);
        client->base = xstrdup("http://localhost");
        return true;
    }
    if (strncmp(address, "http://", 7) != 0 && strncmp(address, "https://", 8) != 0) {
        error_set(why, ERROR_INVALID,
                  "\"%s\" is not an address of the admin API (http://127.0.0.1:9901, "
                  "https://lb1.example:9901, or unix:/path/to/admin.sock)",
                  address);
        return false;
    }
    while (len > 0 && address[len - 1] == '/')
        len--;
    client->base = xstrdup(address);
    client->base[len] = '\0';
    return true;
}

/* A token is sent in a header: nothing of it may end one. */
static bool take_token(struct api_client *client, const char *token, struct error *why)
{
    static const char header[] = "Authorization: Bearer ";
    size_t room;

    if (token == NULL || token[0] == '\0')
        return true;
    if (token[strcspn(token, " \t\r\n")] != '\0') {
        error_set(why, ERROR_INVALID,
                  "TWOKEY_TOKEN has a space or a line end in it: it must be the token alone");
        return false;
    }
    room = sizeof(header) + strlen(token);
    client->authorization = xmalloc(room);
    (void)snprintf(client->authorization, room, "%s%s", header, token);
    return true;
}

/* What was given, else what the variable says, else `otherwise`. */
static const char *chosen(const char *given, const char *variable, const char *otherwise)
{
    const char *text = given != NULL ? given : getenv(variable);

    return text != NULL && text[0] != '\0' ? text : otherwise;
}

static char *chosen_file(const char *given, const char *variable)
{
    const char *path = chosen(given, variable, NULL);

    return path != NULL ? xstrdup(path) : NULL;
}

struct api_client *api_client_open(const struct api_client_options *options, struct error *why)
{
    struct api_client *client = api_client_open_as(options->address, getenv("TWOKEY_TOKEN"), why);

    if (client == NULL)
        return NULL;
    client->ca_file = chosen_file(options->ca_file, "TWOKEY_CA_FILE");
    client->cert_file = chosen_file(options->cert_file, "TWOKEY_CERT_FILE");
    client->key_file = chosen_file(options->key_file, "TWOKEY_KEY_FILE");
    return client;
}

struct api_client *api_client_open_as(const char *address, const char *token, struct error *why)
{
    struct api_client *client = xcalloc(1, sizeof(*client));

    address = chosen(address, "TWOKEY_ADMIN", "http://127.0.0.1:9901");
    if (take_address(client, address, why) && take_token(client, token, why)) {
        client->curl = curl_easy_init();
        if (client->curl != NULL)
            return client;
        error_set(why, ERROR_SYSTEM, "libcurl does not start");
    }
    api_client_close(&client);
    return NULL;
}

void api_client_close(struct api_client **holder)
{
    struct api_client *client = TAKE_POINTER(holder);

    if (client->curl != NULL)
        curl_easy_cleanup(client->curl);
    if (client->authorization != NULL)
        explicit_bzero(client->authorization, strlen(client->authorization));
    xfree(client->authorization);
    xfree(client->ca_file);
    xfree(client->cert_file);
    xfree(client->key_file);
    xfree(client->socket);
    xfree(client->base);
    xfree(client);
}

/* ---- calling ---- */

static size_t take_body(char *bytes, size_t one, size_t count, void *context)
{
    struct api_answer *answer = context;

    if (buffer_length(&answer->body) + one * count > ANSWER_BYTES)
        return 0;
    buffer_append(&answer->body, bytes, one * count);
    return one * count;
}

/* The value of the header `name`, if this line is it; trimmed. */
static bool header_is(struct slice line, const char *name, struct slice *value_out)
{
    size_t len = strlen(name);

    if (line.len <= len || strncasecmp(line.at, name, len) != 0 || line.at[len] != ':')
        return false;
    *value_out = slice_trim(slice_after(line, len + 1));
    return true;
}

static size_t take_header(char *bytes, size_t one, size_t count, void *context)
{
    struct api_answer *answer = context;
    struct slice line = slice_of(bytes, one * count);
    struct slice value;

    while (line.len > 0 && (line.at[line.len - 1] == '\r' || line.at[line.len - 1] == '\n'))
        line.len--;
    if (header_is(line, "Content-Type", &value))
        answer->is_json = slice_starts_with(value, SLICE("application/json")) ||
                          slice_starts_with(value, SLICE("application/problem+json"));
    if (header_is(line, "ETag", &value) && value.len >= 2 && value.len < sizeof(answer->etag))
        slice_copy(slice_of(value.at + 1, value.len - 2), answer->etag, sizeof(answer->etag));
    return one * count;
}

static struct curl_slist *headers_of(const struct api_client *client, const struct api_call *call)
{
    struct curl_slist *headers = NULL;
    char text[256];

    headers = curl_slist_append(headers, call->wants_text ? "Accept: text/plain"
                                                          : "Accept: application/json");
    if (client->authorization != NULL)
        headers = curl_slist_append(headers, client->authorization);
    if (call->body != NULL)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    if (call->if_match != NULL) {
        (void)snprintf(text, sizeof(text), "If-Match: \"%s\"", call->if_match);
        headers = curl_slist_append(headers, text);
    }
    return headers;
}

static void set_tls(const struct api_client *client)
{
    CURL *curl = client->curl;

    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (client->ca_file != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
    if (client->cert_file != NULL)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, client->cert_file);
    if (client->key_file != NULL)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, client->key_file);
}

static void set_options(struct api_client *client, const struct api_call *call, const char *url,
                        const char *body, struct curl_slist *headers, struct api_answer *answer)
{
    CURL *curl = client->curl;

    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->said);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    set_tls(client);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    if (client->socket != NULL)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
    if (strcmp(call->method, "GET") == 0)
        return;
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
}

static void explain_failure(const struct api_client *client, CURLcode code, struct error *why)
{
    bool is_about_trust =
        code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;

    error_set(why, ERROR_UNAVAILABLE, "no answer from %s: %s (%s)",
              client->socket != NULL ? client->socket : client->base,
              client->said[0] != '\0' ? client->said : curl_easy_strerror(code),
              is_about_trust ? "--ca-file says who may have signed its certificate"
                             : "TWOKEY_ADMIN says where the admin API is");
}

bool api_client_call(struct api_client *client, const struct api_call *call,
                     struct api_answer *answer_out, struct error *why)
{
    struct curl_slist *headers = headers_of(client, call);
    size_t room = strlen(client->base) + strlen(call->path) + 1;
    char *url = xmalloc(room);
    char *body = call->body != NULL ? json_dumps(call->body, JSON_COMPACT) : xstrdup("");
    CURLcode code;
    long status = 0;

    *answer_out = (struct api_answer){0};
    buffer_init(&answer_out->body);
    (void)snprintf(url, room, "%s%s", client->base, call->path);
    set_options(client, call, url, body, headers, answer_out);
    client->said[0] = '\0';
    code = curl_easy_perform(client->curl);
    if (code == CURLE_OK)
        (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    else
        explain_failure(client, code, why);
    answer_out->status = (unsigned)status;
    curl_slist_free_all(headers);
    xfree(url);
    xfree(body);
    if (code != CURLE_OK)
        api_answer_fini(answer_out);
    return code == CURLE_OK;
}

void api_answer_fini(struct api_answer *answer)
{
    buffer_fini(&answer->body);
}

json_t *api_answer_json(const struct api_answer *answer)
{
    struct slice body = buffer_slice(&answer->body);

    return answer->is_json ? json_loadb(body.at, body.len, 0, NULL) : NULL;
}

char *api_escaped(const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = xmalloc(strlen(text) * 3 + 1);
    size_t len = 0;

    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;

        if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
            (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL) {
            out[len++] = *c;
            continue;
        }
        out[len++] = '%';
        out[len++] = hex[byte >> 4];
        out[len++] = hex[byte & 15];
    }
    out[len] = '\0';
    return out;
}
