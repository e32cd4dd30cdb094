// SPDX-License-Identifier: MIT OR Apache-2.0
//! One extension of an RTMR: by the adapter on the simulated module, by that module alone, and the
//! bare compression in both. `budgets` prints the ratios.

use criterion::{Criterion, Throughput};
use tsm_benches::bare;
use tsm_benches::tdx::{Adapter, Alone};
use tsm_core::Algorithm::Sha384;

fn main() {
    let mut criterion = tsm_benches::criterion!();
    let mut group = criterion.benchmark_group("tdx");
    group.throughput(Throughput::Elements(1));
    let mut timed = |name: &str, work: &mut dyn FnMut(usize)| {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|n| {
                let start = std::time::Instant::now();
                work(n as usize);
                start.elapsed()
            });
        });
    };
    let (mut adapter, mut alone) = (Adapter::default(), Alone::default());
    timed("extend, adapter and module", &mut |n| adapter.extend(n));
    timed("extend, module alone", &mut |n| alone.extend(n));
    timed("its bare compression", &mut |n| bare::chain(Sha384, n * bare::of_extend(Sha384)));
    group.finish();
    Criterion::final_summary(&criterion);
}
