// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every CCEL at hand against every TD quote at hand: RTMRs are equal where the data's index says so,
//! and nowhere else.

mod common;

use std::collections::BTreeMap;

use common::any::{AnyLog, Kind, any_logs};
use common::json::Json;
use common::shared;
use common::tcg::{ccels, digest};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel::{self, Register};
use tsm_eventlog::registers::{Platform, RtmrIndex};
use tsm_eventlog::{Format, detect, dstack, tcg};
use tsm_test_support::{base64, unhex};

const SHA384: Algorithm = Algorithm::Sha384;

/// RTMR0 to RTMR3 of a TD quote (Intel DCAP, quote versions 4 and 5: a header of 48 bytes; in version 5
/// type and size of the body, 6 bytes; the RTMRs 328 bytes into the body).
fn rtmrs(quote: &[u8]) -> [Digest; 4] {
    let body = match quote[..2] {
        [4, 0] => 48,
        [5, 0] => 54,
        _ => panic!("version {:?}", &quote[..2]),
    };
    assert_eq!(quote[4..8], [0x81, 0, 0, 0], "of a TD");
    core::array::from_fn(|number| {
        Digest::from_bytes(SHA384, &quote[body + 328 + 48 * number..][..48]).unwrap()
    })
}

/// A file as the bytes of the quote in it.
fn quote(path: &std::path::Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let text = || core::str::from_utf8(&bytes).unwrap();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("hex" | "txt") => unhex(text()),
        Some("json") => {
            let json = Json::parse(text());
            let url_safe = |text: &str| base64(text.replace('-', "+").replace('_', "/").as_bytes());
            let quote = json.at("quote").text().map(unhex);
            quote.or_else(|| json.at("td_quote").text().map(url_safe)).unwrap()
        }
        _ => bytes,
    }
}

/// The quotes that `tdx/expected.json` names, by name, with the registers it states; and that beside
/// AAEL's logs.
fn quotes() -> BTreeMap<String, [Digest; 4]> {
    let mut quotes = BTreeMap::new();
    let Some(path) = shared("tdx/expected.json") else { return quotes };
    let expected = Json::parse(&std::fs::read_to_string(&path).unwrap());
    for (name, stated) in expected.at("quotes").object().unwrap() {
        let found = rtmrs(&quote(&path.with_file_name(name)));
        for (number, value) in found.iter().enumerate() {
            let stated = stated.at(&format!("rtmr{number}")).text().unwrap();
            assert_eq!(*value, digest(SHA384, stated), "{name} RTMR{number}");
        }
        quotes.insert(name.clone(), found);
    }
    let aael = "eventlogs/trustee-history/aael/AAEL_quote_tdx";
    quotes.insert(aael.into(), rtmrs(&quote(&shared(aael).unwrap())));
    quotes
}

/// The RTMRs that a CCEL extends.
fn replayed(log: &[u8]) -> BTreeMap<usize, Digest> {
    let mut replay = tcg::Replay::<5>::new(Platform::Tdx, &[SHA384]).unwrap();
    assert_eq!(replay.run(tcg::Log::open(log).unwrap()).error(), None);
    let value = |number: usize| {
        let rtmr = RtmrIndex::new(u32::try_from(number).unwrap()).unwrap();
        let register = replay.register(rtmr).filter(|register| register.events() > 0)?;
        Some((number, register.value(SHA384)?))
    };
    (0..4).filter_map(value).collect()
}

/// Which registers of which quotes have the values of a log.
fn matches<'a>(
    values: &BTreeMap<usize, Digest>,
    quotes: &'a BTreeMap<String, [Digest; 4]>,
) -> BTreeMap<usize, Vec<&'a str>> {
    let equal = |(&number, value): (&usize, &Digest)| {
        let same = quotes.iter().filter(|(_, quote)| quote[number] == *value);
        (number, same.map(|(name, _)| name.as_str()).collect())
    };
    values.iter().map(equal).collect()
}

