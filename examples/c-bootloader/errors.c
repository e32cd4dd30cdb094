/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Every error path of the C interface: what is wrong with a pointer, a handle, a description, a log,
 * and a callback that fails at any call. Prints what it found wrong; status 0 if nothing.
 */

#include <stdio.h>
#include <string.h>

#include "tsm.h"

static unsigned checks;
static unsigned wrong;

static void check(int good, const char *text, int line)
{
    checks++;
    if (!good) {
        wrong++;
        printf("line %d: %s\n", line, text);
    }
}

#define CHECK(condition) check((condition), #condition, __LINE__)

static void expect(tsm_status found, tsm_status wanted, const char *text, int line)
{
    checks++;
    if (found != wanted) {
        wrong++;
        printf("line %d: %s: %s, not %s\n", line, text, tsm_status_name(found),
               tsm_status_name(wanted));
    }
}

#define EXPECT(call, status) expect((call), (status), #call, __LINE__)

/* ---- A machine that fails when told to. ---- */

struct machine {
    tsm_digest values[5];
    unsigned calls;
    /* Fails at this call, counted from 1; 0 for never. */
    unsigned fail_at;
    tsm_status failure;
    /* Extends although it fails. */
    int extends_anyway;
    /* Calls back with this log, and remembers what it got. */
    tsm_log *call_back;
    tsm_status got[8];
};

static size_t bank(const struct machine *machine, tsm_algorithm algorithm)
{
    size_t i = 0;
    while (machine->values[i].algorithm != algorithm) {
        i++;
    }
    return i;
}

static int fails(struct machine *machine)
{
    machine->calls++;
    return machine->calls == machine->fail_at;
}

static void call_back(struct machine *machine)
{
    tsm_log *log = machine->call_back;
    tsm_log_info info;
    const void *bytes;
    size_t size;
    char byte;
    if (log == NULL) {
        return;
    }
    machine->got[0] = tsm_log_append(log, "x", 1, NULL);
    machine->got[1] = tsm_log_extend(log, machine->values, 1, NULL);
    machine->got[2] = tsm_log_invalidate(log);
    machine->got[3] = tsm_log_status(log, &info);
    machine->got[4] = tsm_log_bytes(log, &bytes, &size);
    machine->got[5] = tsm_log_copy(log, 0, &byte, 1, &size);
}

static tsm_status extend(void *context, size_t index, const tsm_digest *digests, size_t count)
{
    struct machine *machine = context;
    int failing = fails(machine);
    size_t i;
    CHECK(index == 0 && count >= 1);
    call_back(machine);
    for (i = 0; i < count && (!failing || machine->extends_anyway); i++) {
        tsm_digest *value = &machine->values[bank(machine, digests[i].algorithm)];
        EXPECT(tsm_extend(value, &digests[i]), TSM_OK);
    }
    return failing ? machine->failure : TSM_OK;
}

static tsm_status read(void *context, size_t index, tsm_digest *value)
{
    struct machine *machine = context;
    CHECK(index == 0);
    call_back(machine);
    if (fails(machine)) {
        return machine->failure;
    }
    *value = machine->values[bank(machine, value->algorithm)];
    return TSM_OK;
}

static const tsm_register table[] = {
    {"both", {TSM_SHA256, TSM_SHA384, 0, 0}, TSM_READ | TSM_EXTEND | TSM_DIRECT, TSM_INITIAL_ZEROS},
    {"through-log", {TSM_SHA384, 0, 0, 0}, TSM_READ | TSM_EXTEND, TSM_INITIAL_ZEROS},
    {"static", {TSM_SHA384, 0, 0, 0}, TSM_READ, TSM_INITIAL_OTHER},
};

static struct machine reset(void)
{
    struct machine machine;
    memset(&machine, 0, sizeof machine);
    EXPECT(tsm_zeros(TSM_SHA256, &machine.values[0]), TSM_OK);
    EXPECT(tsm_zeros(TSM_SHA384, &machine.values[1]), TSM_OK);
    return machine;
}

static tsm_provider provider(struct machine *machine)
{
    tsm_provider provider;
    provider.registers = table;
    provider.count = sizeof table / sizeof table[0];
    provider.extend = extend;
    provider.read = read;
    provider.context = machine;
    return provider;
}

