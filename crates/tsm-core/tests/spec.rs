// SPDX-License-Identifier: MIT OR Apache-2.0
//! `docs/spec/record-log.md` against the library: the page's examples are carried out and compared
//! byte for byte, its tables of bad input are fed in, and the rules that no example shows are shown
//! here. Also: what `docs/threat-model.md` names exists.

#![cfg(all(feature = "sha1", feature = "sha256", feature = "sha384", feature = "sha512"))]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tsm_core::hex::Hex;
use tsm_core::log::{Lines, NoRoom, Storage};
use tsm_core::provider::{self, Error as _, Recorder as _};
use tsm_core::record::StaticValues;
use tsm_core::replay::{
    Begins, Finding, FindingKind, Match, Replay, Sink, Trailing, Verified, verify,
};
use tsm_core::virtual_registers::Fold;
use tsm_core::{
    Algorithm, Banks, Digest, ErrorKind, Limits, Logged, Powers, Provider, RecordLog, Register,
    RegisterId, VirtualRegisters,
};

const RTMR: RegisterId = RegisterId(0);
const A: Algorithm = Algorithm::Sha256;

/// Every example of section 9, written by the library.
// T-12
#[test]
fn known_answers() {
    let page = Page::read();
    for name in ["one-bank", "two-banks", "informative", "virtual", "shown", "hidden"] {
        carry_out(&page, name);
    }
    page.all_used();
}

fn carry_out(page: &Page, name: &str) {
    let steps = page.block("steps", name);
    let mut lines = steps.lines().peekable();
    let banks = banks(lines.next().unwrap().strip_prefix("register ").expect("a register first"));
    let virtuals: Vec<_> = core::iter::from_fn(|| {
        lines.next_if(|line| line.starts_with("virtual ")).map(|line| &line["virtual ".len()..])
    })
    .collect();
    let table: Vec<_> = virtuals
        .iter()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, of)| Register::runtime(name, self::banks(of)))
        .collect();
    let mut machine = machine(Device::new(banks), &table);
    let mut value = Vec::new();
    let mut supplied = None;
    for line in lines {
        let (step, rest) = line.split_once(' ').unwrap();
        let named = |machine: &Machine<'_>| {
            let (name, digests) = rest.split_once(' ').unwrap();
            (machine.find(name).expect("a known register"), self::digests(digests))
        };
        match step {
            "append" => {
                let text = rest.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap();
                machine.append(RTMR, &bytes(text)).unwrap();
            }
            "extend" => machine.extend(RTMR, &digests(rest)).unwrap(),
            "extend-virtual" => {
                let (id, digests) = named(&machine);
                machine.extend(id, &digests).unwrap();
            }
            "value" => {
                value = digests(rest);
                assert_eq!(values(&mut machine, RTMR), value, "{name}: {line}");
            }
            "value-virtual" => {
                let (id, digests) = named(&machine);
                assert_eq!(values(&mut machine, id), digests, "{name}: {line}");
            }
            "static" => {
                let (name, digest) = rest.split_once(' ').unwrap();
                let log = machine.provider().log(RTMR).unwrap().storage().bytes.clone();
                let mut found = StaticValues::<4>::default();
                for line in Lines::new(&log, Limits::DEFAULT) {
                    found.record(line.unwrap().bytes).unwrap();
                }
                assert_eq!(found.value(name.as_bytes()), digests(digest).first().copied());
            }
            "supply" => supplied = Some(page.block("record-log", rest)),
            _ => panic!("unknown step: {line}"),
        }
    }
    let written = machine.provider().log(RTMR).unwrap().storage().bytes.clone();
    let block = page.block("record-log", name);
    let log = supplied.unwrap_or_else(|| String::from_utf8(written).unwrap());
    assert_eq!(log, block, "{name}: the log");
    assert_eq!(replayed(block.as_bytes(), banks, &value).holds(), Some(true), "{name}");
    // The same from the log alone, in another machine.
    if !table.is_empty() {
        let mut fold = Fold::<8>::new(&table).unwrap();
        for line in Lines::new(block.as_bytes(), Limits::DEFAULT) {
            fold.record(line.unwrap().bytes).unwrap();
        }
        let found: Vec<_> = fold.values().map(|v| v.value).collect();
        let here: Vec<_> = machine.fold().values().map(|v| v.value).collect();
        assert_eq!(found, here, "{name}: virtual values");
    }
}

