/* park.c: see park.h.
 *
 * DESIGN of the event count
 * `waiters` holds two counts: W, the registered waiters (low half), and S, the signals that were given and
 * not yet used up (high half), S <= W. A notify that finds W > S adds a signal, moves the epoch and wakes
 * one thread; one that finds W == S has nothing to do, because every registered waiter is on its way out
 * already and will look for work after this moment. A leaving waiter takes itself out of W and uses up one
 * signal if there is any, no matter whose: that can only cause a wake-up too many.
 *
 * Why S never covers a waiter that stays asleep: the key is read before W grows, and the epoch moves after
 * S grew, so whoever a signal counted has an old key and either is asleep (then one of them is woken) or
 * finds the epoch moved and does not fall asleep.
 *
 * A nudge does nothing while S > 0. Whoever then takes itself out of W does so after the nudge's load, so its look
 * sees the work. That holds for one that cancels, too: it may use up the signal of somebody who was not asleep yet and
 * wake nobody by that, hence its look after the cancel.
 *
 * The handshake with the work itself needs the work's last store and the waiter's look at it to be seq_cst
 * (or any locked operation): ring.c, lane.c and queue.c say where theirs are.
 *
 * It does not spin and knows neither queues nor threads.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* clock_gettime and syscall under -std=c11 */
#endif

#include "park.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#if defined(BL_MODEL)
#define BL_PARK_MODEL 1
#elif defined(__linux__) && !defined(BL_NO_FUTEX)
#define BL_PARK_FUTEX 1
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#define BL_PARK_COND 1
#include <pthread.h>
#endif

#define NANO INT64_C(1000000000)

int64_t bl_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NANO + now.tv_nsec;
}

#ifndef BL_PARK_MODEL
static struct timespec to_timespec(int64_t nanoseconds) {
    int64_t at = nanoseconds > 0 ? nanoseconds : 0;
    struct timespec spec = {.tv_sec = (time_t)(at / NANO), .tv_nsec = (long)(at % NANO)};
    return spec;
}
#endif

#if defined(BL_PARK_FUTEX)

int bl_addr_wait(bl_a32 *word, uint32_t expected, int64_t deadline) {
    struct timespec until = to_timespec(deadline);
    /* WAIT_BITSET: its time-out is an absolute CLOCK_MONOTONIC time. */
    long rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
                      deadline == INT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    if (rc == 0 || errno == EAGAIN) {
        return BL_OK;
    }
    return errno == EINTR ? BL_AGAIN : BL_TIMEOUT;
}

void bl_addr_wake(bl_a32 *word, int count) {
    (void)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}

#elif defined(BL_PARK_COND)

/* Words share buckets, so a wake-up wakes the whole bucket; a waiter may return without cause anyway. A
 * condition variable does not return on a signal: long sleeps end as BL_AGAIN every SLICE, so that the
 * caller can look for one. */
#define BUCKETS 64
#define SLICE (NANO / 20)

typedef struct bucket {
    _Alignas(BL_CACHE_LINE) pthread_mutex_t lock;
    pthread_cond_t changed;
} bucket;

static bucket buckets[BUCKETS];
static pthread_once_t buckets_once = PTHREAD_ONCE_INIT;

static void init_buckets(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifndef __APPLE__
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    for (int i = 0; i < BUCKETS; i++) {
        pthread_mutex_init(&buckets[i].lock, NULL);
        pthread_cond_init(&buckets[i].changed, &attributes);
    }
    pthread_condattr_destroy(&attributes);
}

