// SPDX-License-Identifier: MIT OR Apache-2.0
//! Appending and replaying do not allocate.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

use tsm_benches::tdx::{Adapter, Alone};
use tsm_benches::{input, size};
use tsm_core::Algorithm::{Sha256, Sha384};
use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::replay::{Replay, verify};
use tsm_core::{Digest, Provider as _};
use tsm_eventlog::ima::{self, Ascii, Bank, Binary};
use tsm_sim::Simulated;

thread_local! {
    // Tests run in threads of one process: each counts its own.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract of
// `GlobalAlloc`; counting touches a thread-local without a destructor and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System` by `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` gives, and that it allocated nothing.
#[track_caller]
fn allocates_nothing<T>(work: impl FnOnce() -> T) -> T {
    let before = COUNT.get();
    let result = work();
    assert_eq!(COUNT.get() - before, 0, "allocations");
    result
}

#[test]
fn the_counter_counts() {
    let before = COUNT.get();
    drop(core::hint::black_box(vec![1_u8]));
    assert!(COUNT.get() > before);
}

/// Neither the adapter for TDX nor the module that it is tried on.
#[test]
fn extensions_by_the_adapter() {
    let (mut adapter, mut alone) = (Adapter::default(), Alone::default());
    allocates_nothing(|| {
        adapter.extend(10);
        alone.extend(10);
    });
}

#[test]
fn appends_and_extensions() {
    for (machine, register) in [("tdx", "rtmr2"), ("tpm", "pcr10"), ("nsm", "pcr16")] {
        let mut machine = Simulated::by_name(machine).unwrap();
        let id = machine.find(register).unwrap();
        let mut storage = vec![0; 100_000];
        let record = input::record(1);
        let banks = machine.describe(id).unwrap().banks();
        let digests: Vec<_> = banks.iter().map(|a| a.hash(b"x")).collect();
        let mut log = RecordLog::new(SliceStorage::new(&mut storage), Limits::DEFAULT);
        allocates_nothing(|| {
            for turn in 0..300 {
                log.append(&mut machine, id, record.as_bytes()).unwrap();
                if turn % 10 == 0 {
                    log.extend_off_log(&mut machine, id, &digests).unwrap();
                }
            }
        });
        let storage = log.into_storage();
        let open = || RecordLog::open(storage, Limits::DEFAULT, &mut machine, id, &mut []);
        assert!(allocates_nothing(open).unwrap().in_sync());
    }
}

#[test]
fn replays() {
    for bank in [Sha256, Sha384] {
        let (log, value) = input::log(size(100_000), bank);
        let start = [Digest::zeros(bank)];
        let trusted = allocates_nothing(|| {
            let verified = verify(&log, &start, &[value], Limits::DEFAULT, &mut ()).unwrap();
            assert_eq!(verified.holds(), Some(true));
            verified.trusted().count()
        });
        assert_eq!(trusted, size(100_000));
        allocates_nothing(|| {
            let replay = Replay::new(&start).unwrap();
            Replay::restore(&replay.save()).unwrap();
        });
    }
}

#[test]
fn ima_lists() {
    let made = input::ima(size(10_000));
    let lists = [
        ima::List::from(Ascii::new(&made.ascii)),
        Binary::new(&made.binary, ima::Layout::DEFAULT).into(),
    ];
    for list in lists {
        let trusted = allocates_nothing(|| {
            let mut replay = <ima::Replay>::new(&[Bank::hashed(Sha256)]).unwrap();
            replay.expect(10, made.pcr).unwrap();
            replay.run(list).entries().count()
        });
        assert_eq!(trusted, size(10_000));
    }
}