/// What section 9 says of its examples in words.
// T-07
#[test]
fn examples_as_described() {
    let page = Page::read();
    let last = |name: &str| {
        let steps = page.block("steps", name);
        let register = banks(steps.lines().next().unwrap().strip_prefix("register ").unwrap());
        let value = steps.lines().rfind(|l| l.starts_with("value ")).unwrap();
        (page.block("record-log", name), register, digests(&value["value ".len()..]))
    };
    for name in ["one-bank", "two-banks"] {
        let (log, banks, value) = last(name);
        let verified = replayed(log.as_bytes(), banks, &value);
        assert_eq!(trusted(&verified), ["alpha", "beta", "gamma", "delta"], "{name}");
        assert_eq!(verified.outcome().explained_gaps, 1, "{name}");
        assert_eq!(verified.outcome().trailing, Trailing::None, "{name}");
    }
    let (log, banks, value) = last("shown");
    assert_eq!(trusted(&replayed(log.as_bytes(), banks, &value)), ["good", "evil", "last"]);
    let (log, banks, value) = last("hidden");
    let verified = replayed(log.as_bytes(), banks, &value);
    assert_eq!(trusted(&verified), ["good", "last"]);
    assert_eq!(verified.outcome().trailing, Trailing::Explained);
}

/// R-8.2: each malformed line gives exactly its kind, at its place, and spoils nothing before it.
// T-13, T-26, T-34
#[test]
fn malformed_lines() {
    let page = Page::read();
    let mut kinds = BTreeSet::new();
    for row in page.rows("malformed", 4) {
        let [_, of, line, kind] = <[String; 4]>::try_from(row).unwrap();
        let banks = banks(&of);
        let (start, value) = good_beginning(banks);
        let log = [start.as_bytes(), &bytes(&line)].concat();
        let verified = replayed(&log, banks, &value);
        let error = verified.malformed().unwrap_or_else(|| panic!("well-formed: {line}"));
        assert_eq!(format!("{:?}", error.kind), kind, "{line}");
        assert_eq!((error.offset, error.line), (start.len() as u64, 3), "{line}");
        assert_eq!((verified.holds(), verified.outcome().holds()), (Some(false), Some(true)));
        assert_eq!(trusted(&verified), ["first"], "{line}");
        kinds.insert(kind);
    }
    // All the kinds there are.
    assert_eq!(kinds.len(), 12, "{kinds:?}");
    for row in page.rows("well-formed", 3) {
        let [_, of, line] = <[String; 3]>::try_from(row).unwrap();
        let (start, value) = good_beginning(banks(&of));
        let log = [start.as_bytes(), &bytes(&line)].concat();
        assert_eq!(replayed(&log, banks(&of), &value).malformed(), None, "{line}");
    }
}

fn good_beginning(banks: Banks) -> (String, Vec<Digest>) {
    let mut log = String::from("SYNC");
    let mut value = Vec::new();
    for bank in banks.iter() {
        log += &format!(" {}", Digest::zeros(bank));
    }
    for bank in banks.iter() {
        value.push(extended(extended(Digest::zeros(bank), &log), "first"));
    }
    (log + "\nfirst\n", value)
}

/// R-8.3.
// T-09
#[test]
fn refused_appends() {
    for row in Page::read().rows("refused", 3) {
        let [_, input, cause] = <[String; 3]>::try_from(row).unwrap();
        let mut device = Device::new(Banks::one(A));
        let mut log = RecordLog::new(Memory::of(200), Limits::DEFAULT.record(100));
        let error = log.append(&mut device, RTMR, &bytes(&input)).unwrap_err();
        assert_eq!(format!("{:?}", error.cause), cause, "{input}");
        assert_eq!((log.storage().len(), device.extensions), (0, 0), "{input}");
    }
}

