/* base_testlib.h - what every cmocka test includes first, in the order cmocka asks for. */
#ifndef BASE_BASE_TESTLIB_H
#define BASE_BASE_TESTLIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_str(view, literal)                                                                  \
    do {                                                                                           \
        struct str view_ = (view);                                                                 \
        assert_int_equal(view_.n, strlen(literal));                                                \
        assert_memory_equal(view_.n ? view_.p : "", literal, view_.n);                             \
    } while (0)

#endif
