/*
 * alert_sender - see alert_sender.h.
 *
 * libcurl's multi interface on its thread's loop: curl says which descriptors it waits for and
 * until when, libuv says what has come of it.
 *
 * Owner    alert_thread.      Threads  its own
 */
#include "observe/alert_sender.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "observe/alert_payload.h"
#include "observe/alert_report.h"

enum {
    SENDER_TAG = 0x53454e44,
    AGAIN_MS = 60 * 1000,
    FIRST_PAUSE_MS = 1000,
    LONGEST_PAUSE_MS = 30 * 1000,
    REMIND_MS = 10 * 60 * 1000, /* of a failure that lasts */
    CONNECT_MS = 5 * 1000,
    WHOLE_MS = 10 * 1000,
    ANSWER_BYTES = 64 * 1024, /* head and body; more is not read */
    URL_TEXT = 2100,
};

enum receiver_kind { ALERTMANAGER, WEBHOOK };

struct receiver {
    struct alert_sender *sender;
    enum receiver_kind kind;
    char *url; /* as in the configuration */
    char post_url[URL_TEXT];
    char name[ALERT_RECEIVER_TEXT]; /* as people see it: no path, which may be a secret */
    bool is_active;
    struct alert_seen seen;
    uint64_t sending_seq;
    uint64_t due_ms;
    uint64_t pause_ms; /* 0: the last one arrived */
    uint64_t remind_ms;
    uint64_t delivered, failed;
    int64_t failing_since_ms; /* wall clock; 0: it is not */
    char why[ALERT_WHY_TEXT]; /* the last failure */
    /* while one is under way */
    CURL *easy;
    struct curl_slist *fields;
    char *body;
    size_t answer_bytes;
    char said[CURL_ERROR_SIZE];
};

struct alert_sender {
    uint32_t tag;
    uv_loop_t *loop;
    uv_timer_t timer; /* curl's */
    CURLM *multi;     /* NULL until there is a receiver */
    struct receiver *receivers[ALERT_RECEIVERS_MAX];
    size_t receiver_count;
    json_t *batch; /* the newest; NULL before the first */
    bool is_closed;
};

/* A descriptor that curl waits for. */
struct watched {
    uv_poll_t poll;
    struct alert_sender *sender;
    curl_socket_t fd;
};

static void collect(struct alert_sender *sender);

/* ---- curl and the loop ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watched *watched = (struct watched *)(void *)poll;
    struct alert_sender *sender = watched->sender;
    int flags = 0, running;

    ON_ALERTS();
    if (status < 0)
        flags = CURL_CSELECT_ERR;
    if ((events & UV_READABLE) != 0)
        flags |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0)
        flags |= CURL_CSELECT_OUT;
    (void)curl_multi_socket_action(sender->multi, watched->fd, flags, &running);
    collect(sender); /* `watched` may be gone */
}

