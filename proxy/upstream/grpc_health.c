/*
 * grpc_health - see grpc_health.h.
 *
 * Threads  any
 */
#include "proxy/upstream/grpc_health.h"

enum { PREFIX_BYTES = 5, SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3, UNDECODABLE = 255 };

/* ---- the question ---- */

static void append_varint(struct buffer *out, size_t value)
{
    while (value >= 128) {
        char low = (char)(value % 128 + 128);

        buffer_append(out, &low, 1);
        value /= 128;
    }
    buffer_append(out, &(char){(char)value}, 1);
}

void grpc_health_ask(struct buffer *out, struct slice service)
{
    struct buffer message;
    char prefix[PREFIX_BYTES] = {0};
    size_t length;

    buffer_init(&message);
    if (service.len > 0) {
        buffer_append_literal(&message, "\x0a"); /* field 1, length-delimited */
        append_varint(&message, service.len);
        buffer_append_slice(&message, service);
    }
    length = buffer_length(&message);
    for (unsigned i = 0; i < 4; i++)
        prefix[1 + i] = (char)(length >> (24 - 8 * i) & 0xff);
    buffer_append(out, prefix, sizeof(prefix));
    buffer_append_slice(out, buffer_slice(&message));
    buffer_fini(&message);
}

/* ---- the answer ---- */

static bool take_varint(struct slice *rest, uint64_t *value_out)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 10 && i < rest->len; i++) {
        unsigned char byte = (unsigned char)rest->at[i];

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value_out = value;
            *rest = slice_after(*rest, i + 1);
            return true;
        }
    }
    return false;
}

/* Leaves out the value of a field that is not asked for. */
static bool skip(struct slice *rest, unsigned wire_type)
{
    uint64_t count;

    switch (wire_type) {
    case 0: return take_varint(rest, &count);
    case 1: count = 8; break;
    case 2:
        if (!take_varint(rest, &count))
            return false;
        break;
    case 5: count = 4; break;
    default: return false;
    }
    if (count > rest->len)
        return false;
    *rest = slice_after(*rest, (size_t)count);
    return true;
}

/* The field `status`; 0 where it is left out, as proto3 does. */
static uint64_t read_status(struct slice message)
{
    uint64_t status = 0;
    uint64_t key;

    while (message.len > 0) {
        if (!take_varint(&message, &key))
            return UNDECODABLE;
        if (key == (1 << 3 | 0)) {
            if (!take_varint(&message, &status))
                return UNDECODABLE;
        } else if (!skip(&message, key & 7)) {
            return UNDECODABLE;
        }
    }
    return status;
}

static uint64_t read_message(struct slice body)
{
    size_t length = 0;

    if (body.len < PREFIX_BYTES || body.at[0] != 0)
        return UNDECODABLE;
    for (unsigned i = 1; i < PREFIX_BYTES; i++)
        length = length << 8 | (unsigned char)body.at[i];
    body = slice_after(body, PREFIX_BYTES);
    return length == body.len ? read_status(body) : UNDECODABLE;
}

static struct reply failed(unsigned status, const char *why)
{
    return (struct reply){.verdict = REPLY_FAILED, .status = status, .why = why};
}

static struct reply judge_grpc_status(unsigned status, uint64_t grpc_status)
{
    switch (grpc_status) {
    case 5: return failed(status, "the server does not know this service (NOT_FOUND)");
    case 12: return failed(status, "the server has no grpc.health.v1.Health (UNIMPLEMENTED)");
    case 14: return failed(status, "the server is unavailable (UNAVAILABLE)");
    default: return failed(status, "the health call failed, by its grpc-status");
    }
}

struct reply grpc_health_judge(unsigned status, struct slice grpc_status, struct slice body)
{
    uint64_t code;

    if (status != 200)
        return failed(status, "the answer is not gRPC: its status is not 200");
    if (!slice_to_u64(grpc_status, &code))
        return failed(status, "the answer is not gRPC: it has no grpc-status");
    if (code != 0)
        return judge_grpc_status(status, code);
    switch (read_message(body)) {
    case SERVING: return (struct reply){.verdict = REPLY_PASSED, .status = status};
    case NOT_SERVING: return failed(status, "the service is NOT_SERVING");
    case SERVICE_UNKNOWN: return failed(status, "the service is SERVICE_UNKNOWN");
    case UNDECODABLE: return failed(status, "the health answer cannot be decoded");
    default: return failed(status, "the health of the service is UNKNOWN");
    }
}
