/* test_slots.c: the state word: which transition is allowed from where, and that exactly one party wins. */
#include "slots.h"

#include "check.h"

#define FLAGS (BL_F_WAITERS | BL_F_CALLBACKS | BL_F_CANCEL | BL_F_FORGET)

static uint32_t word_of(unsigned state, uint32_t attempt, uint32_t flags) {
    return attempt << BL_ATTEMPT_SHIFT | flags | state;
}

static void set(bl_slot *slot, uint32_t word) { atomic_store(&slot->word, word); }

static uint32_t get(bl_slot *slot) { return atomic_load(&slot->word); }

static void test_truth_table(void) {
    for (unsigned state = BL_DELAYED; state <= BL_CANCELLED; state++) {
        uint32_t start = word_of(state, 7, FLAGS);
        bl_slot slot = {.id = 1};
        uint32_t seen = 0;
        uint32_t attempt = 0;

        set(&slot, start);
        CHECK(bl_slot_claim(&slot, &attempt, &seen) == (state == BL_QUEUED ? BL_OK : BL_LOST) && seen == start);
        CHECK(get(&slot) == (state == BL_QUEUED ? word_of(BL_RUNNING, 8, FLAGS) : start));
        CHECK(attempt == (state == BL_QUEUED ? 8 : 0));

        set(&slot, start);
        CHECK(bl_slot_ready(&slot, &seen) == (state == BL_DELAYED ? BL_OK : BL_LOST) && seen == start);
        CHECK(get(&slot) == (state == BL_DELAYED ? word_of(BL_QUEUED, 7, FLAGS) : start));

        set(&slot, start);
        bool waiting = state == BL_DELAYED || state == BL_QUEUED;
        CHECK(bl_slot_cancel(&slot, &seen) == (waiting ? BL_OK : BL_LOST) && seen == start);
        CHECK(get(&slot) == (waiting ? word_of(BL_CANCELLED, 7, FLAGS) : start));

        for (unsigned end = BL_COMPLETED; end <= BL_CANCELLED; end++) {
            set(&slot, start);
            CHECK(bl_slot_finish(&slot, 7, end, &seen) == (state == BL_RUNNING ? BL_OK : BL_LOST) && seen == start);
            CHECK(get(&slot) == (state == BL_RUNNING ? word_of(end, 7, FLAGS) : start));
            set(&slot, start);
            CHECK(bl_slot_finish(&slot, 6, end, &seen) == BL_LOST && get(&slot) == start);
        }
        for (unsigned again = BL_DELAYED; again <= BL_QUEUED; again++) {
            set(&slot, start);
            CHECK(bl_slot_retry(&slot, 7, again, &seen) == (state == BL_RUNNING ? BL_OK : BL_LOST) && seen == start);
            CHECK(get(&slot) == (state == BL_RUNNING ? word_of(again, 7, FLAGS & ~BL_F_CANCEL) : start));
            set(&slot, start);
            CHECK(bl_slot_retry(&slot, 8, again, &seen) == BL_LOST && get(&slot) == start);
        }
        set(&slot, start);
        CHECK(bl_slot_hold(&slot, 6) == BL_LOST && get(&slot) == start);
        CHECK(bl_slot_hold(&slot, 7) == (state == BL_RUNNING ? BL_OK : BL_LOST));
        CHECK(get(&slot) == (state == BL_RUNNING ? word_of(BL_RUNNING, 8, FLAGS) : start));

        set(&slot, word_of(state, 7, 0));
        CHECK(bl_slot_flag(&slot, BL_F_WAITERS, &seen) == (state < BL_COMPLETED ? BL_OK : BL_LOST));
        CHECK(seen == word_of(state, 7, 0));
        CHECK(get(&slot) == word_of(state, 7, state < BL_COMPLETED ? BL_F_WAITERS : 0));
    }
}