static void on_timer(uv_timer_t *timer)
{
    struct alert_sender *sender = timer->data;
    int running;

    ON_ALERTS();
    (void)curl_multi_socket_action(sender->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(sender);
}

static void on_watched_closed(uv_handle_t *handle)
{
    xfree(handle);
}

static struct watched *watch_socket(struct alert_sender *sender, curl_socket_t fd)
{
    struct watched *watched = xcalloc(1, sizeof(*watched));

    watched->sender = sender;
    watched->fd = fd;
    if (uv_poll_init(sender->loop, &watched->poll, fd) != 0) {
        xfree(watched);
        return NULL;
    }
    (void)curl_multi_assign(sender->multi, fd, watched);
    return watched;
}

/* What cannot be watched ends by its timeout: an error from here would end all transfers. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    struct alert_sender *sender = context;
    struct watched *watched = socket_context;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watched != NULL) {
            (void)uv_poll_stop(&watched->poll);
            (void)curl_multi_assign(sender->multi, fd, NULL);
            uv_close((uv_handle_t *)&watched->poll, on_watched_closed);
        }
        return 0;
    }
    if (watched == NULL)
        watched = watch_socket(sender, fd);
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= UV_READABLE;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= UV_WRITABLE;
    if (watched != NULL)
        (void)uv_poll_start(&watched->poll, events, on_poll);
    return 0;
}

static int on_timeout_wish(CURLM *multi, long timeout_ms, void *context)
{
    struct alert_sender *sender = context;

    (void)multi;
    if (sender->is_closed)
        return 0;
    if (timeout_ms < 0)
        (void)uv_timer_stop(&sender->timer);
    else
        CHECK(uv_timer_start(&sender->timer, on_timer, (uint64_t)timeout_ms, 0) == 0);
    return 0;
}

static bool open_multi(struct alert_sender *sender)
{
    if (sender->multi != NULL)
        return true;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (sender->multi = curl_multi_init()) == NULL)
        return false;
    (void)curl_multi_setopt(sender->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(sender->multi, CURLMOPT_SOCKETDATA, sender);
    (void)curl_multi_setopt(sender->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wish);
    (void)curl_multi_setopt(sender->multi, CURLMOPT_TIMERDATA, sender);
    return true;
}

/* ---- how it went ---- */

static void end_transfer(struct receiver *receiver)
{
    if (receiver->easy == NULL)
        return;
    (void)curl_multi_remove_handle(receiver->sender->multi, receiver->easy);
    curl_easy_cleanup(receiver->easy);
    curl_slist_free_all(receiver->fields);
    xfree(receiver->body);
    receiver->easy = NULL;
    receiver->fields = NULL;
    receiver->body = NULL;
}

static void arrived(struct receiver *receiver)
{
    uint64_t newest = (uint64_t)json_integer_value(json_object_get(receiver->sender->batch, "seq"));

    if (receiver->failing_since_ms != 0)
        log_event(EV_ALERTS_DELIVERED, LOG_TEXT("receiver", receiver->name));
    receiver->delivered++;
    receiver->failing_since_ms = 0;
    receiver->pause_ms = 0;
    receiver->seen.seq = receiver->sending_seq;
    receiver->due_ms = newest > receiver->sending_seq ? clock_ms() : clock_ms() + AGAIN_MS;
}

static void did_not_arrive(struct receiver *receiver, const char *why)
{
    uint64_t now_ms = clock_ms();
    bool is_new = receiver->failing_since_ms == 0 || strcmp(receiver->why, why) != 0;

    receiver->failed++;
    if (receiver->failing_since_ms == 0)
        receiver->failing_since_ms = clock_wall_ms();
    (void)snprintf(receiver->why, sizeof(receiver->why), "%s", why);
    receiver->pause_ms = receiver->pause_ms == 0 ? FIRST_PAUSE_MS : receiver->pause_ms * 2;
    if (receiver->pause_ms > LONGEST_PAUSE_MS)
        receiver->pause_ms = LONGEST_PAUSE_MS;
    receiver->due_ms = now_ms + receiver->pause_ms;
    if (!is_new && now_ms < receiver->remind_ms)
        return;
    receiver->remind_ms = now_ms + REMIND_MS;
    log_event(EV_ALERTS_UNDELIVERED, LOG_TEXT("receiver", receiver->name), LOG_TEXT("why", why));
}

static void conclude(struct receiver *receiver, CURLcode code)
{
    char why[ALERT_WHY_TEXT];
    long status = 0;

    (void)curl_easy_getinfo(receiver->easy, CURLINFO_RESPONSE_CODE, &status);
    /* more than is read, behind a status that says it all */
    if (code == CURLE_WRITE_ERROR && status != 0)
        code = CURLE_OK;
    if (code != CURLE_OK)
        (void)snprintf(why, sizeof(why), "%s",
                       receiver->said[0] != '\0' ? receiver->said : curl_easy_strerror(code));
    else
        (void)snprintf(why, sizeof(why), "it answered %ld", status);
    end_transfer(receiver);
    if (code == CURLE_OK && status >= 200 && status <= 299)
        arrived(receiver);
    else
        did_not_arrive(receiver, why);
}

static void collect(struct alert_sender *sender)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(sender->multi, &left)) != NULL) {
        char *receiver = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &receiver);
        conclude((struct receiver *)(void *)receiver, code);
    }
    alert_sender_tick(sender);
}

