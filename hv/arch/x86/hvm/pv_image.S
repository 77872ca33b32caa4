/* SPDX-License-Identifier: GPL-2.0-only */
/* The personality as it was linked: struct pvk_image comes first. */
        .section .rodata
        .balign 4096
        .globl pv_image_start, pv_image_end
pv_image_start:
        .incbin "hv/pvkern.bin"
pv_image_end:
        .section .note.GNU-stack, "", @progbits
