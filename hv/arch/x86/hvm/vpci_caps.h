/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds the interrupt capabilities of a PCI function. */
#ifndef HVM_VPCI_CAPS_H
#define HVM_VPCI_CAPS_H

#include <stdbool.h>
#include <stdint.h>

struct vpci_caps {
    uint8_t msi;                /* offset of the capability, 0: none */
    bool msi_has_64, msi_has_mask;
    uint8_t msix;               /* offset, 0: none */
    uint16_t msix_count;        /* entries, 1 - 2048 */
    uint8_t msix_bir;           /* BAR with the table, 0 - 5 */
    uint32_t msix_offset;       /* of the table in it */
};

/* Reads a dword of configuration space. */
typedef uint32_t vpci_read_fn(void *arg, unsigned int reg);

void vpci_caps_find(vpci_read_fn *read, void *arg, struct vpci_caps *out);

/* What an MSI's address and data say: SDM 11.11. */
struct vpci_msi_target {
    uint32_t dest;
    uint8_t vector, mode;
    bool is_logical, is_level;
};

struct vpci_msi_target vpci_msi_decode(uint64_t address, uint32_t data);

#endif
