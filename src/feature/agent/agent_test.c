/* Both sides together: whatever is killed and whichever answer is lost, each sample arrives exactly
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/json.h"
#include "feature/agent/agent_client.h"
#include "feature/agent/agent_server.h"
#include "feature/agent/agent_testlib.h"
#include "feature/agent/agentwire.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A server that can die. The store lives on, as the one on disk does. */
struct world {
    char dir[256], state_path[300], agent_dir[300];
    struct clock_manual manual;
    struct clock clock;
    struct teststore store;
    struct state *state;
    struct agent_server *server; /* NULL: down */
    int lose_answers;            /* that many answers are lost after the server has done its work */
    int kill_before_answer;      /* at that request the server dies after its work */
    int status_once;             /* answers this once, without doing anything */
    int64_t retry_after_s;
    char secret[64], id[64];
    size_t requests;
    char scrape_yaml[64];
    struct agent_client *client;
    char seen_config[128];
};

static void config_of(void *self, struct str id, struct str host, struct buf *scrape,
                      int64_t *interval) {
    (void)id;
    (void)host;
    (void)interval;
    buf_putz(scrape, ((struct world *)self)->scrape_yaml);
}

static void server_start(struct world *w) {
    struct err err = {0};
    w->state = state_open(w->state_path, &w->clock, &err);
    if (!w->state)
        print_error("%s\n", err.message);
    assert_non_null(w->state);
    struct agent_server_options opt = {.state = w->state,
                                       .sink = teststore_sink(&w->store),
                                       .clock = &w->clock,
                                       .position = teststore_position,
                                       .position_self = &w->store,
                                       .meta = teststore_meta,
                                       .meta_self = &w->store,
                                       .config = config_of,
                                       .config_self = w};
    w->server = agent_server_open(&opt, &err);
    assert_non_null(w->server);
}

static void server_stop(struct world *w) {
    agent_server_close(w->server);
    w->server = NULL;
    if (w->state)
        state_close(w->state);
    w->state = NULL;
}

/* What agent_http does, without HTTP. */
static void answer(struct world *w, const struct agent_request *req, struct agent_response *out) {
    struct arena a = ARENA_INIT;
    struct err err = {0};
    struct str id = {0}, secret = {0};
    struct jsonw j = JSONW_INIT(&out->body);
    out->status = 200;
    if (strcmp(req->path, AGENT_PATH_ENROLL) == 0) {
        struct jsonr_doc *doc = jsonr_parse(req->body, &err);
        assert_non_null(doc);
        const struct jsonr *root = jsonr_root(doc);
        if (agent_server_enroll(w->server, jsonr_get_str(root, "token"),
                                jsonr_get_str(root, "host"), jsonr_get_str(root, "version"),
                                STR("192.0.2.7"), &a, &id, &secret, &err)) {
            jsonw_object(&j);
            jsonw_kstr(&j, "id", id);
            jsonw_kstr(&j, "secret", secret);
            jsonw_end(&j);
            out->status = 201;
        }
        jsonr_free(doc);
    } else if (agent_server_authenticate(w->server, str_from(req->bearer), &a, &id, &err)) {
        agent_server_seen(w->server, id, str_from(req->version), STR("192.0.2.7"),
                          (int64_t)req->buffered_bytes);
        if (strcmp(req->path, AGENT_PATH_POLL) == 0) {
            assert_true(agent_server_poll(w->server, id, &out->body, &err));
        } else {
            struct agent_answer ans;
            bool ok = agent_server_write(w->server, id, req->body, &ans, &err);
            jsonw_object(&j);
            jsonw_ku64(&j, "segment", ans.position.segment);
            jsonw_ku64(&j, "offset", ans.position.offset);
            jsonw_ku64(&j, "refused_records", ans.refused_records);
            jsonw_end(&j);
            if (ok)
                err.code = ERR_OK;
        }
    }
    if (err.code != ERR_OK)
        out->status = err_http_status(err.code);
    arena_deinit(&a);
}

static bool transport(void *self, const struct agent_request *req, struct agent_response *out,
                      struct err *err) {
    struct world *w = self;
    w->requests++;
    if (!w->server)
        return err_set(err, ERR_UNAVAILABLE, "connection refused");
    if (w->status_once) {
        out->status = w->status_once;
        out->retry_after_s = w->retry_after_s;
        w->status_once = 0;
        return true;
    }
    answer(w, req, out);
    if (w->kill_before_answer > 0 && --w->kill_before_answer == 0) {
        server_stop(w);
        buf_reset(&out->body);
        return err_set(err, ERR_UNAVAILABLE, "connection reset");
    }
    if (w->lose_answers > 0) {
        w->lose_answers--;
        buf_reset(&out->body);
        return err_set(err, ERR_TIMEOUT, "timed out");
    }
    return true;
}

