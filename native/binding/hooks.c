/* hooks.c: what is called at a queue's tasks besides their functions: on_submit, on_push, runner, on_start, on_finish.
 *
 * A hook may be replaced at any moment, by another thread or by itself. Whoever calls one therefore holds a reference,
 * and takes it under a lock: between reading the pointer and having the reference nobody may let go of the hook. A
 * queue without hooks pays one load. What the hooks mean is decided in Python.
 */
#include "binding.h"

static bl_aptr *place_of(EngineObject *engine, unsigned queue, bl_hook_kind kind) {
    QueueHooks *table = bl_load_acquire(&engine->hooks); /* release in hook_table */
    return table != NULL && queue < BL_QUEUE_HOOKS ? &table[queue].of[kind] : NULL;
}

bool bl_has_hook(EngineObject *engine, unsigned queue, bl_hook_kind kind) {
    bl_aptr *place = place_of(engine, queue, kind);
    return place != NULL && bl_load_relaxed(place) != NULL;
}

PyObject *bl_hook(EngineObject *engine, unsigned queue, bl_hook_kind kind) {
    bl_aptr *place = place_of(engine, queue, kind);
    if (place == NULL || bl_load_relaxed(place) == NULL)
        return NULL;
    bl_mutex_lock(&engine->hook_lock);
    PyObject *hook = Py_XNewRef((PyObject *)bl_load_relaxed(place));
    bl_mutex_unlock(&engine->hook_lock);
    return hook;
}

void bl_observe(TaskObject *task, bl_hook_kind kind) {
    PyObject *hook = bl_hook(task->engine, task->slot->queue, kind);
    if (hook == NULL)
        return;
    PyObject *result = PyObject_CallOneArg(hook, (PyObject *)task);
    if (result == NULL)
        PyErr_WriteUnraisable(hook);
    Py_XDECREF(result);
    Py_DECREF(hook);
}

int bl_hooks_visit(EngineObject *engine, visitproc visit, void *arg) {
    QueueHooks *table = bl_load_relaxed(&engine->hooks);
    for (unsigned i = 0; table != NULL && i < BL_QUEUE_HOOKS; i++)
        for (int kind = 0; kind < BL_HOOK_KINDS; kind++)
            Py_VISIT((PyObject *)bl_load_relaxed(&table[i].of[kind]));
    return 0;
}

/* Put another hook, or none, and let go of the one before. */
static void exchange(EngineObject *engine, bl_aptr *place, PyObject *hook) {
    Py_XINCREF(hook);
    bl_mutex_lock(&engine->hook_lock);
    PyObject *before = bl_load_relaxed(place);
    bl_store_relaxed(place, hook);
    bl_mutex_unlock(&engine->hook_lock);
    Py_XDECREF(before);
}

void bl_hooks_clear(EngineObject *engine) {
    QueueHooks *table = bl_load_relaxed(&engine->hooks);
    for (unsigned i = 0; table != NULL && i < BL_QUEUE_HOOKS; i++)
        for (int kind = 0; kind < BL_HOOK_KINDS; kind++)
            if (bl_load_relaxed(&table[i].of[kind]) != NULL)
                exchange(engine, &table[i].of[kind], NULL);
}

static QueueHooks *hook_table(EngineObject *engine) {
    QueueHooks *table = bl_load_acquire(&engine->hooks); /* release below */
    if (table != NULL)
        return table;
    QueueHooks *fresh = PyMem_Calloc(BL_QUEUE_HOOKS, sizeof *fresh);
    if (fresh == NULL)
        return (void)PyErr_NoMemory(), NULL;
    void *before = NULL;
    if (bl_cas_acq_rel(&engine->hooks, &before, fresh)) /* acquire in place_of */
        return fresh;
    PyMem_Free(fresh);
    return before;
}

PyObject *bl_engine_set_hooks(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"queue", "on_submit", "on_push", "runner", "on_start", "on_finish", NULL};
    EngineObject *engine = (EngineObject *)self;
    unsigned int queue;
    PyObject *given[BL_HOOK_KINDS] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "I|$OOOOO:set_hooks", names, &queue, &given[BL_ON_SUBMIT],
                                     &given[BL_ON_PUSH], &given[BL_RUNNER], &given[BL_ON_START], &given[BL_ON_FINISH]) ||
        bl_engine_fork_check(engine) < 0)
        return NULL;
    if (queue >= BL_QUEUE_HOOKS || bl_core_queue(engine->core, queue) == NULL)
        return PyErr_Format(PyExc_ValueError, "queue %u does not exist or is not among the first %d", queue, BL_QUEUE_HOOKS);
    QueueHooks *table = hook_table(engine);
    if (table == NULL)
        return NULL;
    for (int kind = 0; kind < BL_HOOK_KINDS; kind++)
        if (given[kind] != NULL)
            exchange(engine, &table[queue].of[kind], given[kind] != Py_None ? given[kind] : NULL);
    Py_RETURN_NONE;
}
