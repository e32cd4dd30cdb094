// SPDX-License-Identifier: MIT OR Apache-2.0
//! The budgets as a table: each work and its floor in short turns, so that a busy machine is unfair
//! to both. Prints and does not judge by its exit status: a shared machine's times prove nothing.

use core::hint::black_box;

use tsm_benches::appender::Appender;
use tsm_benches::paired::{Timed, time};
use tsm_benches::snp::Conversation;
use tsm_benches::tdx::{Adapter, Alone};
use tsm_benches::{bare, cca, eventlog, hostile, input, is_trial, size};
use tsm_cca::Granule;
use tsm_core::Algorithm::{self, Sha256, Sha384};
use tsm_core::Digest;
use tsm_core::log::{Limits, Lines};
use tsm_core::replay::verify;
use tsm_eventlog::cel::{self, Encoding};
use tsm_eventlog::ima::{Ascii, Bank, Binary, Layout, List, Replay};

fn main() {
    println!("{:44} {:>12} {:>8} {:>8} {:>8}", "work", "median each", "ratio", "of best", "budget");
    Algorithm::ALL.iter().for_each(|&algorithm| extend(algorithm));
    for banks in [&[Sha384][..], &[Sha256], &[Sha256, Sha384]] {
        append(banks);
    }
    tdx();
    cca();
    snp();
    replay();
    ima();
    firmware();
    agents();
    hostiles();
}

/// `each` is how often a turn does the work.
fn row(name: &str, timed: &Timed, each: usize, budget: f64) {
    let nanoseconds = timed.time.as_secs_f64() * 1e9 / each as f64;
    let holds = match timed.ratio <= budget {
        _ if is_trial() => "only tried",
        _ if budget.is_infinite() => "",
        true => "holds",
        false => "MISSED",
    };
    println!(
        "{name:44} {nanoseconds:9.1} ns {:8.3} {:8.3} {budget:8.2} {holds}",
        timed.ratio, timed.best_ratio
    );
}

fn extend(algorithm: Algorithm) {
    let each = size(20_000);
    let digest = black_box(algorithm.hash(b"event"));
    let mut value = Digest::zeros(algorithm);
    let work = || (0..each).for_each(|_| value.extend(&digest).expect("its bank"));
    let count = bare::of_extend(algorithm);
    let timed = time(work, || bare::chain(algorithm, each * count));
    black_box(value);
    row(&format!("extend {algorithm} / its {count} bare"), &timed, each, 1.10);
}

fn append(banks: &[Algorithm]) {
    let each = size(9_000);
    let mut appender = Appender::new(banks);
    let count = |a| bare::of_hash(a, 80) + bare::of_extend(a);
    let work = || {
        appender.append(each);
    };
    let timed = time(work, || banks.iter().for_each(|&a| bare::chain(a, each * count(a))));
    let names = banks.iter().map(|a| a.name()).collect::<Vec<_>>().join("+");
    let count: usize = banks.iter().map(|&a| count(a)).sum();
    // 2.2 x one compression for SHA-384, which needs two: 1.1 x what is needed.
    row(&format!("append 80 B, {names} / its {count} bare"), &timed, each, 1.10);
}

/// The adapter may take 0.3 of a compression on top of what the simulated module takes alone.
fn tdx() {
    let each = size(20_000);
    let floor = || bare::chain(Sha384, each * bare::of_extend(Sha384));
    let mut alone = Alone::default();
    let alone = time(|| alone.extend(each), floor);
    let mut adapter = Adapter::default();
    let both = time(|| adapter.extend(each), floor);
    row("tdx extend, module alone / its 1 bare", &alone, each, f64::INFINITY);
    row("tdx extend, adapter and module / its 1 bare", &both, each, alone.ratio + 0.3);
}

fn cca() {
    let each = size(20_000);
    let floor = || bare::chain(Sha384, each * bare::of_extend(Sha384));
    let mut alone = cca::Alone::default();
    let alone = time(|| alone.extend(each), floor);
    let mut granule = Granule::new();
    let mut adapter = cca::Adapter::new(&mut granule);
    let both = time(|| adapter.extend(each), floor);
    row("cca extend, monitor alone / its 1 bare", &alone, each, f64::INFINITY);
    row("cca extend, adapter and monitor / its 1 bare", &both, each, alone.ratio + 0.3);
}

fn snp() {
    let each = size(2000);
    let conversation = Conversation::new(each);
    let timed = time(|| conversation.adapter(), || conversation.alone());
    row("snp report request / its AES-GCM and copying", &timed, each, 1.20);
}

fn replay() {
    let records = size(100_000);
    let (log, value) = input::log(records, Sha384);
    let start = [Digest::zeros(Sha384)];
    let work = || {
        let verified = verify(black_box(&log), &start, &[value], Limits::DEFAULT, &mut ());
        assert_eq!(verified.expect("banks").holds(), Some(true));
    };
    let timed = time(work, || bare::chain(Sha384, records));
    row("replay of 80 B records / serial chain", &timed, records, 2.3);

    let scan = || {
        black_box(Lines::new(black_box(&log), Limits::DEFAULT).filter(Result::is_ok).count());
    };
    let timed = time(scan, || ());
    let speed = |time: core::time::Duration| log.len() as f64 / time.as_secs_f64() / 1e9;
    println!(
        "{:44} {:9.2} GB/s, best {:.2}, budget at least 1",
        "scan of 80 B records",
        speed(timed.time),
        speed(timed.best)
    );
}

