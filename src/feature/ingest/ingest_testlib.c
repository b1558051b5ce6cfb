#include "feature/ingest/ingest_testlib.h"

#include "codec/conf_yaml.h"
#include "os/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void t_nap(void) {
    struct timespec t = {0, 5000000};
    (void)nanosleep(&t, NULL);
}

/* ---- peer ---- */

static bool wait_readable(struct t_peer *p, int fd) {
    while (!p->stop) {
        struct pollfd f = {fd, POLLIN, 0};
        if (poll(&f, 1, 20) > 0)
            return true;
    }
    return false;
}

static bool send_some(struct t_peer *p, int fd, const char *data, size_t n) {
    while (n && !p->stop) {
        struct pollfd f = {fd, POLLOUT, 0};
        if (poll(&f, 1, 20) <= 0)
            continue;
        ssize_t k = send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (k < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (k <= 0)
            return false;
        data += k;
        n -= (size_t)k;
    }
    return n == 0;
}

static bool read_request(struct t_peer *p, int fd) {
    char in[4096];
    size_t n = 0;
    while (n < sizeof(in) - 1 && wait_readable(p, fd)) {
        ssize_t k = recv(fd, in + n, sizeof(in) - 1 - n, 0);
        if (k <= 0)
            return false;
        n += (size_t)k;
        in[n] = 0;
        if (strstr(in, "\r\n\r\n")) {
            mutex_lock(&p->lock);
            memcpy(p->last_request, in, n + 1);
            mutex_unlock(&p->lock);
            return true;
        }
    }
    return false;
}

static void nap_ms(struct t_peer *p, int64_t ms) {
    int64_t until = clock_mono_ms(clock_system()) + ms;
    while (!p->stop && clock_mono_ms(clock_system()) < until)
        t_nap();
}

static void serve(struct t_peer *p, int fd) {
    if (!read_request(p, fd))
        return;
    mutex_lock(&p->lock);
    size_t n = p->answer_n;
    char *answer = malloc(n + 1);
    if (answer && n)
        memcpy(answer, p->answer, n);
    int64_t delay = p->delay_ms;
    bool trickle = p->trickle, endless = p->endless;
    mutex_unlock(&p->lock);
    p->requests++;
    nap_ms(p, delay);
    bool ok = answer != NULL;
    for (size_t i = 0; ok && trickle && i < n; i++) {
        ok = send_some(p, fd, answer + i, 1);
        nap_ms(p, 50);
    }
    if (ok && !trickle)
        ok = send_some(p, fd, answer, n);
    size_t tail = n > 1024 ? 1024 : n;
    while (ok && endless && !p->stop)
        ok = send_some(p, fd, answer + n - tail, tail);
    free(answer);
}

struct connection {
    struct t_peer *p;
    int fd;
};

static void connection_main(void *arg) {
    struct connection *c = arg;
    serve(c->p, c->fd);
    (void)shutdown(c->fd, SHUT_RDWR);
    (void)close(c->fd);
    c->p->connections--;
    free(c);
}

static void *connection_entry(void *arg) {
    connection_main(arg);
    return NULL;
}

static void peer_main(void *arg) {
    struct t_peer *p = arg;
    while (wait_readable(p, p->fd)) {
        int fd = accept(p->fd, NULL, NULL);
        if (fd < 0)
            continue;
        struct connection *c = malloc(sizeof(*c));
        pthread_t id;
        if (!c)
            abort();
        *c = (struct connection){p, fd};
        p->connections++;
        if (pthread_create(&id, NULL, connection_entry, c))
            abort();
        (void)pthread_detach(id);
    }
}

void t_peer_init(struct t_peer *p) {
    *p = (struct t_peer){.delay_ms = 0};
    mutex_init(&p->lock);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&a, n) || listen(p->fd, 64) ||
        getsockname(p->fd, (struct sockaddr *)&a, &n))
        abort();
    p->port = ntohs(a.sin_port);
    if (!thread_start(&p->thread, "t-peer", peer_main, p, NULL))
        abort();
}

void t_peer_deinit(struct t_peer *p) {
    p->stop = true;
    thread_join(&p->thread);
    while (p->connections)
        t_nap();
    (void)close(p->fd);
    free(p->answer);
    mutex_deinit(&p->lock);
}