/* ---- sending ---- */

/* Head and body of the answer, both only counted. */
static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct receiver *receiver = context;

    (void)bytes;
    receiver->answer_bytes += size * count;
    return receiver->answer_bytes <= ANSWER_BYTES ? size * count : 0;
}

/* NULL: there is nothing to say. */
static json_t *payload_of(const struct receiver *receiver)
{
    const json_t *batch = receiver->sender->batch;

    if (receiver->kind == WEBHOOK)
        return alert_payload_webhook(batch, &receiver->seen);
    return alert_payload_alertmanager(batch, &receiver->seen, clock_wall_ms());
}

static void set_options(struct receiver *receiver)
{
    CURL *easy = receiver->easy;

    (void)curl_easy_setopt(easy, CURLOPT_URL, receiver->post_url);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)receiver);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, receiver->said);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* nor those of the environment */
    (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* a name server that hangs must not hold the loop when the time is over */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)WHOLE_MS);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "twokey/" TWOKEY_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, receiver->fields);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, receiver);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_answer);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, receiver);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, receiver->body);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(receiver->body));
}

static char *text_of_payload(json_t *payload)
{
    size_t bytes = json_dumpb(payload, NULL, 0, JSON_COMPACT);
    char *text = xmalloc(bytes + 1);

    CHECK(json_dumpb(payload, text, bytes, JSON_COMPACT) == bytes);
    text[bytes] = '\0';
    json_decref(payload);
    return text;
}

static void post_it(struct receiver *receiver, json_t *payload)
{
    struct alert_sender *sender = receiver->sender;

    receiver->body = text_of_payload(payload);
    receiver->sending_seq = (uint64_t)json_integer_value(json_object_get(sender->batch, "seq"));
    receiver->answer_bytes = 0;
    receiver->said[0] = '\0';
    receiver->easy = curl_easy_init();
    receiver->fields = curl_slist_append(NULL, "Content-Type: application/json");
    receiver->fields = curl_slist_append(receiver->fields, "Expect:");
    CHECK(receiver->easy != NULL && receiver->fields != NULL); /* only without memory */
    set_options(receiver);
    if (curl_multi_add_handle(sender->multi, receiver->easy) != CURLM_OK) {
        end_transfer(receiver);
        did_not_arrive(receiver, "libcurl did not take it");
    }
}

void alert_sender_tick(struct alert_sender *sender)
{
    uint64_t now_ms = clock_ms();

    ON_ALERTS();
    CHECK_OBJ(sender, SENDER_TAG);
    if (sender->batch == NULL || sender->multi == NULL || sender->is_closed)
        return;
    for (size_t i = 0; i < sender->receiver_count; i++) {
        struct receiver *receiver = sender->receivers[i];
        json_t *payload;

        if (!receiver->is_active || receiver->easy != NULL || now_ms < receiver->due_ms)
            continue;
        payload = payload_of(receiver);
        if (payload != NULL) {
            post_it(receiver, payload);
        } else { /* nothing is wrong, as far as this one knows too */
            receiver->due_ms = now_ms + AGAIN_MS;
            receiver->failing_since_ms = 0;
            receiver->pause_ms = 0;
        }
    }
}

