/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PV guests as the hypervisor sees them: a container whose ring 0 is the
 * personality (pvkern/).  pv_memory.c builds the container's own pages and
 * page tables, pv.c its vcpus and what the personality asks for.
 */
#ifndef HVM_PV_H
#define HVM_PV_H

#include "hvm/hvm.h"
#include "lib/list.h"
#include "pvkern/layout.h"

/*
 * Container gfns above every guest frame: first the grant table's frames,
 * shared_info, mapped grants by handle, then our own pages as they are made,
 * the records, and the M2P.
 */
#define PV_GFNS (1ull << 23)
#define PV_GFN_GRANTS 0ull
#define PV_GFN_SHARED_INFO 0x10000ull
#define PV_GFN_MAPPED 0x100000ull
#define PV_GFN_PAGES 0x200000ull
#define PV_GFN_RECORDS 0x500000ull
#define PV_GFN_M2P 0x600000ull

/* Pages of the M2P that a domain may change and still balloon by. */
#define PV_OWN_M2P_MAX 16u

/* What guest frames need: M2P, records, the view of them. */
#define PV_PARTS 3u

struct pv_domain {
    uint64_t base;              /* [I] first container gfn of ours */
    uint64_t next;              /* next free gfn: who builds it, or grows */
    struct list_node pages;     /* ours, by link; d->lock */
    struct list_node records;   /* [c] pages of them, the last one first */
    uint64_t root;              /* [I] gfn of the level 4 table */
    struct pvk_domain *shared;  /* [I] PVK_DOMAIN: the guest can write it */
    uint32_t handle_turn;       /* d->lock: what we wrote there last */
    bool is_completing;         /* [a] one caller, who has what is [c] */
    uint64_t wanted;            /* [c] frames to be built for, 0: ask */
    uint64_t asked;             /* [c] pages of the highest limit so far */
    uint64_t done[PV_PARTS];    /* [c] pieces that are shown */
    int error;                  /* [c] growth came to it and is taken back */
    uint64_t most;              /* [I] once frames is set: its maximum */
    uint64_t own_m2p[PV_OWN_M2P_MAX]; /* d->lock: pages that are its own */
    uint32_t own_m2p_count;     /* d->lock: all of them, so it may be more */
    uint64_t frames;            /* [a] frames with records; 0: none yet */
};

struct pv_vcpu {
    struct pvk_vcpu *shared;    /* [I] the guest can write it */
    void *context[2];           /* [I] PVK_AREA_CONTEXT */
    void *traps;                /* [I] PVK_AREA_TRAPS */
    char *stack_top_page;       /* [I] the stack's highest page */
    bool nmi_due;               /* [o] the personality is to be told */
    bool is_waiting;            /* [o] behind a VMMCALL in PVK_IN_WAIT */
};

/* Boot CPU, before the first domain: takes the image apart. */
void pv_init(void);

int pv_domain_create(struct domain *d);
/* Accepts a half-made one. */
void pv_domain_destroy(struct domain *d);
int pv_vcpu_create(struct vcpu *v);
void pv_vcpu_destroy(struct vcpu *v);
/* What the personality keeps of a vcpu that starts anew; it is paused. */
void pv_vcpu_reset(struct vcpu *v);
/* What it is at comes to no end; the vcpu is paused. */
void pv_abandon(struct vcpu *v);

static inline bool is_pv(const struct domain *d)
{
    return d->arch->pv != NULL;
}

/* DOMCTL_get/setvcpucontext of a PV guest's vcpu, which is paused. */
void pv_get_context(struct vcpu *v, struct vcpu_guest_context *c);
/* 0, -EINVAL (what Xen refuses), or what pv_memory_complete() says. */
int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
/*
 * Of a vcpu that has run: its general registers and FPU.  0, or -EOPNOTSUPP if
 * 'c' has other tables than it runs on, as from Xen.
 */
int pv_set_registers(struct vcpu *v, const struct vcpu_guest_context *c);

/* Are its values such that a vcpu can start?  Its frames are not looked at. */
bool pv_context_is_valid(const struct vcpu_guest_context *c);

/* ---- pv_memory.c ---- */

int pv_memory_create(struct domain *d);
void pv_memory_destroy(struct domain *d);
/* Pages of vcpu 'v' in its area. */
int pv_memory_add_vcpu(struct vcpu *v);
/*
 * Records, M2P and the view of all guest frames, once the toolstack has
 * given the memory: 0, -ERESTART (bounded work per call), -EBUSY (another
 * does it), -ENOMEM, -E2BIG.  Again and again the same.
 */
int pv_memory_complete(struct domain *d);
/* Frees a bounded number of pages: 0 when all are gone, or -ERESTART. */
int pv_memory_release(struct domain *d);
/* What the guest's M2P says of one of its frames: 0, -EINVAL, -ENOMEM. */
int pv_memory_set_m2p(struct domain *d, uint64_t frame, uint64_t pfn);
/*
 * The record of a guest frame, or NULL.  While the guest runs it is what the
 * guest says.
 */
uint32_t *pv_memory_record(struct domain *d, uint64_t frame);
/* Entry points of the image. */
const struct pvk_image *pv_image(void);

/* ---- for exits ---- */

/* PVK_CALL of the personality, from CPL 0. */
bool pv_exit_call(struct vcpu *v);
/* A nested fault: nothing stands behind a gfn that PV code used. */
void pv_exit_npf(struct vcpu *v, uint64_t gpa);
/*
 * Chooses what to inject; the PV half of hvm_prepare_entry().  False: 'v' has
 * settled, it is not to be entered.
 */
bool pv_prepare_entry(struct vcpu *v);
/* 'v', the current one, is at a VMMCALL that was answered. */
void pv_at_call(struct vcpu *v);
/* See arch_vcpu_is_between(). */
bool pv_is_between(struct vcpu *v);
/* Another vcpu wants v's translations gone: true once for each time. */
bool pv_take_flush(struct vcpu *v);

#endif
