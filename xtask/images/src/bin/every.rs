// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything public in tsm-core that firmware could use.

#![no_std]
#![no_main]

use tsm_core::log::{Limits, Line, Lines, LogErrorKind, RecordLog, SliceStorage, Splitter};
use tsm_core::provider::Recorder as _;
use tsm_core::record::{Parts, StaticValues};
use tsm_core::replay::{self, Replay};
use tsm_core::tree::{Layout, Node, Tree};
use tsm_core::virtual_registers::{Fold, FoldSink};
use tsm_core::{
    Algorithm, Banks, Cached, Digest, Logged, Provider, Register, RegisterId, VirtualRegisters,
    cached, hex,
};
use tsm_images::{Device, RTMR, bytes, digest, memory};

const TABLE: &[Register<'static>] = &[
    Register::runtime("mr_a", Banks::one(Algorithm::Sha384)),
    Register::runtime("mr_b", Banks::one(Algorithm::Sha384)),
];

#[unsafe(no_mangle)]
unsafe extern "C" fn reading(log: *const u8, size: usize, buffer: *mut u8, room: usize) -> u64 {
    // SAFETY: never run.
    let (log, buffer) = unsafe { (bytes(log, size), memory(buffer, room)) };
    let mut sum = 0_u64;
    let mut values = StaticValues::<4>::default();
    for line in Lines::new(log, Limits::DEFAULT) {
        match line {
            Err(error) => sum = sum.wrapping_add(error.offset),
            Ok(line) => {
                sum = sum.wrapping_add(line.number);
                match line.line {
                    Line::Record(record) => {
                        let parts = Parts::of(record);
                        sum = sum.wrapping_add(parts.content.len() as u64);
                        sum = sum.wrapping_add(u64::from(values.record(record).is_ok()));
                    }
                    Line::Sync(captures) => {
                        sum = sum.wrapping_add(captures.iter().flatten().count() as u64);
                    }
                    Line::Note(note) => {
                        let banks = Banks::one(Algorithm::Sha384);
                        sum = sum.wrapping_add(note.digests(banks).flatten().count() as u64);
                    }
                    _ => {}
                }
            }
        }
    }
    for (name, value) in values.iter() {
        sum = sum.wrapping_add(name.len() as u64 + u64::from(value.is_zeros()));
    }
    let (held, out) = buffer.split_at_mut_checked(room / 2).unwrap_or_default();
    let mut splitter = Splitter::new(held);
    let mut replay = match Replay::new(&[digest(&[])]) {
        Ok(replay) => replay,
        Err(_) => return 0,
    };
    let pushed = splitter.push(log, |line| replay.line(line, Limits::DEFAULT, &mut ()));
    sum = sum.wrapping_add(u64::from(pushed == Err(LogErrorKind::TooLong)));
    sum = sum.wrapping_add(splitter.held() as u64);
    sum.wrapping_add(u64::from(hex::decode(log, out)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn replaying(
    log: *const u8,
    size: usize,
    saved: *mut u8,
    value: *const u8,
) -> u64 {
    // SAFETY: never run.
    let (log, saved) = unsafe { (bytes(log, size), memory(saved, Replay::SAVED_SIZE)) };
    // SAFETY: never run.
    let value = unsafe { digest(bytes(value, 48)) };
    let Ok(mut replay) = Replay::restore(saved) else { return 0 };
    let Ok(fold) = Fold::<4>::new(TABLE) else { return 1 };
    let mut sink = FoldSink::new(fold);
    let expected = replay.expect(&[value]).is_ok();
    let fed = replay.feed(log, Limits::DEFAULT, &mut sink).is_ok();
    for (to, from) in saved.iter_mut().zip(replay.save()) {
        *to = from;
    }
    let outcome = replay.outcome();
    let Ok(verified) = replay::verify(log, &[value], &[value], Limits::DEFAULT, &mut sink) else {
        return 2;
    };
    let mut sum = u64::from(expected) + u64::from(fed) + outcome.records;
    for record in verified.trusted() {
        sum = sum.wrapping_add(record.position().line + record.bytes().len() as u64);
    }
    for value in sink.fold().values() {
        sum = sum.wrapping_add(value.records + u64::from(value.value.is_zeros()));
    }
    sum.wrapping_add(u64::from(sink.malformed().is_some()))
}

/// All the middleware in one: cache, log, virtual registers, tree.
#[unsafe(no_mangle)]
unsafe extern "C" fn providing(
    page: *mut u8,
    size: usize,
    content: usize,
    cache: *mut u8,
    path: *const u8,
) -> u64 {
    // SAFETY: never run.
    let (page, cache) = unsafe { (memory(page, size), memory(cache, 256)) };
    // SAFETY: never run.
    let path = unsafe { bytes(path, 64) };
    let mut scratch = [0; 64];
    let device = Device::new();
    let needed = cached::needed(&device);
    let mut device = Cached::new(device, cache);
    let Some(storage) = SliceStorage::with_content(page, content) else { return 0 };
    let Ok(log) = RecordLog::open(storage, Limits::DEFAULT, &mut device, RTMR, &mut []) else {
        return 1;
    };
    let mut logged = Logged::<_, _, 2>::new(device);
    if logged.attach(RTMR, log).is_err() {
        return 2;
    }
    let Ok(mut provider) = VirtualRegisters::<_, 4>::open(logged, RTMR, TABLE) else { return 3 };
    let Some(mr_a) = provider.find("mr_a") else { return 4 };
    let mut sum = needed as u64;
    sum = sum.wrapping_add(u64::from(provider.extend(mr_a, &[digest(path)]).is_ok()));
    sum = sum.wrapping_add(u64::from(provider.extend(RTMR, &[digest(path)]).is_ok()));
    sum = sum.wrapping_add(u64::from(provider.append(RTMR, path).is_ok()));
    let value = provider.value(mr_a, Algorithm::Sha384);
    sum = sum.wrapping_add(value.map_or(0, |value: Digest| u64::from(value.is_zeros())));
    let layout = match path {
        [b'r', ..] => Layout::Rfc,
        [b'b', ..] => Layout::Banked,
        _ => Layout::Linux,
    };
    let mut out = [0; 64];
    let mut tree = Tree::new(&mut provider, layout, &mut scratch);
    sum.wrapping_add(walk(&mut tree, path, &mut out))
}

fn walk<P: Provider>(tree: &mut Tree<'_, P>, path: &[u8], out: &mut [u8]) -> u64 {
    let mut sum = 0_u64;
    let Ok(node) = tree.lookup(path) else { return 0 };
    for entry in tree.entries(node).into_iter().flatten() {
        sum = sum.wrapping_add(u64::from(entry.node == Node::ROOT));
    }
    sum = sum.wrapping_add(u64::from(tree.attributes(node).is_ok()));
    sum = sum.wrapping_add(tree.read(node, 3, out).map_or(0, |read| read as u64));
    sum.wrapping_add(u64::from(tree.write(node, 0, path).is_ok()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn _start(a: *mut u8, size: usize, b: *mut u8, room: usize) -> u64 {
    // SAFETY: never run.
    unsafe {
        reading(a, size, b, room)
            + replaying(a, size, b, a)
            + providing(a, size, room, b, a)
            + u64::from(RegisterId(0).0)
    }
}
