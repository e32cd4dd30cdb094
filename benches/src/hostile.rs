// SPDX-License-Identifier: MIT OR Apache-2.0
//! 20 kB of the worst for every parser.
//!
//! Work that needs a hash for each record is marked: two bytes of log can ask for two hashes per
//! bank, which no reader can make cheaper.

use core::hint::black_box;

use tsm_core::log::{Limits, Line, Lines, LogErrorKind, RecordLog, SliceStorage, Splitter};
use tsm_core::provider::Recorder as _;
use tsm_core::record::StaticValues;
use tsm_core::replay::Replay;
use tsm_core::tree::{Layout, Tree};
use tsm_core::virtual_registers::{Fold, VirtualRegisters};
use tsm_core::{Algorithm, Banks, Digest, Logged, Provider, Register};
use tsm_eventlog::detect;
use tsm_eventlog::ima::{self, Ascii, Bank, Binary, List};
use tsm_eventlog::registers::Platform;
use tsm_eventlog::{cel, systemd, tcg};
use tsm_sim::Simulated;

use crate::eventlog;

/// Size of each input in bytes, about.
pub const SIZE: usize = 20_000;

/// One hostile input and what is done with it.
pub struct Case {
    /// What it is.
    pub name: &'static str,
    /// SHA-384 compressions that the records themselves ask for; other hashes are left out.
    pub hashes: usize,
    /// Does it.
    pub run: Box<dyn FnMut()>,
}

/// All of them.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    scan(&mut cases);
    replay(&mut cases);
    names(&mut cases);
    append(&mut cases);
    ima_lists(&mut cases);
    event_logs(&mut cases);
    others(&mut cases);
    cases
}

fn add(cases: &mut Vec<Case>, name: &'static str, hashes: usize, run: impl FnMut() + 'static) {
    cases.push(Case { name, hashes, run: Box::new(run) });
}

/// `part` as often as it fits.
fn fill(part: &[u8]) -> Vec<u8> {
    part.repeat(SIZE / part.len())
}

fn lines(log: &[u8]) -> usize {
    let limits = Limits::DEFAULT.record(usize::MAX);
    Lines::new(log, limits).filter(Result::is_ok).count()
}

fn scan(cases: &mut Vec<Case>) {
    for (name, log) in [
        ("scan: LF only", fill(b"\n")),
        ("scan: one-byte records", fill(b"x\n")),
        ("scan: comments", fill(b"#\n")),
        ("scan: words that begin like SYNC", fill(b"SYNS\n")),
        ("scan: one long line", [fill(b"x"), b"\n".to_vec()].concat()),
        ("scan: a torn line of NULs", fill(b"\0")),
    ] {
        add(cases, name, 0, move || {
            black_box(lines(black_box(&log)));
        });
    }
    let log = [fill(b"x"), b"\n".to_vec()].concat();
    add(cases, "scan: one long line in pieces of one byte", 0, move || {
        let mut buffer = [0; SIZE];
        let mut splitter = Splitter::new(&mut buffer);
        for piece in black_box(&log).chunks(1) {
            splitter.push(piece, |l| Line::classify(l).map(drop)).expect("it fits");
        }
    });
    let log = fill(b"x\n");
    add(cases, "scan: one-byte records in pieces of one byte", 0, move || {
        let mut buffer = [0; 16];
        let mut splitter = Splitter::new(&mut buffer);
        for piece in black_box(&log).chunks(1) {
            let each = |l: &[u8]| Line::classify(l).map(drop);
            splitter.push::<LogErrorKind>(piece, each).expect("it fits");
        }
    });
}

fn replay(cases: &mut Vec<Case>) {
    let sha384 = Digest::zeros(Algorithm::Sha384);
    let note = format!("# .EXTEND {}\n", "ab".repeat(48));
    let sync = format!("SYNC {sha384}\n");
    for (name, log, per_line) in [
        ("replay: LF only", fill(b"\n"), 0),
        ("replay: one-byte records (hashes)", fill(b"x\n"), 2),
        ("replay: SYNC lines (hashes)", fill(sync.as_bytes()), 3),
        ("replay: notes of extensions (hashes)", fill(note.as_bytes()), 1),
        ("replay: one long record", [fill(b"x"), b"\n".to_vec()].concat(), 158),
    ] {
        let count = log.iter().filter(|&&b| b == b'\n').count();
        add(cases, name, count * per_line, move || {
            let mut replay = Replay::new(&[sha384]).expect("one bank");
            replay.expect(&[sha384]).expect("the bank");
            let limits = Limits::DEFAULT.record(usize::MAX);
            replay.feed(black_box(&log), limits, &mut ()).expect("well-formed");
            black_box(replay.outcome());
        });
    }
}

