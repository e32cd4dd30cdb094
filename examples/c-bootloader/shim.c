/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * A boot stage that measures the next one: the same as the Rust shims do, over the C interface.
 *
 * Freestanding C99: nothing from a C library. The registers are in memory here; on a real platform
 * the two callbacks issue a TDCALL, an RSI call or a TPM command instead.
 */

#include "shim.h"

#include "tsm.h"

/* ---- The platform: two registers in memory. ---- */

struct machine {
    tsm_digest values[2];
    /* The next extension fails like a platform that does not answer. */
    int broken;
};

static const tsm_register registers[] = {
    {"rtmr2", {TSM_SHA384, 0, 0, 0}, TSM_READ | TSM_EXTEND, TSM_INITIAL_ZEROS},
    {"rtmr3", {TSM_SHA384, 0, 0, 0}, TSM_READ | TSM_EXTEND | TSM_DIRECT, TSM_INITIAL_ZEROS},
};
#define REGISTERS (sizeof registers / sizeof registers[0])

static tsm_status extend(void *context, size_t index, const tsm_digest *digests, size_t count)
{
    struct machine *machine = context;
    if (machine->broken || count != 1) {
        return TSM_ERR_FAILED; /* and nothing was extended */
    }
    return tsm_extend(&machine->values[index], &digests[0]);
}

static tsm_status read(void *context, size_t index, tsm_digest *value)
{
    struct machine *machine = context;
    *value = machine->values[index];
    return TSM_OK;
}

/* ---- Printing. ---- */

static size_t length(const char *text)
{
    size_t size = 0;
    while (text[size] != 0) {
        size++;
    }
    return size;
}

static void print(const char *text)
{
    shim_write(text, length(text));
}

static void print_number(uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        at--;
        digits[at] = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number != 0);
    shim_write(digits + at, sizeof digits - at);
}

/* Writes text to `to` and returns where it ends. */
static char *put(char *to, const char *text)
{
    while (*text != 0) {
        *to++ = *text++;
    }
    return to;
}

/* Writes `<alg>/<hex>` to `to` and returns where it ends. */
static char *put_digest(char *to, const tsm_digest *digest)
{
    static const char hex[] = "0123456789abcdef";
    size_t size = tsm_algorithm_size(digest->algorithm);
    size_t i;
    to = put(to, tsm_algorithm_name(digest->algorithm));
    *to++ = '/';
    for (i = 0; i < size; i++) {
        *to++ = hex[digest->bytes[i] >> 4];
        *to++ = hex[digest->bytes[i] & 15];
    }
    return to;
}

static void print_digest(const char *what, const tsm_digest *digest)
{
    char text[160];
    print(what);
    shim_write(text, (size_t)(put_digest(text, digest) - text));
    print("\n");
}

static int failed(const char *what, tsm_status status)
{
    if (status == TSM_OK) {
        return 0;
    }
    print(what);
    print(": ");
    print(tsm_status_name(status));
    print("\n");
    return 1;
}

/* ---- Measuring. ---- */

struct stage {
    const char *name;
    const void *image;
    size_t size;
    /* On a real machine, the entry point of the image. */
    void (*start)(void);
};

/* Appends `<first> <digest of the image> <name>`. */
static tsm_status append_digest(tsm_log *log, const char *first, const tsm_digest *digest,
                                const char *name)
{
    char record[256];
    char *end = put(record, first);
    end = put_digest(end, digest);
    if (name != NULL) {
        *end++ = ' ';
        end = put(end, name);
    }
    return tsm_log_append(log, record, (size_t)(end - record), NULL);
}

/* A stage that cannot be measured is not started: everything before `start` must have succeeded. */
static int measure_and_start(tsm_log *log, const struct stage *stage)
{
    tsm_digest digest;
    tsm_status status = tsm_hash(TSM_SHA384, stage->image, stage->size, &digest);
    if (status == TSM_OK) {
        status = append_digest(log, "shim.example load ", &digest, stage->name);
    }
    if (failed("refused to start: the stage cannot be measured", status)) {
        return 0;
    }
    stage->start();
    return 1;
}

static int started;

static void start_second_stage(void)
{
    started++;
}

static const char image[] = "the second stage, as it was read from the disk";
static const struct stage second_stage = {"stage2", image, sizeof image - 1, start_second_stage};

/* ---- What a verifier does, with the log and the register's value. ---- */

