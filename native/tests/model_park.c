/* model_park.c: the event count's handshake in every interleaving, and broken variants that the explorer has
 * to find: a notify that looks for waiters before the work is visible, a prepare that reads its key after it
 * has registered, and consumers that forget one of their two looks where producers nudge.
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

/* ---- the relay: producers nudge, a consumer that leaves the waiters looks and nudges for what is left ---- */

static void nudge_one(void *arg) {
    state *s = arg;
    bl_add_seq(&s->tokens, 1);
    bl_ec_nudge(&s->ec);
}

static void nudge_two(void *arg) {
    nudge_one(arg);
    nudge_one(arg);
}

static void pass_on_if_any(state *s) {
    if (bl_ec_waiters(&s->ec) != 0 && bl_load_seq(&s->tokens) > 0) {
        bl_ec_nudge(&s->ec);
    }
}

static void run_relay(state *s, bool after_take, bool after_cancel) {
    for (;;) {
        if (take(s)) {
            break;
        }
        uint32_t key = bl_ec_prepare(&s->ec);
        if (take(s)) {
            if (after_take) {
                pass_on_if_any(s);
            }
            bl_ec_cancel(&s->ec);
            if (after_cancel) {
                pass_on_if_any(s);
            }
            return;
        }
        (void)bl_ec_wait(&s->ec, key, INT64_MAX);
    }
    if (after_take) {
        pass_on_if_any(s);
    }
}

static void relay(void *arg) { run_relay(arg, true, true); }

static void relay_selfish(void *arg) { run_relay(arg, false, true); }

static void relay_cancel_and_go(void *arg) { run_relay(arg, true, false); }

static void give_up(void *arg) { /* waits with a deadline: may leave a signal to others, or use one up */
    state *s = arg;
    uint32_t key = bl_ec_prepare(&s->ec);
    if (bl_ec_wait(&s->ec, key, 1) == BL_OK && bl_load_seq(&s->tokens) > 0) {
        bl_ec_notify(&s->ec); /* woken, not taking: passes it on */
    }
}

static void give_up_relay(void *arg) {
    state *s = arg;
    uint32_t key = bl_ec_prepare(&s->ec);
    (void)bl_ec_wait(&s->ec, key, 1);
    pass_on_if_any(s);
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
    bl_model_must_hold(&(bl_model){"relay: two nudges, two consumers", setup, {nudge_two, relay, relay}, both_consumed,
                                   NULL, 3});
    bl_model_must_hold(&(bl_model){"relay: two producers, two consumers", setup, {nudge_one, nudge_one, relay, relay},
                                   both_consumed, NULL, 2});
    bl_model_must_hold(&(bl_model){"relay: a consumer and one that times out", setup,
                                   {nudge_one, relay, give_up_relay}, consumed, NULL, 3});
    bl_model_must_hold(&(bl_model){"relay: a thief between", setup, {nudge_two, relay, grab}, consumed, NULL, 4});
    bl_model_must_hold(&(bl_model){"mutex", setup, {count_under_lock, count_under_lock, count_under_lock}, counted,
                                   NULL, 3});
    bl_model_must_break(&(bl_model){"notify looks before the work is visible", setup, {notify_early, consume}, NULL,
                                    NULL, 2}, "deadlock");
    bl_model_must_break(&(bl_model){"key read after registering", setup, {produce_two, consume_key_late, grab}, NULL,
                                    NULL, 2}, "deadlock");
    bl_model_must_break(&(bl_model){"relay: one that takes leaves the rest", setup, {nudge_two, relay_selfish, relay_selfish},
                                    NULL, NULL, 3}, "deadlock");
    bl_model_must_break(&(bl_model){"relay: one that cancels does not look again", setup,
                                    {nudge_two, relay_cancel_and_go, relay_cancel_and_go}, NULL, NULL, 4}, "deadlock");
    return 0;
}