static tsm_replay_result replay(const void *log, size_t size, const struct machine *machine)
{
    tsm_replay_result result;
    tsm_digest start[2];
    memset(&result, 0, sizeof result);
    EXPECT(tsm_zeros(TSM_SHA256, &start[0]), TSM_OK);
    EXPECT(tsm_zeros(TSM_SHA384, &start[1]), TSM_OK);
    (void)tsm_replay(log, size, 0, start, 2, machine->values, 2, &result);
    return result;
}

/* ---- Helpers, names, descriptions. ---- */

static void *odd(void *pointer)
{
    return (char *)pointer + 1;
}

static void names(void)
{
    CHECK(strcmp(tsm_status_name(TSM_OK), "TSM_OK") == 0);
    CHECK(strcmp(tsm_status_name(TSM_ERR_OVERLAP), "TSM_ERR_OVERLAP") == 0);
    CHECK(strcmp(tsm_status_name(12345), "TSM_ERR_?") == 0);
    CHECK(tsm_abi_version() == TSM_ABI_VERSION);
    CHECK(strlen(tsm_version()) >= 5);
    CHECK(sizeof(tsm_log) == 8 * TSM_LOG_WORDS && sizeof(tsm_lines) == 8 * TSM_LINES_WORDS);
    CHECK(strcmp(tsm_algorithm_name(TSM_SHA384), "sha384") == 0);
    CHECK(tsm_algorithm_name(0) == NULL && tsm_algorithm_name(0x12) == NULL);
    CHECK(tsm_algorithm_size(TSM_SHA384) == 48 && tsm_algorithm_size(0x12) == 0);
    CHECK(tsm_algorithm_by_name("sha256") == TSM_SHA256);
    CHECK(tsm_algorithm_by_name("sm3") == 0 && tsm_algorithm_by_name(NULL) == 0);
}

static void digests(void)
{
    tsm_digest pair[2];
    tsm_digest other;
    char bytes[3] = {'a', 'b', 'c'};
    EXPECT(tsm_hash(TSM_SHA384, NULL, 1, pair), TSM_ERR_NULL);
    EXPECT(tsm_hash(TSM_SHA384, bytes, 3, NULL), TSM_ERR_NULL);
    EXPECT(tsm_hash(TSM_SHA384, bytes, 3, odd(pair)), TSM_ERR_MISALIGNED);
    EXPECT(tsm_hash(TSM_SHA384, pair, 1, pair), TSM_ERR_OVERLAP);
    EXPECT(tsm_hash(TSM_SHA384, bytes, (size_t)-1 / 2 + 1, pair), TSM_ERR_LENGTH);
    EXPECT(tsm_hash(TSM_SHA384, bytes, (size_t)-1, pair), TSM_ERR_LENGTH);
    EXPECT(tsm_hash(0x12, bytes, 3, pair), TSM_ERR_ALGORITHM);
    EXPECT(tsm_hash(TSM_SHA384, bytes, 3, pair), TSM_OK);
    EXPECT(tsm_hash(TSM_SHA384, NULL, 0, pair), TSM_OK);
    EXPECT(tsm_zeros(0, &other), TSM_ERR_ALGORITHM);
    EXPECT(tsm_zeros(TSM_SHA256, NULL), TSM_ERR_NULL);
    EXPECT(tsm_zeros(TSM_SHA256, &other), TSM_OK);
    EXPECT(tsm_extend(&other, pair), TSM_ERR_ALGORITHM);
    EXPECT(tsm_extend(NULL, pair), TSM_ERR_NULL);
    EXPECT(tsm_extend(pair, NULL), TSM_ERR_NULL);
    EXPECT(tsm_extend(odd(pair), pair), TSM_ERR_MISALIGNED);
    EXPECT(tsm_extend(pair, odd(pair)), TSM_ERR_MISALIGNED);
    EXPECT(tsm_extend(pair, pair), TSM_OK);
}

static void description(const char *name, tsm_algorithm first, tsm_algorithm second,
                        uint32_t powers, uint32_t initial, tsm_status wanted)
{
    tsm_register one = {NULL, {0, 0, 0, 0}, 0, 0};
    size_t bad = 7;
    one.name = name;
    one.banks[0] = first;
    one.banks[2] = second;
    one.powers = powers;
    one.initial = initial;
    EXPECT(tsm_registers_check(&one, 1, &bad), wanted);
    CHECK(bad == (wanted == TSM_OK ? 7 : 0));
}

