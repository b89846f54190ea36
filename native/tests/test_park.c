/* test_park.c: waiting on a word, the event count, the mutex. A lost wake-up hangs and the watchdog ends the
 * program. The handshake's interleavings one by one are explored in model_park.c.
 */
#include "park.h"

#include <limits.h>
#include <signal.h>

#include "check.h"
#include "ring.h"

#define MILLI INT64_C(1000000)

static void test_wait_returns_without_sleeping(void) {
    bl_a32 word = 5;
    CHECK(bl_addr_wait(&word, 4, INT64_MAX) == BL_OK);
    int64_t before = bl_now();
    CHECK(bl_addr_wait(&word, 5, before - 1) == BL_TIMEOUT);
    CHECK(bl_addr_wait(&word, 5, 0) == BL_TIMEOUT);
    CHECK(bl_addr_wait(&word, 5, -7) == BL_TIMEOUT);
    bl_addr_wake(&word, 1); /* nobody there: harmless */
}

static void test_deadline(void) {
    bl_a32 word = 0;
    int64_t deadline = bl_now() + 120 * MILLI;
    int rc;
    do {
        rc = bl_addr_wait(&word, 0, deadline);
    } while (rc != BL_TIMEOUT);
    CHECK(bl_now() >= deadline);
    bl_ec ec;
    bl_ec_init(&ec);
    uint32_t key = bl_ec_prepare(&ec);
    CHECK(bl_ec_waiters(&ec) == 1);
    CHECK(bl_ec_wait(&ec, key, bl_now() + 5 * MILLI) == BL_TIMEOUT);
    CHECK(bl_ec_waiters(&ec) == 0);
}

static void test_notify_counts(void) {
    bl_ec ec;
    bl_ec_init(&ec);
    CHECK(!bl_ec_notify(&ec));
    uint32_t first = bl_ec_prepare(&ec);
    uint32_t second = bl_ec_prepare(&ec);
    CHECK(bl_ec_waiters(&ec) == 2);
    CHECK(bl_ec_notify(&ec));
    CHECK(bl_ec_waiters(&ec) == 1);
    CHECK(bl_ec_notify(&ec));
    CHECK(!bl_ec_notify(&ec)); /* both are on their way: nothing to wake */
    CHECK(bl_ec_wait(&ec, first, INT64_MAX) == BL_OK);
    bl_ec_cancel(&ec);
    CHECK(bl_ec_waiters(&ec) == 0 && !bl_ec_notify(&ec));
    (void)second;
    first = bl_ec_prepare(&ec);
    CHECK(bl_ec_notify(&ec)); /* a signal used up is not missing later */
    CHECK(bl_ec_wait(&ec, first, INT64_MAX) == BL_OK);
    first = bl_ec_prepare(&ec);
    bl_ec_notify_all(&ec);
    CHECK(bl_ec_wait(&ec, first, INT64_MAX) == BL_OK);
    CHECK(bl_ec_waiters(&ec) == 0);
}

static void test_nudge_counts(void) {
    bl_ec ec;
    bl_ec_init(&ec);
    CHECK(!bl_ec_nudge(&ec));
    uint32_t first = bl_ec_prepare(&ec);
    (void)bl_ec_prepare(&ec);
    CHECK(bl_ec_nudge(&ec) && bl_ec_waiters(&ec) == 1);
    CHECK(bl_ec_nudge(&ec) && bl_ec_waiters(&ec) == 1); /* one is on its way: the other is left asleep */
    CHECK(bl_ec_notify(&ec) && bl_ec_waiters(&ec) == 0); /* a notify does not wait for it */
    CHECK(bl_ec_nudge(&ec));
    CHECK(bl_ec_wait(&ec, first, INT64_MAX) == BL_OK);
    bl_ec_cancel(&ec);
    CHECK(bl_ec_waiters(&ec) == 0 && !bl_ec_nudge(&ec));
}

static bl_a32 sleeper_state; /* 0 before, 1 about to wait, 2 returned */
static bl_a32 sleeper_rc;
static bl_a32 sleeper_word;

static void on_signal(int number) { (void)number; }

static void *sleeper(void *arg) {
    (void)arg;
    atomic_store(&sleeper_state, 1);
    atomic_store(&sleeper_rc, (uint32_t)-bl_addr_wait(&sleeper_word, 0, INT64_MAX));
    atomic_store(&sleeper_state, 2);
    return NULL;
}

static void test_signal_ends_the_wait(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    pthread_t thread;
    atomic_store(&sleeper_state, 0);
    CHECK(pthread_create(&thread, NULL, sleeper, NULL) == 0);
    while (atomic_load(&sleeper_state) == 0) {
        sched_yield();
    }
    while (atomic_load(&sleeper_state) != 2) { /* once it sleeps, the next signal ends it */
        pthread_kill(thread, SIGUSR1);
        sched_yield();
    }
    CHECK((int)atomic_load(&sleeper_rc) == -BL_AGAIN);
    pthread_join(thread, NULL);
}