/// R-8.4.
// T-22
#[test]
fn malformed_records() {
    let table = [Register::runtime("mr_ima", Banks::one(A))];
    for row in Page::read().rows("malformed-records", 3) {
        let [_, record, kind] = <[String; 3]>::try_from(row).unwrap();
        let record = bytes(&record);
        let mut fold = Fold::<1>::new(&table).unwrap();
        let mut known = StaticValues::<2>::default();
        let first = format!("kernel.org/tsm/static_mr mr_known {}", A.hash(b""));
        assert_eq!(known.record(first.as_bytes()), Ok(true));
        let error = fold.record(&record).err().or(known.record(&record).err());
        assert_eq!(format!("{:?}", error.expect("malformed")), kind);
        assert_eq!(fold.values().next().unwrap().value, Digest::zeros(A), "no value changed");
        assert_eq!(known.value(b"mr_known"), Some(A.hash(b"")));
    }
}

/// The rules are numbered without a hole, and a rule that is cited exists.
#[test]
fn rules_are_numbered() {
    let page = Page::read();
    let mut rules = BTreeSet::new();
    let mut last = (0, 0);
    for line in page.text.lines() {
        let Some(rest) = line.strip_prefix("**R-") else { continue };
        let (number, _) = rest.split_once("**").unwrap();
        let (section, rule) = number.split_once('.').unwrap();
        let this: (u32, u32) = (section.parse().unwrap(), rule.parse().unwrap());
        assert!(this == (last.0, last.1 + 1) || this.0 > last.0 && this.1 == 1, "R-{number}");
        last = this;
        rules.insert(number.to_owned());
    }
    for document in ["docs/spec/record-log.md", "docs/threat-model.md", "docs/ARCHITECTURE.md"] {
        let text = read(document);
        for cited in text.split("R-").skip(1) {
            let end = cited.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(cited.len());
            let cited = cited[..end].trim_end_matches('.');
            if !cited.is_empty() {
                assert!(rules.contains(cited), "{document} cites R-{cited}");
            }
        }
    }
}

/// The statements are numbered without a hole, and the tests that show them exist.
#[test]
fn the_threat_model_names_what_exists() {
    let text = read("docs/threat-model.md");
    let statements = text.lines().filter_map(|line| line.strip_prefix("**T-"));
    for (line, number) in statements.zip(1..) {
        assert!(line.starts_with(&format!("{number:02}**")), "T-{line} should be {number:02}");
    }
    let mut named = 0;
    for word in text.split('`').filter(|word| word.contains(".rs::")) {
        let (file, test) = word.split_once("::").unwrap();
        let source = read(&format!("crates/{file}"));
        assert!(source.contains(&format!("fn {test}(")), "{word} does not exist");
        named += 1;
    }
    assert!(named > 30, "{named}");
}

/// R-5.1: all banks that the log captures are replayed; one may be compared alone.
// T-13
#[test]
fn all_banks_are_replayed() {
    let two = Banks::new(&[A, Algorithm::Sha384]).unwrap();
    let (log, value) = good_beginning(two);
    let verified = replayed(log.as_bytes(), Banks::one(A), &value[..1]);
    assert_eq!(verified.malformed().unwrap().kind, tsm_core::log::LogErrorKind::NoSuchBank);
    assert_eq!(replayed(log.as_bytes(), two, &value[..1]).holds(), Some(true));
}

