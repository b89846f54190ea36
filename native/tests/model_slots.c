/* model_slots.c: claim, cancel, expire, finish and time-out of one slot in every interleaving: one winner each. */
#include "slots.h"

typedef struct state {
    bl_slot slot;
    bl_a32 claims, cancels, ends;
} state;

static state shared;

static void *setup(void) {
    shared = (state){.slot = {.id = 1}};
    atomic_store(&shared.slot.word, BL_QUEUED);
    return &shared;
}

static void *setup_running(void) {
    setup();
    atomic_store(&shared.slot.word, 1u << BL_ATTEMPT_SHIFT | BL_RUNNING);
    return &shared;
}

static void finish(state *s, uint32_t attempt, unsigned how) {
    uint32_t seen;
    if (bl_slot_finish(&s->slot, attempt, how, &seen) == BL_OK) {
        MODEL_CHECK(bl_word_attempt(seen) == attempt);
        bl_add_relaxed(&s->ends, 1);
    }
}

static void work(void *arg) {
    state *s = arg;
    uint32_t attempt;
    uint32_t seen;
    if (bl_slot_claim(&s->slot, &attempt, &seen) == BL_OK) {
        bl_add_relaxed(&s->claims, 1);
        finish(s, attempt, BL_COMPLETED);
    }
}

static void cancel(void *arg) {
    state *s = arg;
    uint32_t seen;
    if (bl_slot_cancel(&s->slot, &seen) == BL_OK) {
        bl_add_relaxed(&s->cancels, 1);
        bl_add_relaxed(&s->ends, 1);
    }
}

static void flag(void *arg) {
    state *s = arg;
    uint32_t seen;
    (void)bl_slot_flag(&s->slot, BL_F_WAITERS, &seen);
}

static void one_winner(void *arg) {
    state *s = arg;
    MODEL_CHECK(s->ends == 1 && s->claims + s->cancels == 1);
    MODEL_CHECK(bl_word_state(s->slot.word) == (s->claims == 1 ? BL_COMPLETED : BL_CANCELLED));
}

/* The first attempt comes late, its retry runs meanwhile. */
static void time_out_and_retry(void *arg) {
    state *s = arg;
    uint32_t seen;
    if (bl_slot_retry(&s->slot, 1, BL_DELAYED, &seen) == BL_OK) {
        MODEL_CHECK(bl_slot_ready(&s->slot, &seen) == BL_OK || bl_word_state(seen) == BL_CANCELLED);
        work(s);
    }
}

/* The keeper at a deadline: holds the task for itself, then ends it or hands it to the next attempt. */
static void hold_and_retry(void *arg) {
    state *s = arg;
    uint32_t seen;
    if (bl_slot_hold(&s->slot, 1) == BL_OK) {
        MODEL_CHECK(bl_slot_retry(&s->slot, 2, BL_QUEUED, &seen) == BL_OK);
    }
}

static void come_late(void *arg) { finish(arg, 1, BL_COMPLETED); }

static void time_out_for_good(void *arg) { finish(arg, 1, BL_FAILED); }

static void one_end(void *arg) {
    state *s = arg;
    MODEL_CHECK(s->ends == 1 && bl_word_terminal(s->slot.word));
    MODEL_CHECK(s->claims == 0 || bl_word_attempt(s->slot.word) == 2);
}

static void one_end_or_waiting(void *arg) {
    state *s = arg;
    MODEL_CHECK(s->ends == (bl_word_terminal(s->slot.word) ? 1u : 0u));
    MODEL_CHECK(bl_word_state(s->slot.word) != BL_RUNNING);
    MODEL_CHECK(s->claims == 0 || bl_word_attempt(s->slot.word) == 3);
}

static void claim_in_two_steps(void *arg) { /* the seeded bug: looks, then stores */
    state *s = arg;
    uint32_t word = bl_load_acquire(&s->slot.word);
    if (bl_word_state(word) == BL_QUEUED) {
        bl_store_release(&s->slot.word, 1u << BL_ATTEMPT_SHIFT | BL_RUNNING);
        bl_add_relaxed(&s->claims, 1);
        finish(s, 1, BL_COMPLETED);
    }
}

int main(void) {
    bl_model_must_hold(&(bl_model){"claim, cancel, expire", setup, {work, cancel, cancel, flag}, one_winner, NULL, 3});
    bl_model_must_hold(&(bl_model){"two workers, cancel", setup, {work, work, cancel, flag}, one_winner, NULL, 3});
    bl_model_must_hold(&(bl_model){"late attempt, retry, cancel", setup_running, {come_late, time_out_and_retry, cancel},
                                   one_end, NULL, 4});
    bl_model_must_hold(&(bl_model){"late attempt, retry, time-out", setup_running,
                                   {come_late, time_out_and_retry, time_out_for_good, flag}, one_end, NULL, 3});
    bl_model_must_hold(&(bl_model){"late attempt, hold, next attempt, cancel", setup_running,
                                   {come_late, hold_and_retry, work, cancel}, one_end_or_waiting, NULL, 3});
    bl_model_must_break(&(bl_model){"claim in two steps", setup, {claim_in_two_steps, cancel}, one_winner, NULL, 1},
                        "failed");
    return 0;
}