static void on_config(void *self, const struct agent_config *config) {
    struct world *w = self;
    snprintf(w->seen_config, sizeof(w->seen_config), "%.*s", STR_FMT(config->scrape_configs));
}

static void client_start(struct world *w) {
    struct err err = {0};
    struct agent_client_options opt = {.data_dir = w->agent_dir,
                                       .clock = &w->clock,
                                       .transport = {transport, w},
                                       .secret = str_from(w->secret),
                                       .version = "0.1.0",
                                       .on_config = on_config,
                                       .on_config_self = w,
                                       .no_threads = true};
    w->client = agent_client_open(&opt, &err);
    assert_non_null(w->client);
}

static void setup(struct world *w) {
    memset(w, 0, sizeof(*w));
    agent_testdir(w->dir);
    snprintf(w->state_path, sizeof(w->state_path), "%s/state.db", w->dir);
    snprintf(w->agent_dir, sizeof(w->agent_dir), "%s/agent", w->dir);
    w->manual = (struct clock_manual){INT64_C(1700000000000000000), 1000000000};
    w->clock = clock_manual_view(&w->manual);
    server_start(w);
    char token[AGENT_SECRET_BYTES];
    int64_t expires;
    struct err err = {0};
    struct arena a = ARENA_INIT;
    assert_true(
        agent_server_enroll_token(w->server, STR("web1"), STR("admin"), 0, token, &expires, &err));
    struct agent_transport t = {transport, w};
    struct agent_server_address server = {STR("https://hinomi.example"), STR("")};
    assert_true(agent_enroll(&t, server, str_from(token), w->agent_dir, STR("web1"), STR("0.1.0"),
                             false, &err));
    struct agent_credential c;
    assert_true(agent_credential_load(w->agent_dir, &a, &c, &err));
    snprintf(w->secret, sizeof(w->secret), "%.*s", STR_FMT(c.secret));
    snprintf(w->id, sizeof(w->id), "%.*s", STR_FMT(c.id));
    arena_deinit(&a);
    client_start(w);
}

static void teardown(struct world *w) {
    agent_client_free(w->client);
    server_stop(w);
    teststore_deinit(&w->store);
    agent_testdir_remove(w->dir);
}

static void produce(struct world *w, int i) {
    struct label l[] = {{STR(LABEL_NAME), STR("m")}, {STR("job"), STR("node")}},
                 l2[] = {{STR(LABEL_NAME), STR("n")}};
    int64_t ts = clock_wall_ms(&w->clock);
    struct batch_row rows[] = {{{l, 2}, ts, i}, {{l2, 1}, ts, -i}};
    struct batch b = {.kind = SOURCE_COLLECT, .source = STR("collect"), .rows = rows, .n = 2};
    struct write_result r = {0};
    struct err err = {0};
    struct sink s = agent_client_sink(w->client);
    assert_true(sink_write(&s, &b, &r, &err));
    assert_int_equal(r.accepted, 2);
    clock_manual_advance(&w->manual, DUR_S(1));
}

/* Steps until nothing is left, however long the back-off asks to wait. */
static void drain(struct world *w) {
    for (int i = 0; i < 200; i++) {
        int64_t wait;
        agent_client_step(w->client, &wait);
        clock_manual_advance(&w->manual, DUR_MS(wait + 1));
    }
}

static void exactly_once(const struct world *w, size_t samples) {
    assert_int_equal(w->store.rows, samples);
    assert_int_equal(w->store.counts.n_live, samples);
    if (samples)
        assert_int_equal(teststore_most(&w->store), 1);
}

static void plain_delivery(void **state) {
    (void)state;
    static struct world w;
    setup(&w);
    struct metric_meta meta = {STR("m"), STR("help"), STR(""), METRIC_GAUGE};
    agent_client_meta(w.client, &meta);
    for (int i = 0; i < 10; i++)
        produce(&w, i);
    drain(&w);
    exactly_once(&w, 20);
    assert_int_equal(w.store.metas, 1);
    struct agent_client_status st = agent_client_status(w.client);
    assert_true(st.connected);
    struct arena a = ARENA_INIT;
    struct agent_info *list;
    size_t n;
    struct err err = {0};
    assert_true(agent_server_list(w.server, &a, &list, &n, &err));
    assert_int_equal(n, 1);
    assert_true(str_eqz(list[0].host, "web1"));
    assert_true(str_eqz(list[0].version, "0.1.0"));
    assert_true(list[0].last_seen_ms > 0);
    assert_true(list[0].position.segment > 0);
    arena_deinit(&a);
    teardown(&w);
}

