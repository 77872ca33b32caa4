/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that core asks of a machine.  hv/arch/x86 implements it for the real
 * one, tests/fake for the host; the fake is the stricter of the two.
 */
#ifndef CORE_ARCH_H
#define CORE_ARCH_H

#include "core/types.h"
#include "core/xen_abi.h"

/* ---- CPUs and time ---- */

/* The calling CPU's number, 0 .. arch_cpu_count() - 1. */
unsigned int arch_cpu_id(void);
/* CPUs that are online; fixed after boot. */
unsigned int arch_cpu_count(void);
/*
 * Makes 'cpu' leave guest mode or its idle loop soon, and look at its timers
 * and the scheduler before it enters a guest again.  Any context.
 */
void arch_cpu_kick(unsigned int cpu);
/* What the scheduler said last that this CPU runs; NULL before, and idle. */
struct vcpu *arch_current(void);
void arch_set_current(struct vcpu *v);
/* Nanoseconds since boot, monotonic and the same on every CPU. */
uint64_t arch_time_now(void);
/* Wall-clock time at boot in nanoseconds since 1970 (from the RTC). */
uint64_t arch_boot_wallclock(void);
/* Asks for a timer interrupt on this CPU at 'deadline' ns (0: none). */
void arch_timer_program(uint64_t deadline);
/* Spin-loop hint. */
void arch_pause(void);
/* TSC frequency in kHz. */
uint64_t arch_tsc_khz(void);

/* Stops the machine: how is SHUTDOWN_poweroff, _reboot or _crash. */
void arch_machine_shutdown(unsigned int how) __attribute__((noreturn));
void arch_panic_halt(void) __attribute__((noreturn));

/* ---- memory ---- */

/* The hypervisor's mapping of frame 'm', always valid for RAM. */
void *arch_frame_map(mfn_t m);
mfn_t arch_virt_to_mfn(const void *va);

/*
 * Copies between the hypervisor and the current vcpu's address space.  0 or
 * -EFAULT (nothing useful was copied).  The caller holds no lock.
 */
int guest_read(void *dst, struct guest_ptr src, size_t size);
int guest_write(struct guest_ptr dst, const void *src, size_t size);

/*
 * A place of the current vcpu's address space that is written piece by piece:
 * looked up once, and its frames referenced, from guest_place_get() (0 or
 * -EFAULT; at most PAGE_SIZE bytes) to guest_place_put().
 */
struct guest_place {
    char *at[2];                    /* in its first page and in its second */
    struct frame *frame[2];
    size_t first;                   /* bytes in the first page */
};
int guest_place_get(struct guest_place *p, struct guest_ptr dst, size_t size);
void guest_place_write(const struct guest_place *p, size_t offset,
                       const void *src, size_t size);
void guest_place_put(struct guest_place *p);

/* ---- the p2m's table format: one 64-bit entry, any level ---- */

/*
 * Every domain's p2m is a 4-level radix tree of 512-entry pages, level 4 at
 * the root, level 1 mapping 4 KiB.  p2m.c owns the walk; these encode and
 * decode entries.  'type' is an enum p2m_type.
 */
uint64_t arch_p2m_leaf(mfn_t m, unsigned int level, unsigned int type);
uint64_t arch_p2m_table(mfn_t m);
bool arch_p2m_is_present(uint64_t entry);
bool arch_p2m_is_leaf(uint64_t entry, unsigned int level);
mfn_t arch_p2m_mfn(uint64_t entry);
unsigned int arch_p2m_type(uint64_t entry);
/* Largest leaf level the machine supports: 1, 2 (2 MiB) or 3 (1 GiB). */
unsigned int arch_p2m_max_leaf(void);
/*
 * Waits until no CPU runs 'd' with translations older than this call, or older
 * than the generation (p2m_flush()), which the caller raised before.  May be
 * called with locks held: a CPU in hypervisor mode needs no wait.
 */
void arch_p2m_flush(struct domain *d);

/* ---- domains and vcpus ---- */

int arch_domain_create(struct domain *d,
                       const struct xen_domctl_createdomain *config);
/*
 * Gives back a bounded part of what a domain that never runs again has of
 * the machine: 0 when arch_domain_destroy() has little left, or -ERESTART.
 */
int arch_domain_release(struct domain *d);
/* The domain never ran or never runs again.  Accepts half-made ones. */
void arch_domain_destroy(struct domain *d);
int arch_vcpu_create(struct vcpu *v);
void arch_vcpu_destroy(struct vcpu *v);
/* 'v' leaves / enters this CPU: FPU, debug registers, MSRs, timers. */
void arch_vcpu_switch_from(struct vcpu *v);
void arch_vcpu_switch_to(struct vcpu *v);
/* Forgets 'v's registers and what is on its way into it; it is paused. */
void arch_vcpu_reset(struct vcpu *v);
/*
 * Is 'v', which does not run, where its registers are none of its guest's?  If
 * so that is over soon, but for a guest that means ill.
 * While vcpu_is_to_settle() it runs until they are, and says vcpu_settled().
 */
