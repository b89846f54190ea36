/* module.c: start-up of brokerless.native._engine: types, constants, shared strings, and the one place where
 * the core's error codes become exceptions.
 *
 * The classes raised for a full lane and a closed engine are set by brokerless.errors (set_errors), so that
 * this layer knows nothing of the package above it.
 */
#include "binding.h"

#include <math.h>
#include <time.h>

PyTypeObject *bl_task_type;
PyTypeObject *bl_engine_type;
PyObject *bl_deferred;
PyObject *bl_str_start, *bl_str_failed, *bl_str_callbacks, *bl_str_full, *bl_str_need_reserve, *bl_str_add_with_options,
    *bl_str_forked, *bl_str_priority;
PyObject *bl_noop;
PyObject *bl_option_names;

static PyObject *queue_full_error;
static PyObject *closed_error;
static int64_t epoch_offset; /* wall clock minus monotonic clock, nanoseconds, at start-up */

PyObject *bl_raise(int code, const char *what) {
    switch (code) {
    case BL_FULL:
        PyErr_SetString(queue_full_error, what);
        break;
    case BL_CLOSED:
        PyErr_SetString(closed_error, what);
        break;
    case BL_NOMEM:
        PyErr_NoMemory();
        break;
    case BL_INVALID:
        PyErr_SetString(PyExc_ValueError, what);
        break;
    default:
        PyErr_Format(PyExc_SystemError, "%s (code %d)", what, code);
        break;
    }
    return NULL;
}

int64_t bl_nanoseconds(PyObject *seconds, int64_t none) {
    if (seconds == Py_None)
        return none;
    double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred())
        return -1;
    if (isnan(value) || value < 0.0) {
        PyErr_Format(PyExc_ValueError, "a time must be at least 0 seconds, not %R", seconds);
        return -1;
    }
    return value >= 9.2e9 ? BL_NEVER : (int64_t)(value * 1e9);
}

int64_t bl_deadline(PyObject *seconds) {
    int64_t span = bl_nanoseconds(seconds, BL_NEVER);
    int64_t now = bl_now();
    return span == -1 ? -1 : span > BL_NEVER - now ? BL_NEVER : now + span;
}

int64_t bl_parse_deadline(PyObject *args, PyObject *kwargs, const char *format) {
    static char *names[] = {"timeout", NULL};
    PyObject *timeout = Py_None;
    return PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &timeout) ? bl_deadline(timeout) : -1;
}

double bl_epoch(EngineObject *engine, int64_t time) {
    /* a hand-set clock is shown as it was set: its user decides what its zero means */
    return (double)(bl_core_manual(engine->core) ? time : time + epoch_offset) / 1e9;
}

static PyObject *module_current(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    TaskObject *task = bl_current();
    return Py_NewRef(task != NULL ? (PyObject *)task : Py_None);
}

static PyObject *module_set_errors(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"QueueFull", "EngineShutdown", NULL};
    (void)module;
    PyObject *full, *closed;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$OO:set_errors", names, &full, &closed))
        return NULL;
    if (!PyExceptionClass_Check(full) || !PyExceptionClass_Check(closed))
        return PyErr_Format(PyExc_TypeError, "set_errors() needs exception classes, not %R and %R", full, closed);
    Py_XSETREF(queue_full_error, Py_NewRef(full));
    Py_XSETREF(closed_error, Py_NewRef(closed));
    Py_RETURN_NONE;
}

/* Before 3.12 a collection may begin inside sys._current_frames(), which holds the lock of the list of threads, and let
 * the GIL go in a finalizer: a thread that ends meanwhile takes the two the other way round, and both wait for ever. */
static PyObject *module_current_frames(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    PyObject *frames_of = Py_XNewRef(PySys_GetObject("_current_frames"));
    if (frames_of == NULL)
        return PyErr_Format(PyExc_RuntimeError, "this interpreter has no sys._current_frames()");
#if PY_VERSION_HEX < 0x030C0000
    int collecting = PyGC_Disable(); /* nothing lets the GIL go until it is enabled again */
#endif
    PyObject *frames = PyObject_CallNoArgs(frames_of);
#if PY_VERSION_HEX < 0x030C0000
    if (collecting)
        PyGC_Enable();
#endif
    Py_DECREF(frames_of);
    return frames;
}