/// R-5.4 and R-5.8: records before a SYNC record, and behind a note without one.
#[test]
fn records_without_sync() {
    let (zero, x) = (Digest::zeros(A), A.hash(b"x"));
    let value = extended(zero, "a");
    let mut seen = Seen::default();
    let verified = verify(b"a\n", &[zero], &[value], Limits::DEFAULT, &mut seen).unwrap();
    assert_eq!((verified.holds(), &seen.0[..]), (Some(true), &[FindingKind::NoSync][..]));
    assert_eq!(trusted(&verified), ["a"]);

    let mut value = zero;
    value.extend(&x).unwrap();
    let tentative = extended(value, "a");
    let log = format!("# .EXTEND {}\na\n", Hex(x.as_bytes()));
    let mut seen = Seen::default();
    let verified =
        verify(log.as_bytes(), &[zero], &[tentative], Limits::DEFAULT, &mut seen).unwrap();
    assert_eq!((verified.holds(), verified.outcome().trailing), (Some(true), Trailing::Explained));
    assert_eq!(seen.0, [FindingKind::Uncaptured]);
    // The gap is open until a SYNC record.
    let sync = format!("SYNC {tentative}");
    let log = format!("{log}{sync}\n");
    let verified = replayed(log.as_bytes(), Banks::one(A), &[extended(tentative, &sync)]);
    assert_eq!((verified.holds(), verified.outcome().explained_gaps), (Some(true), 1));
    assert_eq!(verified.outcome().begins, Begins::AtStart);
}

/// R-5.9 and R-5.11: a prefix says where the value was met, not that what stands before is trusted.
// T-06
#[test]
fn a_value_met_at_a_capture_vouches_for_nothing_before_it() {
    let (zero, x) = (Digest::zeros(A), A.hash(b"anything"));
    let log = format!("SYNC {zero}\na\nb\nSYNC {x}\nc\n");
    let verified = replayed(log.as_bytes(), Banks::one(A), &[x]);
    let (_, found) = verified.outcome().banks().next().unwrap();
    assert_eq!(found, Match::Prefix { matched: 3, beyond: 2 });
    assert_eq!((trusted(&verified).len(), verified.outcome().contradictions), (0, 1));
    assert_eq!(verified.holds(), Some(false));
}

/// R-5.9: a register that is ahead of its log matches nothing in it.
// T-04
#[test]
fn a_log_cut_at_its_end_matches_nothing() {
    let mut device = Device::new(Banks::one(A));
    let mut log = RecordLog::new(Memory::of(4096), Limits::DEFAULT);
    for input in [&b"a\nb"[..], b"c", b"d"] {
        log.append(&mut device, RTMR, input).unwrap();
    }
    let log = String::from_utf8(log.into_storage().bytes).unwrap();
    let end = log.rfind("d\n").unwrap();
    for (cut, _) in log[..end].match_indices('\n') {
        let verified = replayed(&log.as_bytes()[..=cut], Banks::one(A), &device.values);
        let (_, found) = verified.outcome().banks().next().unwrap();
        assert_eq!((found, verified.holds()), (Match::Mismatch, Some(false)), "{cut}");
        assert_eq!(trusted(&verified).len(), 0);
    }
}

/// R-5.12: a line that counts is removed, doubled, or changes places with the next one.
// T-02
#[test]
fn moved_lines_are_found() {
    let page = Page::read();
    for name in ["one-bank", "two-banks", "virtual"] {
        let steps = page.block("steps", name);
        let banks = banks(steps.lines().next().unwrap().strip_prefix("register ").unwrap());
        let value = steps.lines().rfind(|line| line.starts_with("value ")).unwrap();
        let value = digests(&value["value ".len()..]);
        let log = page.block("record-log", name);
        let lines: Vec<_> = log.lines().filter(|line| !line.is_empty()).collect();
        let holds = |lines: &[&str]| {
            replayed((lines.join("\n") + "\n").as_bytes(), banks, &value).holds() == Some(true)
        };
        assert!(holds(&lines), "empty lines mean nothing");
        for at in 0..lines.len() {
            let mut removed = lines.clone();
            let line = removed.remove(at);
            assert!(!holds(&removed), "{name}: without {line}");
            let mut doubled = lines.clone();
            doubled.insert(at, line);
            assert!(!holds(&doubled), "{name}: twice {line}");
            if at > 0 {
                let mut swapped = lines.clone();
                swapped.swap(at - 1, at);
                assert!(!holds(&swapped), "{name}: moved {line}");
            }
        }
    }
}

