/* SPDX-License-Identifier: GPL-2.0-only */

/* Parsers of what XenStore says about a vif.
 *
 * watch.c reads the strings and calls these functions; reconcile.c works on
 * the resulting 'struct vif'.
 *
 * Invariants:
 *
 * 1. Every string is foreign: a function either takes the whole of it by the
 *    rule in its comment, or returns false and leaves its output alone.
 *
 * 2. What these functions let through is safe as an OVSDB name, as a value of
 *    dpdk-devargs and on one line of a log.
 *
 * 3. No memory is allocated, and every loop ends by the string's end or by a
 *    constant of vif.h. */

#include "vif.h"

#include <string.h>

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The characters that a bridge's name may have.  '.' and ':' separate VLANs;
 * '/' would not fit in the file system, where OVS makes a socket of the
 * name. */
static bool
is_bridge_char(char c)
{
    return is_alnum(c) || c == '-' || c == '_';
}

/* Takes the decimal number at '*p', at most 'max', and moves '*p' behind it.
 * Leading zeros are refused, so that every number has one spelling. */
static bool
take_number(const char **p, uint32_t max, uint32_t *value)
{
    const char *s = *p;
    uint64_t n = 0;

    if (!is_digit(*s) || (s[0] == '0' && is_digit(s[1]))) {
        return false;
    }
    for (; is_digit(*s); s++) {
        n = n * 10 + (uint64_t) (*s - '0');
        if (n > max) {
            return false;
        }
    }
    *value = (uint32_t) n;
    *p = s;
    return true;
}

/* Parses the whole of 's' as a decimal number from 0 to 'max'. */
bool
vif_parse_id(const char *s, uint32_t max, uint32_t *value)
{
    uint32_t n;

    if (!take_number(&s, max, &n) || *s) {
        return false;
    }
    *value = n;
    return true;
}

/* Parses 'path' as "BASE/DOMID/DEVID" or as a node below that.  Returns false
 * if it is shorter or anything else. */
bool
vif_parse_path(const char *path, const char *base,
               uint32_t *domid, uint32_t *devid)
{
    size_t base_len = strlen(base);
    uint32_t dom, dev;

    if (strncmp(path, base, base_len) != 0 || path[base_len] != '/') {
        return false;
    }
    path += base_len + 1;
    if (!take_number(&path, VIF_DOMID_MAX, &dom) || *path++ != '/'
        || !take_number(&path, VIF_DEVID_MAX, &dev)
        || (*path && *path != '/')) {
        return false;
    }
    *domid = dom;
    *devid = dev;
    return true;
}

/* Adds VLAN 'vid' to the sorted list in 'place'. */
static bool
add_trunk(struct vif_place *place, uint16_t vid)
{
    size_t i = 0;

    while (i < place->n_trunks && place->trunks[i] < vid) {
        i++;
    }
    if (i < place->n_trunks && place->trunks[i] == vid) {
        return true;
    }
    if (place->n_trunks == VIF_TRUNKS_MAX) {
        return false;
    }
    memmove(&place->trunks[i + 1], &place->trunks[i],
            (place->n_trunks - i) * sizeof place->trunks[0]);
    place->trunks[i] = vid;
    place->n_trunks++;
    return true;
}

/* Parses "BRIDGE[.VLAN][:TRUNK[:TRUNK]...]" with VLANs from 0 to 4095.  The
 * empty string is a place without a bridge: the daemon's default is meant. */
bool
vif_parse_place(const char *s, struct vif_place *place)
{
    struct vif_place new = { .tag = -1 };
    uint32_t vid;
    size_t n = 0;

    while (is_bridge_char(s[n])) {
        n++;
    }
    if (n > VIF_BRIDGE_MAX || (!n && *s)) {
        return false;
    }
    memcpy(new.bridge, s, n);
    s += n;

    if (*s == '.') {
        s++;
        if (!take_number(&s, 4095, &vid)) {
            return false;
        }
        new.tag = (int) vid;
    }
    while (*s == ':') {
        s++;
        if (!take_number(&s, 4095, &vid)
            || !add_trunk(&new, (uint16_t) vid)) {
            return false;
        }
    }
    if (*s) {
        return false;
    }
    *place = new;
    return true;
}

