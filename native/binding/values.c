/* values.c: copies of plain values, and ids: what a front door does for each call before it is a task.
 *
 * A copy is what a trip through JSON gives back, for values of exactly the built-in types; for all others it says
 * NotImplemented, and the caller really makes the trip. Nothing here knows the engine.
 */
#include "binding.h"

#include <stdatomic.h>
#include <stdint.h>

/* Deeper structures take the long way, which knows about cycles. */
#define DEPTH 32
/* Longer integers take the long way: Python refuses to write them as text beyond a limit. */
#define BITS 4096

static PyObject *str_type_key, *str_bit_length, *str_json;

static bool is_atom(PyObject *value) {
    return PyUnicode_CheckExact(value) || value == Py_None || PyBool_Check(value) || PyFloat_CheckExact(value);
}

/* 1: short enough, 0: too long, -1: error */
static int is_short(PyObject *number) {
    int overflow;
    (void)PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow == 0)
        return 1;
    PyObject *bits = PyObject_CallMethodNoArgs(number, str_bit_length);
    if (bits == NULL)
        return -1;
    long count = PyLong_AsLong(bits);
    Py_DECREF(bits);
    return count <= BITS;
}

/* A dictionary by its type, such as a signature: JSON holds its items. */
static bool is_json_dict(PyObject *value) {
    return PyDict_Check(value) && PyObject_HasAttr((PyObject *)Py_TYPE(value), str_json);
}

static PyObject *copy(PyObject *value, int depth, bool tuples);

static PyObject *copy_items(PyObject *sequence, int depth, bool tuples) {
    bool is_list = PyList_CheckExact(sequence);
    Py_ssize_t size = is_list ? PyList_GET_SIZE(sequence) : PyTuple_GET_SIZE(sequence);
    PyObject *copied = PyList_New(size);
    if (copied == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < size; i++) {
        /* another thread may shorten a list meanwhile */
        PyObject *item = is_list ? PyList_GetItem(sequence, i) : PyTuple_GET_ITEM(sequence, i);
        PyObject *own = item == NULL ? NULL : Py_NewRef(item);
        PyObject *made = own == NULL ? NULL : copy(own, depth - 1, tuples);
        Py_XDECREF(own);
        if (made == NULL || made == Py_NotImplemented) {
            Py_DECREF(copied); /* the rest is NULL, which a list allows while it is destroyed */
            return made;
        }
        PyList_SET_ITEM(copied, i, made);
    }
    return copied;
}

static PyObject *copy_pairs(PyObject *dict, int depth, bool tuples) {
    PyObject *copied = PyDict_New();
    if (copied == NULL)
        return NULL;
    PyObject *key, *item;
    Py_ssize_t place = 0;
    while (PyDict_Next(dict, &place, &key, &item)) {
        if (!PyUnicode_CheckExact(key) || PyUnicode_Compare(key, str_type_key) == 0) {
            Py_DECREF(copied);
            return Py_NewRef(Py_NotImplemented);
        }
        Py_INCREF(key);
        Py_INCREF(item);
        PyObject *made = copy(item, depth - 1, tuples);
        int failed = made == NULL || made == Py_NotImplemented ? 1 : PyDict_SetItem(copied, key, made);
        Py_DECREF(key);
        Py_DECREF(item);
        if (failed) {
            Py_DECREF(copied);
            if (made != Py_NotImplemented)
                Py_CLEAR(made);
            return made;
        }
        Py_DECREF(made);
    }
    return copied;
}

/* Without a GIL nobody may change the container meanwhile. */
static PyObject *guarded(PyObject *(*how)(PyObject *, int, bool), PyObject *container, int depth, bool tuples) {
    PyObject *made;
    BL_BEGIN_CRITICAL(container)
    made = how(container, depth, tuples);
    BL_END_CRITICAL
    return made;
}

static PyObject *copy(PyObject *value, int depth, bool tuples) {
    if (is_atom(value))
        return Py_NewRef(value);
    if (PyLong_CheckExact(value)) {
        int fits = is_short(value);
        return fits < 0 ? NULL : Py_NewRef(fits ? value : Py_NotImplemented);
    }
    if (depth > 0) {
        if (PyList_CheckExact(value) || (tuples && PyTuple_CheckExact(value)))
            return guarded(copy_items, value, depth, tuples);
        if (PyDict_CheckExact(value) || is_json_dict(value))
            return guarded(copy_pairs, value, depth, tuples);
    }
    return Py_NewRef(Py_NotImplemented);
}