static void descriptions(void)
{
    char name[65];
    tsm_register twice[2];
    size_t at = 7;
    memset(name, 'n', sizeof name);
    name[64] = 0;
    description("a", TSM_SHA384, 0, TSM_READ, TSM_INITIAL_OTHER, TSM_OK);
    description(NULL, TSM_SHA384, 0, TSM_READ, 0, TSM_ERR_NULL);
    description("", TSM_SHA384, 0, TSM_READ, 0, TSM_ERR_NAME);
    description("a b", TSM_SHA384, 0, TSM_READ, 0, TSM_ERR_NAME);
    description("\xC3\xA4", TSM_SHA384, 0, TSM_READ, 0, TSM_ERR_NAME);
    description(name, TSM_SHA384, 0, TSM_READ, 0, TSM_ERR_NAME);
    description(name + 1, TSM_SHA384, 0, TSM_READ, 0, TSM_OK);
    description("a", 0, 0, TSM_READ, 0, TSM_ERR_BANKS);
    description("a", 0x12, 0, TSM_READ, 0, TSM_ERR_ALGORITHM);
    description("a", TSM_SHA384, TSM_SHA256, TSM_READ, 0, TSM_ERR_BANKS);
    description("a", TSM_SHA384, 0, 128, 0, TSM_ERR_POWERS);
    description("a", TSM_SHA384, 0, TSM_READ, 3, TSM_ERR_INITIAL);
    twice[0] = table[0];
    twice[1] = table[0];
    EXPECT(tsm_registers_check(twice, 2, &at), TSM_ERR_DOUBLE_NAME);
    CHECK(at == 1);
    EXPECT(tsm_registers_check(twice, 2, NULL), TSM_ERR_DOUBLE_NAME);
    EXPECT(tsm_registers_check(twice, 2, (size_t *)(void *)twice), TSM_ERR_OVERLAP);
    EXPECT(tsm_registers_check(NULL, 1, &at), TSM_ERR_NULL);
    EXPECT(tsm_registers_check(NULL, 0, &at), TSM_OK);
    EXPECT(tsm_registers_check(odd(twice), 1, &at), TSM_ERR_MISALIGNED);
    EXPECT(tsm_registers_check(twice, TSM_MAX_REGISTERS + 1, NULL), TSM_ERR_TOO_SMALL);
    EXPECT(tsm_registers_check(twice, (size_t)-1, &at), TSM_ERR_LENGTH);
    EXPECT(tsm_register_find(table, 3, "static", &at), TSM_OK);
    CHECK(at == 2);
    EXPECT(tsm_register_find(table, 3, "none", &at), TSM_ERR_NO_SUCH_REGISTER);
    EXPECT(tsm_register_find(table, 3, NULL, &at), TSM_ERR_NULL);
    EXPECT(tsm_register_find(table, 3, name, &at), TSM_ERR_NAME);
    EXPECT(tsm_register_find(table, 3, "static", NULL), TSM_ERR_NULL);
    EXPECT(tsm_register_find(NULL, 3, "static", &at), TSM_ERR_NULL);
}

/* ---- Logs. ---- */

