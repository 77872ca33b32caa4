/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PVH domain of SAVE_VCPUS vcpus whose machine is plain memory: what save.c,
 * cpu_record.c, vcpu_context.c, vlapic.c and msr.c work on.  Its CPU has PCID
 * and SMEP, but no UMIP, FSGSBASE or SMAP; 40 bits of address; XSAVE with AVX,
 * and without AVX-512, if save_has_avx.
 */
#ifndef TESTS_UNIT_SAVE_ENV_H
#define TESTS_UNIT_SAVE_ENV_H

#include "hvm/hvm.h"
#include "hvm/vlapic.h"

#define SAVE_VCPUS 3u
#define SAVE_TSC_KHZ 2000000u

/* An XSAVE image with YMM, and with all that the host's CPU has. */
#define SAVE_XSTATE_SIZE 832u
#define SAVE_XSTATE_MAX 2432u

/* What the vendor's half has of a vcpu. */
struct save_vcpu {
    struct hvm_state state;
    uint8_t fpu[512];
    uint8_t xstate[SAVE_XSTATE_SIZE];
    uint64_t xstate_components;     /* of the last set_xstate() */
    uint64_t tsc_offset;
    unsigned int records_of_time;   /* wallclock_update_vcpu() calls */
};

extern struct domain save_domain;
extern struct save_vcpu save_machine[SAVE_VCPUS];
extern uint64_t save_now;           /* arch_time_now() */
extern bool save_has_avx;           /* what the domain's policy says */

/*
 * A new domain: vcpu 0 is up, in long mode, 'rip' 0x1000; the others are down
 * and as after reset.
 */
void save_env_start(void);
void save_env_end(void);
/* The timer of v's APIC: its deadline, or 0. */
uint64_t save_armed(unsigned int vcpu);
/* What VMRUN and the restore of the FPU would refuse (APM 15.5.1). */
bool save_can_run(unsigned int vcpu);

#endif
