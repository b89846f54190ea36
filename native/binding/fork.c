/* fork.c: what a forked child does to the engines that it inherits.
 *
 * DESIGN
 * pthread_atfork() raises the generation in the child; each use of an engine compares it with the one its core was
 * made in. A stale core is left as it is, and everything in it: threads of the parent may have been in the middle of
 * changing it, and letting go of a task would run destructors on what is the parent's. The engine gets an empty core
 * with the same queues and groups, and a new first half for its ids; handles of the parent's tasks keep theirs.
 * A task that forks and comes back in the child ends there without a trace: worker.c leaves its loop.
 */
#include "binding.h"

#include <pthread.h>

uint32_t bl_generation;

static void after_fork_in_child(void) {
    bl_generation++;
    bl_forget_current(); /* what this thread runs from here on is no task of this process */
}

int bl_watch_forks(void) { return pthread_atfork(NULL, NULL, after_fork_in_child) == 0 ? 0 : -1; }

static int random_prefix(uint64_t *prefix) {
    PyObject *os = PyImport_ImportModule("os");
    PyObject *bytes = os != NULL ? PyObject_CallMethod(os, "urandom", "i", 8) : NULL;
    if (bytes != NULL)
        memcpy(prefix, PyBytes_AS_STRING(bytes), sizeof *prefix);
    Py_XDECREF(os);
    Py_XDECREF(bytes);
    return bytes != NULL ? 0 : -1;
}

int bl_engine_new_prefix(EngineObject *engine) { return random_prefix(&engine->prefix); }

/* Handles of a parent's tasks keep their ids in the child. */
static bool keep_prefix(EngineObject *engine) {
    Former *longer = PyMem_Realloc(engine->former, (engine->former_count + 1) * sizeof *longer);
    if (longer == NULL)
        return false;
    engine->former = longer;
    engine->former[engine->former_count++] = (Former){engine->prefix, (uint16_t)engine->generation};
    return true;
}

uint64_t bl_engine_prefix(EngineObject *engine, uint16_t generation) {
    for (unsigned i = engine->former_count; generation != (uint16_t)engine->generation && i-- > 0;)
        if (engine->former[i].generation == generation)
            return engine->former[i].prefix;
    return engine->prefix;
}

/* 1: this call gave the engine an empty core, 0: another thread did meanwhile, -1: no memory. The old core stays as it
 * is: threads of the parent may have been in the middle of changing it. */
static int renew(EngineObject *engine, uint64_t prefix) {
    if (engine->generation == bl_generation)
        return 0;
    bl_core *fresh = bl_core_new_like(engine->core);
    if (fresh == NULL || !keep_prefix(engine)) {
        if (fresh != NULL)
            bl_core_free(fresh);
        return -1;
    }
    engine->core = fresh;
    engine->prefix = prefix;
    engine->guest_count = 0;
    bl_store_relaxed(&engine->guest_lock.word, 0);
    bl_store_relaxed(&engine->hook_lock.word, 0);
    bl_store_relaxed(&engine->started, 0);
    bl_store_relaxed(&engine->reserve_asked, 0);
    bl_store_release(&engine->generation, bl_generation); /* acquire in bl_engine_fork_check and bl_engine_enter */
    return 1;
}

int bl_engine_fork_check(EngineObject *engine) {
    if (engine->core == NULL)
        return PyErr_SetString(PyExc_RuntimeError, "the engine is not set up: call Engine.__init__() first"), -1;
    if (bl_load_acquire(&engine->generation) == bl_generation)
        return 0;
    uint64_t prefix;
    if (random_prefix(&prefix) < 0)
        return -1;
    bl_mutex_lock(&engine->fork_lock);
    int renewed = renew(engine, prefix);
    bl_mutex_unlock(&engine->fork_lock);
    if (renewed <= 0)
        return renewed < 0 ? PyErr_NoMemory(), -1 : 0;
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)engine, bl_str_forked);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}