PyObject *bl_own_items(PyObject *given, const char *refusal) {
    return PyList_CheckExact(given) ? PyList_AsTuple(given) : PySequence_Fast(given, refusal);
}

PyObject *bl_copy_plain(PyObject *module, PyObject *value) {
    (void)module;
    return copy(value, DEPTH, true);
}

PyObject *bl_copy_arguments(PyObject *module, PyObject *const *given, Py_ssize_t count) {
    (void)module;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "copy_arguments() takes 2 arguments, not %zd", count);
    PyObject *args = given[0], *kwargs = given[1];
    if (!(PyTuple_CheckExact(args) || PyList_CheckExact(args)) || !PyDict_CheckExact(kwargs))
        return Py_NewRef(Py_NotImplemented);
    PyObject *list = guarded(copy_items, args, DEPTH + 1, false);
    if (list == NULL || list == Py_NotImplemented)
        return list;
    PyObject *dict = guarded(copy_pairs, kwargs, DEPTH, false);
    if (dict == NULL || dict == Py_NotImplemented) {
        Py_DECREF(list);
        return dict;
    }
    PyObject *both = PyTuple_New(2);
    if (both == NULL) {
        Py_DECREF(list);
        Py_DECREF(dict);
        return NULL;
    }
    PyTuple_SET_ITEM(both, 0, list);
    PyTuple_SET_ITEM(both, 1, dict);
    return both;
}

typedef struct {
    PyObject_HEAD
    PyObject *prefix;
    _Atomic uint64_t next;
} IdsObject;

static PyObject *ids_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"prefix", "first", NULL};
    PyObject *prefix;
    unsigned long long first;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UK:Ids", names, &prefix, &first))
        return NULL;
    if (!PyUnicode_IS_ASCII(prefix))
        return PyErr_Format(PyExc_ValueError, "the prefix of ids must be ASCII, not %R", prefix);
    IdsObject *self = (IdsObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->prefix = Py_NewRef(prefix);
        atomic_init(&self->next, (uint64_t)first);
    }
    return (PyObject *)self;
}

static void ids_dealloc(IdsObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(self->prefix);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *ids_next(IdsObject *self, PyObject *unused) {
    (void)unused;
    /* relaxed: only that no number is given twice matters */
    uint64_t number = atomic_fetch_add_explicit(&self->next, 1, memory_order_relaxed);
    Py_ssize_t length = PyUnicode_GET_LENGTH(self->prefix);
    PyObject *text = PyUnicode_New(length + 12, 127);
    if (text == NULL)
        return NULL;
    Py_UCS1 *place = PyUnicode_1BYTE_DATA(text);
    memcpy(place, PyUnicode_1BYTE_DATA(self->prefix), (size_t)length);
    for (int i = 11; i >= 0; i--, number >>= 4)
        place[length + i] = (Py_UCS1) "0123456789abcdef"[number & 15];
    return text;
}

static PyMethodDef ids_methods[] = {
    {"next", (PyCFunction)ids_next, METH_NOARGS, PyDoc_STR("next() -> str: the prefix and a number of 12 hexadecimal digits.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot ids_slots[] = {
    {Py_tp_new, (void *)ids_new},
    {Py_tp_dealloc, (void *)ids_dealloc},
    {Py_tp_methods, ids_methods},
    {Py_tp_doc, (void *)PyDoc_STR("Ids(prefix, first): texts that count from `first`, unique in all threads.")},
    {0, NULL},
};

static PyType_Spec ids_spec = {
    .name = "brokerless.native._engine.Ids",
    .basicsize = sizeof(IdsObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = ids_slots,
};

int bl_values_init(PyObject *module) {
    str_type_key = PyUnicode_InternFromString("__type__");
    str_bit_length = PyUnicode_InternFromString("bit_length");
    str_json = PyUnicode_InternFromString("__json__");
    PyObject *type = str_json != NULL && str_type_key != NULL && str_bit_length != NULL ? PyType_FromSpec(&ids_spec) : NULL;
    if (type == NULL)
        return -1;
    int code = PyModule_AddObjectRef(module, "Ids", type);
    Py_DECREF(type);
    return code;
}
