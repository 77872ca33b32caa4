/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PV personality's address space, and what it shares with hvm/pv*.c.
 *
 * The ABI leaves level 4 slots 256..271 to us.  Every level 4 table that a
 * guest loads gets these entries, all without USER but the first:
 *
 *   256  M2P: read-only, visible to the guest
 *   257  the image; one page about the domain; the areas of the vcpus
 *   258  one record per guest frame: its level as a page table, its pins
 *   260  all guest frames, up to 4 TiB (260..267)
 *
 * The area of a vcpu, at PVK_AREA(id):
 *   0x00000  struct pvk_vcpu               0x08000  stack, to 0x0c000
 *   0x01000  trap table, 256 trap_info     0x10000  GDT: 14 pages of the
 *   0x02000  vcpu_guest_context, 2 pages            guest's, one of ours
 *   0x04000  entry stubs (image's page)    0x20000  LDT: 16 pages
 *   0x05000  level 1 table of the area
 *   0x06000  the GDT's page 14
 *   0x07000  stack of #DB and #DF
 *
 * Who writes what: the hypervisor before the vcpu first runs, then the
 * personality.  What the hypervisor reads there later it treats as the
 * guest's word: the guest's kernel can get at all of it.
 */
#ifndef PVKERN_LAYOUT_H
#define PVKERN_LAYOUT_H

#define PVK_HOLE_BASE 0xffff800000000000
#define PVK_HOLE_END 0xffff880000000000
#define PVK_SLOT_FIRST 256
#define PVK_SLOT_COUNT 16

#define PVK_M2P PVK_HOLE_BASE
#define PVK_IMAGE 0xffff808000000000
#define PVK_SHARED_INFO 0xffff808000201000
#define PVK_AREAS 0xffff808040000000
/* A test on the host has these three where a process may have them. */
#ifndef PVK_DOMAIN
#define PVK_DOMAIN 0xffff808000200000
#define PVK_RECORDS 0xffff810000000000
#define PVK_DIRECT 0xffff820000000000
#endif
#define PVK_DIRECT_LIMIT 0x40000000     /* frames: 4 TiB */

#define PVK_AREA_SHIFT 18
#define PVK_AREA_SIZE (1 << PVK_AREA_SHIFT)
#define PVK_AREA_TRAPS 0x1000
#define PVK_AREA_CONTEXT 0x2000
#define PVK_AREA_STUBS 0x4000
#define PVK_AREA_TABLE 0x5000
#define PVK_AREA_GDT_PAGE 0x6000
#define PVK_AREA_IST 0x7000
#define PVK_AREA_IST_TOP 0x8000
#define PVK_AREA_STACK 0x8000
#define PVK_AREA_STACK_TOP 0xc000
#define PVK_AREA_GDT 0x10000
#define PVK_AREA_LDT 0x20000
/* Frames of a guest's GDT, and pages of its LDT. */
#define PVK_GDT_FRAMES 14
#define PVK_GDT_BYTES (PVK_GDT_FRAMES << 12)
#define PVK_LDT_FRAMES 16
/* Offsets in struct pvk_vcpu that the entry code uses. */
#define PVK_VCPU_SAVED_RSP 0
#define PVK_VCPU_SYSCALL 8
#define PVK_VCPU_SYSCALL32 16

/* Selectors: the ABI's (xen-x86_64.h) and, below them, ours. */
#define PVK_CS 0xe008
#define PVK_SS 0xe010
#define PVK_GUEST_CS32 0xe023
#define PVK_GUEST_SS 0xe02b
#define PVK_GUEST_CS 0xe033
#define PVK_TSS 0xe040
#define PVK_LDT 0xe050

/* The hypervisor injects this vector when an event may be due. */
#define PVK_EVENT_VECTOR 0x1f
/* What stands for a vector where the entry was no trap. */
#define PVK_FROM_SYSCALL 0x100
#define PVK_FROM_SYSCALL32 0x101
#define PVK_FROM_SYSENTER 0x102

/*
 * The hypercall number of what the personality asks for itself; rdi says
 * what.  A guest's own call of this number is refused by the personality.
 */
#define PVK_CALL 55             /* __HYPERVISOR_arch_7 */
#define PVK_CALL_CRASH 1        /* rsi: enum pvk_crash; rdx, r10: facts */
#define PVK_CALL_FLUSH 2        /* rsi: word of the vcpu mask; rdx: mask */
#define PVK_CALL_M2P 3          /* rsi: frame; rdx: what the M2P says of it */

/* A record: level in bits 0-2, pinned, and how often it is used. */
#define PVK_RECORD_LEVEL 7u
#define PVK_RECORD_PINNED 8u
#define PVK_RECORD_USE 16u

#define PVK_ARG_WORDS 4

#define PVK_MAGIC 0x6b767067    /* "gpvk" */

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

enum pvk_crash {
    PVK_CRASH_FAULT = 1,        /* a fault of ours: vector, rip */
    PVK_CRASH_STACK,            /* no frame fits on the guest's stack */
    PVK_CRASH_TRAP,             /* no handler: vector, rip */
    PVK_CRASH_CR3,              /* no page table to run on */
    PVK_CRASH_IRET,             /* HYPERVISOR_iret with a bad frame */
};

/* The first bytes of the image; sizes in pages. */
struct pvk_image {
    uint32_t magic;
    uint32_t text_pages;        /* read-only, shared by all domains */
    uint32_t data_pages;        /* copied for each domain */
    uint32_t bss_pages;
    uint64_t start;             /* first instruction of a vcpu */
    uint64_t syscall, syscall32, sysenter;
    uint64_t idt;
    uint64_t stubs;             /* the page that each area shows */
    uint64_t leave;             /* to the guest, by the pvk_regs at rax */
    uint32_t stub_syscall32;    /* offset of it in that page */
    uint32_t reserved;
};

/* What XENVER_* writes and is the same as long as the domain lives. */
struct pvk_version {
    char extraversion[16];
    char compile_info[144];
    char capabilities[1024];
    char changeset[64];
    uint64_t virt_start;
};

/* What the hypervisor tells about the domain, at PVK_DOMAIN. */
struct pvk_domain {
    uint64_t frames;            /* guest frames that have records: it grows */
    uint64_t slot[PVK_SLOT_COUNT]; /* entries of every level 4 table */
    uint64_t shown, shown_end;  /* frames above them that it may map */
    uint64_t mapped_grants;     /* frame of the grant with handle 0 */
    uint32_t max_vcpus;
    uint32_t lock;              /* on the records: its vcpu's id + 1 */
    uint32_t is_ready;          /* the records were replayed */
    uint32_t replaying;         /* by the vcpu of id + 1 */
    uint32_t version;           /* the hypervisor's, once it was asked */
    uint32_t shows_iopl;        /* VMASST_TYPE_architectural_iopl */
    uint32_t pci_address;       /* written to port 0xcf8 */
    uint32_t cmos_index;        /* to port 0x70 */
    uint32_t features;          /* XENVER_get_features */
    uint32_t handle_turn;       /* odd while the handle changes */
    uint8_t handle[16];         /* XENVER_guest_handle */
    struct pvk_version constant;
};

struct pvk_tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
} __attribute__((packed));