static void lost_answers(void **state) {
    (void)state;
    static struct world w;
    setup(&w);
    for (int i = 0; i < 30; i++) {
        produce(&w, i);
        int64_t wait;
        w.lose_answers = i % 3 == 0;
        agent_client_step(w.client, &wait);
    }
    w.lose_answers = 0;
    drain(&w);
    exactly_once(&w, 60);
    teardown(&w);
}

static void the_server_dies_after_commit(void **state) {
    (void)state;
    static struct world w;
    setup(&w);
    for (int round = 0; round < 15; round++) {
        produce(&w, round);
        w.kill_before_answer = 1 + round % 3;
        drain(&w); /* ends in a dead server at some point */
        if (!w.server)
            server_start(&w);
        w.kill_before_answer = 0;
    }
    drain(&w);
    exactly_once(&w, 30);
    teardown(&w);
}

static void the_agent_dies_between(void **state) {
    (void)state;
    static struct world w;
    setup(&w);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 3; i++)
            produce(&w, round * 10 + i);
        int64_t wait;
        w.lose_answers = round % 2; /* it dies without having heard the answer */
        agent_client_step(w.client, &wait);
        agent_client_free(w.client); /* records are in the file once the sink has returned: kill -9
                                        finds them too */
        clock_manual_advance(&w.manual, DUR_S(5));
        client_start(&w);
    }
    w.lose_answers = 0;
    drain(&w);
    exactly_once(&w, 120);
    teardown(&w);
}

static void a_long_absence_of_the_server(void **state) {
    (void)state;
    static struct world w;
    setup(&w);
    server_stop(&w);
    for (int i = 0; i < 2000; i++) {
        produce(&w, i);
        int64_t wait;
        agent_client_step(w.client, &wait);
    }
    assert_true(w.requests < 200); /* it backs off */
    assert_false(agent_client_status(w.client).connected);
    server_start(&w);
    drain(&w);
    exactly_once(&w, 4000);
    assert_int_equal(agent_client_status(w.client).spool.dropped_rows, 0);
    teardown(&w);
}

static void a_failing_store_and_retry_after(void **state) {
    (void)state;
    static struct world w;
    setup(&w);
    drain(&w);
    w.store.fail_next = 3;
    for (int i = 0; i < 5; i++)
        produce(&w, i);
    drain(&w);
    exactly_once(&w, 10);
    w.status_once = 429;
    w.retry_after_s = 40;
    produce(&w, 99);
    int64_t wait;
    agent_client_step(w.client, &wait);
    if (w.status_once == 0)
        assert_true(wait >= 39000);
    size_t before = w.requests;
    agent_client_step(w.client, &wait);
    assert_int_equal(w.requests, before); /* not before the time that was asked for */
    drain(&w);
    exactly_once(&w, 12);
    teardown(&w);
}

static void a_record_that_cannot_be_read_does_not_block(void **state) {
    (void)state;
    static struct world w;
    setup(&w);
    produce(&w, 1);
    agent_client_free(w.client);
    char dir[400];
    snprintf(dir, sizeof(dir), "%s/spool", w.agent_dir);
    struct spool_options so = {.dir = dir, .clock = &w.clock};
    struct err err = {0};
    clock_manual_advance(&w.manual, DUR_S(1));
    struct spool *s = spool_open(&so, &err);
    assert_non_null(s);
    assert_true(spool_append(s, STR("\x01not what an agent writes"), 7, &err));
    spool_close(s);
    clock_manual_advance(&w.manual, DUR_S(1));
    client_start(&w);
    produce(&w, 2);
    drain(&w);
    exactly_once(&w, 4);
    teardown(&w);
}

static void the_servers_wishes_arrive(void **state) {
    (void)state;
    static struct world w;
    setup(&w);
    snprintf(w.scrape_yaml, sizeof(w.scrape_yaml), "- job_name: shop\n");
    drain(&w);
    assert_string_equal(w.seen_config, "- job_name: shop\n");
    teardown(&w);
}