static void test_late_attempt_cannot_finish(void) {
    bl_slot slot = {.id = 1};
    uint32_t seen;
    uint32_t first;
    uint32_t second;
    set(&slot, word_of(BL_QUEUED, 0, 0));
    CHECK(bl_slot_claim(&slot, &first, &seen) == BL_OK && first == 1);
    CHECK(bl_slot_retry(&slot, first, BL_DELAYED, &seen) == BL_OK);
    CHECK(bl_slot_finish(&slot, first, BL_COMPLETED, &seen) == BL_LOST);
    CHECK(bl_slot_ready(&slot, &seen) == BL_OK);
    CHECK(bl_slot_finish(&slot, first, BL_COMPLETED, &seen) == BL_LOST);
    CHECK(bl_slot_claim(&slot, &second, &seen) == BL_OK && second == 2);
    CHECK(bl_slot_finish(&slot, first, BL_COMPLETED, &seen) == BL_LOST);
    CHECK(bl_slot_retry(&slot, first, BL_QUEUED, &seen) == BL_LOST);
    CHECK(bl_slot_finish(&slot, second, BL_FAILED, &seen) == BL_OK);
    CHECK(bl_word_terminal(get(&slot)) && bl_word_state(get(&slot)) == BL_FAILED && bl_word_attempt(get(&slot)) == 2);
}

/* Every thread tries its transition on every slot of a list; who won is counted per slot. */
#define RACERS 6

typedef struct race {
    bl_slot *slots;
    bl_a32 *wins;
    size_t count;
    uint32_t base; /* attempt the slots start with */
} race;

static void race_claim_cancel(unsigned index, void *arg) {
    race *r = arg;
    for (size_t i = 0; i < r->count; i++) {
        uint32_t seen;
        uint32_t attempt;
        uint32_t flag_seen;
        if (index == 0) {
            (void)bl_slot_flag(&r->slots[i], BL_F_WAITERS, &flag_seen); /* flags come in between */
            continue;
        }
        int rc = index % 2 == 0 ? bl_slot_claim(&r->slots[i], &attempt, &seen) : bl_slot_cancel(&r->slots[i], &seen);
        if (rc == BL_OK) {
            CHECK(bl_word_state(seen) == BL_QUEUED);
            CHECK(index % 2 != 0 || attempt == 1);
            atomic_fetch_add_explicit(&r->wins[i], 1, memory_order_relaxed);
        }
    }
}

static void race_finish_retry(unsigned index, void *arg) {
    race *r = arg;
    for (size_t i = 0; i < r->count; i++) {
        bl_slot *slot = &r->slots[i];
        uint32_t seen;
        int rc = index % 2 == 0 ? bl_slot_finish(slot, r->base, BL_COMPLETED, &seen)
                                : bl_slot_finish(slot, r->base, BL_FAILED, &seen); /* the time limit */
        if (index == RACERS - 1 && rc != BL_OK) {
            rc = bl_slot_retry(slot, r->base, BL_DELAYED, &seen);
        }
        CHECK(bl_slot_finish(slot, r->base - 1, BL_COMPLETED, &seen) == BL_LOST); /* a late one */
        if (rc == BL_OK) {
            atomic_fetch_add_explicit(&r->wins[i], 1, memory_order_relaxed);
        }
    }
}

static void run_race(void (*run)(unsigned, void *), uint32_t start) {
    race r = {.count = 60000 / SCALE, .base = bl_word_attempt(start)};
    r.slots = calloc(r.count, sizeof *r.slots);
    r.wins = calloc(r.count, sizeof *r.wins);
    CHECK(r.slots != NULL && r.wins != NULL);
    for (size_t i = 0; i < r.count; i++) {
        set(&r.slots[i], start);
    }
    run_crew(RACERS, run, &r);
    for (size_t i = 0; i < r.count; i++) {
        CHECK(atomic_load(&r.wins[i]) == 1);
    }
    free(r.slots);
    free(r.wins);
}

static void test_claim_cancel_expire_one_winner(void) { run_race(race_claim_cancel, word_of(BL_QUEUED, 0, 0)); }

static void test_finish_time_out_retry_one_winner(void) { run_race(race_finish_retry, word_of(BL_RUNNING, 3, 0)); }

int main(void) {
    RUN(test_truth_table);
    RUN(test_late_attempt_cannot_finish);
    RUN(test_claim_cancel_expire_one_winner);
    RUN(test_finish_time_out_retry_one_winner);
    return 0;
}
