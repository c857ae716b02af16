// A plugin for QEMU's user emulation: counts the instructions that the guest executes, and writes the sums so far
// at each of the guest's sched_yield calls: "INSTRUCTIONS FUSED", a line each. FUSED are the vector multiply-adds.
//
// Loaded with `-plugin FILE,out=PATH`. The declarations are those of QEMU's qemu-plugin.h that stayed the same
// from its version 6 to 10; INTERFACE is the number that the running QEMU asks for.

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define SCHED_YIELD 124 // of AArch64 Linux

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int flags, void *);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *);

EXPORT int qemu_plugin_version = INTERFACE;

static uint64_t instructions, fused;
static FILE *out;

// What one run of a block adds, in the one word that QEMU keeps for us.
static void executed(unsigned cpu, void *block) {
    uintptr_t sums = (uintptr_t)block;
    (void)cpu;
    instructions += sums & 0xffff;
    fused += sums >> 16;
}

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    size_t count = qemu_plugin_tb_n_insns(block);
    uintptr_t adds = 0;
    (void)id;
    for (size_t i = 0; i < count; i++) {
        char *text = qemu_plugin_insn_disas(qemu_plugin_tb_get_insn(block, i));
        adds += text && strstr(text, "fmla") != NULL;
        free(text);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, (void *)(count | adds << 16));
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
    uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
    (void)id, (void)cpu, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number == SCHED_YIELD) {
        fprintf(out, "%" PRIu64 " %" PRIu64 "\n", instructions, fused);
        fflush(out);
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(argv[i] + 4, "w");
        }
    }
    if (!out) {
        fprintf(stderr, "count: out=PATH must name a file that can be written\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
