// SPDX-License-Identifier: MIT OR Apache-2.0
//! Firmware logs, the same as canonical event logs, and the logs of agents: reading alone, replay in
//! all banks, and the hashing that a replay asks for alone.

use core::hint::black_box;

use criterion::{Criterion, Throughput};
use tsm_benches::{bare, eventlog, size};
use tsm_core::Algorithm::{self, Sha384};
use tsm_eventlog::{aael, cel, dstack};

fn main() {
    let mut criterion = tsm_benches::criterion!();
    let many = size(10_000);
    let mut logs = eventlog::BOOTS.map(|boot| (boot, eventlog::committed(boot))).to_vec();
    logs.push(("made, SHA-256", eventlog::tcg2(many, &[Algorithm::Sha256])));
    logs.push(("made, 4 banks", eventlog::tcg2(many, Algorithm::ALL)));
    for (name, log) in &logs {
        tcg2(&mut criterion, name, log);
        cel(&mut criterion, name, log);
    }
    agents(&mut criterion, many);
    criterion.final_summary();
}

fn tcg2(criterion: &mut Criterion, name: &str, log: &[u8]) {
    let mut group = criterion.benchmark_group(format!("tcg2, {name}"));
    group.throughput(Throughput::Elements(eventlog::walk(log) as u64));
    group.bench_function("walk", |bencher| bencher.iter(|| eventlog::walk(log)));
    group.bench_function("replay", |bencher| bencher.iter(|| eventlog::replay(log)));
    let extends = eventlog::Extends::of(log);
    group.bench_function("its hashing", |bencher| bencher.iter(|| extends.run()));
    group.finish();
}

fn cel(criterion: &mut Criterion, name: &str, log: &[u8]) {
    let mut group = criterion.benchmark_group(format!("cel, {name}"));
    let banks: Vec<Algorithm> =
        tsm_eventlog::tcg::Log::open(log).expect("a log").algorithms().known().collect();
    for encoding in [cel::Encoding::Tlv, cel::Encoding::Cbor, cel::Encoding::Json] {
        let log = eventlog::cel(log, encoding);
        group.throughput(Throughput::Elements(eventlog::walk_cel(&log, encoding) as u64));
        group.bench_function(format!("{encoding:?} walk"), |bencher| {
            bencher.iter(|| eventlog::walk_cel(&log, encoding));
        });
        group.bench_function(format!("{encoding:?} replay"), |bencher| {
            bencher
                .iter(|| eventlog::replay_shared(cel::Log::new(black_box(&log), encoding), &banks));
        });
    }
    group.finish();
}

fn agents(criterion: &mut Criterion, lines: usize) {
    let mut group = criterion.benchmark_group("agents");
    group.throughput(Throughput::Elements(lines as u64));
    let log = eventlog::aael(lines);
    group.bench_function("aael walk", |bencher| {
        let open = || aael::Log::open(black_box(&log), cel::Register::CcMr(4)).expect("a log");
        bencher.iter(|| open().filter(Result::is_ok).count());
    });
    group.bench_function("aael replay", |bencher| bencher.iter(|| eventlog::replay_aael(&log)));
    // 79 bytes are one block, and an extension is one.
    group.bench_function("aael hashing, bare", |bencher| {
        bencher.iter(|| bare::chain(Sha384, 2 * lines));
    });
    let log = eventlog::dstack(lines);
    group.bench_function("dstack walk", |bencher| {
        let open = || dstack::Log::new(black_box(&log), dstack::Log::RTMR3);
        bencher.iter(|| open().filter(Result::is_ok).count());
    });
    group.bench_function("dstack replay", |bencher| bencher.iter(|| eventlog::replay_dstack(&log)));
    group.finish();
}