/* What registers a vcpu's guest has while the personality runs. */
enum pvk_stage {
    PVK_MOVING,                 /* none: they are being changed */
    PVK_STARTING,               /* none yet: the context is as it was set */
    PVK_IN_WAIT,                /* at a VMMCALL: the frame's, but for rax */
};

struct pvk_callback {
    uint64_t address;           /* 0: none */
    uint32_t masks_events;
    uint32_t reserved;
};

enum pvk_callback_name { PVK_ON_EVENT, PVK_ON_FAILSAFE, PVK_ON_SYSCALL,
                         PVK_ON_SYSCALL32, PVK_ON_SYSENTER,
                         PVK_CALLBACK_COUNT };

struct pvk_vcpu {
    uint64_t saved_rsp;         /* the guest's, for an instant */
    uint64_t syscall, syscall32; /* where the stubs jump */
    uint32_t id;
    uint32_t in_kernel;         /* the guest is in kernel mode */
    uint64_t kernel_cr3;        /* also read by guest_copy.c */
    uint64_t user_cr3;          /* 0: none yet */
    uint64_t left_cr3[2];       /* of a life before: still counted as used */
    uint64_t info;              /* address of the vcpu_info: own_info, */
    uint64_t own_info[8];       /* until one is registered for id 32.. */
    uint64_t kernel_sp;
    struct pvk_callback callback[PVK_CALLBACK_COUNT];
    uint64_t cr4;               /* what the guest thinks it has */
    uint64_t dr7;               /* the CPU has it without those at ports */
    uint64_t ldt_base;
    uint32_t ldt_count;
    uint32_t gdt_count;         /* entries of the guest's GDT */
    uint64_t gdt_frame[PVK_GDT_FRAMES];
    uint64_t arg[PVK_ARG_WORDS]; /* a forwarded hypercall's argument */
    uint32_t iopl;              /* 0..3, as by PHYSDEVOP_set_iopl */
    uint32_t nmi_pending;       /* set by the hypervisor */
    uint32_t in_nmi;            /* its handler runs: until the next iret */
    uint32_t stage;             /* enum pvk_stage */
    uint64_t io_bitmap;         /* as by PHYSDEVOP_set_iobitmap */
    uint32_t io_ports;
    uint32_t reserved;
    struct pvk_tss tss;
};

/* The guest's registers, at the top of the stack while we run. */
struct pvk_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, rax, rcx;
    union {
        struct { uint64_t rdi, rsi, rdx, r10, r8, r9; };
        uint64_t arg[6];        /* of a hypercall */
    };
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(offsetof(struct pvk_vcpu, saved_rsp) == PVK_VCPU_SAVED_RSP,
               "entry.S");
_Static_assert(offsetof(struct pvk_vcpu, syscall) == PVK_VCPU_SYSCALL,
               "entry.S");
_Static_assert(offsetof(struct pvk_vcpu, syscall32) == PVK_VCPU_SYSCALL32,
               "entry.S");
_Static_assert(sizeof(struct pvk_tss) == 104, "tss");
_Static_assert(sizeof(struct pvk_domain) <= 4096, "one page");
_Static_assert(sizeof(struct pvk_vcpu) <= 4096, "one page");

#define PVK_AREA(id) (PVK_AREAS + ((uint64_t)(id) << PVK_AREA_SHIFT))
#endif

#endif
