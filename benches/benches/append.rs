// SPDX-License-Identifier: MIT OR Apache-2.0
//! Appending an 80-byte record to a log in a slice, over the simulator.

use criterion::Throughput;
use tsm_benches::appender::Appender;
use tsm_benches::bare;
use tsm_core::Algorithm::{self, Sha256, Sha384};

fn main() {
    let mut criterion = tsm_benches::criterion!();
    let mut group = criterion.benchmark_group("append, 80 bytes");
    group.throughput(Throughput::Elements(1));
    for banks in [&[Sha384][..], &[Sha256], &[Sha256, Sha384]] {
        let name = banks.iter().map(|a| a.name()).collect::<Vec<_>>().join("+");
        let mut appender = Appender::new(banks);
        group.bench_function(&name, |bencher| {
            bencher.iter_custom(|n| appender.append(n as usize));
        });
        let count = |a: Algorithm| bare::of_hash(a, 80) + bare::of_extend(a);
        group.bench_function(format!("{name}, bare compressions"), |bencher| {
            bencher.iter_custom(|n| {
                let start = std::time::Instant::now();
                banks.iter().for_each(|&a| bare::chain(a, n as usize * count(a)));
                start.elapsed()
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
