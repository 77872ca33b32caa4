/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Journals as mapped files.  Talks to the kernel only.
 *
 *   page 0: header | a page for each half of each queue
 *
 * Invariants:
 *  1. Directory and file are ours and nobody else's: owner and mode are
 *     checked after opening, and no link is followed.
 *  2. The lock on the file is held while it is mapped: one process serves a
 *     vif at a time.  The kernel drops it when the process ends.
 *  3. All its blocks are allocated before it is mapped: a full disk refuses
 *     it here, and kills nobody later.
 *  4. What a file says is checked before use; what does not fit is wiped.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_file.h"

#define MAGIC UINT64_C(0x326c6e6a66697667)
#define PAGE 4096u
#define HALF_SIZE PAGE
#define OPENS_MAX 8             /* against one that removes it meanwhile */

struct header {
    uint64_t magic;
    char identity[JOURNAL_IDENTITY_MAX];
};

struct journal_file {
    int dir;
    int fd;                     /* locked */
    unsigned int halves;
    size_t size;
    uint8_t *map;
    char name[JOURNAL_NAME_MAX];
};

_Static_assert(sizeof(struct journal_half) <= HALF_SIZE, "a half's page");
_Static_assert(sizeof(struct header) <= PAGE, "the header's page");

/* A directory that is ours alone, or a negative errno. */
static int open_dir(const char *path, bool make)
{
    struct stat st;
    int fd;

    if (make && mkdir(path, 0700) != 0 && errno != EEXIST) {
        return -errno;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) != 0 || st.st_uid != geteuid() ||
        (st.st_mode & 077) != 0) {
        close(fd);
        return -EPERM;
    }
    return fd;
}

/* Is the open file the one of that name, and ours alone? */
static bool is_the_file(int dir, const char *name, int fd)
{
    struct stat open_one, there;

    return fstat(fd, &open_one) == 0 &&
           fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           open_one.st_dev == there.st_dev &&
           open_one.st_ino == there.st_ino;
}

static bool is_private(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           st.st_uid == geteuid() && st.st_nlink == 1 &&
           (st.st_mode & 077) == 0;
}

/* Open and lock, or a negative errno; -EBUSY: somebody has it. */
static int open_locked(int dir, const char *name, int flags)
{
    for (int i = 0; i < OPENS_MAX; i++) {
        int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC |
                        O_NONBLOCK | flags, 0600);

        if (fd < 0) {
            return -errno;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int error = errno == EWOULDBLOCK ? -EBUSY : -errno;

            close(fd);
            return error;
        }
        if (is_the_file(dir, name, fd)) {
            if (is_private(fd)) {
                return fd;
            }
            close(fd);
            return -EPERM;
        }
        close(fd);
    }
    return -EBUSY;
}

static int map_file(struct journal_file *file, unsigned int queues)
{
    struct stat st;
    void *map;

    if (fstat(file->fd, &st) != 0) {
        return -errno;
    }
    /* A predecessor may have had more queues, whose pins count. */
    file->halves = queues * 2;
    if (st.st_size > (off_t)PAGE &&
        st.st_size <= (off_t)(PAGE + JOURNAL_QUEUES_MAX * 2 * HALF_SIZE) &&
        (st.st_size / PAGE - 1) > file->halves) {
        file->halves = (unsigned int)(st.st_size / PAGE - 1);
    }
    file->size = PAGE + (size_t)file->halves * HALF_SIZE;
    if (ftruncate(file->fd, (off_t)file->size) != 0) {
        return -errno;
    }
    if (posix_fallocate(file->fd, 0, (off_t)file->size) != 0) {
        return -ENOSPC;
    }
    map = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd,
               0);
    if (map == MAP_FAILED) {
        return -ENOMEM;
    }
    file->map = map;
    return 0;
}

/* The header is written last: a file that is half made is void. */
static void adopt(struct journal_file *file, const char *identity)
{
    struct header *header = (struct header *)file->map;

    if (header->magic == MAGIC &&
        strncmp(header->identity, identity, sizeof(header->identity)) == 0) {
        return;
    }
    memset(file->map, 0, file->size);
    snprintf(header->identity, sizeof(header->identity), "%s", identity);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    header->magic = MAGIC;
}

static void release(struct journal_file *file)
{
    if (file->map != NULL) {
        munmap(file->map, file->size);
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    if (file->dir >= 0) {
        close(file->dir);
    }
    free(file);
}

static int open_it(struct journal_file *file,
                   const struct journal_name *name, unsigned int queues,
                   const char **why)
{
    int error;

    *why = "the directory for journals is not there, or not ours alone";
    file->dir = open_dir(name->dir, true);
    if (file->dir < 0) {
        return file->dir;
    }
    *why = "the journal's file cannot be opened, or is not ours alone";
    file->fd = open_locked(file->dir, name->file, O_CREAT);
    if (file->fd < 0) {
        if (file->fd == -EBUSY) {
            *why = "another process serves it, and must end first";
        }
        return file->fd;
    }
    *why = "no memory for the journal";
    error = map_file(file, queues);
    if (error == 0) {
        adopt(file, name->identity);
    }
    return error;
}

struct journal_file *journal_file_open(const struct journal_name *name,
                                       unsigned int queues,
                                       const char **why)
{
    struct journal_file *file = calloc(1, sizeof(*file));
    int error = -ENOMEM;

    *why = "no memory";
    if (file != NULL) {
        file->dir = file->fd = -1;
        snprintf(file->name, sizeof(file->name), "%s", name->file);
        error = open_it(file, name, queues, why);
        if (error == 0) {
            return file;
        }
        release(file);
    }
    errno = -error;
    return NULL;
}

void journal_file_close(struct journal_file *file)
{
    unlinkat(file->dir, file->name, 0);
    release(file);
}

struct journal_half *journal_file_half(struct journal_file *file,
                                       unsigned int index)
{
    if (index >= file->halves) {
        return NULL;
    }
    return (struct journal_half *)(file->map + PAGE +
                                   (size_t)index * HALF_SIZE);
}

static void read_identity(int dir, const char *name,
                          char identity[JOURNAL_IDENTITY_MAX])
{
    struct header header = { .magic = 0 };
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
                    O_NONBLOCK);

    identity[0] = '\0';
    if (fd < 0) {
        return;
    }
    if (read(fd, &header, sizeof(header)) == (ssize_t)sizeof(header)) {
        snprintf(identity, JOURNAL_IDENTITY_MAX, "%.*s",
                 JOURNAL_IDENTITY_MAX - 1, header.identity);
    }
    close(fd);
}

/*
 * The lock is taken only on what is stale: for a moment it would keep a
 * vif's successor away.
 */
static void clean_one(int dir, const char *name,
                      bool (*is_stale)(void *opaque, const char *file,
                                       const char *identity), void *opaque)
{
    char identity[JOURNAL_IDENTITY_MAX];
    int fd;

    read_identity(dir, name, identity);
    if (!is_stale(opaque, name, identity)) {
        return;
    }
    fd = open_locked(dir, name, 0);
    if (fd >= 0) {              /* else it is in use, or none of ours */
        unlinkat(dir, name, 0);
        close(fd);
    }
}

void journal_file_clean(const char *path,
                        bool (*is_stale)(void *opaque, const char *file,
                                         const char *identity),
                        void *opaque)
{
    int fd = open_dir(path, false);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (dir == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            clean_one(dirfd(dir), entry->d_name, is_stale, opaque);
        }
    }
    closedir(dir);
}