void t_peer_page(struct t_peer *p, int status, const char *type, const char *extra,
                 struct str body) {
    struct buf b = BUF_INIT;
    buf_printf(&b, "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n", status, body.n);
    if (type)
        buf_printf(&b, "Content-Type: %s\r\n", type);
    buf_printf(&b, "%s\r\n", extra ? extra : "");
    buf_puts(&b, body);
    mutex_lock(&p->lock);
    free(p->answer);
    p->answer = buf_take(&b, &p->answer_n);
    mutex_unlock(&p->lock);
}

void t_peer_text(struct t_peer *p, const char *body) {
    t_peer_page(p, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, str_from(body));
}

/* ---- sink ---- */

static size_t row_of(struct t_sink *s, const char *series) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->rows[i].series, series) == 0)
            return i;
    s->rows = realloc(s->rows, (s->n + 1) * sizeof(*s->rows));
    if (!s->rows)
        abort();
    s->rows[s->n] = (struct t_row){.series = strdup(series)};
    return s->n++;
}

static bool sink_take(void *self, const struct batch *b, struct write_result *out,
                      struct err *err) {
    struct t_sink *s = self;
    bool ok = true;
    *out = (struct write_result){.accepted = b->n};
    mutex_lock(&s->lock);
    if (s->fail)
        ok = err_set(err, ERR_UNAVAILABLE, "the disk is full");
    for (size_t i = 0; ok && i < b->n; i++) {
        struct buf t = BUF_INIT;
        labels_format(&t, b->rows[i].labels);
        size_t k = row_of(s, t.p);
        if (b->refs[i] && b->refs[i] != k + 1)
            abort(); /* a ref that means another series */
        b->refs[i] = k + 1;
        s->rows[k].value = b->rows[i].value;
        s->rows[k].ts_ms = b->rows[i].ts_ms;
        s->rows[k].n++;
        buf_deinit(&t);
    }
    s->batches++;
    mutex_unlock(&s->lock);
    return ok;
}

static const struct sink_ops sink_ops = {.write = sink_take};

void t_sink_init(struct t_sink *s) {
    *s = (struct t_sink){.n = 0};
    mutex_init(&s->lock);
}

void t_sink_deinit(struct t_sink *s) {
    for (size_t i = 0; i < s->n; i++)
        free(s->rows[i].series);
    free(s->rows);
    mutex_deinit(&s->lock);
}

struct sink t_sink_view(struct t_sink *s) {
    return (struct sink){&sink_ops, s};
}

bool t_sink_get(struct t_sink *s, const char *series, double *out_value, size_t *out_n) {
    bool found = false;
    mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n && !found; i++)
        if (strcmp(s->rows[i].series, series) == 0) {
            found = true;
            *out_value = s->rows[i].value;
            if (out_n)
                *out_n = s->rows[i].n;
        }
    mutex_unlock(&s->lock);
    return found;
}

void t_sink_print(struct t_sink *s) {
    mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n; i++)
        printf("%s %g @%lld x%zu\n", s->rows[i].series, s->rows[i].value,
               (long long)s->rows[i].ts_ms, s->rows[i].n);
    mutex_unlock(&s->lock);
}

/* ---- configuration ---- */

struct t_root {
    struct ingest_global global;
    struct conf_list scrapes;
};
static const struct conf_option root_options[] = {
    {.name = "global",
     .type = CONF_TABLE,
     .offset = offsetof(struct t_root, global),
     .table = &ingest_global_table,
     .help = "x"},
    {.name = "scrape_configs",
     .type = CONF_LIST,
     .offset = offsetof(struct t_root, scrapes),
     .table = &ingest_scrape_config_table,
     .help = "x"},
};
static const struct conf_table root_table = {.name = "root",
                                             .help = "x",
                                             .size = sizeof(struct t_root),
                                             .options = root_options,
                                             .n = CONF_N(root_options),
                                             .source_offset = SIZE_MAX};

bool t_config(const char *yaml, struct arena *a, struct ingest_config *out, struct buf *text) {
    struct t_root *root = ARENA_NEW(a, struct t_root);
    struct conf_diags diags = {.arena = a};
    if (!root)
        return false;
    bool ok = conf_yaml_decode(str_from(yaml), "test.yaml", &root_table, NULL, a, root, &diags);
    conf_yaml_format_diags(&diags, text);
    *out = (struct ingest_config){
        .global = &root->global, .scrapes = root->scrapes.v, .n_scrapes = root->scrapes.n};
    return ok;
}
