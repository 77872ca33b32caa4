/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_mca: dom0's machine check log asks which CPUs there are and
 * fetches records.  We keep none yet, so it is told that there is no data.
 *
 *  1. Answers are written from zeroed objects.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

#include <xen/arch-x86/xen-mca.h>

static long write_cpus(struct guest_ptr to, uint32_t count)
{
    xen_mc_logical_cpu_t cpu;
    uint32_t i;

    for (i = 0; i < count; i++) {
        memset(&cpu, 0, sizeof(cpu));
        cpu.mc_cpunr = i;
        cpu.mc_apicid = arch_cpu_apic_id(i);
        cpu.mc_ncores = 1;
        cpu.mc_ncores_active = 1;
        cpu.mc_nthreads = 1;
        if (guest_write(guest_ptr_add(to, i * sizeof(cpu)), &cpu,
                        sizeof(cpu)) != 0) {
            return -EFAULT;
        }
    }
    return 0;
}

/* Without a buffer only the count is asked for. */
static long physcpuinfo(struct xen_mc_physcpuinfo *op)
{
    struct guest_ptr to = guest_ptr_of(op->info.p);
    uint32_t count = arch_cpu_count();
    long error = 0;

    if (!guest_ptr_is_null(to)) {
        if (op->ncpus == 0) {
            return -EINVAL;
        }
        count = min(count, op->ncpus);
        error = write_cpus(to, count);
    }
    op->ncpus = count;
    return error;
}

static long fetch(struct xen_mc_fetch *op)
{
    if (op->flags & XEN_MC_ACK) {
        op->flags = XEN_MC_OK;
        return 0;
    }
    if (!(op->flags & (XEN_MC_NONURGENT | XEN_MC_URGENT))) {
        return -EINVAL;
    }
    op->flags = XEN_MC_NODATA;
    op->fetch_id = 0;
    return 0;
}

long mca_op(struct guest_ptr arg)
{
    struct xen_mc op;
    long error = xsm_mca(vcpu_current()->domain);

    if (error != 0) {
        return error;
    }
    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.interface_version != XEN_MCA_INTERFACE_VERSION) {
        return -EACCES;
    }
    switch (op.cmd) {
    case XEN_MC_fetch:
        error = fetch(&op.u.mc_fetch);
        break;
    case XEN_MC_physcpuinfo:
        error = physcpuinfo(&op.u.mc_physcpuinfo);
        break;
    default:
        return -ENOSYS;
    }
    if (error == 0 && guest_write(arg, &op, sizeof(op)) != 0) {
        error = -EFAULT;
    }
    return error;
}
