/* test_pool.c: the pool of slots: distinct, reset, reused, counted, and whole after a failed allocation. */
#include "check.h"
#include "mem.h"
#include "slots.h"

enum { COUNT = 5000 };

static void check_reset(const bl_slot *slot) {
    CHECK(atomic_load(&slot->word) == BL_DELAYED);
    CHECK(slot->lane == 0 && slot->mark == 0 && slot->queue == 0 && slot->next == NULL && slot->seq == 0);
    CHECK(slot->id == 0 && slot->created == 0 && slot->started == 0 && slot->finished == 0 && slot->timeout == 0);
    CHECK(slot->due == BL_NEVER && slot->expires == BL_NEVER && slot->owner == NULL && slot->timer_at == BL_NO_TIMER);
}

static void scribble(bl_slot *slot) {
    uint32_t index = slot->index;
    memset(slot, 0x5a, sizeof *slot);
    slot->index = index;
}

static void test_take_give_reuse(void) {
    static bl_slot *slots[COUNT];
    static bool seen[2 * COUNT];
    bl_pool *pool = bl_pool_new();
    size_t reserved = 0;
    for (int round = 0; round < 3; round++) {
        memset(seen, 0, sizeof seen);
        for (size_t i = 0; i < COUNT; i++) {
            slots[i] = bl_pool_take(pool);
            CHECK(slots[i] != NULL && slots[i]->index < 2 * COUNT && !seen[slots[i]->index]);
            check_reset(slots[i]);
            seen[slots[i]->index] = true;
            CHECK(bl_pool_in_use(pool) == (i + 1) * sizeof(bl_slot));
            scribble(slots[i]);
        }
        CHECK(round == 0 || bl_pool_reserved(pool) == reserved);
        reserved = bl_pool_reserved(pool);
        CHECK(reserved >= COUNT * sizeof(bl_slot));
        for (size_t i = 0; i < COUNT; i++) {
            bl_pool_give(pool, slots[i]);
        }
        CHECK(bl_pool_in_use(pool) == 0);
    }
    bl_pool_free(pool);
}

static void test_reserve_ahead(void) {
    bl_pool *pool = bl_pool_new();
    CHECK(bl_pool_reserve(pool, COUNT) == BL_OK);
    size_t reserved = bl_pool_reserved(pool);
    CHECK(reserved >= COUNT * sizeof(bl_slot) && bl_pool_in_use(pool) == 0);
    bl_mem_fail_after(0); /* no allocation is needed any more */
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(bl_pool_take(pool) != NULL);
    }
    bl_mem_fail_after(-1);
    CHECK(bl_pool_reserved(pool) == reserved);
    bl_pool_free(pool);
}

static void test_no_memory(void) {
    static bl_slot *slots[COUNT];
    size_t before = bl_mem_in_use();
    bl_mem_fail_after(0);
    CHECK(bl_pool_new() == NULL);
    bl_mem_fail_after(-1);
    bl_pool *pool = bl_pool_new();
    size_t taken = 0;
    size_t failed = 0;
    while (taken < COUNT) {
        bl_mem_fail_after(0);
        slots[taken] = bl_pool_take(pool);
        bl_mem_fail_after(-1);
        if (slots[taken] == NULL) {
            failed++;
            CHECK(bl_pool_in_use(pool) == taken * sizeof(bl_slot));
            bl_mem_fail_after(0);
            CHECK(bl_pool_reserve(pool, taken + 1) == BL_NOMEM);
            bl_mem_fail_after(-1);
            slots[taken] = bl_pool_take(pool);
            CHECK(slots[taken] != NULL);
        }
        taken++;
    }
    CHECK(failed > 0);
    for (size_t i = 0; i < COUNT; i++) {
        bl_pool_give(pool, slots[i]);
    }
    bl_mem_fail_after(0);
    CHECK(bl_pool_take(pool) != NULL); /* what was given back serves without memory */
    bl_mem_fail_after(-1);
    bl_pool_free(pool);
    CHECK(bl_mem_in_use() == before);
}

typedef struct shared {
    bl_pool *pool;
    bl_a32 owned[200000];
    bl_aptr handed[64]; /* slots given to other threads to give back */
} shared;

static void take_and_give(unsigned index, void *arg) {
    shared *s = arg;
    bl_slot *mine[40];
    size_t count = 0;
    uint64_t random = index + 1;
    for (int i = 0; i < 100000 / SCALE; i++) {
        uint64_t dice = next_random(&random);
        if (count < 40 && dice % 2 == 0) {
            bl_slot *slot = bl_pool_take(s->pool);
            CHECK(slot != NULL && slot->index < 200000);
            CHECK(atomic_exchange_explicit(&s->owned[slot->index], index + 1, memory_order_relaxed) == 0);
            check_reset(slot);
            scribble(slot);
            mine[count++] = slot;
        } else if (count > 0) {
            /* Swap with the common board first, so that slots are given back by other threads too. */
            bl_slot *slot = mine[--count];
            slot = atomic_exchange_explicit(&s->handed[dice / 2 % 64], slot, memory_order_acq_rel);
            if (slot != NULL) {
                CHECK(atomic_exchange_explicit(&s->owned[slot->index], 0, memory_order_relaxed) != 0);
                bl_pool_give(s->pool, slot);
            }
        }
    }
    while (count > 0) {
        bl_slot *slot = mine[--count];
        CHECK(atomic_exchange_explicit(&s->owned[slot->index], 0, memory_order_relaxed) != 0);
        bl_pool_give(s->pool, slot);
    }
}

static void test_many_threads(void) {
    static const unsigned crews[] = {2, 4, 16};
    for (size_t c = 0; c < sizeof crews / sizeof *crews; c++) {
        shared *s = calloc(1, sizeof *s);
        CHECK(s != NULL);
        s->pool = bl_pool_new();
        run_crew(crews[c], take_and_give, s);
        size_t left = 0;
        for (size_t i = 0; i < 64; i++) {
            left += atomic_load(&s->handed[i]) != NULL;
        }
        CHECK(bl_pool_in_use(s->pool) == left * sizeof(bl_slot));
        bl_pool_free(s->pool);
        free(s);
    }
}

int main(void) {
    RUN(test_take_give_reuse);
    RUN(test_reserve_ahead);
    RUN(test_no_memory);
    RUN(test_many_threads);
    CHECK(bl_mem_in_use() == 0);
    return 0;
}