/// R-5.15, the other way round: who may extend directly can have any record shown.
// T-07
#[test]
fn a_direct_extension_can_be_shown_as_a_record() {
    let mut device = Device::new(Banks::one(A));
    let mut log = RecordLog::new(Memory::of(4096), Limits::DEFAULT);
    log.append(&mut device, RTMR, b"good").unwrap();
    let digest = A.hash(b"other-app vouches");
    log.extend_off_log(&mut device, RTMR, &[digest]).unwrap();
    log.append(&mut device, RTMR, b"end").unwrap();
    let honest = String::from_utf8(log.storage().bytes.clone()).unwrap();
    let note = format!("# .EXTEND {}\n", Hex(digest.as_bytes()));
    let supplied = honest.replace(&note, "other-app vouches\n");
    let verified = replayed(supplied.as_bytes(), Banks::one(A), &device.values);
    assert_eq!(verified.holds(), Some(true));
    assert_eq!(trusted(&verified), ["good", "other-app vouches", "end"]);
    let verified = replayed(honest.as_bytes(), Banks::one(A), &device.values);
    assert_eq!(verified.outcome().explained_gaps, 1, "the honest log says that something went in");
}

/// R-4.6: two logs for one register. The verifier finds out; the writer does when it is opened.
// T-18
#[test]
fn two_writers_are_found_out() {
    let mut device = Device::new(Banks::one(A));
    let mut first = RecordLog::new(Memory::of(4096), Limits::DEFAULT);
    let mut second = RecordLog::new(Memory::of(4096), Limits::DEFAULT);
    first.append(&mut device, RTMR, b"a").unwrap();
    second.append(&mut device, RTMR, b"b").unwrap();
    first.append(&mut device, RTMR, b"c").unwrap();
    assert!(first.in_sync());
    let holds = |log: &RecordLog<Memory>, device: &Device| {
        replayed(&log.storage().bytes, Banks::one(A), &device.values).holds()
    };
    assert_eq!((holds(&first, &device), holds(&second, &device)), (Some(false), Some(false)));
    let storage = first.into_storage();
    let mut first = RecordLog::open(storage, Limits::DEFAULT, &mut device, RTMR, &mut []).unwrap();
    assert!(!first.in_sync());
    first.append(&mut device, RTMR, b"d").unwrap();
    let verified = replayed(&first.storage().bytes, Banks::one(A), &device.values);
    assert_eq!((verified.holds(), verified.outcome().contradictions), (Some(false), 1));
    assert_eq!(trusted(&verified), ["d"]);
}

/// R-6.8: a record is all it takes to extend a virtual register; nothing is undone or reordered.
// T-21
#[test]
fn names_are_not_access_control() {
    let table =
        [Register::runtime("mr_a", Banks::one(A)), Register::runtime("mr_b", Banks::one(A))];
    let mut machine = machine(Device::new(Banks::one(A)), &table);
    let x = A.hash(b"x");
    machine.append(RTMR, format!("mr_a extend {x}\n").as_bytes()).unwrap();
    assert_eq!(machine.fold().records(0), 1);
    assert_eq!(machine.append(RTMR, b"mr_a reset").unwrap_err().kind(), ErrorKind::InvalidInput);
    // Past the layer it is possible, and then nobody believes the log's virtual values.
    let mut below = machine.into_inner();
    below.as_recorder().unwrap().append(RTMR, b"mr_a reset").unwrap();
    assert!(VirtualRegisters::<_, 8>::open(below, RTMR, &table).is_err());
}

