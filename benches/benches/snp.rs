// SPDX-License-Identifier: MIT OR Apache-2.0
//! Report requests of an SNP guest: by the adapter, and their AES-GCM and copying alone. `budgets`
//! prints the ratio.

use criterion::{Criterion, Throughput};
use tsm_benches::snp::Conversation;

fn main() {
    let mut criterion = tsm_benches::criterion!();
    let mut group = criterion.benchmark_group("snp");
    let reports = tsm_benches::size(1000);
    let conversation = Conversation::new(reports);
    group.throughput(Throughput::Elements(reports as u64));
    group.bench_function("reports, by the adapter", |b| b.iter(|| conversation.adapter()));
    group.bench_function("reports, AES-GCM and copying", |b| b.iter(|| conversation.alone()));
    group.finish();
    Criterion::final_summary(&criterion);
}