static void bad_logs(void)
{
    struct machine machine = reset();
    tsm_provider good = provider(&machine);
    tsm_provider bad = good;
    tsm_register mutable_table[1];
    union {
        tsm_log log[3];
        char bytes[3 * sizeof(tsm_log)];
    } place;
    tsm_position at = {0, 0, 0};
    char page[1024];
    tsm_log *log = &place.log[1];
    char *inside = place.bytes + sizeof(tsm_log);
    memset(&place, 0, sizeof place);
    memset(page, 0, sizeof page);

    EXPECT(tsm_log_init(NULL, &good, 0, page, sizeof page, 0), TSM_ERR_NULL);
    EXPECT(tsm_log_init(odd(log), &good, 0, page, sizeof page, 0), TSM_ERR_MISALIGNED);
    EXPECT(tsm_log_init(log, NULL, 0, page, sizeof page, 0), TSM_ERR_NULL);
    EXPECT(tsm_log_init(log, odd(&good), 0, page, sizeof page, 0), TSM_ERR_MISALIGNED);
    EXPECT(tsm_log_init(log, &good, 0, NULL, 1, 0), TSM_ERR_NULL);
    EXPECT(tsm_log_init(log, &good, 0, page, (size_t)-1, 0), TSM_ERR_LENGTH);
    EXPECT(tsm_log_init(log, &good, 0, inside - 1, 2, 0), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_init(log, &good, 0, inside + sizeof(tsm_log) - 1, 2, 0), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_init(log, &good, 0, &good, sizeof good, 0), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_init(log, &good, 3, page, sizeof page, 0), TSM_ERR_NO_SUCH_REGISTER);
    EXPECT(tsm_log_init(log, &good, 2, page, sizeof page, 0), TSM_ERR_NOT_PERMITTED);
    bad.extend = NULL;
    EXPECT(tsm_log_init(log, &bad, 0, page, sizeof page, 0), TSM_ERR_NULL);
    bad = good;
    bad.read = NULL;
    EXPECT(tsm_log_init(log, &bad, 0, page, sizeof page, 0), TSM_ERR_NULL);
    bad = good;
    bad.registers = NULL;
    EXPECT(tsm_log_init(log, &bad, 0, page, sizeof page, 0), TSM_ERR_NULL);
    bad.registers = mutable_table;
    bad.count = 1;
    mutable_table[0] = table[0];
    mutable_table[0].banks[1] = TSM_SHA256;
    EXPECT(tsm_log_init(log, &bad, 0, page, sizeof page, 0), TSM_ERR_BANKS);
    EXPECT(tsm_log_init(log, &bad, 0, mutable_table, sizeof mutable_table, 0), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_open(log, &good, 0, page, 8, 9, 0, &at), TSM_ERR_TOO_SMALL);
    EXPECT(tsm_log_open(log, &good, 0, page, 8, 0, 0, (tsm_position *)(void *)log),
           TSM_ERR_OVERLAP);
    memcpy(page, "torn", 4);
    EXPECT(tsm_log_open(log, &good, 0, page, sizeof page, 4, 0, &at), TSM_ERR_LOG_TORN);
    CHECK(at.line == 1 && at.offset == 0);
    machine.fail_at = 1;
    machine.failure = TSM_ERR_BUSY;
    EXPECT(tsm_log_open(log, &good, 0, page, sizeof page, 0, 0, NULL), TSM_ERR_BUSY);

    /* None of these has made a log. */
    EXPECT(tsm_log_append(log, "x", 1, NULL), TSM_ERR_UNINITIALISED);
    memset(&place, 0xA5, sizeof place);
    EXPECT(tsm_log_append(log, "x", 1, NULL), TSM_ERR_UNINITIALISED);
    EXPECT(tsm_log_append(NULL, "x", 1, NULL), TSM_ERR_NULL);
    EXPECT(tsm_log_append(odd(log), "x", 1, NULL), TSM_ERR_MISALIGNED);
    EXPECT(tsm_log_invalidate(log), TSM_ERR_UNINITIALISED);
    CHECK(machine.calls == 1);

    /* A copy of a handle is no handle, and a handle of another kind is none. */
    EXPECT(tsm_log_init(log, &good, 0, page, sizeof page, 0), TSM_OK);
    place.log[2] = place.log[1];
    EXPECT(tsm_log_append(&place.log[2], "x", 1, NULL), TSM_ERR_UNINITIALISED);
    EXPECT(tsm_log_invalidate(log), TSM_OK);
    EXPECT(tsm_lines_init((tsm_lines *)(void *)log, page, 0, 0), TSM_OK);
    EXPECT(tsm_log_append(log, "x", 1, NULL), TSM_ERR_UNINITIALISED);
}

