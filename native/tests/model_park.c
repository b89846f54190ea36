/* model_park.c: the event count's handshake in every interleaving, and two broken variants that the explorer has
 * to find: a notify that looks for waiters before the work is visible, and a prepare that reads its key after it
 * has registered.
 */
#include <limits.h>
#include <stdlib.h>

#include "park.h"

/* Work is a number of tokens; a consumer wants one and ends. */
typedef struct state {
    bl_ec ec;
    bl_a32 tokens;
    bl_a32 taken;
    bl_mutex lock;
    int plain; /* guarded by lock */
} state;

static state shared;

static void *setup(void) {
    shared = (state){.plain = 0};
    bl_ec_init(&shared.ec);
    return &shared;
}

static bool take(state *s) {
    uint32_t seen = bl_load_seq(&s->tokens);
    while (seen > 0) {
        if (bl_cas_seq(&s->tokens, &seen, seen - 1)) {
            bl_add_relaxed(&s->taken, 1);
            return true;
        }
    }
    return false;
}

static void produce(void *arg) {
    state *s = arg;
    bl_add_seq(&s->tokens, 1);
    bl_ec_notify(&s->ec);
}

static void produce_two(void *arg) {
    produce(arg);
    produce(arg);
}

static void produce_two_notify_all(void *arg) {
    state *s = arg;
    bl_add_seq(&s->tokens, 2);
    bl_ec_notify_all(&s->ec);
}

static void consume(void *arg) {
    state *s = arg;
    while (!take(s)) {
        uint32_t key = bl_ec_prepare(&s->ec);
        if (take(s)) {
            bl_ec_cancel(&s->ec);
            return;
        }
        (void)bl_ec_wait(&s->ec, key, INT64_MAX);
    }
}

static void give_up(void *arg) { /* waits with a deadline: may leave a signal to others, or use one up */
    state *s = arg;
    uint32_t key = bl_ec_prepare(&s->ec);
    if (bl_ec_wait(&s->ec, key, 1) == BL_OK && bl_load_seq(&s->tokens) > 0) {
        bl_ec_notify(&s->ec); /* woken, not taking: passes it on */
    }
}

static void grab(void *arg) { (void)take(arg); }

static void consumed(void *arg) {
    state *s = arg;
    MODEL_CHECK(bl_ec_waiters(&s->ec) == 0 && bl_load_seq(&s->ec.waiters) == 0);
}

static void both_consumed(void *arg) {
    consumed(arg);
    MODEL_CHECK(((state *)arg)->taken == 2);
}

static void count_under_lock(void *arg) {
    state *s = arg;
    for (int i = 0; i < 2; i++) {
        bl_mutex_lock(&s->lock);
        int before = s->plain;
        bl_model_step(); /* somebody else may come now */
        s->plain = before + 1;
        bl_mutex_unlock(&s->lock);
    }
}

static void counted(void *arg) {
    state *s = arg;
    MODEL_CHECK(s->plain == 6 && bl_load_seq(&s->lock.word) == 0);
}

static void notify_early(void *arg) {
    state *s = arg;
    bool anybody = bl_ec_waiters(&s->ec) > 0;
    bl_add_seq(&s->tokens, 1);
    if (anybody) {
        bl_ec_notify(&s->ec);
    }
}

static void consume_key_late(void *arg) {
    state *s = arg;
    while (!take(s)) {
        (void)bl_ec_prepare(&s->ec);
        uint32_t key = bl_load_seq(&s->ec.epoch);
        if (take(s)) {
            bl_ec_cancel(&s->ec);
            return;
        }
        (void)bl_ec_wait(&s->ec, key, INT64_MAX);
    }
}

int main(void) {
    bl_model_must_hold(&(bl_model){"one producer, one consumer", setup, {produce, consume}, consumed, NULL, 5});
    bl_model_must_hold(&(bl_model){"one producer of two, two consumers", setup, {produce_two, consume, consume},
                                   both_consumed, NULL, 3});
    bl_model_must_hold(&(bl_model){"two producers, two consumers", setup, {produce, produce, consume, consume},
                                   both_consumed, NULL, 2});
    bl_model_must_hold(&(bl_model){"two at once, notify all", setup, {produce_two_notify_all, consume, consume},
                                   both_consumed, NULL, 3});
    bl_model_must_hold(&(bl_model){"a consumer and one that times out", setup, {produce, consume, give_up},
                                   consumed, NULL, 3});
    bl_model_must_hold(&(bl_model){"a thief between", setup, {produce_two, consume, grab}, consumed, NULL, 4});
    bl_model_must_hold(&(bl_model){"mutex", setup, {count_under_lock, count_under_lock, count_under_lock}, counted,
                                   NULL, 3});
    bl_model_must_break(&(bl_model){"notify looks before the work is visible", setup, {notify_early, consume}, NULL,
                                    NULL, 2}, "deadlock");
    bl_model_must_break(&(bl_model){"key read after registering", setup, {produce_two, consume_key_late, grab}, NULL,
                                    NULL, 2}, "deadlock");
    return 0;
}