/// Names that differ in their last characters only, all of the longest length.
fn table() -> &'static [Register<'static>] {
    let banks = Banks::one(Algorithm::Sha1);
    let name = |i: usize| -> &'static str { format!("{}{i:02}", "n".repeat(61)).leak() };
    (0..64).map(|i| Register::runtime(name(i), banks)).collect::<Vec<_>>().leak()
}

fn names(cases: &mut Vec<Case>) {
    let table = table();
    for (name, log) in [
        ("virtual: one-byte records, 64 names", fill(b"x\n")),
        (
            "virtual: names almost right, 64 names",
            fill([&[b'n'; 63][..], b"\n"].concat().as_slice()),
        ),
    ] {
        add(cases, name, 0, move || {
            let mut fold = Fold::<64>::new(table).expect("a table");
            for record in black_box(&log).split(|&b| b == b'\n') {
                let _ = black_box(fold.record(record));
            }
        });
    }
    let digest = Digest::zeros(Algorithm::Sha1);
    let log: String =
        (0..250).map(|i| format!("kernel.org/tsm/static_mr n{i:03} {digest}\n")).collect();
    add(cases, "static values: 250 names, room for 64", 0, move || {
        let mut values = StaticValues::<64>::default();
        for record in black_box(log.as_bytes()).split(|&b| b == b'\n') {
            let _ = black_box(values.record(record));
        }
    });
    let log = [&[b'x'; 4000][..], b"\n"].concat().repeat(5);
    let mut storage = vec![0; 2 * SIZE];
    let mut machine = Simulated::by_name("tdx").expect("a platform");
    let carrier = machine.find("rtmr3").expect("a register");
    let mut writer = RecordLog::new(SliceStorage::new(&mut storage), Limits::DEFAULT);
    writer.append(&mut machine, carrier, &log).expect("room");
    let stored = writer.storage().as_bytes().to_vec();
    add(cases, "virtual: opening over long records, 64 names", 0, move || {
        let mut bytes = stored.clone();
        let length = bytes.len();
        let storage = SliceStorage::with_content(&mut bytes, length).expect("all of it");
        let mut logged = Logged::<_, _, 1>::new(&mut machine);
        assert!(logged.attach(carrier, RecordLog::new(storage, Limits::DEFAULT)).is_ok());
        black_box(VirtualRegisters::<_, 64>::open(logged, carrier, table).expect("no malformed"));
    });
}

fn append(cases: &mut Vec<Case>) {
    for (name, input, per_line) in [
        ("append: blank lines", fill(b" \n"), 0),
        ("append: white space", fill(b" "), 0),
        ("append: comments", fill(b"#\n"), 0),
        ("append: one-byte records (hashes)", fill(b"x\n"), 2),
        ("append: reserved word in the last line", [fill(b"x\n"), b"SYNC".to_vec()].concat(), 0),
    ] {
        let count = input.iter().filter(|&&b| b == b'\n').count();
        let mut machine = Simulated::by_name("tdx").expect("a platform");
        let id = machine.find("rtmr3").expect("a register");
        let mut storage = vec![0; 2 * SIZE];
        add(cases, name, count * per_line, move || {
            let limits = Limits::DEFAULT.record(usize::MAX);
            let mut log = RecordLog::new(SliceStorage::new(&mut storage), limits);
            let _ = black_box(log.append(&mut machine, id, black_box(&input)));
        });
    }
}

fn verify(list: List<'_>) {
    let banks = [Bank::hashed(Algorithm::Sha256)];
    let mut replay = <ima::Replay<64>>::new(&banks).expect("a bank");
    replay.expect(10, Digest::ones(Algorithm::Sha256)).expect("room");
    let _ = black_box(replay.run(list).entries().count());
}

