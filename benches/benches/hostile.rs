// SPDX-License-Identifier: MIT OR Apache-2.0
//! 20 kB of the worst for every parser; the budget is 1 ms each.

use core::time::Duration;

fn main() {
    let mut criterion = tsm_benches::criterion!();
    let mut group = criterion.benchmark_group("hostile");
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
    for mut case in tsm_benches::hostile::cases() {
        group.bench_function(case.name, |bencher| bencher.iter(&mut case.run));
    }
    group.finish();
    criterion.final_summary();
}
