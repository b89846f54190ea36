/* engine.c: the type Engine: set-up, queues, groups and the end.
 *
 * brokerless.engine.Engine subclasses it and owns the threads; the methods named with an underscore here are
 * the plain versions of what that class decides. Work is submitted in submit.c and batch.c, run in worker.c,
 * and looked at in keeper.c and query.c; hooks are in hooks.c, what a fork does to it is in fork.c.
 */
#include "binding.h"

#include <structmember.h>

static int parse_config(PyObject *ttl, PyObject *most, PyObject *aging, Py_ssize_t ring, bl_config *config) {
    if (ring < 1)
        return PyErr_Format(PyExc_ValueError, "ring_size must be at least 1, not %zd", ring), -1;
    config->ring_size = (size_t)ring;
    config->result_ttl = bl_nanoseconds(ttl, BL_NEVER);
    if (config->result_ttl == -1)
        return -1;
    config->result_max = most == Py_None ? UINT64_MAX : PyLong_AsUnsignedLongLong(most);
    if (PyErr_Occurred())
        return -1;
    unsigned long step = aging == Py_None ? 0 : PyLong_AsUnsignedLong(aging);
    if (PyErr_Occurred())
        return -1;
    if (aging != Py_None && (step < 1 || step > UINT32_MAX - 1))
        return PyErr_Format(PyExc_ValueError, "aging must be None or at least 1, not %R", aging), -1;
    config->aging = (uint32_t)step;
#ifdef Py_GIL_DISABLED
    config->relay = 1; /* with a GIL a relay would wait for it once per worker; there, each submit wakes one itself */
#else
    config->relay = 0;
#endif
    return 0;
}

static int engine_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"task_type", "ring_size", "aging", "result_ttl", "result_max", NULL};
    EngineObject *engine = (EngineObject *)self;
    PyObject *task_type = (PyObject *)bl_task_type;
    PyObject *ttl = Py_None;
    PyObject *most = Py_None;
    PyObject *aging = NULL;
    Py_ssize_t ring = 1024;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OnOOO:Engine", names, &task_type, &ring, &aging, &ttl, &most))
        return -1;
    if (engine->core != NULL)
        return PyErr_Format(PyExc_RuntimeError, "this engine is set up already"), -1;
    if (!PyType_Check(task_type) || !PyType_IsSubtype((PyTypeObject *)task_type, bl_task_type))
        return PyErr_Format(PyExc_TypeError, "task_type must be a subclass of Task, not %R", task_type), -1;
    bl_config config;
    PyObject *step = aging != NULL ? Py_NewRef(aging) : PyLong_FromLong(64);
    int failed = step == NULL || parse_config(ttl, most, step, ring, &config) < 0;
    Py_XDECREF(step);
    if (failed || bl_engine_new_prefix(engine) < 0)
        return -1;
    engine->core = bl_core_new(&config);
    engine->claim_groups = PyDict_New();
    engine->options = PyList_New(0);
    if (engine->core == NULL || engine->claim_groups == NULL || engine->options == NULL)
        return PyErr_NoMemory(), -1;
    engine->task_type = (PyTypeObject *)Py_NewRef(task_type);
    engine->generation = bl_generation;
    engine->defaults = (Defaults){.lane = 2};
    return 0;
}

static bool ready(EngineObject *engine) {
    if (engine->core == NULL)
        PyErr_SetString(PyExc_RuntimeError, "the engine is not set up: call Engine.__init__() first");
    return engine->core != NULL;
}

static int start(EngineObject *engine) {
    uint32_t before = 0;
    if (!bl_cas_acq_rel(&engine->started, &before, 1)) /* the one that changes it calls _start() */
        return 0;
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)engine, bl_str_start);
    if (result == NULL)
        bl_store_release(&engine->started, 0); /* read by bl_engine_enter: the next use tries again */
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

int bl_engine_enter(EngineObject *engine) {
    if (bl_load_acquire(&engine->generation) != bl_generation || engine->core == NULL) /* release in fork.c */
        if (bl_engine_fork_check(engine) < 0)
            return -1;
    if (bl_load_acquire(&engine->closed) != 0) { /* stored by close() */
        (void)bl_raise(BL_CLOSED, "the engine is shut down: make a new one to submit more work");
        return -1;
    }
    return bl_load_acquire(&engine->started) != 0 ? 0 : start(engine);
}

static int drop_retained(EngineObject *engine);

