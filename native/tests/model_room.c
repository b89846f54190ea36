/* model_room.c: waiting for room in a bounded lane, in every interleaving: a submitter that sleeps is woken by the
 * release that makes room for it, whatever the others there want, and by the end. A submitter that does not look again
 * after it has registered is one that the explorer has to find.
 */
#include "queue.h"

#define LIMIT 3

typedef struct state {
    bl_queue *queue;
    bl_a32 closed;
} state;

static state shared;

static void *setup(void) {
    shared = (state){.queue = bl_queue_new(1, 2)};
    MODEL_CHECK(bl_queue_reserve(shared.queue, 0, LIMIT, LIMIT) == BL_OK);
    return &shared;
}

static void clear(void *arg) { bl_queue_free(((state *)arg)->queue); }

static void release_three(void *arg) {
    for (int i = 0; i < 3; i++)
        bl_queue_release(((state *)arg)->queue, 0, 1);
}

static void release_one(void *arg) { bl_queue_release(((state *)arg)->queue, 0, 1); }

static void submit(state *s, uint64_t count) {
    bl_ec *ec = bl_queue_room(s->queue, 0);
    while (bl_queue_reserve(s->queue, 0, count, LIMIT) != BL_OK) {
        uint32_t key = bl_ec_prepare(ec);
        bool over = bl_load_seq(&s->closed) != 0;
        if (over || bl_queue_has_room(s->queue, 0, count, LIMIT))
            bl_ec_cancel(ec);
        else
            (void)bl_ec_wait(ec, key, INT64_MAX);
        if (over)
            return;
    }
}

static void submit_one(void *arg) { submit(arg, 1); }

static void submit_two(void *arg) { submit(arg, 2); }

static void submit_one_and_take_it_back(void *arg) {
    submit(arg, 1);
    release_one(arg);
}

static void close_all(void *arg) {
    bl_store_seq(&((state *)arg)->closed, 1);
    bl_queue_wake_blocked(((state *)arg)->queue);
}

static void submit_and_look_only_before(void *arg) {
    state *s = arg;
    bl_ec *ec = bl_queue_room(s->queue, 0);
    while (bl_queue_reserve(s->queue, 0, 1, LIMIT) != BL_OK)
        (void)bl_ec_wait(ec, bl_ec_prepare(ec), INT64_MAX);
}

static void nobody_waits(void *arg) {
    MODEL_CHECK(bl_load_seq(&bl_queue_room(((state *)arg)->queue, 0)->waiters) == 0);
}

static void all_in(void *arg) {
    nobody_waits(arg);
    MODEL_CHECK(bl_queue_live(((state *)arg)->queue, 0) == LIMIT);
}

static void one_left(void *arg) {
    nobody_waits(arg);
    MODEL_CHECK(bl_queue_live(((state *)arg)->queue, 0) == LIMIT - 1);
}

int main(void) {
    bl_model_must_hold(&(bl_model){"one release, one submitter", setup, {release_one, submit_one}, all_in, clear, 5});
    bl_model_must_hold(&(bl_model){"three releases, submitters of one and of two", setup,
                                   {release_three, submit_two, submit_one}, all_in, clear, 2});
    bl_model_must_hold(&(bl_model){"room that is given back", setup,
                                   {release_one, submit_one_and_take_it_back, submit_one_and_take_it_back}, one_left, clear,
                                   2});
    bl_model_must_hold(&(bl_model){"the end", setup, {close_all, submit_two, submit_one}, nobody_waits, clear, 3});
    bl_model_must_break(&(bl_model){"no look after registering", setup, {release_one, submit_and_look_only_before}, NULL,
                                    NULL, 2}, "deadlock");
    return 0;
}
