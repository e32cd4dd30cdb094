// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding and classifying the lines of a log, without hashing.

use core::hint::black_box;

use criterion::Throughput;
use tsm_benches::{input, size};
use tsm_core::Algorithm::Sha384;
use tsm_core::log::{Limits, Lines};

fn main() {
    let (log, _) = input::log(size(1_000_000), Sha384);
    let mut criterion = tsm_benches::criterion!();
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Bytes(log.len() as u64));
    group.bench_function("Lines, 80-byte records", |bencher| {
        bencher.iter(|| Lines::new(black_box(&log), Limits::DEFAULT).filter(Result::is_ok).count());
    });
    group.finish();
    criterion.final_summary();
}
