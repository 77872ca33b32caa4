/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's PCI configuration space, segment 0. */
#ifndef X86_PCI_H
#define X86_PCI_H

#include <stdint.h>

/* Bus, device, function as in the specification: 8, 5, 3 bits. */
typedef struct { uint16_t v; } pci_bdf_t;

/*
 * 'size' 1, 2, 4 at 'reg', aligned to it; beyond 255 only if the machine
 * has MMCONFIG (otherwise ones, and writes are lost).
 */
uint32_t pci_read(pci_bdf_t bdf, unsigned int reg, unsigned int size);
void pci_write(pci_bdf_t bdf, unsigned int reg, unsigned int size,
               uint32_t value);

#endif
