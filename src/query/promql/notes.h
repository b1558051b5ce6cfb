/* notes.h - where a query's annotations are gathered. Inside the room only. */
#ifndef PROMQL_NOTES_H
#define PROMQL_NOTES_H

#include "base/map.h"

struct pq_notes {
    struct map seen; /* text -> one of the marks, in order of appearance */
    char info_mark, warning_mark;
    struct { /* the last one: the same note at the next step is not worded again */
        int note;
        const void *where;
        struct str name, x;
    } last;
};

#endif