void alert_sender_take(struct alert_sender *sender, json_t *batch)
{
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(batch, "seq"));

    ON_ALERTS();
    CHECK_OBJ(sender, SENDER_TAG);
    json_decref(sender->batch);
    sender->batch = batch;
    for (size_t i = 0; i < sender->receiver_count; i++) {
        struct receiver *receiver = sender->receivers[i];

        if (receiver->pause_ms == 0 && seq > receiver->seen.seq)
            receiver->due_ms = 0;
    }
    alert_sender_tick(sender);
}

/* ---- whom to tell ---- */

/* Scheme, host and port; those that look the same have numbers. */
static void name_receiver(const struct alert_sender *sender, struct receiver *receiver)
{
    static const char *const kinds[] = {[ALERTMANAGER] = "alertmanager", [WEBHOOK] = "webhook"};
    const char *host = strstr(receiver->url, "://");
    char name[ALERT_RECEIVER_TEXT - 8];
    unsigned number = 1;
    bool is_taken = true;

    host = host != NULL ? host + 3 : receiver->url;
    (void)snprintf(name, sizeof(name), "%s %.*s", kinds[receiver->kind],
                   (int)((size_t)(host - receiver->url) + strcspn(host, "/?")), receiver->url);
    (void)snprintf(receiver->name, sizeof(receiver->name), "%s", name);
    while (is_taken) {
        is_taken = false;
        for (size_t i = 0; i < sender->receiver_count; i++)
            is_taken = is_taken || strcmp(sender->receivers[i]->name, receiver->name) == 0;
        if (is_taken)
            (void)snprintf(receiver->name, sizeof(receiver->name), "%s %hu", name,
                           (unsigned short)++number);
    }
}

static void free_receiver(struct receiver *receiver)
{
    end_transfer(receiver);
    xfree(receiver->url);
    xfree(receiver);
}

/* Room for one more: of those that are told no longer the first goes. */
static bool make_room(struct alert_sender *sender)
{
    if (sender->receiver_count < ALERT_RECEIVERS_MAX)
        return true;
    for (size_t i = 0; i < sender->receiver_count; i++) {
        if (sender->receivers[i]->is_active)
            continue;
        free_receiver(sender->receivers[i]);
        sender->receiver_count--;
        memmove(&sender->receivers[i], &sender->receivers[i + 1],
                (sender->receiver_count - i) * sizeof(struct receiver *));
        return true;
    }
    return false;
}

static struct receiver *find_receiver(const struct alert_sender *sender, enum receiver_kind kind,
                                      const char *url)
{
    for (size_t i = 0; i < sender->receiver_count; i++)
        if (sender->receivers[i]->kind == kind && strcmp(sender->receivers[i]->url, url) == 0)
            return sender->receivers[i];
    return NULL;
}

static void set_post_url(struct receiver *receiver)
{
    size_t bytes = strlen(receiver->url);

    if (receiver->kind == WEBHOOK) {
        (void)snprintf(receiver->post_url, sizeof(receiver->post_url), "%s", receiver->url);
        return;
    }
    while (bytes > 0 && receiver->url[bytes - 1] == '/')
        bytes--;
    (void)snprintf(receiver->post_url, sizeof(receiver->post_url), "%.*s/api/v2/alerts", (int)bytes,
                   receiver->url);
}

static void add_receiver(struct alert_sender *sender, enum receiver_kind kind, const char *url)
{
    struct receiver *receiver = find_receiver(sender, kind, url);

    if (receiver != NULL && receiver->is_active)
        return; /* named twice */
    if (receiver == NULL) {
        if (!make_room(sender))
            return;
        receiver = xcalloc(1, sizeof(*receiver));
        receiver->sender = sender;
        receiver->kind = kind;
        receiver->url = xstrdup(url);
        set_post_url(receiver);
        name_receiver(sender, receiver);
        sender->receivers[sender->receiver_count++] = receiver;
    }
    receiver->is_active = true;
    receiver->due_ms = 0;
    receiver->pause_ms = 0;
    receiver->seen.seq = 0;
    receiver->seen.floor = (uint64_t)json_integer_value(json_object_get(sender->batch, "seq"));
}

