/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PHYSDEVOP: what a PVH hardware domain tells about its PCI devices.  Its
 * interrupts go through the virtual IO-APIC and MSI, and config space is
 * intercepted, so the kernel's reports are acknowledged and not needed.
 * Everything of the PV interrupt interface is absent.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/errno.h"

long physdev_op(unsigned int cmd, struct guest_ptr arg)
{
    struct physdev_pci_mmcfg_reserved mmcfg;
    struct physdev_pci_device_add add;
    struct physdev_pci_device dev;
    int rc = xsm_physdev_op(vcpu_current()->domain, cmd);

    if (rc != 0) {
        return rc;
    }
    switch (cmd) {
    case PHYSDEVOP_pci_mmcfg_reserved:
        return guest_read(&mmcfg, arg, sizeof(mmcfg));
    case PHYSDEVOP_pci_device_add:
        return guest_read(&add, arg, sizeof(add));
    case PHYSDEVOP_pci_device_remove:
    case PHYSDEVOP_prepare_msix:
    case PHYSDEVOP_release_msix:
        return guest_read(&dev, arg, sizeof(dev));
    default:
        return -ENOSYS;
    }
}
