/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device's name and arguments, as a person wrote them.
 *
 * Talks to rte_kvargs only.  Invariant: what is refused is named in one
 * line, with the form that would be right.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include <rte_common.h>
#include <rte_kvargs.h>

#include "netback/pmd.h"
#include "netback/vif_log.h"

#define PREFIX "net_xenvif"
#define DOMID_MAX 32751ul       /* below DOMID_FIRST_RESERVED - 1 */
#define UNSET 65536u
#define QUEUES_DEFAULT 8u

struct number {
    unsigned long max;
    unsigned long value;
};

static bool parse_number(const char *text, char **end, unsigned long max,
                         unsigned long *value)
{
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    *value = strtoul(text, end, 10);
    return errno == 0 && *value <= max;
}

static int take_number(const char *key, const char *text, void *opaque)
{
    struct number *number = opaque;
    char *end;

    (void)key;
    if (text == NULL ||
        !parse_number(text, &end, number->max, &number->value) ||
        *end != '\0') {
        number->value = UNSET;
        return -EINVAL;
    }
    return 0;
}

/* An argument of the device; *value is left alone when it is absent. */
static int take_argument(const char *name, struct rte_kvargs *list,
                         const char *key, unsigned long max,
                         unsigned long *value)
{
    struct number number = { .max = max, .value = *value };

    if (rte_kvargs_count(list, key) == 0) {
        return 0;
    }
    if (rte_kvargs_process(list, key, take_number, &number) != 0) {
        VIF_LOG(ERR, name, "%s must be a number from 0 to %lu", key, max);
        return -EINVAL;
    }
    if (*value != UNSET && *value != number.value &&
        (strcmp(key, "domid") == 0 || strcmp(key, "handle") == 0)) {
        VIF_LOG(ERR, name, "%s=%lu contradicts the device's name", key,
                number.value);
        return -EINVAL;
    }
    *value = number.value;
    return 0;
}

static void parse_name(const char *name, unsigned long *domid,
                       unsigned long *handle)
{
    unsigned long d;
    unsigned long h;
    char *end;

    if (parse_number(name + strlen(PREFIX), &end, DOMID_MAX, &d) &&
        *end == '_' &&
        parse_number(end + 1, &end, VIF_HANDLE_MAX, &h) && *end == '\0') {
        *domid = d;
        *handle = h;
    }
}

static int finish(const char *name, const unsigned long *values,
                  struct pmd_args *args)
{
    if (values[0] == UNSET || values[1] == UNSET) {
        VIF_LOG(ERR, name, "which vif? name the device "
                PREFIX "<domid>_<handle>, or give domid= and handle=");
        return -EINVAL;
    }
    if (values[2] == 0) {
        VIF_LOG(ERR, name, "queues must be a number from 1 to %u",
                VIF_QUEUES_MAX);
        return -EINVAL;
    }
    *args = (struct pmd_args){
        .domid = (uint16_t)values[0], .handle = (uint16_t)values[1],
        .queues = (uint16_t)values[2], .tso = values[3] != 0,
    };
    return 0;
}

static int take_path(const char *key, const char *text, void *opaque)
{
    char *path = opaque;

    (void)key;
    if (text == NULL || text[0] != '/' || strlen(text) >= VIF_LOCAL_MAX) {
        return -EINVAL;
    }
    strcpy(path, text);
    return 0;
}

static int take_local(const char *name, struct rte_kvargs *list,
                      struct pmd_args *args)
{
    if (rte_kvargs_process(list, "local", take_path, args->local) != 0) {
        VIF_LOG(ERR, name, "local must be the path of a frontend's socket, "
                "from / on and shorter than %u bytes", VIF_LOCAL_MAX);
        return -EINVAL;
    }
    return 0;
}

static int take_word(const char *key, const char *text, void *opaque)
{
    static const char *const words[] = { "auto", "direct", "copy", "local" };
    enum vif_access *access = opaque;

    (void)key;
    for (unsigned int i = 0; text != NULL && i < RTE_DIM(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *access = (enum vif_access)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int take_access(const char *name, struct rte_kvargs *list,
                       struct pmd_args *args)
{
    bool local = args->local[0] != '\0';

    if (rte_kvargs_process(list, "access", take_word, &args->access) != 0) {
        VIF_LOG(ERR, name, "access must be auto, direct, copy or local");
        return -EINVAL;
    }
    if (args->access == VIF_ACCESS_AUTO && local) {
        args->access = VIF_ACCESS_LOCAL;
    }
    if ((args->access == VIF_ACCESS_LOCAL) != local) {
        VIF_LOG(ERR, name, "access=local and local=<path of a frontend's "
                "socket> go together");
        return -EINVAL;
    }
    return 0;
}

int pmd_args_parse(const char *name, const char *text,
                   struct pmd_args *args)
{
    static const char *const keys[] = {
        "domid", "handle", "queues", "tso", "access", "local", NULL
    };
    static const unsigned long most[] = {
        DOMID_MAX, VIF_HANDLE_MAX, VIF_QUEUES_MAX, 1
    };
    unsigned long values[] = {
        UNSET, UNSET, RTE_MIN(QUEUES_DEFAULT, (unsigned int)get_nprocs()), 1
    };
    struct rte_kvargs *list;
    int error = 0;

    parse_name(name, &values[0], &values[1]);
    list = rte_kvargs_parse(text != NULL ? text : "", keys);
    if (list == NULL) {
        VIF_LOG(ERR, name, "bad arguments \"%s\": known are domid=, handle=, "
                "queues=, tso=, access= and local=", text != NULL ? text : "");
        return -EINVAL;
    }
    for (unsigned int i = 0; i < RTE_DIM(most) && error == 0; i++) {
        error = take_argument(name, list, keys[i], most[i], &values[i]);
    }
    if (error == 0) {
        error = finish(name, values, args);
    }
    if (error == 0) {
        error = take_local(name, list, args);
    }
    if (error == 0) {
        error = take_access(name, list, args);
    }
    rte_kvargs_free(list);
    return error;
}