static bucket *bucket_of(const bl_a32 *word) {
    pthread_once(&buckets_once, init_buckets);
    return &buckets[((uintptr_t)word >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 58];
}

static int timed_wait(bucket *b, int64_t now, int64_t until) {
#ifdef __APPLE__
    struct timespec wait = to_timespec(until - now);
    return pthread_cond_timedwait_relative_np(&b->changed, &b->lock, &wait);
#else
    struct timespec at = to_timespec(until);
    (void)now;
    return pthread_cond_timedwait(&b->changed, &b->lock, &at);
#endif
}

int bl_addr_wait(bl_a32 *word, uint32_t expected, int64_t deadline) {
    bucket *b = bucket_of(word);
    int rc = BL_OK;
    pthread_mutex_lock(&b->lock);
    /* Partner: whoever changed the word takes the lock in bl_addr_wake afterwards. */
    if (bl_load_acquire(word) == expected) {
        int64_t now = bl_now();
        if (deadline <= now) {
            rc = BL_TIMEOUT;
        } else {
            bool sliced = deadline - now > SLICE;
            if (timed_wait(b, now, sliced ? now + SLICE : deadline) == ETIMEDOUT) {
                rc = sliced ? BL_AGAIN : BL_TIMEOUT;
            }
        }
    }
    pthread_mutex_unlock(&b->lock);
    return rc;
}

void bl_addr_wake(bl_a32 *word, int count) {
    bucket *b = bucket_of(word);
    (void)count;
    pthread_mutex_lock(&b->lock);
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

#else

int bl_addr_wait(bl_a32 *word, uint32_t expected, int64_t deadline) { return bl_model_wait(word, expected, deadline); }

void bl_addr_wake(bl_a32 *word, int count) { bl_model_wake(word, count); }

#endif

#define ONE_WAITER UINT32_C(1)
#define ONE_SIGNAL (UINT32_C(1) << 16)

static uint32_t registered(uint32_t counts) { return counts & (ONE_SIGNAL - 1); }

static uint32_t signals(uint32_t counts) { return counts >> 16; }

void bl_ec_init(bl_ec *ec) {
    atomic_init(&ec->epoch, 0);
    atomic_init(&ec->waiters, 0);
}

uint32_t bl_ec_prepare(bl_ec *ec) {
    uint32_t key = bl_load_seq(&ec->epoch); /* partner: the add in notify; has to come before the next line */
    bl_add_seq(&ec->waiters, ONE_WAITER);   /* partner: the load in notify */
    return key;
}

static void leave(bl_ec *ec) {
    uint32_t counts = bl_load_relaxed(&ec->waiters);
    /* Partner: the swap in notify and nudge. seq: one that saw us covered happened before the look that follows. */
    while (!bl_cas_seq(&ec->waiters, &counts, counts - ONE_WAITER - (signals(counts) > 0 ? ONE_SIGNAL : 0))) {
    }
}

void bl_ec_cancel(bl_ec *ec) { leave(ec); }

int bl_ec_wait(bl_ec *ec, uint32_t key, int64_t deadline) {
    int rc = BL_OK;
    if (bl_load_acquire(&ec->epoch) == key) { /* saves the system call; partner: the add in notify */
        rc = bl_addr_wait(&ec->epoch, key, deadline);
    }
    leave(ec);
    return rc;
}

static void wake_one(bl_ec *ec) {
    bl_add_seq(&ec->epoch, 1); /* partner: the load in prepare */
    bl_addr_wake(&ec->epoch, 1);
}

bool bl_ec_notify(bl_ec *ec) {
    uint32_t counts = bl_load_seq(&ec->waiters); /* partner: the add in prepare */
    do {
        if (registered(counts) <= signals(counts)) {
            return false;
        }
    } while (!bl_cas_seq(&ec->waiters, &counts, counts + ONE_SIGNAL));
    wake_one(ec);
    return true;
}

bool bl_ec_nudge(bl_ec *ec) {
    uint32_t counts = bl_load_seq(&ec->waiters); /* partners: the add in prepare, the swap in leave */
    do {
        if (signals(counts) > 0) {
            return true;
        }
        if (registered(counts) == 0) {
            return false;
        }
    } while (!bl_cas_seq(&ec->waiters, &counts, counts + ONE_SIGNAL));
    wake_one(ec);
    return true;
}

void bl_ec_notify_all(bl_ec *ec) {
    if (registered(bl_load_seq(&ec->waiters)) > 0) { /* partner: the add in prepare */
        bl_add_seq(&ec->epoch, 1);                   /* partner: the load in prepare */
        bl_addr_wake(&ec->epoch, INT_MAX);
    }
}

uint32_t bl_ec_waiters(const bl_ec *ec) {
    uint32_t counts = bl_load_seq(&ec->waiters); /* partner: the add in prepare */
    return registered(counts) - signals(counts);
}

/* The mutex's word: 0 free, 1 held, 2 held and somebody may sleep. lock's acquire pairs with unlock's release. */
void bl_mutex_lock(bl_mutex *mutex) {
    uint32_t seen = 0;
    if (bl_cas_acq_rel(&mutex->word, &seen, 1)) {
        return;
    }
    while (bl_xchg_acq_rel(&mutex->word, 2) != 0) {
        (void)bl_addr_wait(&mutex->word, 2, INT64_MAX);
    }
}

void bl_mutex_unlock(bl_mutex *mutex) {
    if (bl_xchg_acq_rel(&mutex->word, 0) == 2) {
        bl_addr_wake(&mutex->word, 1);
    }
}
