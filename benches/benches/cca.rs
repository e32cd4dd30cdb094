// SPDX-License-Identifier: MIT OR Apache-2.0
//! One extension of an REM: by the adapter on the simulated monitor, by that monitor alone, and the
//! bare compression in both. `budgets` prints the ratios.

use criterion::{Criterion, Throughput};
use tsm_benches::bare;
use tsm_benches::cca::{Adapter, Alone};
use tsm_cca::Granule;
use tsm_core::Algorithm::Sha384;

fn main() {
    let mut criterion = tsm_benches::criterion!();
    let mut group = criterion.benchmark_group("cca");
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
    let mut granule = Granule::new();
    let (mut adapter, mut alone) = (Adapter::new(&mut granule), Alone::default());
    timed("extend, adapter and monitor", &mut |n| adapter.extend(n));
    timed("extend, monitor alone", &mut |n| alone.extend(n));
    timed("its bare compression", &mut |n| bare::chain(Sha384, n * bare::of_extend(Sha384)));
    group.finish();
    Criterion::final_summary(&criterion);
}
