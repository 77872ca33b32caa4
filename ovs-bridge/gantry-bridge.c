/* SPDX-License-Identifier: GPL-2.0-only */

/* The daemon gantry-bridge: makes each vif that a Xen toolstack creates a port
 * of Open vSwitch.
 *
 * The main loop has OVS's shape: every module has a x_run() that does what can
 * be done now without waiting and a x_wait() that says what to wait for.
 *
 *     watch.c (XenStore) --vifs--> sync.c <--switch--> ports.c (OVSDB)
 *                                    |
 *              reconcile.c, suspects.c, verdict.c, vif.c: pure
 *
 * Invariants:
 *
 * 1. Ending, by a signal or by "exit", leaves the ports alone: guests do not
 *    notice.
 *
 * 2. libxenstore starts a thread, so that it is opened after the fork of
 *    --detach. */

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "daemon.h"
#include "dirs.h"
#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ports.h"
#include "sync.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "watch.h"

VLOG_DEFINE_THIS_MODULE(gantry_bridge);

/* The command line. */
struct options {
    char *remote;               /* The database. */
    char *unixctl_path;         /* Control socket, or null for the default. */
    const char *owner;          /* Marks our ports. */
    struct port_template template;
};

static void parse_options(int argc, char *argv[], struct options *);
OVS_NO_RETURN static void usage(void);
static unixctl_cb_func handle_exit;
static unixctl_cb_func handle_show;

int
main(int argc, char *argv[])
{
    struct unixctl_server *unixctl;
    struct options options;
    bool exiting = false;

    ovs_cmdl_proctitle_init(argc, argv);
    set_program_name(argv[0]);
    parse_options(argc, argv, &options);
    fatal_ignore_sigpipe();
    daemonize_start(false);

    if (unixctl_server_create(options.unixctl_path, &unixctl)) {
        exit(EXIT_FAILURE);
    }
    unixctl_command_register("exit", "", 0, 0, handle_exit, &exiting);
    unixctl_command_register("show", "", 0, 0, handle_show, NULL);

    watch_init();
    ports_init(options.remote, options.owner);
    sync_init(&options.template);
    daemonize_complete();

    while (!exiting) {
        watch_run();
        ports_run();
        sync_run();
        unixctl_server_run(unixctl);

        watch_wait();
        ports_wait();
        sync_wait();
        unixctl_server_wait(unixctl);
        if (exiting) {
            poll_immediate_wake();
        }
        poll_block();
    }

    sync_destroy();
    ports_destroy();
    watch_destroy();
    unixctl_server_destroy(unixctl);
    free(options.remote);
    free(options.unixctl_path);
    return 0;
}

/* Takes "TYPE[:PREFIX]", what tests put in the place of "dpdk:net_xenvif". */
static void
parse_test_interface(char *arg, struct port_template *template)
{
    char *colon = strchr(arg, ':');

    template->type = arg;
    template->devargs = "";
    if (colon) {
        *colon = '\0';
        template->devargs = colon + 1;
    }
    if (strlen(template->type) > PORT_TYPE_MAX
        || strlen(template->devargs) > PORT_DEVARGS_MAX - PORT_ARGS_MAX - 13) {
        ovs_fatal(0, "--test-interface is too long");
    }
}

/* Takes what every vif's driver is told, as net_xenvif(7) has it. */
static void
parse_driver_args(char *arg, struct port_template *template)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789=,";

    if (strlen(arg) > PORT_ARGS_MAX || strspn(arg, allowed) != strlen(arg)) {
        ovs_fatal(0, "\"%s\" cannot be arguments of net_xenvif: use up to %d "
                  "characters like access=copy,queues=4", arg, PORT_ARGS_MAX);
    }
    template->args = arg;
}

/* Takes the name of the bridge for vifs that name none. */
static void
parse_default_bridge(char *arg, struct port_template *template)
{
    struct vif_place place;

    if (!vif_parse_place(arg, &place) || strcmp(place.bridge, arg) != 0) {
        ovs_fatal(0, "\"%s\" cannot be a bridge's name: use up to %d of the "
                  "characters a-z A-Z 0-9 - _", arg, VIF_BRIDGE_MAX);
    }
    template->bridge = arg;
}

static void
parse_options(int argc, char *argv[], struct options *options)
{
    enum {
        OPT_UNIXCTL = UCHAR_MAX + 1,
        OPT_OWNER,
        OPT_DRIVER_ARGS,
        OPT_TEST_INTERFACE,
        VLOG_OPTION_ENUMS,
        DAEMON_OPTION_ENUMS
    };
    static const struct option long_options[] = {
        {"bridge",         required_argument, NULL, 'b'},
        {"driver-args",    required_argument, NULL, OPT_DRIVER_ARGS},
        {"owner",          required_argument, NULL, OPT_OWNER},
        {"test-interface", required_argument, NULL, OPT_TEST_INTERFACE},
        {"unixctl",        required_argument, NULL, OPT_UNIXCTL},
        {"help",           no_argument, NULL, 'h'},
        {"version",        no_argument, NULL, 'V'},
        DAEMON_LONG_OPTIONS,
        VLOG_LONG_OPTIONS,
        {NULL, 0, NULL, 0},
    };
    int c;

    memset(options, 0, sizeof *options);
    options->owner = "gantry-bridge";
    options->template = (struct port_template) {
        "dpdk", "net_xenvif", "", "" };

    while ((c = getopt_long(argc, argv, "b:hVv::", long_options, NULL)) >= 0) {
        switch (c) {
        case 'b':
            parse_default_bridge(optarg, &options->template);
            break;
        case 'h':
            usage();
        case 'V':
            printf("gantry-bridge (Gantry) %s\n", GANTRY_VERSION);
            exit(EXIT_SUCCESS);
        case OPT_DRIVER_ARGS:
            parse_driver_args(optarg, &options->template);
            break;
        case OPT_OWNER:
            options->owner = optarg;
            break;
        case OPT_TEST_INTERFACE:
            parse_test_interface(optarg, &options->template);
            break;
        case OPT_UNIXCTL:
            free(options->unixctl_path);
            options->unixctl_path = xstrdup(optarg);
            break;
        VLOG_OPTION_HANDLERS
        DAEMON_OPTION_HANDLERS
        default:
            ovs_fatal(0, "use --help to see the options");
        }
    }
    if (argc - optind > 1) {
        ovs_fatal(0, "at most one database may be named; use --help");
    }
    options->remote = argc > optind
        ? xstrdup(argv[optind])
        : xasprintf("unix:%s/db.sock", ovs_rundir());
}

static void
usage(void)
{
    printf("gantry-bridge: makes Xen vifs ports of Open vSwitch\n"
           "usage: gantry-bridge [OPTIONS] [DATABASE]\n"
           "where DATABASE is ovsdb-server's socket "
           "(default: unix:%s/db.sock).\n"
           "\nOptions:\n"
           "  -b, --bridge=NAME       bridge for vifs that name none\n"
           "  --driver-args=ARGS      what each vif's driver is told, for"
           " instance\n"
           "                          queues=4 (see net_xenvif(7))\n"
           "  --unixctl=SOCKET        override default control socket name\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n",
           ovs_rundir());
    daemon_usage();
    vlog_usage();
    exit(EXIT_SUCCESS);
}

static void
handle_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[] OVS_UNUSED, void *exiting_)
{
    bool *exiting = exiting_;

    *exiting = true;
    unixctl_command_reply(conn, NULL);
}

static void
handle_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    sync_show(&ds);
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}
