// SPDX-License-Identifier: MIT OR Apache-2.0
//! One extend against one bare compression; the ratio counts, and `budgets` prints it.

use core::hint::black_box;

use criterion::{Criterion, Throughput};
use tsm_benches::bare;
use tsm_core::{Algorithm, Digest};

fn main() {
    let mut criterion = tsm_benches::criterion!();
    let mut group = criterion.benchmark_group("extend");
    group.throughput(Throughput::Elements(1));
    for &algorithm in Algorithm::ALL {
        let digest = black_box(algorithm.hash(b"event"));
        let mut value = Digest::zeros(algorithm);
        group.bench_function(algorithm.name(), |bencher| {
            bencher.iter(|| value.extend(&digest));
        });
        black_box(value);
        let compressions = bare::of_extend(algorithm);
        let name = format!("{algorithm}, {compressions} bare");
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|n| {
                let start = std::time::Instant::now();
                bare::chain(algorithm, compressions * n as usize);
                start.elapsed()
            });
        });
    }
    group.finish();
    Criterion::final_summary(&criterion);
}