fn ima_lists(cases: &mut Vec<Case>) {
    let put = |out: &mut Vec<u8>, part: &[u8]| {
        out.extend(u32::try_from(part.len()).expect("short").to_le_bytes());
        out.extend(part);
    };
    let record = |pcr: u32, digest: &[u8], template: &[u8], data: &[u8]| {
        let mut out = pcr.to_le_bytes().to_vec();
        out.extend(digest);
        put(&mut out, template);
        put(&mut out, data);
        out
    };
    let sha1 = |data: &[u8]| Algorithm::Sha1.hash(data);
    let fields = 4_u32.to_le_bytes();
    let many = [&fields[..], b"abcd"].concat().repeat(15);
    let template = ["d"; 15].join("|");
    let full = record(10, sha1(&many).as_bytes(), template.as_bytes(), &many);
    let pcrs: Vec<u8> = (0..600).flat_map(|i| record(i % 64, &[0; 20], b"d", b"")).collect();
    let name = [&8_u32.to_le_bytes()[..], b"sha1:\0ab", &[0x10, 0x27, 0, 0], &[b'n'; 9999], b"\0"];
    let name = name.concat();
    let long = record(10, sha1(&name).as_bytes(), b"ima-ng", &name);
    for (label, list) in [
        ("ima binary: shortest violations, 64 PCRs (hashes)", pcrs),
        ("ima binary: records of 15 fields (hashes)", fill(&full)),
        ("ima binary: two names of 10,000 bytes", fill(&long)),
        ("ima binary: a length of 4 GiB", [&[10, 0, 0, 0][..], &[0xFF; SIZE]].concat()),
        ("ima binary: zeros", vec![0; SIZE]),
    ] {
        add(cases, label, 0, move || {
            let bytes = black_box(&list);
            let _ = black_box(detect(bytes));
            verify(Binary::new(bytes, ima::Layout::DEFAULT).md5().into());
        });
    }
    ascii_lists(cases);
}

fn ascii_lists(cases: &mut Vec<Case>) {
    let line = |name: &[u8]| {
        let length = |n: usize| u32::try_from(n).expect("short").to_le_bytes();
        let data = [&length(6)[..], b"sha1:\0", &length(name.len() + 1), name, b"\0"].concat();
        let digest = Algorithm::Sha1.hash(&data).to_string();
        let hex = digest.trim_start_matches("sha1/");
        [format!("10 {hex} ima-ng sha1: ").as_bytes(), name, b"\n"].concat()
    };
    let wrong = [line(b"x"), b"10 ".to_vec()].concat();
    let ends = [fill(b"n"), b"\n".repeat(5)].concat();
    let mut bad = line(&ends);
    bad[5] ^= 1;
    let violation = format!("10 {} ima-ng sha1: /\n", "0".repeat(40)).into_bytes();
    for (label, list) in [
        ("ima ascii: shortest lines (hashes)", fill(&line(b"/"))),
        ("ima ascii: four line feeds in each name (hashes)", fill(&line(b"\n\n\n\n"))),
        ("ima ascii: violations", fill(&violation)),
        ("ima ascii: a long name that ends in line feeds and does not verify", bad),
        ("ima ascii: LF only behind a good line", [wrong, fill(b"\n")].concat()),
        ("ima ascii: one long line without LF", [line(b"/"), fill(b"1")].concat()),
        ("ima ascii: spaces", fill(b" ")),
    ] {
        add(cases, label, 0, move || {
            let bytes = black_box(&list);
            let _ = black_box(detect(bytes));
            verify(Ascii::new(bytes).into());
        });
    }
}

/// Walks a firmware log, replays it in all banks, and looks for all that is odd.
fn firmware(log: tcg::Log<'_>) {
    let mut replay = <tcg::Replay>::new(Platform::Tpm, Algorithm::ALL).expect("banks");
    let finished = replay.run(log);
    let _ = black_box((finished.end(), finished.findings().count(), finished.events().count()));
}