/// `tdx/expected.json` lists the quotes in which each register's value stands.
#[test]
fn registers_are_in_the_stated_quotes() {
    let quotes = quotes();
    let (mut equal, mut absent) = (0, 0);
    for (name, log, stated) in ccels() {
        let found = matches(&replayed(&log), &quotes);
        for (register, stated) in stated.at("matches").object().unwrap() {
            let number: usize = register.strip_prefix("RTMR").unwrap().parse().unwrap();
            // One quote is named there and is not in the data.
            let stated = stated.list().iter().map(|name| name.text().unwrap());
            let (there, gone): (Vec<_>, Vec<_>) =
                stated.partition(|name| quotes.contains_key(*name));
            assert_eq!(found[&number], there, "{name} {register}");
            assert!(gone.iter().all(|name| *name == "dcap-qvl/quote-from-tappd.hex"));
            equal += there.len();
            absent += gone.len();
            eprintln!("{name:52} {register} {there:?}");
        }
        let numbers = stated.at("matches").object().unwrap().len();
        assert_eq!(found.len(), numbers, "{name}");
    }
    eprintln!(
        "{} quotes, {equal} registers equal, {absent} in a quote that is not there",
        quotes.len()
    );
    assert!(quotes.is_empty() || (quotes.len() == 16 && equal == 6 && absent == 1));
}

/// Logs all of whose registers are those of a quote: a Google TD's CCEL, and the events of a dstack
/// report. (Intel's sample needs an IMA list besides: `tcg_replay::a_ccel_and_then_ima`. AAEL's log and
/// its quote: `aael::text_logs_and_their_quote`.)
#[test]
fn logs_and_the_quotes_of_their_machines() {
    let quotes = quotes();
    if quotes.is_empty() {
        return;
    }
    let mut pairs = Vec::new();
    let mut tried = 0;
    let logs = any_logs();
    for log in &logs {
        let Some(values) = of_td(log) else { continue };
        let found = matches(&values, &quotes);
        let first = found.values().next().into_iter().flatten();
        let is_in_all = |name: &&&str| found.values().all(|names| names.contains(name));
        pairs.extend(first.filter(is_in_all).map(|quote| (log.name.as_str(), *quote)));
        tried += 1;
    }
    pairs.sort_unstable();
    eprintln!("{tried} logs, {} quotes: {pairs:?}", quotes.len());
    assert!(tried >= 13);
    let expected = [
        ("eventlogs/dstack/quote-report.json", "dstack/quote-report.json"),
        ("tdx/go-tdx-guest/ccel/ccel_data.dat", "go-tdx-guest/ccel/cos-113-tdx-quote.dat"),
    ];
    assert_eq!(pairs, expected);
    // What the registers do not have in a log, they do not have in the quote either.
    for (log, quote) in pairs {
        let log = logs.iter().find(|found| found.name == log).unwrap();
        let values = of_td(log).unwrap();
        for (number, value) in quotes[quote].iter().enumerate() {
            assert_eq!(values.get(&number).copied().unwrap_or(Digest::zeros(SHA384)), *value);
        }
    }
}

/// The RTMRs that a log of a TD leads to; `None` for other logs.
fn of_td(log: &AnyLog) -> Option<BTreeMap<usize, Digest>> {
    // td-shim's header tells nothing: it is known by its name.
    let is_ccel = detect(&log.bytes) == Some(Format::Ccel) || log.name.contains("CCEL");
    match log.kind {
        Kind::Tcg if is_ccel => Some(replayed(&log.bytes)).filter(|values| !values.is_empty()),
        Kind::DstackEvents => {
            let mut replay = <cel::Replay>::new(&[SHA384]).unwrap();
            assert_eq!(replay.run(dstack::Events::new(&log.bytes)).error(), None);
            let value = |number: usize| {
                let register = Register::CcMr(u32::try_from(number).unwrap() + 1);
                Some((number, replay.register(register)?.value(SHA384)?))
            };
            Some((0..4).filter_map(value).collect())
        }
        _ => None,
    }
}
