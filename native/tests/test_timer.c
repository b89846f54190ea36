/* test_timer.c: the timer heap against a plain list, without memory, and from several threads. */
#include "timer.h"

#include "check.h"
#include "mem.h"

enum { COUNT = 300 };

typedef struct model {
    bl_slot slots[COUNT];
    int64_t when[COUNT];
    uint64_t order[COUNT]; /* 0: not in it */
    uint64_t next_order;
    size_t count;
} model;

static long earliest(const model *m) {
    long best = -1;
    for (long i = 0; i < COUNT; i++) {
        if (m->order[i] != 0 && (best < 0 || m->when[i] < m->when[best] ||
                                 (m->when[i] == m->when[best] && m->order[i] < m->order[best]))) {
            best = i;
        }
    }
    return best;
}

static void step(model *m, bl_timers *timers, uint64_t dice) {
    size_t at = dice % COUNT;
    bl_slot *slot = &m->slots[at];
    switch (dice >> 32 & 3) {
    case 0:
    case 1:
        if (m->order[at] == 0) {
            bool first;
            m->when[at] = (int64_t)(dice >> 40 & 31);
            m->order[at] = ++m->next_order;
            m->count++;
            CHECK(bl_timers_add(timers, slot, m->when[at], &first) == BL_OK);
            CHECK(first == (earliest(m) == (long)at));
        }
        break;
    case 2:
        CHECK(bl_timers_remove(timers, slot) == (m->order[at] != 0 ? BL_OK : BL_EMPTY));
        m->count -= m->order[at] != 0;
        m->order[at] = 0;
        break;
    default: {
        int64_t now = (int64_t)(dice >> 40 & 31);
        long due = earliest(m);
        bl_slot *expected = due >= 0 && m->when[due] <= now ? &m->slots[due] : NULL;
        CHECK(bl_timers_pop_due(timers, now) == expected);
        if (expected != NULL) {
            m->order[due] = 0;
            m->count--;
        }
    }
    }
}

static void test_against_a_list(void) {
    for (uint64_t seed = 1; seed <= 5; seed++) {
        model *m = calloc(1, sizeof *m);
        bl_timers *timers = bl_timers_new();
        uint64_t random = seed;
        CHECK(m != NULL && timers != NULL);
        for (int i = 0; i < COUNT; i++) {
            m->slots[i].timer_at = BL_NO_TIMER;
        }
        for (int i = 0; i < 20000 / SCALE; i++) {
            step(m, timers, next_random(&random));
            long first = earliest(m);
            CHECK(bl_timers_next(timers) == (first >= 0 ? m->when[first] : BL_NEVER));
            CHECK(bl_timers_count(timers) == m->count);
        }
        bl_timers_free(timers);
        free(m);
    }
}

static void test_equal_times_leave_in_order(void) {
    static bl_slot slots[COUNT];
    bl_timers *timers = bl_timers_new();
    bool first;
    for (int i = 0; i < COUNT; i++) {
        slots[i].timer_at = BL_NO_TIMER;
        CHECK(bl_timers_add(timers, &slots[i], 7, &first) == BL_OK && first == (i == 0));
    }
    size_t full = bl_timers_bytes(timers);
    CHECK(bl_timers_pop_due(timers, 6) == NULL);
    for (int i = 0; i < COUNT; i++) {
        CHECK(bl_timers_pop_due(timers, 7) == &slots[i]);
        CHECK(slots[i].timer_at == BL_NO_TIMER);
    }
    CHECK(bl_timers_pop_due(timers, INT64_MAX) == NULL && bl_timers_next(timers) == BL_NEVER);
    CHECK(bl_timers_bytes(timers) < full); /* gives memory back */
    bl_timers_free(timers);
}

static void test_no_memory(void) {
    static bl_slot slots[COUNT];
    size_t before = bl_mem_in_use();
    bl_mem_fail_after(0);
    CHECK(bl_timers_new() == NULL);
    bl_mem_fail_after(-1);
    bl_timers *timers = bl_timers_new();
    size_t failed = 0;
    bool first;
    for (size_t i = 0; i < COUNT; i++) {
        slots[i].timer_at = BL_NO_TIMER;
        bl_mem_fail_after(0);
        int rc = bl_timers_add(timers, &slots[i], (int64_t)(COUNT - i), &first);
        bl_mem_fail_after(-1);
        if (rc != BL_OK) {
            failed++;
            CHECK(rc == BL_NOMEM && slots[i].timer_at == BL_NO_TIMER && bl_timers_count(timers) == i);
            CHECK(bl_timers_remove(timers, &slots[i]) == BL_EMPTY);
            CHECK(bl_timers_add(timers, &slots[i], (int64_t)(COUNT - i), &first) == BL_OK);
        }
    }
    CHECK(failed > 1);
    bl_mem_fail_after(0); /* shrinking may fail; nothing may be lost by it */
    for (size_t i = COUNT; i-- > 0;) {
        CHECK(bl_timers_pop_due(timers, INT64_MAX) == &slots[i]);
    }
    bl_mem_fail_after(-1);
    bl_timers_free(timers);
    CHECK(bl_mem_in_use() == before);
}

enum { SHARE = 4000 / SCALE, ADDERS = 2 };

typedef struct shared {
    bl_timers *timers;
    bl_slot slots[ADDERS * SHARE];
    bl_a32 left[ADDERS * SHARE]; /* how often a slot left, by removal or when due */
    bl_a64 total;
} shared;

static void leave(shared *s, const bl_slot *slot) {
    CHECK(atomic_fetch_add(&s->left[slot - s->slots], 1) == 0);
    atomic_fetch_add(&s->total, 1);
}

static void work(unsigned index, void *arg) {
    shared *s = arg;
    uint64_t random = index + 1;
    bool first;
    if (index < ADDERS) {
        for (size_t i = 0; i < SHARE; i++) {
            bl_slot *slot = &s->slots[index * SHARE + i];
            CHECK(bl_timers_add(s->timers, slot, (int64_t)(next_random(&random) % 1000), &first) == BL_OK);
        }
        return;
    }
    while (atomic_load(&s->total) < ADDERS * SHARE) {
        uint64_t dice = next_random(&random);
        if (dice % 2 == 0) {
            bl_slot *slot = &s->slots[dice / 2 % (ADDERS * SHARE)];
            if (bl_timers_remove(s->timers, slot) == BL_OK) {
                leave(s, slot);
            }
        } else {
            bl_slot *slot = bl_timers_pop_due(s->timers, (int64_t)(dice / 2 % 1000));
            if (slot != NULL) {
                leave(s, slot);
            }
        }
    }
}

static void test_each_leaves_once(void) {
    shared *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->timers = bl_timers_new();
    for (size_t i = 0; i < ADDERS * SHARE; i++) {
        s->slots[i].timer_at = BL_NO_TIMER;
    }
    run_crew(ADDERS + 3, work, s);
    CHECK(bl_timers_count(s->timers) == 0);
    bl_timers_free(s->timers);
    free(s);
}

int main(void) {
    RUN(test_against_a_list);
    RUN(test_equal_times_leave_in_order);
    RUN(test_no_memory);
    RUN(test_each_leaves_once);
    CHECK(bl_mem_in_use() == 0);
    return 0;
}