static bool visit_owner(bl_slot *slot, void *arg) {
    void **pair = arg;
    visitproc visit = *(visitproc *)pair[0];
    int *result = pair[2];
    *result = visit((PyObject *)slot->owner, pair[1]);
    return *result == 0;
}

static int engine_traverse(PyObject *self, visitproc visit, void *arg) {
    EngineObject *engine = (EngineObject *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(engine->task_type);
    Py_VISIT(engine->claim_groups);
    Py_VISIT(engine->options);
    int visited = bl_hooks_visit(engine, visit, arg);
    if (visited != 0)
        return visited;
    /* Kept tasks hold the engine and the registry holds them: only a stopped engine pays for the walk. */
    if (engine->core != NULL && engine->generation == bl_generation && bl_load_relaxed(&engine->stopping) != 0) {
        int result = 0;
        void *pair[] = {&visit, arg, &result};
        bl_registry_walk(bl_core_registry(engine->core), visit_owner, pair);
        return result;
    }
    return 0;
}

static int engine_clear_refs(PyObject *self) {
    EngineObject *engine = (EngineObject *)self;
    engine->defaults.options = NULL;
    Py_CLEAR(engine->claim_groups);
    Py_CLEAR(engine->options);
    bl_hooks_clear(engine);
    return engine->core != NULL && engine->generation == bl_generation ? drop_retained(engine) : 0;
}

static void engine_dealloc(PyObject *self) {
    EngineObject *engine = (EngineObject *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (engine->weakrefs != NULL)
        PyObject_ClearWeakRefs(self);
    (void)engine_clear_refs(self);
    Py_CLEAR(engine->task_type);
    PyMem_Free(bl_load_relaxed(&engine->hooks));
    PyMem_Free(engine->former);
    if (engine->core != NULL && engine->generation == bl_generation)
        bl_core_free(engine->core);
    type->tp_free(self);
    Py_DECREF(type);
}

typedef struct Found {
    bl_slot **slots;
    size_t count;
    size_t room;
} Found;

static bool note_slot(bl_slot *slot, void *arg) {
    Found *found = arg;
    if (found->count < found->room)
        found->slots[found->count++] = slot;
    return found->count < found->room;
}

/* Let go of everything the registry knows, a batch at a time (letting go may run any code). */
static int drop_retained(EngineObject *engine) {
    bl_slot *slots[64];
    for (;;) {
        Found found = {slots, 0, 64};
        bl_registry_walk(bl_core_registry(engine->core), note_slot, &found);
        if (found.count == 0)
            return 0;
        for (size_t i = 0; i < found.count; i++)
            bl_leave_registry(engine->core, slots[i]);
    }
}

static PyObject *engine_add_queue(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"lanes", NULL};
    unsigned int lanes = 4;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|I:add_queue", names, &lanes) || !ready((EngineObject *)self))
        return NULL;
    if (lanes < 1 || lanes > BL_MAX_LANES)
        return PyErr_Format(PyExc_ValueError, "lanes must be 1 to %d, not %u", BL_MAX_LANES, lanes);
    int index = bl_core_add_queue(((EngineObject *)self)->core, lanes);
    return index >= 0 ? PyLong_FromLong(index) : bl_raise(index, "there is no room for another queue");
}

static PyObject *engine_add_group(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"reserve", NULL};
    int reserve = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:add_group", names, &reserve) || !ready((EngineObject *)self))
        return NULL;
    int index = bl_core_add_group(((EngineObject *)self)->core, reserve != 0);
    return index >= 0 ? PyLong_FromLong(index) : bl_raise(index, "there is no room for another group");
}

/* The number of an existing group; -1 with an exception. */
static long group_number(EngineObject *engine, unsigned int group) {
    if (!ready(engine))
        return -1;
    if (group < BL_MAX_GROUPS && bl_core_has_group(engine->core, group))
        return (long)group;
    PyErr_Format(PyExc_ValueError, "%u is no group of this engine: use add_group()", group);
    return -1;
}

static PyObject *engine_subscribe(PyObject *self, PyObject *args) {
    EngineObject *engine = (EngineObject *)self;
    unsigned int group;
    PyObject *queues;
    uint16_t *indexes;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "IO:subscribe", &group, &queues) || group_number(engine, group) < 0 ||
        bl_engine_fork_check(engine) < 0 || bl_queue_indexes(engine, queues, &indexes, &count) < 0)
        return NULL;
    int result = bl_core_subscribe(engine->core, group, indexes, (size_t)count);
    PyMem_Free(indexes);
    if (result != BL_OK)
        return bl_raise(result, "the subscription could not be changed");
    Py_RETURN_NONE;
}