fn event_logs(cases: &mut Vec<Case>) {
    let head = |banks: &[Algorithm]| eventlog::tcg2(0, banks);
    let behind = |head: Vec<u8>, part: &[u8]| [head, fill(part)].concat();
    let tiny = [4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let no_action = [0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let sha1 = head(&[Algorithm::Sha1]);
    for (name, log) in [
        ("tcg2: events without digests", behind(head(Algorithm::ALL), &tiny)),
        ("tcg2: no-action events without digests", behind(head(Algorithm::ALL), &no_action)),
        ("tcg2: events of 4 banks (hashes)", eventlog::tcg2(67, Algorithm::ALL)),
        ("tcg2: a Spec ID event again and again", behind(sha1.clone(), &sha1)),
        ("tcg2: zeros", behind(sha1.clone(), &[0])),
        ("tcg2: a size of 4 GiB", behind(sha1, &[0xFF; 16])),
    ] {
        add(cases, name, 0, move || {
            let _ = black_box(detect(&log));
            firmware(tcg::Log::open(black_box(&log)).expect("a header"));
        });
    }
    let record = [&[4, 0, 0, 0, 5, 0, 0, 0][..], &[1; 20], &[0; 4]].concat();
    let log = fill(&record);
    add(cases, "tcg, SHA-1 format: shortest events (hashes)", 0, move || {
        firmware(tcg::Log::sha1(black_box(&log)));
    });
    let log = eventlog::aael_shortest(SIZE);
    add(cases, "aael: shortest lines (hashes)", 2 * SIZE / 3, move || {
        eventlog::replay_aael(black_box(&log));
    });
    let log = [eventlog::aael(0), fill(b"a b c")].concat();
    add(cases, "aael: one long line", 2 * SIZE / 128, move || {
        eventlog::replay_aael(black_box(&log));
    });
    shared_replays(cases);
}

/// What [`cel::Replay`] is for.
fn shared_replays(cases: &mut Vec<Case>) {
    let run = |log: &[u8], encoding| {
        let mut replay = <cel::Replay>::new(Algorithm::ALL).expect("banks");
        let _ = black_box(replay.run(cel::Log::new(log, encoding)).records().count());
    };
    let smallest = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 0, 0, 0, 9, 0, 0, 0, 0];
    let elsewhere = (0_u32..700).flat_map(|pcr| {
        let number = pcr.to_be_bytes();
        [&smallest[..5], &[1, 0, 0, 0, 4], &number, &smallest[10..]].concat()
    });
    let open = |text: &str| {
        format!("[{{\"recnum\":0,\"pcr\":1,\"digests\":[],\"content_type\":200,\"content\":{text}")
    };
    let nested = open(&"[".repeat(SIZE));
    let members = open(&format!("{{{}", "\"a\":1,".repeat(SIZE / 6)));
    let escapes = open(&format!("\"{}", "\\u0041".repeat(SIZE / 6)));
    let records = open("\"00\"}").replacen('[', "", 1) + ",";
    let records = format!("[{}", records.repeat(SIZE / records.len()));
    use cel::Encoding::{Cbor, Json, Tlv};
    for (name, log, encoding) in [
        ("cel tlv: shortest records", fill(&smallest), Tlv),
        ("cel tlv: a register of its own for each", elsewhere.collect(), Tlv),
        ("cel cbor: arrays in arrays", fill(&[0x81]), Cbor),
        ("cel cbor: an array of 2^64 records", [&[0x9B][..], &[0xFF; SIZE]].concat(), Cbor),
        ("cel json: shortest records", records.into_bytes(), Json),
        ("cel json: arrays in arrays", nested.into_bytes(), Json),
        ("cel json: a member many times", members.into_bytes(), Json),
        ("cel json: escapes", escapes.into_bytes(), Json),
    ] {
        add(cases, name, 0, move || {
            let _ = black_box(detect(&log));
            run(black_box(&log), encoding);
        });
    }
    let event = b"{\"event\":\"\",\"payload\":\"\"}\n";
    let log = fill(event);
    add(cases, "dstack: shortest lines (hashes)", 2 * SIZE / event.len(), move || {
        eventlog::replay_dstack(black_box(&log));
    });
    let record = b"\x1e{\"pcr\":1,\"digests\":[],\"content_type\":\"systemd\",\"content\":{}}\n";
    let log = fill(record);
    add(cases, "systemd: shortest records", 0, move || {
        eventlog::replay_shared(systemd::Log::new(black_box(&log)), Algorithm::ALL);
    });
}

fn others(cases: &mut Vec<Case>) {
    for (name, path) in [
        ("tree: slashes", fill(b"/")),
        ("tree: one long name", fill(b"x")),
        ("tree: many names below nothing", fill(b"a/")),
        ("tree: a file as a directory, many times", fill(b"pcr0:sha1/")),
        ("tree: many names below a directory", fill(b"pcr22/")),
    ] {
        let machine = Simulated::by_name("tpm").expect("a platform");
        let logged = Logged::<_, SliceStorage<'static>, 1>::new(machine);
        let layout = if path.contains(&b':') { Layout::Linux } else { Layout::Rfc };
        let mut tree = Tree::new(logged, layout, &mut []);
        add(cases, name, 0, move || {
            let _ = black_box(tree.lookup(black_box(&path)));
        });
    }
    let saved = Simulated::by_name("tpm").expect("a platform").save();
    let twice = [&saved[..], &saved].concat();
    add(cases, "simulator: a state and more behind it", 0, move || {
        let _ = black_box(Simulated::load(black_box(&twice)));
    });
    // What a recorder is asked for by the bytes of a hostile caller.
    let bytes = vec![0; SIZE];
    let machine = Simulated::by_name("tdx").expect("a platform");
    let id = machine.find("rtmr3").expect("a register");
    let storage = SliceStorage::with_content(bytes.leak(), SIZE).expect("all of it");
    let mut logged = Logged::<_, _, 1>::new(machine);
    assert!(logged.attach(id, RecordLog::new(storage, Limits::DEFAULT)).is_ok());
    add(cases, "log: read byte by byte", 0, move || {
        let mut byte = [0];
        for offset in 0..SIZE {
            black_box(logged.read_log(id, offset as u64, &mut byte).expect("a byte"));
        }
    });
}
