/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See xenstore.h.  Stricter than the real one: a path with a slash at its
 * end, a write outside a transaction that is open, or the removal of a watch
 * that is not there fails the test by abort().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/xenstore.h"

#define NODES_MAX 128
#define PATH_MAX_BYTES 256
#define VALUE_MAX 256
#define WATCHES_MAX 16

struct node {
    char path[PATH_MAX_BYTES];
    unsigned char value[VALUE_MAX];
    size_t size;
};

static struct {
    struct node nodes[NODES_MAX];
    unsigned int count;
    char watches[WATCHES_MAX][PATH_MAX_BYTES];
    unsigned int watch_count;
    unsigned int writes;
    bool introduced;
    bool unprivileged;
    bool broken;
    unsigned int calls_left;    /* until it breaks; 0: it does not */
    bool transaction;
} store;

static int handle;

void fake_store_reset(void)
{
    memset(&store, 0, sizeof(store));
    store.introduced = true;
}

struct xs_handle *fake_store_handle(void)
{
    return (struct xs_handle *)&handle;
}

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static struct node *find(const char *path)
{
    must(*path != '\0' && path[strlen(path) - 1] != '/');
    for (unsigned int i = 0; i < store.count; i++) {
        if (strcmp(store.nodes[i].path, path) == 0) {
            return &store.nodes[i];
        }
    }
    return NULL;
}

void fake_store_set_bytes(const char *path, const void *data, size_t size)
{
    struct node *node = find(path);

    if (node == NULL) {
        must(store.count < NODES_MAX && strlen(path) < PATH_MAX_BYTES);
        node = &store.nodes[store.count++];
        strcpy(node->path, path);
    }
    must(size < VALUE_MAX);
    memcpy(node->value, data, size);
    node->value[size] = '\0';
    node->size = size;
}

void fake_store_set(const char *path, const char *value)
{
    fake_store_set_bytes(path, value, strlen(value));
}

const char *fake_store_get(const char *path)
{
    struct node *node = find(path);

    return node != NULL ? (const char *)node->value : "";
}

void fake_store_remove(const char *path)
{
    size_t length = strlen(path);

    for (unsigned int i = 0; i < store.count;) {
        const char *at = store.nodes[i].path;

        if (strncmp(at, path, length) == 0 &&
            (at[length] == '\0' || at[length] == '/')) {
            store.nodes[i] = store.nodes[--store.count];
        } else {
            i++;
        }
    }
}

void fake_store_set_domain(bool introduced)
{
    store.introduced = introduced;
}

void fake_store_set_privileged(bool privileged)
{
    store.unprivileged = !privileged;
}

void fake_store_set_broken(bool broken)
{
    store.broken = broken;
    store.calls_left = 0;
}

void fake_store_break_after(unsigned int calls)
{
    store.broken = false;
    store.calls_left = calls + 1;
}

unsigned int fake_store_watches(void)
{
    return store.watch_count;
}

unsigned int fake_store_writes(void)
{
    return store.writes;
}

static bool answers(struct xs_handle *xs)
{
    must(xs == fake_store_handle());
    if (store.calls_left != 0 && --store.calls_left == 0) {
        store.broken = true;
    }
    if (store.broken) {
        errno = EBADF;
        return false;
    }
    return true;
}

const char *xs_daemon_socket(void)
{
    return "/nonexistent";
}

void *xs_read(struct xs_handle *xs, xs_transaction_t t, const char *path,
              unsigned int *size)
{
    struct node *node;
    char *copy;

    must((t != XBT_NULL) == store.transaction || t == XBT_NULL);
    if (!answers(xs)) {
        return NULL;
    }
    node = find(path);
    if (node == NULL) {
        errno = ENOENT;
        return NULL;
    }
    copy = malloc(node->size + 1);
    must(copy != NULL);
    memcpy(copy, node->value, node->size + 1);
    *size = (unsigned int)node->size;
    return copy;
}

bool xs_rm(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    (void)xs;
    (void)t;
    if (store.broken) {
        errno = EBADF;
        return false;
    }
    fake_store_remove(path);
    return true;
}

bool xs_write(struct xs_handle *xs, xs_transaction_t t, const char *path,
              const void *data, unsigned int size)
{
    must((t != XBT_NULL) == store.transaction);
    if (!answers(xs)) {
        return false;
    }
    store.writes++;
    fake_store_set_bytes(path, data, size);
    return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *xs)
{
    must(!store.transaction);
    if (!answers(xs)) {
        return XBT_NULL;
    }
    store.transaction = true;
    return 1;
}

bool xs_transaction_end(struct xs_handle *xs, xs_transaction_t t,
                        bool stop)
{
    (void)stop;
    must(t == 1 && store.transaction);
    store.transaction = false;
    return answers(xs);
}

bool xs_watch(struct xs_handle *xs, const char *path, const char *token)
{
    must(*token != '\0' && store.watch_count < WATCHES_MAX);
    if (!answers(xs)) {
        return false;
    }
    strcpy(store.watches[store.watch_count++], path);
    return true;
}

bool xs_unwatch(struct xs_handle *xs, const char *path, const char *token)
{
    (void)token;
    if (!answers(xs)) {
        return false;
    }
    for (unsigned int i = 0; i < store.watch_count; i++) {
        if (strcmp(store.watches[i], path) == 0) {
            memmove(store.watches[i],
                    store.watches[--store.watch_count], PATH_MAX_BYTES);
            return true;
        }
    }
    abort();
}

bool xs_is_domain_introduced(struct xs_handle *xs, unsigned int domid)
{
    must(domid == 1);
    if (!answers(xs)) {
        return false;
    }
    if (store.unprivileged) {
        errno = EACCES;
        return false;
    }
    return store.introduced;
}