static PyObject *engine_rotate(PyObject *self, PyObject *args) {
    unsigned int group;
    int on;
    if (!PyArg_ParseTuple(args, "Ip:rotate", &group, &on) || group_number((EngineObject *)self, group) < 0)
        return NULL;
    bl_core_rotate(((EngineObject *)self)->core, group, on != 0);
    Py_RETURN_NONE;
}

static PyObject *engine_pause_group(PyObject *self, PyObject *args) {
    unsigned int group;
    int paused;
    if (!PyArg_ParseTuple(args, "Ip:pause_group", &group, &paused) || group_number((EngineObject *)self, group) < 0)
        return NULL;
    bl_core_pause(((EngineObject *)self)->core, group, paused != 0);
    Py_RETURN_NONE;
}

static PyObject *engine_set_defaults(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"lane", "limit", "timeout", "options", "queue", NULL};
    EngineObject *engine = (EngineObject *)self;
    unsigned int lane = 2, queue = 0;
    unsigned long long limit = 0;
    PyObject *timeout = Py_None;
    PyObject *options = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$IKOOI:set_defaults", names, &lane, &limit, &timeout, &options, &queue))
        return NULL;
    int64_t span = bl_nanoseconds(timeout, 0);
    if (span == -1)
        return NULL;
    if (!ready(engine) || PyList_Append(engine->options, options) < 0)
        return NULL;
    engine->defaults = (Defaults){queue, lane, limit, span, options == Py_None ? NULL : options};
    Py_RETURN_NONE;
}

static PyObject *engine_show_functions(PyObject *self, PyObject *on) {
    int yes = PyObject_IsTrue(on);
    if (yes < 0)
        return NULL;
    bl_store_relaxed(&((EngineObject *)self)->shows_functions, (uint32_t)yes);
    Py_RETURN_NONE;
}

static PyObject *engine_know(PyObject *self, PyObject *func) {
    if (PyFunction_Check(func)) {
        void *code = PyFunction_GET_CODE(func);
        bl_store_relaxed(&((EngineObject *)self)->seen[((uintptr_t)code >> 4) % 128], code);
    }
    Py_RETURN_NONE;
}

static PyObject *engine_add_worker(PyObject *self, PyObject *args) {
    EngineObject *engine = (EngineObject *)self;
    unsigned int group;
    if (!PyArg_ParseTuple(args, "I:add_worker", &group) || bl_engine_fork_check(engine) < 0 ||
        group_number(engine, group) < 0)
        return NULL;
    bl_worker *worker = bl_core_add_worker(engine->core, group);
    return worker != NULL ? PyLong_FromLong(worker->index) : bl_raise(BL_NOMEM, "no worker could be added");
}

static PyObject *engine_close(PyObject *self, PyObject *unused) {
    (void)unused;
    EngineObject *engine = (EngineObject *)self;
    if (bl_engine_fork_check(engine) < 0)
        return NULL;
    bl_store_seq(&engine->closed, 1); /* read in bl_engine_enter, bl_too_late and must_leave */
    bl_core_wake_everybody(engine->core);
    Py_RETURN_NONE;
}

static bool track_owner(bl_slot *slot, void *unused) {
    (void)unused;
    if (!PyObject_GC_IsTracked((PyObject *)slot->owner))
        PyObject_GC_Track((PyObject *)slot->owner);
    return true;
}

static PyObject *engine_stop(PyObject *self, PyObject *unused) {
    EngineObject *engine = (EngineObject *)self;
    PyObject *closed = engine_close(self, unused);
    if (closed == NULL)
        return NULL;
    bl_store_seq(&engine->stopping, 1); /* read in must_leave and bl_too_late */
    bl_core_wake_everybody(engine->core);
    /* From here on the collector may find engine and kept tasks to be one another's only holders: it has to see them. */
    bl_registry_walk(bl_core_registry(engine->core), track_owner, NULL);
    return closed;
}

/* Take a lane's or a timer's hold on one task away; cancels it when it has not started. */
static void evict(EngineObject *engine, bl_slot *slot) {
    TaskObject *task = slot->owner;
    uint32_t seen;
    if (bl_core_cancel(engine->core, slot, &seen) == BL_OK)
        bl_cancelled(task, NULL, seen, false);
    Py_DECREF(task);
}

