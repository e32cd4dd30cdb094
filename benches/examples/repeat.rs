// SPDX-License-Identifier: MIT OR Apache-2.0
//! Does one work so many times and nothing else, for tools that count instructions:
//!
//! `valgrind --tool=callgrind target/release/examples/repeat extend-sha384 20000`
//!
//! Run it with N and with 2 N: the difference over N is what one costs.

use core::hint::black_box;

use tsm_benches::appender::Appender;
use tsm_benches::{bare, eventlog, input};
use tsm_core::Algorithm::{self, Sha256, Sha384};
use tsm_core::Digest;
use tsm_core::log::{Limits, Lines};
use tsm_core::replay::verify;
use tsm_eventlog::ima::{Ascii, Bank, Binary, Layout, List, Replay};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (Some(work), Some(times)) = (arguments.get(1), arguments.get(2)) else {
        panic!("repeat WORK TIMES");
    };
    let times: usize = times.parse().expect("a number");
    match work.as_str() {
        "bare-sha1" => bare::chain(Algorithm::Sha1, times),
        "bare-sha256" => bare::chain(Sha256, times),
        "bare-sha384" => bare::chain(Sha384, times),
        "extend-sha1" => extend(Algorithm::Sha1, times),
        "extend-sha256" => extend(Sha256, times),
        "extend-sha384" => extend(Sha384, times),
        "append-sha384" => {
            black_box(Appender::new(&[Sha384]).append(times));
        }
        "append-sha256" => {
            black_box(Appender::new(&[Sha256]).append(times));
        }
        // The cost of making the input is in these too; take it off with `log` and `list`.
        "log" => drop(black_box(input::log(times, Sha384))),
        "replay" => replay(times),
        "scan" => scan(times),
        "list" => drop(black_box(input::ima(times))),
        "ascii" => {
            let made = input::ima(times);
            verified(Ascii::new(&made.ascii).into(), made.pcr);
        }
        "binary" => {
            let made = input::ima(times);
            verified(Binary::new(&made.binary, Layout::DEFAULT).into(), made.pcr);
        }
        // Likewise: take off what `tcg2` costs.
        "tcg2" => drop(black_box(eventlog::tcg2(times, &[Sha384]))),
        "tcg2-walk" => {
            black_box(eventlog::walk(&eventlog::tcg2(times, &[Sha384])));
        }
        "tcg2-replay" => eventlog::replay(&eventlog::tcg2(times, &[Sha384])),
        "tcg2-extends" => eventlog::Extends::of(&eventlog::tcg2(times, &[Sha384])).run(),
        "tcg2-extends-made" => {
            drop(black_box(eventlog::Extends::of(&eventlog::tcg2(times, &[Sha384]))))
        }
        "aael" => drop(black_box(eventlog::aael_shortest(3 * times))),
        "aael-replay" => eventlog::replay_aael(&eventlog::aael_shortest(3 * times)),
        _ => panic!("no work {work}"),
    }
}

fn extend(algorithm: Algorithm, times: usize) {
    let digest = black_box(algorithm.hash(b"event"));
    let mut value = Digest::zeros(algorithm);
    (0..times).for_each(|_| value.extend(&digest).expect("its bank"));
    black_box(value);
}

fn replay(records: usize) {
    let (log, value) = input::log(records, Sha384);
    let start = [Digest::zeros(Sha384)];
    let verified = verify(&log, &start, &[value], Limits::DEFAULT, &mut ()).expect("banks");
    assert_eq!(verified.holds(), Some(true));
}

fn scan(records: usize) {
    let (log, _) = input::log(records, Sha384);
    black_box(Lines::new(&log, Limits::DEFAULT).filter(Result::is_ok).count());
}

fn verified(list: List<'_>, pcr: Digest) {
    let mut replay = <Replay>::new(&[Bank::hashed(Sha256)]).expect("a bank");
    replay.expect(10, pcr).expect("room");
    assert!(replay.run(list).error().is_none());
}