static PyMethodDef module_methods[] = {
    {"current", module_current, METH_NOARGS, PyDoc_STR("current() -> Task | None: the task that this thread runs.")},
    {"current_frames", module_current_frames, METH_NOARGS,
     PyDoc_STR("current_frames() -> dict: sys._current_frames(), without a collection meanwhile.")},
    {"set_errors", (PyCFunction)(void (*)(void))module_set_errors, METH_VARARGS | METH_KEYWORDS, NULL},
    {"copy_plain", bl_copy_plain, METH_O, PyDoc_STR("copy_plain(value): as JSON gives it back, or NotImplemented.")},
    {"copy_arguments", (PyCFunction)(void (*)(void))bl_copy_arguments, METH_FASTCALL,
     PyDoc_STR("copy_arguments(args, kwargs): a list and a dict as JSON gives them back, or NotImplemented; tuples "
               "inside are refused, because their repr would change.")},
    {"memory_stats", bl_memory_stats, METH_NOARGS, PyDoc_STR("memory_stats() -> dict: allocator and bytes of all engines.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "brokerless.native._engine",
    .m_doc = "The native core of brokerless.",
    .m_size = -1,
    .m_methods = module_methods,
};

static int intern_strings(void) {
    static const struct {
        PyObject **place;
        const char *text;
    } strings[] = {
        {&bl_str_start, "_start"},
        {&bl_str_failed, "_failed"},
        {&bl_str_callbacks, "_callbacks"},
        {&bl_str_full, "_full"},
        {&bl_str_need_reserve, "_need_reserve"},
        {&bl_str_add_with_options, "_add_with_options"},
        {&bl_str_forked, "_forked"},
        {&bl_str_priority, "priority"},
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        if ((*strings[i].place = PyUnicode_InternFromString(strings[i].text)) == NULL)
            return -1;
    return 0;
}

static int make_helpers(void) {
    PyObject *globals = PyDict_New();
    PyObject *result = globals != NULL ? PyRun_String("def noop():\n    pass\n"
                                                      "names = frozenset(('priority', 'delay_ms', 'max_retries', 'timeout_ms', 'expires_ms',"
                                                      " 'compile_to_c', 'tags', 'metadata', 'retry_stuck', 'schedule'))\n",
                                                      Py_file_input, globals, globals)
                                       : NULL;
    if (result != NULL) {
        bl_noop = Py_XNewRef(PyDict_GetItemString(globals, "noop"));
        bl_option_names = Py_XNewRef(PyDict_GetItemString(globals, "names"));
    }
    Py_XDECREF(result);
    Py_XDECREF(globals);
    return bl_noop != NULL && bl_option_names != NULL ? 0 : -1;
}

static int make_errors(PyObject *module) {
    queue_full_error = PyErr_NewException("brokerless.native._engine.QueueFull", NULL, NULL);
    closed_error = PyErr_NewException("brokerless.native._engine.Closed", NULL, NULL);
    if (queue_full_error == NULL || closed_error == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "QueueFull", queue_full_error) < 0 ||
                   PyModule_AddObjectRef(module, "Closed", closed_error) < 0
               ? -1
               : 0;
}

static int make_types(PyObject *module) {
    bl_task_type = (PyTypeObject *)PyType_FromSpec(&bl_task_spec);
    bl_engine_type = bl_task_type != NULL ? (PyTypeObject *)PyType_FromSpec(&bl_engine_spec) : NULL;
    if (bl_engine_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Task", (PyObject *)bl_task_type) < 0 ||
                   PyModule_AddObjectRef(module, "Engine", (PyObject *)bl_engine_type) < 0
               ? -1
               : 0;
}

static int make_constants(PyObject *module) {
    static const char *const states[] = {"DELAYED", "QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"};
    for (long i = 0; i < 6; i++)
        if (PyModule_AddIntConstant(module, states[i], i) < 0)
            return -1;
    bl_deferred = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
    return bl_deferred != NULL ? PyModule_AddObjectRef(module, "DEFERRED", bl_deferred) : -1;
}

static void measure_epoch(void) {
    struct timespec wall;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    epoch_offset = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - bl_now();
}

PyMODINIT_FUNC PyInit__engine(void) {
    static bool at_fork;
    PyObject *module = PyModule_Create(&module_definition);
    if (module == NULL)
        return NULL;
#ifdef Py_GIL_DISABLED
    if (PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED) < 0) { /* else importing this would switch the GIL on */
        Py_DECREF(module);
        return NULL;
    }
#endif
    if (intern_strings() < 0 || make_helpers() < 0 || PyModule_AddObjectRef(module, "OPTION_NAMES", bl_option_names) < 0 ||
        make_errors(module) < 0 || make_types(module) < 0 || make_constants(module) < 0 || bl_values_init(module) < 0 || bl_submit_init() < 0 ||
        bl_batch_init() < 0) {
        Py_DECREF(module);
        return NULL;
    }
    measure_epoch();
    if (!at_fork && bl_watch_forks() == 0)
        at_fork = true;
    return module;
}