long bl_discard(EngineObject *engine) {
    long count = 0;
    bl_slot *slot;
    while ((slot = bl_core_pop_due(engine->core, BL_NEVER)) != NULL) {
        evict(engine, slot);
        count++;
    }
    bl_queue *queue;
    for (unsigned i = 0; i < BL_MAX_QUEUES && (queue = bl_core_queue(engine->core, i)) != NULL; i++)
        while ((slot = bl_queue_pop(queue, false)) != NULL) {
            evict(engine, slot);
            count++;
        }
    return count;
}

static PyObject *engine_discard(PyObject *self, PyObject *unused) {
    (void)unused;
    return bl_engine_fork_check((EngineObject *)self) < 0 ? NULL : PyLong_FromLong(bl_discard((EngineObject *)self));
}

static PyObject *engine_reserve_memory(PyObject *self, PyObject *arg) {
    EngineObject *engine = (EngineObject *)self;
    size_t bytes = PyLong_AsSize_t(arg);
    if (PyErr_Occurred() || bl_engine_fork_check(engine) < 0)
        return NULL;
    if (bl_pool_reserve(bl_core_pool(engine->core), bytes / sizeof(bl_slot)) != BL_OK)
        return bl_raise(BL_NOMEM, "the memory could not be reserved");
    Py_RETURN_NONE;
}

static PyObject *engine_now(PyObject *self, PyObject *unused) {
    (void)unused;
    if (!ready((EngineObject *)self))
        return NULL;
    return PyFloat_FromDouble((double)bl_core_now(((EngineObject *)self)->core) / 1e9);
}

static PyObject *engine_set_now(PyObject *self, PyObject *seconds) {
    int64_t now = bl_nanoseconds(seconds, -1);
    if (now == -1) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "set_now() needs the time in seconds, not None");
        return NULL;
    }
    if (bl_engine_fork_check((EngineObject *)self) < 0)
        return NULL;
    bl_core_set_now(((EngineObject *)self)->core, now);
    Py_RETURN_NONE;
}

static PyObject *get_closed(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(bl_load_acquire(&((EngineObject *)self)->closed) != 0); /* stored by close() */
}

static PyObject *do_nothing(PyObject *self, PyObject *args) {
    (void)self;
    (void)args;
    Py_RETURN_NONE;
}

static PyObject *refuse_room(PyObject *self, PyObject *args) {
    (void)self;
    (void)args;
    Py_RETURN_FALSE;
}

static PyObject *plain_callbacks(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *task, *callbacks;
    if (!PyArg_ParseTuple(args, "OO!:_callbacks", &task, &PyList_Type, &callbacks))
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(callbacks); i++) {
        PyObject *result = PyObject_CallOneArg(PyList_GET_ITEM(callbacks, i), task);
        if (result == NULL)
            PyErr_WriteUnraisable(PyList_GET_ITEM(callbacks, i));
        Py_XDECREF(result);
    }
    Py_RETURN_NONE;
}

static PyObject *refuse_options(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *func, *positional, *keywords;
    if (!PyArg_ParseTuple(args, "OOO:_add_with_options", &func, &positional, &keywords))
        return NULL;
    return PyErr_Format(PyExc_TypeError, "this engine takes plain functions without options, not %R with %R", func, keywords);
}

