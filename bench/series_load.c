/* series_load - pushes a deterministic load of series to a remote_write receiver on loopback.
 *
 *   series_load PORT PATH SERIES STEPS STEP_MS END_MS CONNECTIONS ORDER CHURN
 *
 * ORDER: "same" (each body lists the series in the same order, as real senders do) or "shuffle".
 * CHURN: percent of series that get a new identity each hour of data; 0 for none.
 * Kinds of series, in turn: counters of varying rate, gauges with noise (two decimals), constants,
 * integers, full-precision floats, histogram buckets. Bodies of about 2,000 samples. Bounded:
 * SERIES x STEPS samples, then it ends. Prints one line: samples, bodies, refused bodies, seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES_PER_BODY = 2000, KINDS = 6, SERIES_PER_HOST = 120 };

struct load {
    uint16_t port;
    const char *path;
    uint32_t series, steps, connections, churn;
    int64_t step_ms, end_ms;
    bool shuffle;
};

struct sender {
    const struct load *load;
    uint32_t index;
    uint64_t samples, bodies, refused;
    bool failed;
    pthread_t thread;
};

struct bytes {
    unsigned char *p;
    size_t n, cap;
};

static void need(struct bytes *b, size_t more) {
    if (b->n + more <= b->cap)
        return;
    b->cap = (b->n + more) * 2;
    b->p = realloc(b->p, b->cap);
    if (!b->p)
        abort();
}

static void put(struct bytes *b, const void *p, size_t n) {
    need(b, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void varint(struct bytes *b, uint64_t v) {
    unsigned char t[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        t[n++] = (unsigned char)(v | 0x80);
    t[n++] = (unsigned char)v;
    put(b, t, n);
}

static void label(struct bytes *b, const char *name, const char *value) {
    size_t nn = strlen(name), nv = strlen(value);
    varint(b, 1 << 3 | 2);
    varint(b, nn + nv + 4); /* both lengths are below 128 */
    varint(b, 1 << 3 | 2);
    varint(b, nn);
    put(b, name, nn);
    varint(b, 2 << 3 | 2);
    varint(b, nv);
    put(b, value, nv);
}

static uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static double unit(uint64_t a, uint64_t b) {
    return (double)(mix(a * 0x9e3779b97f4a7c15u + b) >> 11) / 9007199254740992.0;
}

static double value_of(uint32_t id, uint32_t step) {
    double rate = 1 + 100 * unit(id, 1);
    switch (id % KINDS) {
    case 0: /* counter with a rate that varies over time, whole numbers */
        return floor(rate * step * 15 + 500 * (1 + sin(step / 40.0)) * unit(id, 2));
    case 1: /* gauge with noise, two decimals */
        return round((50 + 40 * sin(step / 60.0 + id) + 5 * unit(id, step)) * 100) / 100;
    case 2: /* constant */
        return (double)(id % 1000);
    case 3: /* small integers that change now and then */
        return floor(20 * unit(id, step / 8));
    case 4: /* full precision */
        return 100 * unit(id, step) * unit(id, 3);
    default: /* histogram bucket: grows with the position of its bound */
        return floor(rate * step * (1 + id / KINDS % 16) / 16.0);
    }
}

static void labels_of(struct bytes *b, const struct load *l, uint32_t id, uint32_t step) {
    static const char *names[KINDS] = {
        "http_requests_total", "node_temperature_celsius", "build_info",
        "queue_length",        "process_cpu_usage_ratio",  "request_duration_seconds_bucket"};
    static const char *bounds[16] = {"0.001", "0.0025", "0.005", "0.01", "0.025", "0.05",
                                     "0.1",   "0.25",   "0.5",   "1",    "2.5",   "5",
                                     "10",    "25",     "50",    "+Inf"};
    char text[64];
    uint32_t host = id / SERIES_PER_HOST, slot = id % SERIES_PER_HOST, kind = id % KINDS;
    label(b, "__name__", names[kind]);
    (void)snprintf(text, sizeof(text), "host-%04u", host);
    label(b, "host", text);
    (void)snprintf(text, sizeof(text), "10.0.%u.%u:9100", host / 250, host % 250);
    label(b, "instance", text);
    label(b, "job", slot < 60 ? "node" : "api");
    if (kind == KINDS - 1)
        label(b, "le", bounds[id / KINDS % 16]);
    uint32_t generation = 0;
    if (l->churn &&
        mix(id) % 100 < l->churn * ((uint64_t)step * (uint64_t)l->step_ms / 3600000 + 1))
        generation = (uint32_t)((uint64_t)step * (uint64_t)l->step_ms / 3600000);
    (void)snprintf(text, sizeof(text), "/v1/resource/%u%s%u", slot, generation ? "-" : "/",
                   generation);
    label(b, "path", text);
}

static void one_series(struct bytes *out, struct bytes *tmp, const struct load *l, uint32_t id,
                       uint32_t step) {
    tmp->n = 0;
    labels_of(tmp, l, id, step);
    int64_t ts = l->end_ms - (int64_t)(l->steps - 1 - step) * l->step_ms;
    double v = value_of(id, step);
    unsigned char sample[24];
    struct bytes s = {sample, 0, sizeof(sample)};
    varint(&s, 1 << 3 | 1);
    memcpy(sample + s.n, &v, 8);
    s.n += 8;
    varint(&s, 2 << 3);
    varint(&s, (uint64_t)ts);
    varint(tmp, 2 << 3 | 2);
    varint(tmp, s.n);
    put(tmp, sample, s.n);
    varint(out, 1 << 3 | 2);
    varint(out, tmp->n);
    put(out, tmp->p, tmp->n);
}

