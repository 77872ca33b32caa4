/* SPDX-License-Identifier: GPL-2.0-only */
/* NMIs of the machine: counted where they arrive, told by the CPU's loop. */
#ifndef X86_NMI_H
#define X86_NMI_H

#include <stdint.h>

struct nmi_record {
    uint32_t count;             /* [a] written by the NMI */
    uint32_t told;              /* by the loop */
    uint64_t told_at;           /* ns: when it told last; 0: never */
};

/* From the NMI, whatever it interrupted: takes no lock. */
void nmi_note(struct nmi_record *r);
/* From the loop of 'cpu': a line if there were any, at most one a second. */
void nmi_report(struct nmi_record *r, unsigned int cpu);

#endif