static void print_lines(const void *bytes, size_t size)
{
    static const char *const kinds[] = {"        ", "comment ", "note    ", "sync    ", "record  "};
    tsm_lines lines;
    tsm_line line;
    if (failed("lines", tsm_lines_init(&lines, bytes, size, 0))) {
        return;
    }
    while (tsm_lines_next(&lines, &line) == TSM_OK) {
        print(kinds[line.kind]);
        shim_write(line.bytes, line.size);
        print("\n");
    }
}

/* Returns the number of things that are wrong. */
static int verify(tsm_log *log, const tsm_digest *value)
{
    static const tsm_register mr_shim = {"mr_shim", {TSM_SHA384, 0, 0, 0}, 0, TSM_INITIAL_ZEROS};
    const void *bytes;
    size_t size;
    tsm_digest start;
    tsm_replay_result result;
    tsm_virtual_value virtual_value;
    tsm_position at;
    if (failed("log", tsm_log_bytes(log, &bytes, &size)) ||
        failed("zeros", tsm_zeros(value->algorithm, &start))) {
        return 1;
    }
    print_lines(bytes, size);
    if (failed("replay", tsm_replay(bytes, size, 0, &start, 1, value, 1, &result))) {
        return 1;
    }
    print_digest("register rtmr3  ", value);
    print_digest("replayed        ", &result.banks[0].value);
    print("holds ");
    print_number(result.holds);
    print(", records ");
    print_number(result.records);
    print(", explained gaps ");
    print_number(result.explained_gaps);
    print(", first finding in line ");
    print_number(result.first_finding_at.line);
    print("\n");
    if (failed("virtual", tsm_virtual_fold(bytes, size, 0, &mr_shim, &virtual_value, &at))) {
        return 1;
    }
    print_digest("virtual mr_shim ", &virtual_value.values[0]);
    return !(result.holds && result.explained_gaps == 1 && virtual_value.records == 2);
}

/* ---- The story. ---- */

static struct machine machine;
static tsm_log the_log;
static char page[4096];
static char small_page[160];

static int prepare(struct machine *with, tsm_log *log, char *buffer, size_t size)
{
    tsm_provider provider;
    size_t index;
    size_t bad = 0;
    provider.registers = registers;
    provider.count = REGISTERS;
    provider.extend = extend;
    provider.read = read;
    provider.context = with;
    with->broken = 0;
    return failed("registers", tsm_registers_check(registers, REGISTERS, &bad)) ||
           failed("zeros", tsm_zeros(TSM_SHA384, &with->values[0])) ||
           failed("zeros", tsm_zeros(TSM_SHA384, &with->values[1])) ||
           failed("find", tsm_register_find(registers, REGISTERS, "rtmr3", &index)) ||
           failed("log", tsm_log_init(log, &provider, index, buffer, size, 0));
}

int shim_main(void)
{
    static const char banner[] = "# c-bootloader\nshim.example start version=1\n";
    tsm_digest digest;
    int wrong = 0;

    print("tsm ");
    print(tsm_version());
    print(", interface ");
    print_number(tsm_abi_version());
    print("\n");
    if (tsm_abi_version() != TSM_ABI_VERSION || prepare(&machine, &the_log, page, sizeof page)) {
        return 1;
    }

    wrong += failed("append", tsm_log_append(&the_log, banner, sizeof banner - 1, NULL));
    wrong += !measure_and_start(&the_log, &second_stage);

    /* Two extensions of a virtual register, carried by the same log. */
    wrong += failed("hash", tsm_hash(TSM_SHA384, "first", 5, &digest));
    wrong += failed("virtual", append_digest(&the_log, "mr_shim extend ", &digest, NULL));
    wrong += failed("hash", tsm_hash(TSM_SHA384, "second", 6, &digest));
    wrong += failed("virtual", append_digest(&the_log, "mr_shim extend ", &digest, NULL));

    /* An extension past the log is noted, and captured by the next append. */
    wrong += failed("extend", tsm_log_extend(&the_log, &digest, 1, NULL));
    wrong += failed("append", tsm_log_append(&the_log, "shim.example done", 17, NULL));

    wrong += verify(&the_log, &machine.values[1]);

    /* Neither a platform that fails nor a full log starts anything. */
    machine.broken = 1;
    wrong += measure_and_start(&the_log, &second_stage);
    wrong += prepare(&machine, &the_log, small_page, sizeof small_page);
    wrong += measure_and_start(&the_log, &second_stage);
    wrong += started != 1;
    print(wrong == 0 ? "as it should be\n" : "something is wrong\n");
    return wrong != 0;
}
