#include "os/queue.h"

#include <stdlib.h>

bool queue_init(struct queue *q, size_t cap, struct err *err) {
    *q = (struct queue){.cap = cap};
    q->items = calloc(cap, sizeof(*q->items));
    if (!q->items)
        return err_set(err, ERR_INTERNAL, "out of memory for a queue of %zu", cap);
    mutex_init(&q->lock);
    cond_init(&q->readable);
    return true;
}

void queue_deinit(struct queue *q) {
    if (!q->items)
        return;
    mutex_deinit(&q->lock);
    cond_deinit(&q->readable);
    free(q->items);
    q->items = NULL;
}

bool queue_push(struct queue *q, void *item) {
    mutex_lock(&q->lock);
    bool ok = !q->closed && q->n < q->cap;
    if (ok) {
        q->items[(q->head + q->n++) % q->cap] = item;
        cond_signal(&q->readable);
    }
    mutex_unlock(&q->lock);
    return ok;
}

void *queue_pop(struct queue *q, dur_t at_most) {
    void *item = NULL;
    mutex_lock(&q->lock);
    while (q->n == 0 && !q->closed) {
        if (at_most.ns < 0)
            cond_wait(&q->readable, &q->lock);
        else if (!cond_wait_for(&q->readable, &q->lock, at_most))
            break;
    }
    if (q->n) {
        item = q->items[q->head];
        q->head = (q->head + 1) % q->cap;
        q->n--;
    }
    mutex_unlock(&q->lock);
    return item;
}

void queue_close(struct queue *q) {
    mutex_lock(&q->lock);
    q->closed = true;
    cond_broadcast(&q->readable);
    mutex_unlock(&q->lock);
}

size_t queue_length(struct queue *q) {
    mutex_lock(&q->lock);
    size_t n = q->n;
    mutex_unlock(&q->lock);
    return n;
}
