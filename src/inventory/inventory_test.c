#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inventory/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct clock_manual manual = {INT64_C(1700000000000000000), 0};

static struct inventory *open_it(struct state *state) {
    struct clock clock = clock_manual_view(&manual);
    struct err err = {0};
    struct inventory *inv = inventory_open(state, &clock, &err);
    assert_non_null(inv);
    return inv;
}

static struct labels make(struct label *l, uint32_t n) {
    return (struct labels){l, n};
}

#define LABELS(...)                                                                                \
    make((struct label[]){__VA_ARGS__},                                                            \
         sizeof((struct label[]){__VA_ARGS__}) / sizeof(struct label))

static void declare(struct inventory *inv) {
    static struct str needs[] = {{"db", 2}}, hosts[] = {{"Web1", 4}}, jobs[] = {{"shop-api", 8}},
                      names[] = {{"Shop API", 8}};
    static struct inventory_service_config services[] = {
        {.name = {"Shop", 4},
         .owner = {"payments", 8},
         .channel = {"#shop", 5},
         .runs_on = {hosts, 1},
         .depends_on = {needs, 1},
         .match = {{jobs, 1}, {names, 1}},
         .at = {"hinomi.yml", 3, 5}},
        {.name = {"db", 2}},
    };
    static struct inventory_owner_config owners[] = {
        {.name = {"payments", 8}, .channel = {"#pay", 4}}};
    static struct inventory_channel_config channels[] = {
        {.name = {"#shop", 5}, .kind = {"slack", 5}}};
    struct inventory_config c = {
        .services = {services, 2}, .owners = {owners, 1}, .channels = {channels, 1}};
    struct err err = {0};
    assert_true(inventory_declare(inv, &c, &err));
}

static void see(struct inventory *inv) {
    struct inventory_host_seen h = {.name = STR("web1"),
                                    .os = STR("Debian"),
                                    .cpus = 4,
                                    .memory_bytes = 1 << 20,
                                    .is_self = true};
    int64_t now = manual.wall_ns / 1000000;
    h.at_ms = now;
    inventory_see_host(inv, &h);
    struct inventory_endpoint_seen e = {.host = STR("web1"),
                                        .proto = STR("tcp"),
                                        .address = STR("0.0.0.0"),
                                        .kind = STR("nginx"),
                                        .service = STR("shop"),
                                        .port = 443,
                                        .at_ms = now};
    inventory_see_endpoint(inv, &e);
    inventory_see_labels(
        inv, LABELS({STR("instance"), STR("web1:9100")}, {STR("job"), STR("shop-api")}), now);
    inventory_see_labels(
        inv, LABELS({STR("instance"), STR("127.0.0.1:80")}, {STR("job"), STR("cron")}), now);
    inventory_see_labels(
        inv, LABELS({STR("instance"), STR("[fd00::1]:80")}, {STR("job"), STR("node")}), now);
}

static void print(const struct inventory_snapshot *s, struct buf *out) {
    for (size_t i = 0; i < s->n_services; i++)
        buf_printf(out, "service %.*s %.*s %s owner=%.*s\n", STR_FMT(s->services[i].id),
                   STR_FMT(s->services[i].name), inventory_origin_name(s->services[i].origin),
                   STR_FMT(s->services[i].owner.value));
    for (size_t i = 0; i < s->n_hosts; i++)
        buf_printf(out, "host %.*s %s cpus=%lld\n", STR_FMT(s->hosts[i].id),
                   inventory_origin_name(s->hosts[i].origin), (long long)s->hosts[i].cpus);
    for (size_t i = 0; i < s->n_endpoints; i++)
        buf_printf(out, "endpoint %.*s %.*s\n", STR_FMT(s->endpoints[i].id),
                   STR_FMT(s->endpoints[i].kind));
    for (size_t i = 0; i < s->n_owners; i++)
        buf_printf(out, "owner %.*s\n", STR_FMT(s->owners[i].id));
    for (size_t i = 0; i < s->n_channels; i++)
        buf_printf(out, "channel %.*s %.*s\n", STR_FMT(s->channels[i].id),
                   STR_FMT(s->channels[i].kind));
    for (size_t i = 0; i < s->n_edges; i++)
        buf_printf(out, "edge %.*s %s %.*s %s\n", STR_FMT(s->edges[i].from),
                   inventory_edge_name(s->edges[i].kind), STR_FMT(s->edges[i].to),
                   inventory_origin_name(s->edges[i].origin));
}

