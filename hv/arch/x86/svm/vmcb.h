/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual machine control block: APM vol. 2, appendix B. */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

struct vmcb_segment {
    uint16_t selector;
    uint16_t attr;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    /* Control area. */
    uint16_t intercept_cr_read, intercept_cr_write;
    uint16_t intercept_dr_read, intercept_dr_write;
    uint32_t intercept_exceptions;
    uint32_t intercept1, intercept2, intercept3;
    uint8_t reserved0[0x3c - 0x18];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm, msrpm, tsc_offset;
    uint32_t asid;
    uint8_t tlb_control, reserved1[3];
    uint8_t v_tpr, v_irq;
    uint8_t v_prio;             /* priority, bit 4 ignore TPR */
    uint8_t v_masking;          /* bit 0 V_INTR_MASKING */
    uint8_t v_vector, reserved2[3];
    uint64_t interrupt_shadow;
    uint64_t exit_code, exit_info1, exit_info2;
    uint32_t exit_int_info, exit_int_error;
    uint64_t nested_control;
    uint8_t reserved3[0xa8 - 0x98];
    uint32_t event_inject, event_error;
    uint64_t nested_cr3;
    uint64_t virtual_ext;
    uint32_t clean, reserved4;
    uint64_t next_rip;
    uint8_t reserved5[0x400 - 0xd0];
    /* State save area. */
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved6[0x4cb - 0x4a0];
    uint8_t cpl;
    uint32_t reserved7;
    uint64_t efer;
    uint8_t reserved8[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved9[0x5d8 - 0x580];
    uint64_t rsp;
    uint8_t reserved10[0x5f8 - 0x5e0];
    uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t reserved11[0x668 - 0x648];
    uint64_t pat, debugctl;
    uint8_t reserved12[0x1000 - 0x678];
};

_Static_assert(offsetof(struct vmcb, iopm) == 0x40, "vmcb");
_Static_assert(offsetof(struct vmcb, v_tpr) == 0x60, "vmcb");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "vmcb");
_Static_assert(offsetof(struct vmcb, nested_control) == 0x90, "vmcb");
_Static_assert(offsetof(struct vmcb, event_inject) == 0xa8, "vmcb");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xc8, "vmcb");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "vmcb");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "vmcb");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "vmcb");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "vmcb");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "vmcb");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "vmcb");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "vmcb");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "vmcb");
_Static_assert(sizeof(struct vmcb) == 0x1000, "vmcb");

/* intercept1 */
#define VMCB_INTR (1u << 0)
#define VMCB_NMI (1u << 1)
#define VMCB_SMI (1u << 2)
#define VMCB_INIT (1u << 3)
#define VMCB_VINTR (1u << 4)
#define VMCB_RDPMC (1u << 15)
#define VMCB_CPUID (1u << 18)
#define VMCB_INVD (1u << 22)
#define VMCB_IRET (1u << 20)
#define VMCB_HLT (1u << 24)
#define VMCB_INVLPGA (1u << 26)
#define VMCB_IOIO (1u << 27)
#define VMCB_MSR (1u << 28)
#define VMCB_SHUTDOWN (1u << 31)
/* intercept2 */
#define VMCB_VMRUN (1u << 0)
#define VMCB_VMMCALL (1u << 1)
#define VMCB_VMLOAD (1u << 2)
#define VMCB_VMSAVE (1u << 3)
#define VMCB_STGI (1u << 4)
#define VMCB_CLGI (1u << 5)
#define VMCB_SKINIT (1u << 6)
#define VMCB_WBINVD (1u << 9)
#define VMCB_MONITOR (1u << 10)
#define VMCB_MWAIT (1u << 11)
#define VMCB_XSETBV (1u << 13)
#define VMCB_RDPRU (1u << 14)

#define VMCB_NESTED_PAGING 1u
#define VMCB_FLUSH_ALL 1u
#define VMCB_V_MASKING 1u
#define VMCB_V_PRIO_HIGHEST 0x1fu /* priority 15, TPR ignored */

/* event_inject, exit_int_info */
#define VMCB_EVENT_VALID (1u << 31)
#define VMCB_EVENT_ERROR (1u << 11)
#define VMCB_EVENT_TYPE (7u << 8)
#define VMCB_EVENT_VECTOR 0xffu
#define VMCB_EVENT_INTERRUPT (0u << 8)
#define VMCB_EVENT_NMI (2u << 8)
#define VMCB_EVENT_EXCEPTION (3u << 8)
#define VMCB_EVENT_SOFTWARE (4u << 8)

/* Exit codes: APM vol. 2, appendix C. */
#define EXIT_DR_FIRST 0x20
#define EXIT_DR_LAST 0x3f
#define EXIT_EXCEPTION 0x40
#define EXIT_INTR 0x60
#define EXIT_NMI 0x61
#define EXIT_SMI 0x62
#define EXIT_INIT 0x63
#define EXIT_VINTR 0x64
#define EXIT_RDPMC 0x6f
#define EXIT_CPUID 0x72
#define EXIT_IRET 0x74
#define EXIT_INVD 0x76
#define EXIT_HLT 0x78
#define EXIT_INVLPGA 0x7a
#define EXIT_IOIO 0x7b
#define EXIT_MSR 0x7c
#define EXIT_SHUTDOWN 0x7f
#define EXIT_VMRUN 0x80
#define EXIT_VMMCALL 0x81
#define EXIT_VMLOAD 0x82
#define EXIT_VMSAVE 0x83
#define EXIT_STGI 0x84
#define EXIT_CLGI 0x85
#define EXIT_SKINIT 0x86
#define EXIT_WBINVD 0x89
#define EXIT_MONITOR 0x8a
#define EXIT_MWAIT 0x8b
#define EXIT_MWAIT_ARMED 0x8c
#define EXIT_XSETBV 0x8d
#define EXIT_RDPRU 0x8e
#define EXIT_NPF 0x400
#define EXIT_INVALID (~0ull)
#define EXIT_INVALID_32 0xffffffffull       /* as QEMU 7.2 writes it */

#endif