/* Returns true if 'a' and 'b' have the same tag and the same trunks. */
bool
vif_is_same_vlan(const struct vif_place *a, const struct vif_place *b)
{
    return a->tag == b->tag && a->n_trunks == b->n_trunks
        && memcmp(a->trunks, b->trunks,
                  a->n_trunks * sizeof a->trunks[0]) == 0;
}

/* Returns true if 'a' and 'b' are the same VLANs of the same bridge. */
bool
vif_is_same_place(const struct vif_place *a, const struct vif_place *b)
{
    return !strcmp(a->bridge, b->bridge) && vif_is_same_vlan(a, b);
}

/* Parses "BYTES,USEC", libxl's form of xl's "rate": so many bytes in each
 * interval of so many microseconds.  What is less than a kilobit a second is
 * one; what OVS cannot count is no limit.  The burst is one interval's worth,
 * but enough for a TCP segment of 64 KiB. */
bool
vif_parse_rate(const char *s, struct vif_rate *rate)
{
    uint64_t kbps, burst;
    uint32_t bytes, usec;

    if (!take_number(&s, UINT32_MAX, &bytes) || *s++ != ','
        || !take_number(&s, UINT32_MAX, &usec) || *s || !bytes || !usec) {
        return false;
    }
    kbps = (uint64_t) bytes * 8000 / usec;
    burst = (uint64_t) bytes * 8 / 1000;
    if (kbps > UINT32_MAX) {
        *rate = (struct vif_rate) { 0, 0 };
        return true;
    }
    rate->kbps = kbps ? (uint32_t) kbps : 1;
    rate->burst_kb = burst > 525 ? (uint32_t) burst : 525;
    return true;
}

/* Returns the value of hexadecimal digit 'c', or -1. */
static int
hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Copies the 'len' characters of 's' to 'dst' in lower case, with a null byte,
 * if they are hexadecimal digits except for 'sep' where 'is_sep' says so. */
static bool
copy_hex(const char *s, size_t len, char sep, bool (*is_sep)(size_t),
         char *dst)
{
    char tmp[VIF_UUID_LEN + 1];
    size_t i;

    for (i = 0; i < len; i++) {
        if (is_sep(i)) {
            if (s[i] != sep) {
                return false;
            }
            tmp[i] = sep;
        } else {
            int v = hex_value(s[i]);

            if (v < 0) {
                return false;
            }
            tmp[i] = "0123456789abcdef"[v];
        }
    }
    if (s[len]) {
        return false;
    }
    tmp[len] = '\0';
    memcpy(dst, tmp, len + 1);
    return true;
}

static bool
is_mac_sep(size_t i)
{
    return i % 3 == 2;
}

static bool
is_uuid_sep(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

/* Parses "xx:xx:xx:xx:xx:xx" and stores it in lower case.  Refuses group
 * addresses and zero, which no interface may have. */
bool
vif_parse_mac(const char *s, char mac[VIF_MAC_LEN + 1])
{
    char tmp[VIF_MAC_LEN + 1];

    if (!copy_hex(s, VIF_MAC_LEN, ':', is_mac_sep, tmp)
        || hex_value(tmp[1]) & 1 || !strcmp(tmp, "00:00:00:00:00:00")) {
        return false;
    }
    memcpy(mac, tmp, sizeof tmp);
    return true;
}

/* Parses a UUID in its usual form and stores it in lower case. */
bool
vif_parse_uuid(const char *s, char uuid[VIF_UUID_LEN + 1])
{
    return copy_hex(s, VIF_UUID_LEN, '-', is_uuid_sep, uuid);
}

/* Copies a VM's name, cut to VIF_NAME_MAX bytes and with '?' for every
 * character outside printable ASCII: a name is only shown, never compared. */
void
vif_copy_name(const char *s, char name[VIF_NAME_MAX + 1])
{
    size_t i;

    for (i = 0; i < VIF_NAME_MAX && s[i]; i++) {
        name[i] = s[i] >= ' ' && s[i] <= '~' ? s[i] : '?';
    }
    name[i] = '\0';
}
