/* atom.h: every atomic access of the core goes through these names.
 *
 * Why: a model build (BL_MODEL) maps them to a cooperative scheduler that explores interleavings
 * (native/tests/explore.h), and a reader finds each access with one search. Orders are part of the
 * name and belong to the operation; there are no stand-alone fences, because ThreadSanitizer does not
 * understand them.
 *
 * It does not provide locks, waiting or back-off: see park.h.
 */
#ifndef BL_ATOM_H
#define BL_ATOM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef BL_MODEL
#include "explore.h" /* bl_model_step(): a scheduling point before each access */
#define BL_STEP() bl_model_step()
#else
#define BL_STEP() ((void)0)
#endif

#define BL_CACHE_LINE 64

typedef _Atomic(uint32_t) bl_a32;
typedef _Atomic(uint64_t) bl_a64;
typedef _Atomic(int64_t) bl_ai64;
typedef _Atomic(void *) bl_aptr;

#define bl_load_relaxed(p) (BL_STEP(), atomic_load_explicit((p), memory_order_relaxed))
#define bl_load_acquire(p) (BL_STEP(), atomic_load_explicit((p), memory_order_acquire))
#define bl_load_seq(p) (BL_STEP(), atomic_load_explicit((p), memory_order_seq_cst))
#define bl_store_relaxed(p, v) (BL_STEP(), atomic_store_explicit((p), (v), memory_order_relaxed))
#define bl_store_release(p, v) (BL_STEP(), atomic_store_explicit((p), (v), memory_order_release))
#define bl_store_seq(p, v) (BL_STEP(), atomic_store_explicit((p), (v), memory_order_seq_cst))
#define bl_add_relaxed(p, v) (BL_STEP(), atomic_fetch_add_explicit((p), (v), memory_order_relaxed))
#define bl_add_acq_rel(p, v) (BL_STEP(), atomic_fetch_add_explicit((p), (v), memory_order_acq_rel))
#define bl_add_seq(p, v) (BL_STEP(), atomic_fetch_add_explicit((p), (v), memory_order_seq_cst))
#define bl_sub_relaxed(p, v) (BL_STEP(), atomic_fetch_sub_explicit((p), (v), memory_order_relaxed))
#define bl_sub_acq_rel(p, v) (BL_STEP(), atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel))
#define bl_sub_seq(p, v) (BL_STEP(), atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst))
#define bl_or_seq(p, v) (BL_STEP(), atomic_fetch_or_explicit((p), (v), memory_order_seq_cst))
#define bl_and_seq(p, v) (BL_STEP(), atomic_fetch_and_explicit((p), (v), memory_order_seq_cst))
#define bl_xchg_acq_rel(p, v) (BL_STEP(), atomic_exchange_explicit((p), (v), memory_order_acq_rel))
#define bl_xchg_seq(p, v) (BL_STEP(), atomic_exchange_explicit((p), (v), memory_order_seq_cst))

/* Success order first. The weak forms may fail without cause and belong in loops. */
#define bl_cas_relaxed(p, e, v) \
    (BL_STEP(), atomic_compare_exchange_weak_explicit((p), (e), (v), memory_order_relaxed, memory_order_relaxed))
#define bl_cas_acq_rel(p, e, v) \
    (BL_STEP(), atomic_compare_exchange_strong_explicit((p), (e), (v), memory_order_acq_rel, memory_order_acquire))
#define bl_cas_seq(p, e, v) \
    (BL_STEP(), atomic_compare_exchange_strong_explicit((p), (e), (v), memory_order_seq_cst, memory_order_seq_cst))

#endif