static void bad_calls(void)
{
    struct machine machine = reset();
    tsm_provider good = provider(&machine);
    tsm_log log;
    char page[1024];
    tsm_appended done;
    tsm_log_info info;
    tsm_digest digests[5];
    tsm_status callback;
    const void *bytes;
    size_t size = 0;
    char out[4];
    EXPECT(tsm_log_init(&log, &good, 0, page, sizeof page, 8), TSM_OK);
    EXPECT(tsm_log_append(&log, NULL, 1, NULL), TSM_ERR_NULL);
    EXPECT(tsm_log_append(&log, "x", (size_t)-1, NULL), TSM_ERR_LENGTH);
    EXPECT(tsm_log_append(&log, page + 9, 1, NULL), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_append(&log, &log, 1, NULL), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_append(&log, &done, 1, &done), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_append(&log, "x", 1, odd(&done)), TSM_ERR_MISALIGNED);
    EXPECT(tsm_log_append(&log, "x", 1, (tsm_appended *)(void *)&log), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_append(&log, "x\n123456789", 11, &done), TSM_ERR_RECORD_TOO_LONG);
    CHECK(done.offset == 2 && done.records == 0 && done.callback == TSM_OK);
    EXPECT(tsm_log_append(&log, "SYNC x", 6, &done), TSM_ERR_RESERVED);
    EXPECT(tsm_log_append(&log, "# .EXTEND", 9, NULL), TSM_ERR_RECORD_TOO_LONG);
    EXPECT(tsm_log_append(&log, NULL, 0, &done), TSM_OK);
    EXPECT(tsm_log_status(&log, &info), TSM_OK);
    CHECK(info.size == 0 && info.capacity == sizeof page && info.in_sync == 0);
    CHECK(machine.calls == 0);

    EXPECT(tsm_log_append(&log, "a\r\n\n b \n# c", 11, &done), TSM_OK);
    CHECK(done.records == 2 && done.synced == 1);
    EXPECT(tsm_log_status(&log, &info), TSM_OK);
    CHECK(info.in_sync == 1);
    EXPECT(tsm_log_status(&log, NULL), TSM_ERR_NULL);
    EXPECT(tsm_log_status(&log, (tsm_log_info *)(void *)&log), TSM_ERR_OVERLAP);

    EXPECT(tsm_log_bytes(&log, &bytes, &size), TSM_OK);
    CHECK(bytes == page && size == info.size);
    EXPECT(tsm_log_bytes(&log, NULL, &size), TSM_ERR_NULL);
    EXPECT(tsm_log_bytes(&log, &bytes, NULL), TSM_ERR_NULL);
    EXPECT(tsm_log_bytes(&log, &bytes, (size_t *)(void *)&bytes), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_copy(&log, info.size - 2, out, 4, &size), TSM_OK);
    CHECK(size == 2 && out[0] == 'c' && out[1] == '\n');
    EXPECT(tsm_log_copy(&log, 0, out, 4, &size), TSM_OK);
    CHECK(size == 4 && memcmp(out, "SYNC", 4) == 0);
    EXPECT(tsm_log_copy(&log, (size_t)-1, out, 4, &size), TSM_OK);
    CHECK(size == 0);
    EXPECT(tsm_log_copy(&log, 0, NULL, 0, &size), TSM_OK);
    EXPECT(tsm_log_copy(&log, 0, NULL, 1, &size), TSM_ERR_NULL);
    EXPECT(tsm_log_copy(&log, 0, out, 4, NULL), TSM_ERR_NULL);
    EXPECT(tsm_log_copy(&log, 0, page + 8, 1, &size), TSM_ERR_OVERLAP);

    digests[0] = machine.values[1];
    digests[1] = machine.values[0];
    digests[2] = machine.values[0];
    digests[3] = machine.values[0];
    digests[4] = machine.values[0];
    EXPECT(tsm_log_extend(&log, NULL, 1, NULL), TSM_ERR_NULL);
    EXPECT(tsm_log_extend(&log, NULL, 0, &callback), TSM_ERR_INVALID_INPUT);
    EXPECT(tsm_log_extend(&log, odd(digests), 1, NULL), TSM_ERR_MISALIGNED);
    EXPECT(tsm_log_extend(&log, digests, 2, NULL), TSM_ERR_INVALID_INPUT);
    EXPECT(tsm_log_extend(&log, digests + 1, 2, NULL), TSM_ERR_INVALID_INPUT);
    EXPECT(tsm_log_extend(&log, digests, 5, NULL), TSM_ERR_DOUBLE_BANK);
    EXPECT(tsm_log_extend(&log, digests, 1, (tsm_status *)(void *)digests), TSM_ERR_OVERLAP);
    EXPECT(tsm_log_extend(&log, (tsm_digest *)(void *)(page + 2), 1, NULL), TSM_ERR_OVERLAP);
    digests[0].algorithm = 0x12;
    EXPECT(tsm_log_extend(&log, digests, 1, NULL), TSM_ERR_ALGORITHM);
    EXPECT(tsm_hash(TSM_SHA512, NULL, 0, digests), TSM_OK);
    EXPECT(tsm_log_extend(&log, digests, 1, NULL), TSM_ERR_NO_SUCH_BANK);
    EXPECT(tsm_log_init(&log, &good, 1, page, sizeof page, 0), TSM_OK);
    EXPECT(tsm_log_extend(&log, machine.values + 1, 1, NULL), TSM_ERR_NOT_PERMITTED);
}

static void reentrancy(void)
{
    struct machine machine = reset();
    tsm_provider good = provider(&machine);
    tsm_log log;
    char page[1024];
    size_t i;
    EXPECT(tsm_log_init(&log, &good, 0, page, sizeof page, 0), TSM_OK);
    machine.call_back = &log;
    EXPECT(tsm_log_append(&log, "a", 1, NULL), TSM_OK);
    EXPECT(tsm_log_extend(&log, machine.values, 1, NULL), TSM_OK);
    for (i = 0; i < 6; i++) {
        EXPECT(machine.got[i], TSM_ERR_REENTERED);
    }
    machine.call_back = NULL;
    EXPECT(tsm_log_append(&log, "b", 1, NULL), TSM_OK);
}