static const char expected[] = "service cron cron observed owner=\n"
                               "service db db declared owner=\n"
                               "service shop Shop declared owner=payments\n"
                               "host fd00::1 observed cpus=-9223372036854775808\n"
                               "host web1 observed cpus=4\n"
                               "endpoint web1/tcp/0.0.0.0:443 nginx\n"
                               "owner payments\n"
                               "channel #pay \n"
                               "channel #shop slack\n"
                               "edge host:web1 listens_on endpoint:web1/tcp/0.0.0.0:443 observed\n"
                               "edge owner:payments notifies channel:#pay declared\n"
                               "edge service:shop runs_on host:web1 declared\n"
                               "edge service:shop depends_on service:db declared\n"
                               "edge service:shop owned_by owner:payments declared\n"
                               "edge service:shop notifies channel:#shop declared\n";

static void the_same_whatever_the_order(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct inventory *inv = open_it(NULL);
        if (round == 0) {
            declare(inv);
            see(inv);
        } else {
            see(inv);
            declare(inv);
            /* telemetry that came before its declaration was named after its job */
            const struct inventory_snapshot *s = inventory_get(inv);
            assert_non_null(inventory_find_service(s, STR("shop-api")));
            inventory_unref(s);
            inventory_close(inv);
            inv = open_it(NULL);
            declare(inv);
            declare(inv);
            see(inv);
            see(inv);
        }
        const struct inventory_snapshot *s = inventory_get(inv);
        struct buf b = BUF_INIT;
        print(s, &b);
        assert_string_equal(b.p, expected);
        const struct inventory_service *shop = inventory_find_service(s, STR("shop"));
        assert_non_null(shop);
        assert_int_equal(shop->at.line, 3);
        assert_string_equal(shop->at.file, "hinomi.yml");
        assert_true(shop->last_seen_ms != INVENTORY_UNKNOWN); /* its job is an alias */
        inventory_close(inv);
        assert_true(str_eqz(shop->name, "Shop")); /* a held snapshot outlives the inventory */
        inventory_unref(s);
        buf_deinit(&b);
    }
}

static void which_service(void **state) {
    (void)state;
    struct inventory *inv = open_it(NULL);
    declare(inv);
    const struct inventory_snapshot *s = inventory_get(inv);
    struct arena a = ARENA_INIT;
#define IS(want, ...) assert_true(str_eqz(inventory_service_of(s, LABELS(__VA_ARGS__), &a), want))
    IS("shop", {STR("job"), STR("shop-api")});
    IS("shop", {STR("service.name"), STR("Shop API")});
    IS("shop", {STR("job"), STR("SHOP")});
    IS("cart", {STR("job"), STR("shop-api")}, {STR("service"), STR("Cart")});
    IS("cart", {STR("job"), STR("eu/cart")});
    IS("x", {STR("service"), STR("y")}, {STR("service_name"), STR("x")});
    assert_int_equal(inventory_service_of(s, LABELS({STR("job"), STR("node")}), &a).n, 0);
    assert_int_equal(inventory_service_of(s, LABELS({STR("a"), STR("b")}), &a).n, 0);
    arena_deinit(&a);
    inventory_unref(s);
    inventory_close(inv);
}

