/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In a guest, statically linked: loads a kernel for kexec by
 * kexec_file_load(2), and jumps to it.
 *
 * usage: guest_kexec load|crash KERNEL INITRD COMMAND_LINE
 *        guest_kexec go
 *
 * load: for go, which brings devices down and jumps; crash: for a panic.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/kexec.h>
#include <linux/reboot.h>
#include <sys/syscall.h>

static int fail(const char *what)
{
    fprintf(stderr, "guest_kexec: %s: %s\n", what, strerror(errno));
    return 1;
}

static int load(char **argv, unsigned long flags)
{
    int kernel = open(argv[2], O_RDONLY | O_CLOEXEC);
    int initrd = open(argv[3], O_RDONLY | O_CLOEXEC);

    if (kernel < 0 || initrd < 0) {
        return fail("open");
    }
    if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[4]) + 1,
                argv[4], flags) != 0) {
        return fail("kexec_file_load");
    }
    return 0;
}

static int go(void)
{
    sync();
    (void)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
                  LINUX_REBOOT_CMD_KEXEC, NULL);
    return fail("reboot");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "go") == 0) {
        return go();
    }
    if (argc == 5 && strcmp(argv[1], "load") == 0) {
        return load(argv, 0);
    }
    if (argc == 5 && strcmp(argv[1], "crash") == 0) {
        return load(argv, KEXEC_FILE_ON_CRASH);
    }
    fprintf(stderr, "usage: guest_kexec load|crash KERNEL INITRD LINE | go\n");
    return 1;
}