#define FAST(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef engine_methods[] = {
    {"submit", FAST(bl_engine_submit), METH_FASTCALL | METH_KEYWORDS, NULL},
    {"add_task", FAST(bl_engine_add_task), METH_FASTCALL | METH_KEYWORDS, NULL},
    {"enqueue", FAST(bl_engine_enqueue), METH_FASTCALL | METH_KEYWORDS, NULL},
    {"wait_room", bl_engine_wait_room, METH_VARARGS,
     PyDoc_STR("wait_room(queue, lane, count, limit, timeout=None) -> bool: until a lane bounded by `limit` has room for\n"
               "`count` more, or close(); False after `timeout` seconds. Reserves nothing.")},
    {"enqueue_many", FAST(bl_engine_enqueue_many), METH_VARARGS | METH_KEYWORDS, NULL},
    {"add_queue", FAST(engine_add_queue), METH_VARARGS | METH_KEYWORDS, NULL},
    {"add_group", FAST(engine_add_group), METH_VARARGS | METH_KEYWORDS, NULL},
    {"subscribe", engine_subscribe, METH_VARARGS, NULL},
    {"rotate", engine_rotate, METH_VARARGS, NULL},
    {"pause_group", engine_pause_group, METH_VARARGS, NULL},
    {"set_hooks", FAST(bl_engine_set_hooks), METH_VARARGS | METH_KEYWORDS, NULL},
    {"set_defaults", FAST(engine_set_defaults), METH_VARARGS | METH_KEYWORDS, NULL},
    {"show_functions", engine_show_functions, METH_O,
     PyDoc_STR("show_functions(on) -> None: add_task() gives functions that know() has not had to _add_with_options().")},
    {"know", engine_know, METH_O, PyDoc_STR("know(func) -> None: add_task() may take it without asking.")},
    {"add_worker", engine_add_worker, METH_VARARGS, NULL},
    {"work", bl_engine_work, METH_O, NULL},
    {"stop_worker", bl_engine_stop_worker, METH_O, NULL},
    {"claim", FAST(bl_engine_claim), METH_VARARGS | METH_KEYWORDS, NULL},
    {"perform", bl_engine_perform, METH_O, NULL},
    {"run_until_empty", FAST(bl_engine_run_until_empty), METH_VARARGS | METH_KEYWORDS, NULL},
    {"worker_info", bl_engine_worker_info, METH_O, NULL},
    {"workers", bl_engine_workers, METH_NOARGS, NULL},
    {"keeper_wait", FAST(bl_engine_keeper_wait), METH_VARARGS | METH_KEYWORDS, NULL},
    {"kick", bl_engine_kick, METH_NOARGS, NULL},
    {"fire_due", bl_engine_fire_due, METH_NOARGS, NULL},
    {"age", bl_engine_age, METH_NOARGS, NULL},
    {"overdue", bl_engine_overdue, METH_NOARGS, NULL},
    {"extend", bl_engine_extend, METH_VARARGS, NULL},
    {"interrupt", bl_engine_interrupt, METH_VARARGS, NULL},
    {"abandon", bl_engine_abandon, METH_O, NULL},
    {"reserve_memory", engine_reserve_memory, METH_O,
     PyDoc_STR("reserve_memory(bytes) -> None: have so much memory for tasks ready before they come.")},
    {"now", engine_now, METH_NOARGS, NULL},
    {"set_now", engine_set_now, METH_O, NULL},
    {"get", bl_engine_get, METH_O, NULL},
    {"tasks", bl_engine_tasks, METH_NOARGS, NULL},
    {"pending", bl_engine_pending, METH_O, NULL},
    {"delayed", bl_engine_delayed, METH_NOARGS, NULL},
    {"position", bl_engine_position, METH_O, NULL},
    {"queued", FAST(bl_engine_queued), METH_VARARGS | METH_KEYWORDS, NULL},
    {"outstanding", bl_engine_outstanding, METH_NOARGS, NULL},
    {"drain", FAST(bl_engine_drain), METH_VARARGS | METH_KEYWORDS, NULL},
    {"totals", bl_engine_totals, METH_NOARGS, NULL},
    {"run_quantiles", bl_engine_run_quantiles, METH_O, NULL},
    {"wait_quantiles", bl_engine_wait_quantiles, METH_VARARGS, NULL},
    {"close", engine_close, METH_NOARGS, NULL},
    {"stop", engine_stop, METH_NOARGS, NULL},
    {"discard", engine_discard, METH_NOARGS, PyDoc_STR("discard() -> int: cancel all that has not started and empty the lanes.")},
    {"_start", do_nothing, METH_VARARGS, NULL},
    {"_failed", do_nothing, METH_VARARGS, NULL},
    {"_callbacks", plain_callbacks, METH_VARARGS, NULL},
    {"_full", refuse_room, METH_VARARGS, NULL},
    {"_need_reserve", do_nothing, METH_VARARGS, NULL},
    {"_add_with_options", refuse_options, METH_VARARGS, NULL},
    {"_batch_item", do_nothing, METH_VARARGS, NULL},
    {"_forked", do_nothing, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef engine_getset[] = {
    {"closed", get_closed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef engine_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(EngineObject, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot engine_slots[] = {
    {Py_tp_doc, "The core of an engine; brokerless.engine.Engine is what to use."},
    {Py_tp_init, engine_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, engine_dealloc},
    {Py_tp_traverse, engine_traverse},
    {Py_tp_clear, engine_clear_refs},
    {Py_tp_methods, engine_methods},
    {Py_tp_getset, engine_getset},
    {Py_tp_members, engine_members},
    {0, NULL},
};

PyType_Spec bl_engine_spec = {
    .name = "brokerless.native._engine.Engine",
    .basicsize = sizeof(EngineObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = engine_slots,
};