static void doors(void **state) {
    (void)state;
    static struct world w;
    setup(&w);
    struct err err = {0};
    struct arena a = ARENA_INIT;
    struct str id, secret;
    char token[AGENT_SECRET_BYTES];
    int64_t expires;
    /* the credential's file is for its owner alone */
    char path[400];
    struct stat st;
    snprintf(path, sizeof(path), "%s/" AGENT_CREDENTIAL_FILE, w.agent_dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* a token works once, and not for ever */
    assert_true(
        agent_server_enroll_token(w.server, STR(""), STR("admin"), 0, token, &expires, &err));
    assert_true(agent_server_enroll(w.server, str_from(token), STR("a"), STR("1"), STR(""), &a, &id,
                                    &secret, &err));
    assert_false(agent_server_enroll(w.server, str_from(token), STR("b"), STR("1"), STR(""), &a,
                                     &id, &secret, &err));
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    assert_true(
        agent_server_enroll_token(w.server, STR(""), STR("admin"), 1000, token, &expires, &err));
    clock_manual_advance(&w.manual, DUR_S(2));
    assert_false(agent_server_enroll(w.server, str_from(token), STR("b"), STR("1"), STR(""), &a,
                                     &id, &secret, &err));
    assert_false(agent_server_enroll(w.server, STR("hne_guess"), STR("b"), STR("1"), STR(""), &a,
                                     &id, &secret, &err));
    assert_false(agent_server_authenticate(w.server, STR("hna_guess"), &a, &id, &err));
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    /* the secret itself is nowhere on the server's disk */
    struct buf db = BUF_INIT;
    state_close(w.state);
    w.state = NULL;
    assert_true(file_read(w.state_path, 64 << 20, &db, &err));
    assert_true(str_find(buf_view(&db), str_from(w.secret)) == SIZE_MAX);
    buf_deinit(&db);
    w.server = (agent_server_close(w.server), NULL);
    server_start(&w);
    /* revoked means revoked, also across a restart */
    assert_true(agent_server_authenticate(w.server, str_from(w.secret), &a, &id, &err));
    assert_true(agent_server_delete(w.server, str_from(w.id), &err));
    assert_false(agent_server_authenticate(w.server, str_from(w.secret), &a, &id, &err));
    assert_false(agent_server_delete(w.server, str_from(w.id), &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    server_stop(&w);
    server_start(&w);
    assert_false(agent_server_authenticate(w.server, str_from(w.secret), &a, &id, &err));
    struct agent_info *list;
    size_t n;
    assert_true(agent_server_list(w.server, &a, &list, &n, &err));
    assert_int_equal(n, 1);
    arena_deinit(&a);
    teardown(&w);
}

static size_t reported(struct world *w, const char *value) {
    struct err err = {0};
    char sample[160];
    assert_true(agent_server_report(w->server, &err));
    snprintf(sample, sizeof(sample), "up{instance=\"web1\", job=\"hinomi-agent\"}@%lld=%s",
             (long long)clock_wall_ms(&w->clock), value);
    size_t n = teststore_count(&w->store, sample);
    clock_manual_advance(&w->manual, DUR_S(1));
    return n;
}

static void a_silent_agent_is_down(void **state) {
    (void)state;
    static struct world w;
    struct err err = {0};
    char sample[160];
    setup(&w);
    assert_int_equal(reported(&w, "1"), 0); /* enrolled, but never heard of: unknown */
    produce(&w, 1);
    int64_t wait;
    agent_client_step(w.client, &wait);
    assert_int_equal(reported(&w, "1"), 1);
    clock_manual_advance(&w.manual, DUR_MS(AGENT_STALE_MS));
    assert_int_equal(reported(&w, "0"), 1);
    agent_client_step(w.client, &wait);
    assert_int_equal(reported(&w, "1"), 1);
    server_stop(&w);
    clock_manual_advance(&w.manual, DUR_S(86400));
    server_start(&w);
    size_t rows = w.store.rows;
    assert_int_equal(reported(&w, "0"), 0); /* the server was away, not the agent */
    assert_int_equal(w.store.rows, rows);
    clock_manual_advance(&w.manual, DUR_MS(AGENT_STALE_MS));
    assert_int_equal(reported(&w, "0"), 1);
    /* a deleted one does not ring on */
    snprintf(sample, sizeof(sample), "up{instance=\"web1\", job=\"hinomi-agent\"}@%lld=NaN",
             (long long)clock_wall_ms(&w.clock));
    assert_true(agent_server_delete(w.server, str_from(w.id), &err));
    assert_int_equal(teststore_count(&w.store, sample), 1);
    teardown(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_agent_is_down),
        cmocka_unit_test(plain_delivery),
        cmocka_unit_test(lost_answers),
        cmocka_unit_test(the_server_dies_after_commit),
        cmocka_unit_test(the_agent_dies_between),
        cmocka_unit_test(a_long_absence_of_the_server),
        cmocka_unit_test(a_failing_store_and_retry_after),
        cmocka_unit_test(a_record_that_cannot_be_read_does_not_block),
        cmocka_unit_test(the_servers_wishes_arrive),
        cmocka_unit_test(doors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
