/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks a PCI function's capability list (PCI 3.0, 6.7, 6.8) for MSI and
 * MSI-X.  Pure: the device is read through a function.
 *
 *  1. The walk ends after as many steps as capabilities can fit.
 *  2. What a device says about its table is checked: BAR number, offset.
 */
#include "hvm/vpci_caps.h"

#define REG_STATUS 0x04         /* high half */
#define STATUS_CAPS (1u << 20)
#define REG_CAPS 0x34
#define CAP_FIRST 0x40u
#define CAP_STEPS 48
#define CAP_MSI 0x05
#define CAP_MSIX 0x11

static void read_msi(uint32_t head, unsigned int at, struct vpci_caps *out)
{
    out->msi = (uint8_t)at;
    out->msi_has_64 = (head >> 23) & 1;
    out->msi_has_mask = (head >> 24) & 1;
}

static void read_msix(vpci_read_fn *read, void *arg, uint32_t head,
                      unsigned int at, struct vpci_caps *out)
{
    uint32_t table = read(arg, at + 4);

    if ((table & 7) > 5) {
        return;
    }
    out->msix = (uint8_t)at;
    out->msix_count = (uint16_t)(((head >> 16) & 0x7ff) + 1);
    out->msix_bir = table & 7;
    out->msix_offset = table & ~7u;
}

void vpci_caps_find(vpci_read_fn *read, void *arg, struct vpci_caps *out)
{
    unsigned int at;

    *out = (struct vpci_caps){ 0 };
    if (!(read(arg, REG_STATUS) & STATUS_CAPS)) {
        return;
    }
    at = read(arg, REG_CAPS) & 0xfc;
    for (unsigned int i = 0; i < CAP_STEPS && at >= CAP_FIRST; i++) {
        uint32_t head = read(arg, at);

        if ((head & 0xff) == CAP_MSI && out->msi == 0) {
            read_msi(head, at, out);
        } else if ((head & 0xff) == CAP_MSIX && out->msix == 0) {
            read_msix(read, arg, head, at, out);
        } else if ((head & 0xff) == 0xff) {
            return;
        }
        at = (head >> 8) & 0xfc;
    }
}

struct vpci_msi_target vpci_msi_decode(uint64_t address, uint32_t data)
{
    return (struct vpci_msi_target){
        .dest = (uint32_t)(address >> 12) & 0xff,
        .is_logical = (address >> 2) & 1,
        .vector = (uint8_t)data,
        .mode = (data >> 8) & 7,
        .is_level = (data >> 15) & 1,
    };
}
