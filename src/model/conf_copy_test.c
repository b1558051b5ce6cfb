#include "base/base_testlib.h"
#include "model/conf_copy.h"

struct inner {
    struct str name;
    int64_t n;
};
struct outer {
    bool on;
    int mode;
    double ratio;
    uint64_t size;
    struct conf_strs words;
    struct conf_pairs labels;
    struct inner in;
    struct inner *maybe;
    struct conf_list list;
    const struct conf_node *raw;
    struct conf_source source;
};

static const struct conf_option inner_options[] = {
    {.name = "name", .type = CONF_STR, .offset = offsetof(struct inner, name)},
    {.name = "n", .type = CONF_INT, .offset = offsetof(struct inner, n)},
};
static const struct conf_table inner_table = {.name = "inner",
                                              .size = sizeof(struct inner),
                                              .options = inner_options,
                                              .n = 2,
                                              .source_offset = SIZE_MAX};
static const struct conf_option outer_options[] = {
    {.name = "on", .type = CONF_BOOL, .offset = offsetof(struct outer, on)},
    {.name = "mode", .type = CONF_ENUM, .offset = offsetof(struct outer, mode)},
    {.name = "ratio", .type = CONF_FLOAT, .offset = offsetof(struct outer, ratio)},
    {.name = "size", .type = CONF_BYTES, .offset = offsetof(struct outer, size)},
    {.name = "words", .type = CONF_STRS, .offset = offsetof(struct outer, words)},
    {.name = "labels", .type = CONF_PAIRS, .offset = offsetof(struct outer, labels)},
    {.name = "in", .type = CONF_TABLE, .offset = offsetof(struct outer, in), .table = &inner_table},
    {.name = "maybe",
     .type = CONF_TABLE_OPT,
     .offset = offsetof(struct outer, maybe),
     .table = &inner_table},
    {.name = "list",
     .type = CONF_LIST,
     .offset = offsetof(struct outer, list),
     .table = &inner_table},
    {.name = "raw", .type = CONF_NODE, .offset = offsetof(struct outer, raw)},
    {.name = "old", .type = CONF_STRS, .offset = offsetof(struct outer, words), .ignored = "gone"},
};
static const struct conf_table outer_table = {.name = "outer",
                                              .size = sizeof(struct outer),
                                              .options = outer_options,
                                              .n = CONF_N(outer_options),
                                              .source_offset = offsetof(struct outer, source)};

static void test_copy_stands_alone(void **state) {
    (void)state;
    char word[] = "word", name[] = "name", file[] = "f.yaml";
    struct str words[] = {{word, 4}}, keys[] = {{name, 4}}, values[] = {{word, 4}};
    struct inner maybe = {{name, 4}, 7}, items[] = {{{word, 4}, 1}, {{NULL, 0}, 2}};
    struct outer from = {.on = true,
                         .mode = 2,
                         .ratio = 0.5,
                         .size = 9,
                         .words = {words, 1},
                         .labels = {keys, values, 1},
                         .in = {{word, 4}, 3},
                         .maybe = &maybe,
                         .list = {items, 2},
                         .source = {file, 4, 5}};
    struct outer to;
    struct arena a = ARENA_INIT;
    assert_true(conf_copy(&outer_table, &from, &to, &a));
    assert_true(conf_equal(&outer_table, &from, &to));
    memset(word, 'x', 4); /* what was copied from may go away */
    memset(name, 'x', 4);
    file[0] = 'x';
    maybe.n = 0;
    items[0].n = 0;
    assert_false(conf_equal(&outer_table, &from, &to));
    assert_str(to.words.v[0], "word");
    assert_str(to.labels.key[0], "name");
    assert_str(to.in.name, "word");
    assert_str(to.maybe->name, "name");
    assert_int_equal(to.maybe->n, 7);
    assert_str(((struct inner *)to.list.v)[0].name, "word");
    assert_null(((struct inner *)to.list.v)[1].name.p);
    assert_string_equal(to.source.file, "f.yaml");
    assert_int_equal(to.source.line, 4);
    arena_deinit(&a);
}

static void test_differences(void **state) {
    (void)state;
    struct str words[] = {STR("a"), STR("b")};
    struct inner one = {STR("x"), 1}, other = {STR("x"), 2};
    struct outer base = {.words = {words, 2}, .maybe = &one, .list = {&one, 1}}, x;
    x = base;
    assert_true(conf_equal(&outer_table, &base, &x));
    x.words.n = 1;
    assert_false(conf_equal(&outer_table, &base, &x));
    x = base;
    x.maybe = NULL;
    assert_false(conf_equal(&outer_table, &base, &x));
    x.maybe = &other;
    assert_false(conf_equal(&outer_table, &base, &x));
    x = base;
    x.list.v = &other;
    assert_false(conf_equal(&outer_table, &base, &x));
    x = base;
    x.source.line = 99; /* where it stands is not what it says */
    assert_true(conf_equal(&outer_table, &base, &x));
    struct arena tiny = ARENA_INIT_MAX(8);
    assert_false(conf_copy(&outer_table, &base, &x, &tiny));
    arena_deinit(&tiny);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_copy_stands_alone),
                                       cmocka_unit_test(test_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