fn ima() {
    let entries = size(40_000);
    let made = input::ima(entries);
    let verify = |list: List<'_>| {
        let mut replay = <Replay>::new(&[Bank::hashed(Sha256)]).expect("a bank");
        replay.expect(10, made.pcr).expect("room");
        assert!(replay.run(list).error().is_none());
    };
    // Template data of about 110 bytes: two SHA-1, two SHA-256 compressions, and an extend.
    let floor = || {
        bare::chain(Algorithm::Sha1, 2 * entries);
        bare::chain(Sha256, 4 * entries);
    };
    for (name, budget, timed) in [
        ("ascii", 450.0, time(|| verify(Ascii::new(black_box(&made.ascii)).into()), floor)),
        ("binary", 350.0, {
            let list = || Binary::new(black_box(&made.binary), Layout::DEFAULT).into();
            time(|| verify(list()), floor)
        }),
    ] {
        let each = timed.time.as_secs_f64() * 1e9 / entries as f64;
        let best = timed.best.as_secs_f64() * 1e9 / entries as f64;
        println!(
            "{:44} {each:9.1} ns {:8.3} {:8.3} best {best:.0} ns, budget {budget} ns",
            format!("ima {name}, an entry / its 6 bare"),
            timed.ratio,
            timed.best_ratio
        );
    }
}

fn firmware() {
    let many = size(10_000);
    let mut logs = eventlog::BOOTS.map(|boot| (boot, eventlog::committed(boot))).to_vec();
    logs.push(("made, SHA-256", eventlog::tcg2(many, &[Sha256])));
    logs.push(("made, SHA-384", eventlog::tcg2(many, &[Sha384])));
    logs.push(("made, 4 banks", eventlog::tcg2(many, Algorithm::ALL)));
    println!();
    for (name, log) in &logs {
        let events = eventlog::walk(log);
        // A turn of a short log would be too short.
        let turns = many.div_ceil(events);
        let repeat = |work: &dyn Fn()| (0..turns).for_each(|_| work());
        let walk = || {
            black_box(eventlog::walk(log));
        };
        let timed = time(|| repeat(&walk), || ());
        let each = |time: core::time::Duration| time.as_secs_f64() * 1e9 / (turns * events) as f64;
        println!(
            "{:44} {:9.1} ns an event, best {:.1}, budget 40",
            format!("walk {name}"),
            each(timed.time),
            each(timed.best)
        );
        let extends = eventlog::Extends::of(log);
        let timed = time(|| repeat(&|| eventlog::replay(log)), || repeat(&|| extends.run()));
        row(&format!("replay {name}"), &timed, turns * events, 1.15);
        for encoding in [Encoding::Tlv, Encoding::Cbor, Encoding::Json] {
            let log = eventlog::cel(log, encoding);
            let walk = || {
                black_box(eventlog::walk_cel(&log, encoding));
            };
            let timed = time(|| repeat(&walk), || ());
            println!(
                "{:44} {:9.1} ns a record",
                format!("  as {encoding:?}, walk"),
                each(timed.time)
            );
            let banks: Vec<_> = extends.banks().collect();
            let replay =
                || eventlog::replay_shared(cel::Log::new(black_box(&log), encoding), &banks);
            let timed = time(|| repeat(&replay), || repeat(&|| extends.run()));
            row(&format!("  as {encoding:?}, replay"), &timed, turns * events, f64::INFINITY);
        }
    }
}

fn agents() {
    let lines = size(10_000);
    println!();
    // 79 bytes are one block, and an extension is one.
    let log = eventlog::aael(lines);
    let floor = || bare::chain(Sha384, 2 * lines);
    let timed = time(|| eventlog::replay_aael(black_box(&log)), floor);
    row("aael, 79 B lines / its 2 bare", &timed, lines, f64::INFINITY);
    let log = eventlog::dstack(lines);
    let timed = time(|| eventlog::replay_dstack(black_box(&log)), floor);
    row("dstack / its 2 bare", &timed, lines, f64::INFINITY);
}

fn hostiles() {
    println!("\n{:72} {:>12} {:>14}", "20 kB, hostile", "best", "hashes of it");
    for mut case in hostile::cases() {
        let timed = time(&mut case.run, || bare::chain(Sha384, case.hashes));
        let (best, hashes) = (timed.best.as_secs_f64() * 1e6, timed.floor.as_secs_f64() * 1e6);
        let hashes = if case.hashes == 0 { 0.0 } else { hashes };
        let holds = if best < 1000.0 { "" } else { "above 1 ms" };
        println!("{:72} {best:9.1} us {hashes:11.1} us {holds}", case.name);
    }
}