/* The others are told no more; what they were told is still counted. */
static void keep_those_that_stay(struct alert_sender *sender, const json_t *receivers)
{
    static const char *const keys[] = {[ALERTMANAGER] = "alertmanager", [WEBHOOK] = "webhook"};

    for (size_t i = 0; i < sender->receiver_count; i++) {
        struct receiver *receiver = sender->receivers[i];
        const json_t *item;
        bool stays = false;
        size_t j;

        json_array_foreach(json_object_get(receivers, keys[receiver->kind]), j, item) stays =
            stays || strcmp(json_string_value(item), receiver->url) == 0;
        if (!stays) {
            end_transfer(receiver);
            receiver->is_active = false;
            receiver->failing_since_ms = 0;
        }
    }
}

void alert_sender_set_receivers(struct alert_sender *sender, json_t *receivers)
{
    const json_t *item;
    size_t i;

    ON_ALERTS();
    CHECK_OBJ(sender, SENDER_TAG);
    if (sender->is_closed) {
        json_decref(receivers);
        return;
    }
    keep_those_that_stay(sender, receivers);
    json_array_foreach(json_object_get(receivers, "alertmanager"), i, item)
        add_receiver(sender, ALERTMANAGER, json_string_value(item));
    json_array_foreach(json_object_get(receivers, "webhook"), i, item)
        add_receiver(sender, WEBHOOK, json_string_value(item));
    json_decref(receivers);
    if (sender->receiver_count > 0 && !open_multi(sender))
        log_event(EV_ALERTS_UNDELIVERED, LOG_TEXT("why", "libcurl does not start"));
    alert_sender_tick(sender);
}

struct alert_report *alert_sender_report(const struct alert_sender *sender)
{
    size_t bytes = sender->receiver_count * sizeof(struct alert_receiver);
    struct alert_report *report = xcalloc(1, sizeof(*report) + bytes);

    ON_ALERTS();
    for (size_t i = 0; i < sender->receiver_count; i++) {
        const struct receiver *receiver = sender->receivers[i];
        struct alert_receiver *told = &report->receivers[i];

        (void)snprintf(told->name, sizeof(told->name), "%s", receiver->name);
        (void)snprintf(told->why, sizeof(told->why), "%s", receiver->why);
        told->delivered = receiver->delivered;
        told->failed = receiver->failed;
        told->failing_since_ms = receiver->failing_since_ms;
    }
    report->count = sender->receiver_count;
    return report;
}

void alert_report_free(struct alert_report **holder)
{
    struct alert_report *report = TAKE_POINTER(holder);

    xfree(report);
}

/* ---- its life ---- */

struct alert_sender *alert_sender_new(uv_loop_t *loop)
{
    struct alert_sender *sender = xcalloc(1, sizeof(*sender));

    sender->tag = SENDER_TAG;
    sender->loop = loop;
    CHECK(uv_timer_init(loop, &sender->timer) == 0);
    sender->timer.data = sender;
    return sender;
}

void alert_sender_close(struct alert_sender *sender)
{
    ON_ALERTS();
    CHECK_OBJ(sender, SENDER_TAG);
    sender->is_closed = true;
    for (size_t i = 0; i < sender->receiver_count; i++)
        end_transfer(sender->receivers[i]);
    if (sender->multi != NULL)
        (void)curl_multi_cleanup(sender->multi);
    sender->multi = NULL;
    uv_close((uv_handle_t *)&sender->timer, NULL);
}

void alert_sender_free(struct alert_sender **holder)
{
    struct alert_sender *sender = TAKE_POINTER(holder);

    CHECK_OBJ(sender, SENDER_TAG);
    CHECK(sender->multi == NULL);
    for (size_t i = 0; i < sender->receiver_count; i++)
        free_receiver(sender->receivers[i]);
    json_decref(sender->batch);
    sender->tag = 0;
    xfree(sender);
}
