// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replaying a log of a million 80-byte records against the serial chain of one SHA-384 register.

use core::hint::black_box;

use criterion::Throughput;
use tsm_benches::{bare, input, size};
use tsm_core::Algorithm::Sha384;
use tsm_core::Digest;
use tsm_core::log::Limits;
use tsm_core::replay::verify;

fn main() {
    let records = size(1_000_000);
    let (log, value) = input::log(records, Sha384);
    let mut criterion = tsm_benches::criterion!();
    let mut group = criterion.benchmark_group("replay, SHA-384");
    group.throughput(Throughput::Elements(records as u64));
    group.bench_function("whole log", |bencher| {
        bencher.iter(|| {
            let log = black_box(&log);
            let start = [Digest::zeros(Sha384)];
            let verified = verify(log, &start, &[value], Limits::DEFAULT, &mut ()).expect("banks");
            assert_eq!(verified.holds(), Some(true));
        });
    });
    group.bench_function("serial chain, bare", |b| b.iter(|| bare::chain(Sha384, records)));
    group.finish();
    criterion.final_summary();
}