static int dial(uint16_t port) {
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static bool send_all(int fd, const void *data, size_t n) {
    const char *p = data;
    while (n) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* Reads one answer; every receiver here sends Content-Length or no body. */
static int read_answer(int fd) {
    char buf[8192];
    size_t n = 0;
    for (;;) {
        ssize_t k = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);
        if (k <= 0)
            return -1;
        n += (size_t)k;
        buf[n] = 0;
        char *end = strstr(buf, "\r\n\r\n");
        if (!end)
            continue;
        char *length = strcasestr(buf, "content-length:");
        size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
        if (n >= (size_t)(end + 4 - buf) + body || n + 1 >= sizeof(buf))
            return (int)strtoul(buf + 9, NULL, 10);
    }
}

static void *run(void *arg) {
    struct sender *s = arg;
    const struct load *l = s->load;
    struct bytes body = {0}, tmp = {0}, packed = {0};
    uint32_t first = (uint32_t)((uint64_t)l->series * s->index / l->connections);
    uint32_t last = (uint32_t)((uint64_t)l->series * (s->index + 1) / l->connections);
    uint32_t n = last - first;
    uint32_t *order = malloc(n * sizeof(*order));
    int fd = dial(l->port);
    if (!order || fd < 0) {
        s->failed = true;
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++)
        order[i] = first + i;
    for (uint32_t step = 0; step < l->steps && !s->failed; step++) {
        for (uint32_t i = n; l->shuffle && i > 1; i--) {
            uint32_t j = (uint32_t)(mix((uint64_t)step << 32 | i) % i), t = order[j];
            order[j] = order[i - 1];
            order[i - 1] = t;
        }
        for (uint32_t at = 0; at < n && !s->failed; at += SAMPLES_PER_BODY) {
            uint32_t end = at + SAMPLES_PER_BODY < n ? at + SAMPLES_PER_BODY : n;
            body.n = 0;
            for (uint32_t i = at; i < end; i++)
                one_series(&body, &tmp, l, order[i], step);
            size_t max = snappy_max_compressed_length(body.n);
            packed.n = 0;
            need(&packed, max + 1024);
            size_t used = max;
            char head[512];
            if (snappy_compress((char *)body.p, body.n, (char *)packed.p, &used) != SNAPPY_OK)
                abort();
            int h = snprintf(
                head, sizeof(head),
                "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/x-protobuf\r\n"
                "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n"
                "User-Agent: series_load\r\nContent-Length: %zu\r\n\r\n",
                l->path, l->port, used);
            if (!send_all(fd, head, (size_t)h) || !send_all(fd, packed.p, used)) {
                s->failed = true;
                break;
            }
            int status = read_answer(fd);
            s->failed = status < 0;
            s->refused += status / 100 != 2;
            s->samples += end - at;
            s->bodies++;
        }
    }
    (void)close(fd);
    free(order);
    free(body.p);
    free(tmp.p);
    free(packed.p);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 10) {
        (void)fprintf(stderr, "usage: series_load PORT PATH SERIES STEPS STEP_MS END_MS "
                              "CONNECTIONS same|shuffle CHURN\n");
        return 2;
    }
    struct load l = {.port = (uint16_t)strtoul(argv[1], NULL, 10),
                     .path = argv[2],
                     .series = (uint32_t)strtoul(argv[3], NULL, 10),
                     .steps = (uint32_t)strtoul(argv[4], NULL, 10),
                     .step_ms = (int64_t)strtoull(argv[5], NULL, 10),
                     .end_ms = (int64_t)strtoull(argv[6], NULL, 10),
                     .connections = (uint32_t)strtoul(argv[7], NULL, 10),
                     .shuffle = strcmp(argv[8], "shuffle") == 0,
                     .churn = (uint32_t)strtoul(argv[9], NULL, 10)};
    if (l.connections < 1 || l.connections > 64 || l.series < l.connections)
        return 2;
    struct sender senders[64] = {0};
    struct timespec a, b;
    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    for (uint32_t i = 0; i < l.connections; i++) {
        senders[i].load = &l;
        senders[i].index = i;
        if (pthread_create(&senders[i].thread, NULL, run, &senders[i]) != 0)
            return 1;
    }
    uint64_t samples = 0, bodies = 0, refused = 0;
    bool failed = false;
    for (uint32_t i = 0; i < l.connections; i++) {
        (void)pthread_join(senders[i].thread, NULL);
        samples += senders[i].samples;
        bodies += senders[i].bodies;
        refused += senders[i].refused;
        failed |= senders[i].failed;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    (void)printf("{\"samples\": %llu, \"bodies\": %llu, \"refused\": %llu, \"seconds\": %.3f}\n",
                 (unsigned long long)samples, (unsigned long long)bodies,
                 (unsigned long long)refused,
                 (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    return failed ? 1 : 0;
}
