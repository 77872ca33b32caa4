/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every hypercall that we have: its name in xen.h, and who may call it.  ANY:
 * each sub-operation passes its own check in xsm.c.  CONTROL: only a
 * privileged domain gets further than the dispatcher, and passes its named
 * check too.  What is not here answers -ENOSYS, as an absent feature of Xen.
 */
#ifndef CORE_HYPERCALL_TABLE_H
#define CORE_HYPERCALL_TABLE_H

#define HYPERCALL_TABLE(X)                                              \
    X(memory_op,        ANY)                                            \
    X(multicall,        ANY)                                            \
    X(set_timer_op,     ANY)                                            \
    X(xen_version,      ANY)                                            \
    X(console_io,       ANY)                                            \
    X(grant_table_op,   ANY)                                            \
    X(vm_assist,        ANY)                                            \
    X(vcpu_op,          ANY)                                            \
    X(xsm_op,           ANY)                                            \
    X(sched_op,         ANY)                                            \
    X(event_channel_op, ANY)                                            \
    X(physdev_op,       ANY)                                            \
    X(hvm_op,           ANY)                                            \
    X(mmu_update,       ANY)                                            \
    X(mmuext_op,        CONTROL)                                        \
    X(mca,              CONTROL)                                        \
    X(platform_op,      CONTROL)                                        \
    X(sysctl,           CONTROL)                                        \
    X(domctl,           CONTROL)

#endif