bool arch_vcpu_is_between(struct vcpu *v);
/*
 * DOMCTL_setvcpucontext; 'v' is paused.  All of a PV guest's vcpu, of another
 * what DOMCTL_getvcpucontext shows but segments and control registers: 0,
 * -EINVAL, -EOPNOTSUPP, -ENOMEM, -ERESTART.
 */
int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
/* VCPUOP_initialise of a PV guest's vcpu that is down: 0, -EINVAL, ... */
int arch_vcpu_initialise_pv(struct vcpu *v,
                            const struct vcpu_guest_context *c);
/* Fills 'c' for DOMCTL_getvcpucontext; 'v' is paused. */
void arch_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c);
/* VCPUOP_initialise of a vcpu that is down: 0, -EINVAL, -EOPNOTSUPP. */
int arch_vcpu_set_hvm_context(struct vcpu *v,
                              const struct vcpu_hvm_context *c);
/* VCPUOP_send_nmi, kicking 'v': 0 or -EOPNOTSUPP. */
int arch_vcpu_send_nmi(struct vcpu *v);
/* An event channel upcall is pending for 'v': inject it (vector in arch). */
void arch_vcpu_upcall(struct vcpu *v);
/*
 * May an interrupt be delivered to 'v', the current one, so that it must not
 * block?
 */
bool arch_vcpu_has_pending(struct vcpu *v);
/*
 * Of the current vcpu, not a PV one, in a hypercall: the frame of its page
 * tables' root, which tells the processes of its kernel apart.
 */
uint64_t arch_vcpu_space(struct vcpu *v);
/* Would 'v', the current one, take an interrupt now (IF and shadows)? */
bool arch_vcpu_is_interruptible(struct vcpu *v);
/* HVMOP_set_evtchn_upcall_vector: 0 or -EINVAL (vector below 16). */
int arch_vcpu_set_upcall_vector(struct vcpu *v, unsigned int vector);
/* HVM_PARAM_CALLBACK_IRQ changed: 0 or -EINVAL. */
int arch_domain_set_callback(struct domain *d, uint64_t via);
/* Fills the TSC half of 'v's time record from now. */
void arch_time_info(struct vcpu *v, struct vcpu_time_info *t);
/* Domain memory map (XENMEM_memory_map, set_memory_map): arch owns it. */
struct e820_entry_abi { uint64_t addr, size; uint32_t type; }
    __attribute__((packed));

/* The registers holding the arguments of the current vcpu's hypercall. */
void arch_hypercall_args(struct vcpu *v, uint64_t a[6]);
/* Argument 'n' (0-5). */
void arch_hypercall_set_arg(struct vcpu *v, unsigned int n, uint64_t val);

/* ---- what the toolstack reads and sets: domctl, sysctl ---- */

enum cpu_policy_kind { CPU_POLICY_HOST, CPU_POLICY_HVM_MAX,
                       CPU_POLICY_HVM_DEFAULT, CPU_POLICY_PV_MAX,
                       CPU_POLICY_PV_DEFAULT };

/* The most leaves that any policy has. */
#define CPU_POLICY_MAX_LEAVES 128u

/*
 * Serialises a policy, sorted by leaf and subleaf (XEN_CPUID_NO_SUBLEAF where
 * there is none), as sysctl get_cpu_policy wants it.  The count, at most
 * CPU_POLICY_MAX_LEAVES.
 */
unsigned int arch_cpu_policy(enum cpu_policy_kind kind,
                             xen_cpuid_leaf_t *out);
unsigned int arch_domain_cpu_policy(struct domain *d, xen_cpuid_leaf_t *out);
/* Takes over leaves before the first entry: 0 or -EINVAL. */
int arch_domain_set_cpu_policy(struct domain *d, const xen_cpuid_leaf_t *leaf,
                               unsigned int count);

/* The most bytes that the HVM save records of 'd' can take. */
size_t arch_hvm_context_size(const struct domain *d);
/*
 * Those records (hvm/save.h: header, what each vcpu has, end); 'd' is paused
 * and not a PV domain.  '*used' bytes: 0 or -ENOSPC.
 */
int arch_hvm_context_save(struct domain *d, void *buf, size_t size,
                          size_t *used);
