// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verifying an IMA list of 400,000 `ima-ng` entries: SHA-1 template digests and a SHA-256 bank.

use core::hint::black_box;

use criterion::Throughput;
use tsm_benches::{input, size};
use tsm_core::Algorithm::Sha256;
use tsm_eventlog::ima::{Ascii, Bank, Binary, Layout, List, Match, Replay};

fn main() {
    let entries = size(400_000);
    let made = input::ima(entries);
    let verify = |list: List<'_>| {
        let mut replay = <Replay>::new(&[Bank::hashed(Sha256)]).expect("a bank");
        replay.expect(10, made.pcr).expect("room");
        assert!(replay.run(list).error().is_none());
        assert_eq!(replay.result(10, Sha256), Match::Complete);
    };
    let mut criterion = tsm_benches::criterion!();
    let mut group = criterion.benchmark_group("ima");
    group.throughput(Throughput::Elements(entries as u64));
    group.bench_function("ascii", |bencher| {
        bencher.iter(|| verify(Ascii::new(black_box(&made.ascii)).into()));
    });
    group.bench_function("binary", |bencher| {
        bencher.iter(|| verify(Binary::new(black_box(&made.binary), Layout::DEFAULT).into()));
    });
    group.finish();
    criterion.final_summary();
}
