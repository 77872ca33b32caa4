/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XENPF: what the hardware domain's kernel asks of the platform: the time,
 * firmware data, the physical CPUs, sleep.  xsm_platform_op() lets only the
 * privileged domain in; what a host without EFI, EDD or VGA lacks answers as
 * Xen does there.
 */
#include "core/arch.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/vcpu.h"
#include "core/wallclock.h"
#include "core/xsm.h"
#include "lib/errno.h"
#include "lib/string.h"

#define ACPI_STATE_S5 5u
/* In Xen since 4.17, not in libxen-dev's platform.h: a host with VGA. */
#define XENPF_GET_DOM0_CONSOLE 64u

static int set_time(struct xen_platform_op *op)
{
    if (op->u.settime64.mbz != 0 || op->u.settime64.nsecs >= 1000000000u) {
        return -EINVAL;
    }
    wallclock_set(op->u.settime64.secs, op->u.settime64.nsecs,
                  op->u.settime64.system_time);
    return 0;
}

static int set_time32(struct xen_platform_op *op)
{
    if (op->u.settime32.nsecs >= 1000000000u) {
        return -EINVAL;
    }
    wallclock_set(op->u.settime32.secs, op->u.settime32.nsecs,
                  op->u.settime32.system_time);
    return 0;
}

static int firmware_info(struct xen_platform_op *op)
{
    switch (op->u.firmware_info.type) {
    case XEN_FW_KBD_SHIFT_FLAGS:
        if (op->u.firmware_info.index != 0) {
            return -ESRCH;
        }
        op->u.firmware_info.u.kbd_shift_flags = 0;
        return 0;
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
    case XEN_FW_EFI_INFO:
        return -ESRCH;
    default:
        return -EINVAL;
    }
}

static int cpu_info(struct xen_platform_op *op)
{
    struct xenpf_pcpuinfo *c = &op->u.pcpu_info;

    c->max_present = arch_cpu_count() - 1;
    c->flags = 0;
    if (c->xen_cpuid < arch_cpu_count()) {
        c->flags = XEN_PCPU_FLAGS_ONLINE;
        c->apic_id = arch_cpu_apic_id(c->xen_cpuid);
        c->acpi_id = c->xen_cpuid;
    }
    return 0;
}

static int enter_sleep(struct xen_platform_op *op)
{
    if (op->u.enter_acpi_sleep.sleep_state != ACPI_STATE_S5) {
        return -EOPNOTSUPP;
    }
    arch_machine_shutdown(SHUTDOWN_poweroff);
}

static int run(struct xen_platform_op *op)
{
    switch (op->cmd) {
    case XENPF_settime64:
        return set_time(op);
    case XENPF_settime32:
        return set_time32(op);
    case XENPF_firmware_info:
        return firmware_info(op);
    case XENPF_get_cpuinfo:
        return cpu_info(op);
    case XENPF_enter_acpi_sleep:
        return enter_sleep(op);
    case XENPF_GET_DOM0_CONSOLE:
        return -ENODEV;
    case XENPF_set_processor_pminfo:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

long platform_op(struct guest_ptr arg)
{
    struct xen_platform_op op;
    int rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.interface_version != XENPF_INTERFACE_VERSION) {
        return -EACCES;
    }
    rc = xsm_platform_op(vcpu_current()->domain, op.cmd);
    if (rc == 0) {
        rc = run(&op);
    }
    if (rc == 0 && guest_write(arg, &op, sizeof(op)) != 0) {
        rc = -EFAULT;
    }
    return rc;
}
