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

#include <rte_common.h>
#include <rte_kvargs.h>

#include "netback/front_log.h"
#include "netback/front_pmd.h"

#define PREFIX "net_xenfront"

/* A decimal number up to max and nothing else. */
static bool parse_number(const char *text, unsigned long max,
                         unsigned long *value)
{
    char *end;

    if (text == NULL || *text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    *value = strtoul(text, &end, 10);
    return errno == 0 && *end == '\0' && *value <= max;
}

struct number {
    unsigned long max;
    unsigned long value;
    bool found;
};

static int take_number(const char *key, const char *text, void *opaque)
{
    struct number *number = opaque;

    (void)key;
    number->found = true;
    return parse_number(text, number->max, &number->value) ? 0 : -EINVAL;
}

static int take_path(const char *key, const char *text, void *opaque)
{
    char *path = opaque;

    (void)key;
    if (text == NULL || text[0] != '/' || strlen(text) >= FRONT_LOCAL_MAX) {
        return -EINVAL;
    }
    strcpy(path, text);
    return 0;
}

static int take_mac(const char *key, const char *text, void *opaque)
{
    struct front_args *args = opaque;

    (void)key;
    args->has_mac = true;
    return text == NULL || rte_ether_unformat_addr(text, &args->mac) != 0 ||
           !rte_is_valid_assigned_ether_addr(&args->mac) ? -EINVAL : 0;
}

/* Which device?  By device=, or by the name's number. */
static int take_handle(const char *name, struct rte_kvargs *list,
                       struct front_args *args)
{
    struct number number = { .max = FRONT_HANDLE_MAX };
    bool named = parse_number(name + strlen(PREFIX), FRONT_HANDLE_MAX,
                              &number.value);

    if (rte_kvargs_process(list, "device", take_number, &number) != 0) {
        FRONT_LOG(ERR, name, "device must be a number from 0 to %u: N of "
                  "device/vif/N in XenStore", FRONT_HANDLE_MAX);
        return -EINVAL;
    }
    if (!named && !number.found && args->local[0] == '\0') {
        FRONT_LOG(ERR, name, "which vif? give device=N, or name the device "
                  PREFIX "N");
        return -EINVAL;
    }
    args->handle = (uint16_t)number.value;
    return 0;
}

static int take_queues(const char *name, struct rte_kvargs *list,
                       struct front_args *args)
{
    struct number number = { .max = FRONT_QUEUES_MAX,
                             .value = FRONT_QUEUES_MAX };

    if (rte_kvargs_process(list, "queues", take_number, &number) != 0 ||
        number.value == 0) {
        FRONT_LOG(ERR, name, "queues must be a number from 1 to %u",
                  FRONT_QUEUES_MAX);
        return -EINVAL;
    }
    args->queues = (uint16_t)number.value;
    return 0;
}

static int take_all(const char *name, struct rte_kvargs *list,
                    struct front_args *args)
{
    int error;

    if (rte_kvargs_process(list, "local", take_path, args->local) != 0) {
        FRONT_LOG(ERR, name, "local must be the path to listen at, from / "
                  "on and shorter than %u bytes", FRONT_LOCAL_MAX);
        return -EINVAL;
    }
    if (rte_kvargs_process(list, "mac", take_mac, args) != 0) {
        FRONT_LOG(ERR, name, "mac must be the address of one station, such "
                  "as 02:00:00:00:00:01");
        return -EINVAL;
    }
    error = take_handle(name, list, args);
    return error != 0 ? error : take_queues(name, list, args);
}

int front_args_parse(const char *name, const char *text,
                     struct front_args *args)
{
    static const char *const keys[] = {
        "device", "queues", "local", "mac", NULL
    };
    struct rte_kvargs *list;
    int error;

    memset(args, 0, sizeof(*args));
    list = rte_kvargs_parse(text != NULL ? text : "", keys);
    if (list == NULL) {
        FRONT_LOG(ERR, name, "bad arguments \"%s\": known are device=, "
                  "queues=, local= and mac=", text != NULL ? text : "");
        return -EINVAL;
    }
    error = take_all(name, list, args);
    rte_kvargs_free(list);
    return error;
}
