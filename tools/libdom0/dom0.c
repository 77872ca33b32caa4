/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Questions about this domain, answered from /dev/xen and sysfs.
 *
 * Talks to nothing else in the tree; keeps no state.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/features.h>

#include "tools/libdom0/dom0.h"

const char *dom0_missing_device(void)
{
    static const char *const devices[] = {
        "/dev/xen/privcmd", "/dev/xen/hypercall", "/dev/xen/gntdev",
        "/dev/xen/evtchn",
    };

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (access(devices[i], F_OK) != 0) {
            return devices[i];
        }
    }
    return NULL;
}

bool dom0_is_translated(void)
{
    FILE *file = fopen("/sys/hypervisor/properties/features", "re");
    unsigned long features = 0;
    char line[32];

    if (file == NULL) {
        return false;
    }
    if (fgets(line, sizeof(line), file) != NULL) {
        features = strtoul(line, NULL, 16);
    }
    fclose(file);
    return (features & (1ul << XENFEAT_auto_translated_physmap)) != 0;
}

bool dom0_kernel_has_vif(unsigned int domid, unsigned int handle,
                         char *driver, size_t size)
{
    char path[96];
    char target[128];
    ssize_t length;
    const char *name;

    snprintf(path, sizeof(path),
             "/sys/bus/xen-backend/devices/vif-%u-%u/driver", domid, handle);
    length = readlink(path, target, sizeof(target) - 1);
    if (length < 0) {
        return false;
    }
    target[length] = '\0';
    name = strrchr(target, '/');
    snprintf(driver, size, "%s", name != NULL ? name + 1 : target);
    return true;
}