/// R-5.17: what a saved replay looks like.
#[test]
fn saved_state() {
    assert_eq!(Replay::SAVED_SIZE, 596);
    let words: Vec<_> = Page::read().text.split_whitespace().map(str::to_owned).collect();
    assert!(words.join(" ").contains("The saved state is 596 bytes"));
    let two = Banks::new(&[A, Algorithm::Sha384]).unwrap();
    let (log, value) = good_beginning(two);
    let start: Vec<_> = two.iter().map(Digest::zeros).collect();
    let mut replay = Replay::new(&start).unwrap();
    replay.feed(log.as_bytes(), Limits::DEFAULT, &mut ()).unwrap();
    let mut expected = vec![1, 1, 0, 2];
    for number in [2, 2, log.len() as u64, 0, 0, 0, 0, 0, 0] {
        expected.extend(number.to_le_bytes());
    }
    for (id, (start, value)) in [0x000B_u16, 0x000C].iter().zip(start.iter().zip(&value)) {
        expected.extend(id.to_le_bytes());
        expected.extend(start.as_bytes());
        expected.extend(value.as_bytes());
    }
    expected.resize(596, 0);
    assert_eq!(replay.save()[..], expected);
}

#[derive(Default)]
struct Seen(Vec<FindingKind>);

impl Sink for Seen {
    fn finding(&mut self, finding: Finding) {
        self.0.push(finding.kind);
    }
}

fn replayed<'l>(log: &'l [u8], banks: Banks, value: &[Digest]) -> Verified<'l> {
    let start: Vec<_> = banks.iter().map(Digest::zeros).collect();
    verify(log, &start, value, Limits::DEFAULT, &mut ()).unwrap()
}

fn trusted(verified: &Verified<'_>) -> Vec<String> {
    verified.trusted().map(|r| String::from_utf8_lossy(r.bytes()).into_owned()).collect()
}

fn extended(mut value: Digest, record: &str) -> Digest {
    value.extend(&value.algorithm().hash(record.as_bytes())).unwrap();
    value
}

fn banks(names: &str) -> Banks {
    let algorithms: Vec<Algorithm> = names.split(' ').map(|name| name.parse().unwrap()).collect();
    Banks::new(&algorithms).unwrap()
}

fn digests(text: &str) -> Vec<Digest> {
    text.split(' ').map(|digest| digest.parse().unwrap()).collect()
}

/// Text with the escapes of the page's section 10.
fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (byte, used) = match c {
            '\\' => match rest.as_bytes()[1] {
                b'n' => (vec![b'\n'], 2),
                b'r' => (vec![b'\r'], 2),
                b't' => (vec![b'\t'], 2),
                b'0' => (vec![0], 2),
                b'x' => (vec![u8::from_str_radix(&rest[2..4], 16).unwrap()], 4),
                _ => panic!("unknown escape in {text}"),
            },
            '{' => {
                let (inside, _) = rest[1..].split_once('}').unwrap();
                let (times, what) = inside.split_once('*').unwrap();
                (what.repeat(times.parse().unwrap()).into_bytes(), inside.len() + 2)
            }
            c => (c.to_string().into_bytes(), c.len_utf8()),
        };
        out.extend(byte);
        rest = &rest[used..];
    }
    out
}

fn read(path: &str) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The specification and its fenced blocks.
struct Page {
    text: String,
    /// Info string and content.
    blocks: Vec<(String, String)>,
    used: core::cell::RefCell<BTreeSet<String>>,
}

impl Page {
    fn read() -> Self {
        let text = read("docs/spec/record-log.md");
        let mut blocks: Vec<(String, String)> = Vec::new();
        let mut inside = false;
        for line in text.lines() {
            match (line.strip_prefix("```"), inside) {
                (Some(info), false) => {
                    assert!(blocks.iter().all(|(i, _)| i != info), "two blocks {info}");
                    blocks.push((info.to_owned(), String::new()));
                    inside = true;
                }
                (Some(_), true) => inside = false,
                (None, true) => blocks.last_mut().unwrap().1 += &format!("{line}\n"),
                (None, false) => {}
            }
        }
        assert!(!inside, "a block without an end");
        Self { text, blocks, used: BTreeSet::new().into() }
    }