/* One item at a time, and the producer waits for the answer: every wake-up counts. */
typedef struct pingpong {
    bl_ec there, back;
    bl_a32 ball; /* stored seq, looked at seq: the work of the handshake */
    uint32_t rounds;
} pingpong;

static void await(bl_ec *ec, bl_a32 *word, uint32_t value) {
    while (bl_load_seq(word) != value) {
        uint32_t key = bl_ec_prepare(ec);
        if (bl_load_seq(word) == value) {
            bl_ec_cancel(ec);
            break;
        }
        (void)bl_ec_wait(ec, key, INT64_MAX);
    }
}

static void play(unsigned index, void *arg) {
    pingpong *p = arg;
    for (uint32_t i = 0; i < p->rounds; i++) {
        if (index == 0) {
            bl_store_seq(&p->ball, 2 * i + 1);
            bl_ec_notify(&p->there);
            await(&p->back, &p->ball, 2 * i + 2);
        } else {
            await(&p->there, &p->ball, 2 * i + 1);
            bl_store_seq(&p->ball, 2 * i + 2);
            bl_ec_notify(&p->back);
        }
    }
}

static void test_ping_pong(void) {
    pingpong p = {.rounds = 20000 / SCALE};
    bl_ec_init(&p.there);
    bl_ec_init(&p.back);
    run_crew(2, play, &p);
    CHECK(bl_ec_waiters(&p.there) == 0 && bl_ec_waiters(&p.back) == 0);
}

typedef struct shared {
    bl_ring *ring;
    bl_ec work, room;
    tags t;
} shared;

static void produce(shared *s, unsigned index) {
    for (uint64_t i = 0; i < s->t.each; i++) {
        void *item = (void *)(uintptr_t)tag(index, i);
        while (bl_ring_push(s->ring, item) != BL_OK) {
            uint32_t key = bl_ec_prepare(&s->room);
            if (bl_ring_push(s->ring, item) == BL_OK) {
                bl_ec_cancel(&s->room);
                break;
            }
            /* "Full" may also mean a popper between its two steps, and the ring does not promise the waker's half
             * of the handshake on that side: hence the deadline. */
            (void)bl_ec_wait(&s->room, key, bl_now() + MILLI);
        }
        bl_ec_notify(&s->work);
    }
}

static void consume(shared *s) {
    tag_order order = {{0}};
    while (!tags_all_taken(&s->t)) {
        void *got = bl_ring_pop(s->ring);
        if (got == NULL) {
            uint32_t key = bl_ec_prepare(&s->work);
            got = bl_ring_pop(s->ring);
            if (got == NULL && !tags_all_taken(&s->t)) {
                (void)bl_ec_wait(&s->work, key, INT64_MAX);
                continue;
            }
            bl_ec_cancel(&s->work);
        }
        if (got != NULL) {
            tags_take(&s->t, &order, (uint64_t)(uintptr_t)got);
            bl_ec_notify(&s->room);
            if (!bl_ring_idle(s->ring)) {
                bl_ec_notify(&s->work); /* items that stood behind an unfinished push had their notify already */
            }
        }
        if (tags_all_taken(&s->t)) {
            bl_ec_notify_all(&s->work);
        }
    }
}

static void work(unsigned index, void *arg) {
    shared *s = arg;
    if (index < s->t.producers) {
        produce(s, index);
    } else {
        consume(s);
    }
}

static void test_no_lost_wake_up(void) {
    static const unsigned crews[][2] = {{1, 1}, {1, 3}, {3, 1}, {2, 2}, {8, 8}};
    for (size_t c = 0; c < sizeof crews / sizeof *crews; c++) {
        shared s = {.ring = bl_ring_new(64)};
        bl_ec_init(&s.work);
        bl_ec_init(&s.room);
        tags_init(&s.t, crews[c][0], 30000 / SCALE / crews[c][0]);
        run_crew(crews[c][0] + crews[c][1], work, &s);
        CHECK(bl_ec_waiters(&s.work) == 0 && bl_ec_waiters(&s.room) == 0);
        tags_finish(&s.t);
        bl_ring_free(s.ring);
    }
}

typedef struct counted {
    bl_mutex lock;
    uint64_t plain; /* guarded by lock: ThreadSanitizer would see a hole */
} counted;

static void add_many(unsigned index, void *arg) {
    counted *c = arg;
    (void)index;
    for (int i = 0; i < 30000 / SCALE; i++) {
        bl_mutex_lock(&c->lock);
        c->plain++;
        if (i % 256 == 0) {
            sched_yield(); /* lets others run into the held lock */
        }
        bl_mutex_unlock(&c->lock);
    }
}

static void test_mutex(void) {
    counted c = {.plain = 0};
    run_crew(8, add_many, &c);
    CHECK(c.plain == 8 * (30000 / SCALE));
}

int main(void) {
    RUN(test_wait_returns_without_sleeping);
    RUN(test_deadline);
    RUN(test_notify_counts);
    RUN(test_nudge_counts);
    RUN(test_signal_ends_the_wait);
    RUN(test_ping_pong);
    RUN(test_no_lost_wake_up);
    RUN(test_mutex);
    return 0;
}