/* ---- A callback that fails at call n, for every n. ---- */

static const tsm_status failures[] = {
    TSM_ERR_FAILED, TSM_ERR_BUSY, TSM_ERR_LOCKED, TSM_ERR_STATE_UNKNOWN, 77777, TSM_ERR_OVERLAP,
};

/* Whether the code promises that nothing happened. */
static int harmless(tsm_status failure)
{
    return failure >= TSM_ERR_NO_SUCH_REGISTER && failure <= TSM_ERR_UNAVAILABLE &&
           failure != TSM_ERR_STATE_UNKNOWN;
}

/* Returns whether the failure was met. */
static int fail_at(unsigned n, tsm_status failure, int extends_anyway)
{
    struct machine machine = reset();
    tsm_provider good = provider(&machine);
    tsm_log log;
    static char page[8192];
    const void *bytes;
    size_t size;
    tsm_replay_result result;
    tsm_appended done;
    tsm_status callback;
    unsigned failed = 0;
    machine.fail_at = n;
    machine.failure = failure;
    machine.extends_anyway = extends_anyway;
    EXPECT(tsm_log_init(&log, &good, 0, page, sizeof page, 0), TSM_OK);
    if (tsm_log_append(&log, "one\ntwo\nthree", 13, &done) != TSM_OK) {
        failed++;
        CHECK(done.callback == failure && done.records < 3);
        CHECK(done.offset == (done.records == 0 ? 0u : done.records == 1 ? 4u : 8u));
    }
    if (tsm_log_extend(&log, machine.values, 2, &callback) != TSM_OK) {
        failed++;
        CHECK(callback == failure);
    }
    /* What happened so far leaves no contradiction unless the platform itself was in doubt. */
    EXPECT(tsm_log_bytes(&log, &bytes, &size), TSM_OK);
    result = replay(bytes, size, &machine);
    CHECK(result.malformed == TSM_OK && result.contradictions == 0);
    CHECK(result.holds || !harmless(failure));
    failed += tsm_log_append(&log, "four", 4, &done) != TSM_OK;
    CHECK(failed == (machine.calls >= n ? 1u : 0u));
    machine.fail_at = 0;
    /* The next append captures the register: log and register end at the same value. */
    EXPECT(tsm_log_append(&log, "five", 4, &done), TSM_OK);
    EXPECT(tsm_log_bytes(&log, &bytes, &size), TSM_OK);
    result = replay(bytes, size, &machine);
    CHECK(result.malformed == TSM_OK && result.bank_count == 2);
    CHECK(result.banks[0].match == TSM_COMPLETE && result.banks[1].match == TSM_COMPLETE);
    CHECK(result.holds || extends_anyway);
    return failed != 0;
}

static void failing_callbacks(void)
{
    size_t i;
    unsigned n;
    for (i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        for (n = 1; fail_at(n, failures[i], 0); n++) {
        }
        CHECK(n > 8);
        if (!harmless(failures[i])) {
            for (n = 1; fail_at(n, failures[i], 1); n++) {
            }
            CHECK(n > 8);
        }
    }
}

/* A log of every size: nothing is extended that does not fit. */
static void full_logs(void)
{
    static char page[600];
    size_t size;
    int fitted = 0;
    for (size = 0; size <= sizeof page; size++) {
        struct machine machine = reset();
        struct machine before = machine;
        tsm_provider good = provider(&machine);
        tsm_log log;
        tsm_status status;
        tsm_replay_result result;
        const void *bytes;
        size_t used;
        EXPECT(tsm_log_init(&log, &good, 0, size == 0 ? NULL : page, size, 0), TSM_OK);
        status = tsm_log_append(&log, "record", 6, NULL);
        CHECK(status == TSM_OK || status == TSM_ERR_NO_SPACE);
        CHECK((status == TSM_OK) >= fitted);
        fitted = status == TSM_OK;
        CHECK(fitted == (memcmp(&before.values, &machine.values, sizeof machine.values) != 0));
        status = tsm_log_extend(&log, machine.values, 2, NULL);
        CHECK(status == TSM_OK || status == TSM_ERR_NO_SPACE);
        EXPECT(tsm_log_bytes(&log, &bytes, &used), TSM_OK);
        CHECK(used <= size);
        result = replay(bytes, used, &machine);
        CHECK(result.holds);
    }
    CHECK(fitted);
}

