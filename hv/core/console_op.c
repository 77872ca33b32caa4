/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_console_io: dom0 writes text to our console and reads what was
 * typed there.  console.c has the rings.
 *
 *  1. Text is copied in pieces; after WRITE_BATCH bytes the call restarts.
 */
#include "core/arch.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/errno.h"
#include "lib/minmax.h"

#define PIECE_SIZE 128u
/* A serial line does 11 bytes a millisecond: keep one go short. */
#define WRITE_BATCH 512u

static long write_console(unsigned int count, struct guest_ptr buf)
{
    char piece[PIECE_SIZE];
    unsigned int size, done = 0;

    while (count > 0) {
        if (done >= WRITE_BATCH) {
            hypercall_set_arg(1, count);
            hypercall_set_arg(2, buf.va);
            return -ERESTART;
        }
        size = min(count, PIECE_SIZE);
        if (guest_read(piece, buf, size) != 0) {
            return -EFAULT;
        }
        console_write(piece, size);
        buf = guest_ptr_add(buf, size);
        count -= size;
        done += size;
    }
    return 0;
}

static long read_console(unsigned int count, struct guest_ptr buf)
{
    char piece[PIECE_SIZE];
    long done = 0;
    size_t size;

    while (count > 0) {
        size = console_read(piece, min(count, PIECE_SIZE));
        if (size == 0) {
            break;
        }
        if (guest_write(guest_ptr_add(buf, done), piece, size) != 0) {
            return -EFAULT;
        }
        done += size;
        count -= size;
    }
    return done;
}

long console_op(unsigned int cmd, unsigned int count, struct guest_ptr buf)
{
    int error = xsm_console_io(vcpu_current()->domain, cmd);

    if (error != 0) {
        return error;
    }
    switch (cmd) {
    case CONSOLEIO_write:
        return write_console(count, buf);
    case CONSOLEIO_read:
        /* The count is returned in an int by the guests' stubs. */
        return count > INT32_MAX ? -EINVAL : read_console(count, buf);
    default:
        return -ENOSYS;
    }
}