    fn block(&self, kind: &str, name: &str) -> String {
        let info = format!("{kind} {name}");
        let info = info.trim_end();
        self.used.borrow_mut().insert(info.to_owned());
        let found = self.blocks.iter().find(|(i, _)| i == info);
        found.unwrap_or_else(|| panic!("the page lacks the block {info}")).1.clone()
    }

    /// The rows of a table block, cut into their `fields`.
    fn rows(&self, kind: &str, fields: usize) -> Vec<Vec<String>> {
        let block = self.block(kind, "");
        let rows: Vec<Vec<_>> =
            block.lines().map(|l| l.split('|').map(|f| f.trim().to_owned()).collect()).collect();
        assert!(rows.len() > 3 && rows.iter().all(|row| row.len() == fields), "{kind}");
        for row in &rows {
            assert!(self.text.contains(&format!("**{}**", row[0])), "no rule {}", row[0]);
        }
        rows
    }

    fn all_used(&self) {
        let used = self.used.borrow();
        for (info, _) in self.blocks.iter().filter(|(info, _)| info.contains(' ')) {
            assert!(used.contains(info), "nothing carries out the block {info}");
        }
    }
}

type Machine<'t> = VirtualRegisters<'t, Logged<Device, Memory, 1>, 8>;

fn machine<'t>(device: Device, table: &'t [Register<'t>]) -> Machine<'t> {
    let mut logged = Logged::new(device);
    assert!(logged.attach(RTMR, RecordLog::new(Memory::of(1 << 16), Limits::DEFAULT)).is_ok());
    VirtualRegisters::open(logged, RTMR, table).unwrap()
}

fn values<P: Provider>(provider: &mut P, id: RegisterId) -> Vec<Digest> {
    let banks = provider.describe(id).unwrap().banks();
    banks.iter().map(|bank| provider.value(id, bank).unwrap()).collect()
}

/// A machine with one directly extensible runtime register.
#[derive(Clone, Debug)]
struct Device {
    register: Register<'static>,
    values: Vec<Digest>,
    extensions: usize,
}

impl Device {
    fn new(banks: Banks) -> Self {
        let register = Register::runtime("rtmr", banks).with(Powers::DIRECT);
        Self { register, values: banks.iter().map(Digest::zeros).collect(), extensions: 0 }
    }
}

impl Provider for Device {
    type Error = ErrorKind;

    fn name(&self) -> &str {
        "device"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        (id == RTMR).then_some(self.register)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), ErrorKind> {
        provider::check_read(self.describe(id).as_ref(), bank, out)?;
        let value = self.values.iter().find(|v| Some(v.algorithm()) == bank);
        out.copy_from_slice(value.unwrap().as_bytes());
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), ErrorKind> {
        provider::check_extend(self.describe(id).as_ref(), digests)?;
        self.extensions += 1;
        for digest in digests {
            let value = self.values.iter_mut().find(|v| v.algorithm() == digest.algorithm());
            value.unwrap().extend(digest).unwrap();
        }
        Ok(())
    }
}

/// A log in memory, up to a number of bytes.
#[derive(Clone, Debug)]
struct Memory {
    bytes: Vec<u8>,
    capacity: usize,
}

impl Memory {
    fn of(capacity: usize) -> Self {
        Self { bytes: Vec::new(), capacity }
    }
}

impl Storage for Memory {
    type Error = NoRoom;

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn room(&self) -> u64 {
        (self.capacity - self.bytes.len()) as u64
    }

    fn append(&mut self, parts: &[&[u8]]) -> Result<(), NoRoom> {
        let parts = parts.concat();
        if parts.len() as u64 > self.room() {
            return Err(NoRoom);
        }
        self.bytes.extend(parts);
        Ok(())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, NoRoom> {
        let rest = self.bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }
}