/* ---- Reading. ---- */

static void lines(void)
{
    static const char log[] = "a\n\n# b\n# .EXTEND 00\nSYNC sha1/00\n bad\n";
    static const uint32_t kinds[] = {TSM_LINE_RECORD, TSM_LINE_BLANK, TSM_LINE_COMMENT,
                                     TSM_LINE_NOTE, TSM_LINE_SYNC};
    tsm_lines lines;
    tsm_line line;
    size_t i;
    memset(&lines, 0, sizeof lines);
    EXPECT(tsm_lines_next(&lines, &line), TSM_ERR_UNINITIALISED);
    EXPECT(tsm_lines_init(NULL, log, 1, 0), TSM_ERR_NULL);
    EXPECT(tsm_lines_init(&lines, NULL, 1, 0), TSM_ERR_NULL);
    EXPECT(tsm_lines_init(&lines, &lines, 1, 0), TSM_ERR_OVERLAP);
    EXPECT(tsm_lines_init(&lines, NULL, 0, 0), TSM_OK);
    EXPECT(tsm_lines_next(&lines, &line), TSM_END);
    EXPECT(tsm_lines_init(&lines, log, sizeof log - 1, 0), TSM_OK);
    EXPECT(tsm_lines_next(&lines, NULL), TSM_ERR_NULL);
    EXPECT(tsm_lines_next(&lines, (tsm_line *)(void *)&lines), TSM_ERR_OVERLAP);
    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        EXPECT(tsm_lines_next(&lines, &line), TSM_OK);
        CHECK(line.kind == kinds[i] && line.at.line == i + 1);
        CHECK((const char *)line.bytes == log + line.at.offset);
    }
    EXPECT(tsm_lines_next(&lines, &line), TSM_ERR_LOG_NOT_CANONICAL);
    CHECK(line.at.line == 6 && line.bytes == NULL && line.size == 0);
    EXPECT(tsm_lines_next(&lines, &line), TSM_ERR_LOG_NOT_CANONICAL);
    EXPECT(tsm_lines_init(&lines, "abc\n", 4, 2), TSM_OK);
    EXPECT(tsm_lines_next(&lines, &line), TSM_ERR_LOG_TOO_LONG);
}

static void replays(void)
{
    struct machine machine = reset();
    tsm_digest twice[2];
    tsm_digest sha1;
    tsm_replay_result result;
    tsm_digest *start = machine.values;
    memset(&result, 0xA5, sizeof result);
    twice[0] = start[0];
    twice[1] = start[0];
    EXPECT(tsm_replay(NULL, 1, 0, start, 1, NULL, 0, &result), TSM_ERR_NULL);
    EXPECT(tsm_replay("", 0, 0, NULL, 1, NULL, 0, &result), TSM_ERR_NULL);
    EXPECT(tsm_replay("", 0, 0, start, 1, NULL, 1, &result), TSM_ERR_NULL);
    EXPECT(tsm_replay("", 0, 0, start, 1, NULL, 0, NULL), TSM_ERR_NULL);
    EXPECT(tsm_replay("", 0, 0, odd(start), 1, NULL, 0, &result), TSM_ERR_MISALIGNED);
    EXPECT(tsm_replay("", 0, 0, start, 1, NULL, 0, odd(&result)), TSM_ERR_MISALIGNED);
    EXPECT(tsm_replay(&result, 1, 0, start, 1, NULL, 0, &result), TSM_ERR_OVERLAP);
    EXPECT(tsm_replay("", 0, 0, NULL, 0, NULL, 0, &result), TSM_ERR_NO_BANK);
    EXPECT(tsm_replay("", 0, 0, twice, 2, NULL, 0, &result), TSM_ERR_DOUBLE_BANK);
    EXPECT(tsm_replay("", 0, 0, start, 5, NULL, 0, &result), TSM_ERR_DOUBLE_BANK);
    EXPECT(tsm_replay("", 0, 0, start, 1, twice, 2, &result), TSM_ERR_DOUBLE_BANK);
    EXPECT(tsm_hash(TSM_SHA1, NULL, 0, &sha1), TSM_OK);
    EXPECT(tsm_replay("", 0, 0, start, 1, &sha1, 1, &result), TSM_ERR_NO_START);
    sha1.algorithm = 0;
    EXPECT(tsm_replay("", 0, 0, start, 1, &sha1, 1, &result), TSM_ERR_ALGORITHM);
    CHECK(result.holds == 0xA5A5A5A5);

    EXPECT(tsm_replay("", 0, 0, start, 1, NULL, 0, &result), TSM_OK);
    CHECK(!result.holds && !result.checked && result.banks[0].match == TSM_UNCHECKED);
    EXPECT(tsm_replay("", 0, 0, start, 1, start, 1, &result), TSM_OK);
    CHECK(result.holds && result.accounts_for_all && result.banks[0].match == TSM_COMPLETE);
    EXPECT(tsm_replay("a\n", 2, 0, start, 1, start, 1, &result), TSM_ERR_DOES_NOT_HOLD);
    CHECK(result.banks[0].match == TSM_PREFIX && result.banks[0].beyond == 1);
    CHECK(result.findings == 1 && result.first_finding == TSM_FINDING_NO_SYNC);
    EXPECT(tsm_replay("a\ntorn", 6, 0, start, 1, NULL, 0, &result), TSM_ERR_LOG_TORN);
    CHECK(!result.holds && result.malformed == TSM_ERR_LOG_TORN && result.malformed_at.offset == 2);
    EXPECT(tsm_hash(TSM_SHA256, "b", 1, twice), TSM_OK);
    EXPECT(tsm_replay("a\n", 2, 0, start, 1, twice, 1, &result), TSM_ERR_DOES_NOT_HOLD);
    CHECK(result.banks[0].match == TSM_MISMATCH && result.checked && !result.holds);
}