/*
 * Loads such: 0, -EINVAL, -ENODATA (cut off), -EOPNOTSUPP (a record that we
 * lack).  After an error the domain is not to run.
 */
int arch_hvm_context_load(struct domain *d, const void *buf, size_t size);
/* Bytes of a record that each vcpu has, CPU for one; others: 0. */
size_t arch_hvm_record_size(uint32_t type);
/* Has a vcpu that is down such a record, too? */
bool arch_hvm_record_is_of_down(uint32_t type);
/* Fills 'record', as many bytes, from 'v', which is paused. */
void arch_hvm_record_save(struct vcpu *v, uint32_t type, void *record);

/*
 * A vcpu's record for XEN_DOMCTL_getvcpuextstate: XCR0, all that was in it,
 * and an XSAVE image.  The components that any guest can have, 0 for none;
 * '*size' bytes are the most that one takes.
 */
uint64_t arch_xstate_max(size_t *size);
size_t arch_xstate_size(const struct vcpu *v);
/* Fills arch_xstate_size() bytes from 'v', which is paused. */
void arch_xstate_save(struct vcpu *v, void *record);
/*
 * Takes over 'size' bytes, a copy of our own; 'v' is paused.  0; -EINVAL,
 * -EOPNOTSUPP or -EIO where Xen says so, and nothing changed.
 */
int arch_xstate_load(struct vcpu *v, const void *record, size_t size);

/* APIC id of an online CPU, for XENPF_get_cpuinfo and topology. */
uint32_t arch_cpu_apic_id(unsigned int cpu);
/* First frame number above all RAM. */
uint64_t arch_max_mfn(void);
/* Where the boot options stand, for the version hypercall. */
const char *arch_command_line(void);

/* ---- PV guests: d->is_pv ---- */

/* Writes the stubs of XEN_DOMCTL_hypercall_init to RAM 'g': 0, -EINVAL. */
int arch_pv_hypercall_page(struct domain *d, gfn_t g);
/*
 * The toolstack pins 'g' as a page table of 'level' (0: no more) before the
 * domain first runs.  0, -EINVAL, -ENOMEM.
 */
int arch_pv_pin(struct domain *d, gfn_t g, unsigned int level);
/* What 'g' is as a page table: level 1-4, or 0; for who saves the domain. */
unsigned int arch_pv_level(struct domain *d, gfn_t g, bool *pinned);
/*
 * 'd' may have so many pages from now on, while it runs: what else it needs
 * for them.  0, -ERESTART (bounded work per call), -E2BIG (too many beside
 * what it was built for), -ENOMEM (what was begun is taken back), -ESRCH.
 */
int arch_pv_grow(struct domain *d, uint64_t pages);
/*
 * Where 'd' finds shared_info, the frames of its grant table, and, by
 * handle, grants that it mapped.
 */
enum pv_place { PV_SHARED_INFO, PV_GRANT_FRAME, PV_MAPPED_GRANT };
gfn_t arch_pv_gfn(const struct domain *d, enum pv_place place,
                  uint64_t index);
/*
 * The frame that 'd' knows by number 'pfn', by its M2P.  False: it changed so
 * much of that that we do not look for it.
 */
bool arch_pv_frame(struct domain *d, uint64_t pfn, gfn_t *g);
/* 'd' is to know of its handle, which changed; d->lock is held. */
void arch_pv_tell_handle(struct domain *d);
/* Where 'd' sees the M2P. */
void arch_pv_m2p(const struct domain *d, struct xen_machphys_mapping *m);
/* Pages of the M2P: of all that RAM can need, whole 2 MiB. */
uint64_t arch_pv_m2p_pages(void);
/* Page 'index' of the M2P, made as needed; mfn_invalid(): no memory. */
mfn_t arch_pv_m2p_page(uint64_t index);
/* Pages of the M2P that 'd' has for itself, as it changed them: never less. */
uint32_t arch_pv_own_m2p_pages(const struct domain *d);
/*
 * Page 'index' of those, with a reference for the caller; NULL: 'd' has, or
 * had before it died, the page that all have.  No lock is needed.
 */
struct frame *arch_pv_get_own_m2p(struct domain *d, uint64_t index);
/*
 * What vcpu_guest_context lacks, of 'v', which is paused: the ways in that
 * only 32-bit user mode has.  Setting: before 'v' first runs.
 */
void arch_pv_get_ext_context(struct vcpu *v,
                             struct xen_domctl_ext_vcpucontext *e);
void arch_pv_set_ext_context(struct vcpu *v,
                             const struct xen_domctl_ext_vcpucontext *e);

/* Barriers and atomics beyond the compiler's are in lib/atomic.h. */

#endif