static void what_the_screen_adds(void **state) {
    (void)state;
    char path[] = "/tmp/hinomi-inventory-XXXXXX", file[64];
    assert_non_null(mkdtemp(path));
    snprintf(file, sizeof(file), "%s/state.db", path);
    struct clock clock = clock_manual_view(&manual);
    struct err err = {0};
    struct state *db = state_open(file, &clock, &err);
    assert_non_null(db);
    struct inventory *inv = open_it(db);
    declare(inv);
    struct inventory_service_edit e = {
        .name = STR("Cart"), .description = STR("says \"hi\" 火"), .owner = STR("payments")};
    assert_true(inventory_create_service(inv, &e, STR("admin"), &err));
    assert_false(inventory_create_service(inv, &e, STR("admin"), &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    e.name = STR("bad name");
    assert_false(inventory_create_service(inv, &e, STR("admin"), &err));
    assert_int_equal(err.code, ERR_BAD_INPUT);
    e.name = STR("shop"); /* declared already */
    assert_false(inventory_create_service(inv, &e, STR("admin"), &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_false(inventory_delete_service(inv, STR("shop"), &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    inventory_close(inv);
    inv = open_it(db); /* kept */
    const struct inventory_snapshot *s = inventory_get(inv);
    const struct inventory_service *cart = inventory_find_service(s, STR("cart"));
    assert_non_null(cart);
    assert_int_equal(cart->origin, ORIGIN_OVERRIDDEN);
    assert_true(str_eqz(cart->owner.value, "payments"));
    assert_int_equal(cart->owner.origin, ORIGIN_OVERRIDDEN);
    struct buf yaml = BUF_INIT;
    assert_true(inventory_export(inv, &yaml, &err));
    assert_string_equal(yaml.p,
                        "services:\n  - name: \"Cart\"\n    description: \"says \\\"hi\\\" 火\"\n"
                        "    owner: \"payments\"\n");
    /* written into the file, the file wins, field by field */
    static struct inventory_service_config services[] = {
        {.name = {"cart", 4}, .owner = {"ops", 3}}};
    struct inventory_config c = {.services = {services, 1}};
    assert_true(inventory_declare(inv, &c, &err));
    const struct inventory_snapshot *s2 = inventory_get(inv);
    const struct inventory_service *both = inventory_find_service(s2, STR("cart"));
    assert_int_equal(both->origin, ORIGIN_DECLARED);
    assert_true(str_eqz(both->owner.value, "ops"));
    assert_true(str_starts(both->description.value, STR("says")));
    assert_int_equal(both->description.origin, ORIGIN_OVERRIDDEN);
    assert_true(str_eqz(cart->owner.value, "payments")); /* the older snapshot is untouched */
    assert_true(s2->version > s->version);
    inventory_unref(s);
    inventory_unref(s2);
    assert_true(inventory_delete_service(inv, STR("cart"), &err));
    c.services.n = 0;
    assert_true(inventory_declare(inv, &c, &err));
    assert_false(inventory_delete_service(inv, STR("cart"), &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    buf_deinit(&yaml);
    inventory_close(inv);
    state_close(db);
    char command[3][96];
    snprintf(command[0], 96, "%s/state.db", path);
    snprintf(command[1], 96, "%s/state.db-wal", path);
    snprintf(command[2], 96, "%s/state.db-shm", path);
    for (int i = 0; i < 3; i++)
        (void)unlink(command[i]);
    (void)rmdir(path);
}

static void things_are_forgotten(void **state) {
    (void)state;
    struct inventory *inv = open_it(NULL);
    int64_t now = manual.wall_ns / 1000000;
    inventory_see_labels(inv, LABELS({STR("instance"), STR("old:1")}, {STR("job"), STR("old")}),
                         now - INVENTORY_FORGET_MS - 20000);
    inventory_see_labels(inv, LABELS({STR("instance"), STR("new:1")}, {STR("job"), STR("new")}),
                         now);
    const struct inventory_snapshot *s = inventory_get(inv);
    assert_int_equal(s->n_services, 1);
    assert_true(str_eqz(s->services[0].id, "new"));
    assert_int_equal(s->n_hosts, 1);
    inventory_unref(s);
    inventory_close(inv);
}

static void the_check_warns(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    static struct str needs[] = {{"dbb", 3}};
    struct inventory_service_config services[] = {
        {.name = STR("shop"), .depends_on = {needs, 1}, .owner = STR("nobody")},
        {.name = STR("Shop")}};
    struct inventory_owner_config owners[] = {{.name = STR("payments")}};
    struct inventory_config c = {.services = {services, 2}, .owners = {owners, 1}};
    struct conf_diags d = {.arena = &a};
    inventory_check(&c, &d);
    assert_int_equal(d.n, 3); /* twice there; unknown owner; unknown dependency */
    for (size_t i = 0; i < d.n; i++)
        assert_true(d.v[i].warning);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_whatever_the_order), cmocka_unit_test(which_service),
        cmocka_unit_test(what_the_screen_adds), cmocka_unit_test(things_are_forgotten),
        cmocka_unit_test(the_check_warns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