static void virtual_registers(void)
{
    static const tsm_register mr = {"mr", {TSM_SHA256, 0, 0, 0}, 0xFFFF, TSM_INITIAL_ONES};
    tsm_register other = mr;
    tsm_virtual_value value;
    tsm_position at = {0, 0, 0};
    size_t i;
    EXPECT(tsm_virtual_fold("", 0, 0, NULL, &value, &at), TSM_ERR_NULL);
    EXPECT(tsm_virtual_fold("", 0, 0, &mr, NULL, &at), TSM_ERR_NULL);
    EXPECT(tsm_virtual_fold(NULL, 1, 0, &mr, &value, &at), TSM_ERR_NULL);
    EXPECT(tsm_virtual_fold(&value, 1, 0, &mr, &value, &at), TSM_ERR_OVERLAP);
    EXPECT(tsm_virtual_fold("", 0, 0, &mr, odd(&value), &at), TSM_ERR_MISALIGNED);
    EXPECT(tsm_virtual_fold("x\nmr extend y\n", 14, 0, &mr, &value, &at), TSM_ERR_RECORD_DIGEST);
    CHECK(at.record == 2 && at.line == 2 && at.offset == 2);
    EXPECT(tsm_virtual_fold("mr\n", 3, 0, &mr, &value, NULL), TSM_ERR_RECORD_NOT_EXTENSION);
    EXPECT(tsm_virtual_fold("mr extend sm3/0\n", 16, 0, &mr, &value, &at),
           TSM_ERR_RECORD_ALGORITHM);
    EXPECT(tsm_virtual_fold("mr extend sha1/00000000000000000000"
                            "00000000000000000000\n", 56, 0, &mr, &value, &at),
           TSM_ERR_RECORD_NO_SUCH_BANK);
    EXPECT(tsm_virtual_fold("torn", 4, 0, &mr, &value, &at), TSM_ERR_LOG_TORN);
    other.name = "SYNC";
    EXPECT(tsm_virtual_fold("", 0, 0, &other, &value, &at), TSM_ERR_NAME);
    other.name = "mr";
    other.initial = TSM_INITIAL_OTHER;
    EXPECT(tsm_virtual_fold("", 0, 0, &other, &value, &at), TSM_ERR_INITIAL);
    EXPECT(tsm_virtual_fold("# mr\nmrs\n", 9, 0, &mr, &value, &at), TSM_OK);
    CHECK(value.records == 0 && value.bank_count == 1);
    for (i = 0; i < 32; i++) {
        CHECK(value.values[0].bytes[i] == 0xFF);
    }
}

int main(void)
{
    names();
    digests();
    descriptions();
    bad_logs();
    bad_calls();
    reentrancy();
    failing_callbacks();
    full_logs();
    lines();
    replays();
    virtual_registers();
    printf("%u checks, %u wrong\n", checks, wrong);
    return wrong != 0;
}
