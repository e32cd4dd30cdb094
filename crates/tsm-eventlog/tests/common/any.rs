// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every log at hand, of whatever format, and one way to read them all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tsm_core::Algorithm;
use tsm_eventlog::cel::{self, Encoding, Register};
use tsm_eventlog::ima::{self, Ascii, Bank, Binary, Endian, Layout, List};
use tsm_eventlog::registers::Platform;
use tsm_eventlog::{Error, ErrorKind, Format, aael, detect, dstack, systemd, tcg};

use super::json::Json;
use super::{committed, shared};
use tsm_test_support::base64;

/// How a log is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Tcg,
    TcgSha1,
    ImaBinary { layout: Layout, md5: bool },
    ImaAscii(Endian),
    Cel(Encoding),
    Systemd,
    Aael,
    DstackLog,
    DstackEvents,
}

impl Kind {
    fn of(format: Format, name: &str) -> Option<Self> {
        Some(match format {
            Format::Tcg2 | Format::Ccel => Self::Tcg,
            Format::TcgSha1 => Self::TcgSha1,
            Format::ImaBinary(layout) => {
                Self::ImaBinary { layout, md5: name.contains("ima-legacy-md5") }
            }
            Format::ImaAscii { endian, .. } => Self::ImaAscii(endian),
            Format::Cel(encoding) => Self::Cel(encoding),
            Format::Systemd => Self::Systemd,
            Format::Aael => Self::Aael,
            Format::DstackLog => Self::DstackLog,
            Format::DstackEvents => Self::DstackEvents,
            _ => return None,
        })
    }

    /// Whether a log is text.
    pub fn is_text(self) -> bool {
        self.is_json() || matches!(self, Self::ImaAscii(_) | Self::Aael)
    }

    /// Whether records are JSON.
    pub fn is_json(self) -> bool {
        let is_json = Self::Cel(Encoding::Json) == self;
        is_json || matches!(self, Self::Systemd | Self::DstackLog | Self::DstackEvents)
    }

    /// What closes a log behind its last record.
    pub fn closing(self) -> &'static [u8] {
        match self {
            Self::Cel(Encoding::Json) | Self::DstackEvents => b"]",
            _ => b"",
        }
    }

    /// Whether a log of so many complete records says that it is not whole.
    pub fn is_framed(self) -> bool {
        matches!(self, Self::Cel(Encoding::Json | Encoding::Cbor) | Self::DstackEvents)
    }
}

/// A log.
pub struct AnyLog {
    pub name: String,
    pub bytes: Vec<u8>,
    pub kind: Kind,
}

/// The logs of all formats in the committed and the shared data, each content once; also those that
/// stand in base64, and in JSON files.
pub fn any_logs() -> Vec<AnyLog> {
    let mut paths = Vec::new();
    walk(&committed(), &mut paths);
    if let Some(shared) = shared("") {
        walk(&shared, &mut paths);
    }
    paths.sort();
    let (mut seen, mut logs) = (BTreeSet::new(), Vec::new());
    for path in paths {
        let name = path.display().to_string();
        let name = name.rsplit_once("/data/").map_or(name.as_str(), |(_, name)| name).to_owned();
        for bytes in contents(&path) {
            let kind = detect(&bytes).and_then(|format| Kind::of(format, &name));
            if let Some(kind) = kind.filter(|_| seen.insert(bytes.clone())) {
                logs.push(AnyLog { name: name.clone(), bytes, kind });
            }
        }
    }
    logs
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

/// A file, and the logs inside it.
fn contents(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    if name.ends_with(".b64") {
        return vec![base64(&bytes)];
    }
    let json = || Json::parse(core::str::from_utf8(&bytes).unwrap());
    let inner = match &*name {
        "quote-report.json" => json().at("event_log").text().map(|text| text.as_bytes().to_vec()),
        "linux_tpm12.json" => raw(&json()),
        _ => None,
    };
    core::iter::once(bytes).chain(inner).collect()
}

fn raw(json: &Json) -> Option<Vec<u8>> {
    let object = json.object()?;
    let here = object.get("Raw").and_then(Json::text).map(|text| base64(text.as_bytes()));
    here.or_else(|| object.values().find_map(raw))
}

/// What reading a log gave: from where to where each record goes, and the error at the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    pub spans: Vec<(usize, usize)>,
    pub error: Option<Error>,
}

impl Reading {
    fn take<R>(
        records: impl Iterator<Item = Result<R, Error>>,
        span: impl Fn(&R) -> (u64, u64),
    ) -> Self {
        let mut reading = Self { spans: Vec::new(), error: None };
        for record in records {
            assert_eq!(reading.error, None, "nothing behind an error");
            match record {
                Ok(record) => {
                    let (begin, end) = span(&record);
                    reading.spans.push((begin as usize, end as usize));
                }
                Err(error) => reading.error = Some(error),
            }
        }
        reading
    }

    /// What could not even be opened.
    fn none(error: Error) -> Self {
        Self { spans: Vec::new(), error: Some(error) }
    }
}

fn list(kind: Kind, bytes: &[u8]) -> List<'_> {
    match kind {
        Kind::ImaBinary { layout, md5: true } => Binary::new(bytes, layout).md5().into(),
        Kind::ImaBinary { layout, .. } => Binary::new(bytes, layout).into(),
        Kind::ImaAscii(endian) => Ascii::new(bytes).endian(endian).into(),
        _ => panic!("no IMA list"),
    }
}

/// Reads a log to its end.
pub fn read(kind: Kind, bytes: &[u8]) -> Reading {
    const RTMR3: Register = Register::CcMr(4);
    match kind {
        Kind::Tcg | Kind::TcgSha1 => match open_tcg(kind, bytes) {
            Ok(log) => Reading::take(log, |event| (event.position().offset, event.end().offset)),
            Err(error) => Reading::none(error),
        },
        Kind::ImaBinary { .. } | Kind::ImaAscii(_) => {
            Reading::take(list(kind, bytes), |entry| (entry.position().offset, entry.end().offset))
        }
        Kind::Cel(encoding) => Reading::take(cel::Log::new(bytes, encoding), |record| {
            (record.position().offset, record.end().offset)
        }),
        Kind::Systemd => Reading::take(systemd::Log::new(bytes), |record| {
            (record.position().offset, record.end().offset)
        }),
        Kind::Aael => match aael::Log::open(bytes, RTMR3) {
            Ok(log) => Reading::take(log, |line| (line.position().offset, line.end().offset)),
            Err(error) => Reading::none(error),
        },
        Kind::DstackLog => Reading::take(dstack::Log::new(bytes, RTMR3), |event| {
            (event.position().offset, event.end().offset)
        }),
        Kind::DstackEvents => Reading::take(dstack::Events::new(bytes), |event| {
            (event.position().offset, event.end().offset)
        }),
    }
}

fn open_tcg(kind: Kind, bytes: &[u8]) -> Result<tcg::Log<'_>, Error> {
    match kind {
        Kind::TcgSha1 => Ok(tcg::Log::sha1(bytes)),
        _ => tcg::Log::open(bytes),
    }
}

/// Replays a log in all banks, and uses all that a replay has to say; gives its error.
pub fn replay(kind: Kind, bytes: &[u8]) -> Option<Error> {
    fn shared<R: cel::Replayed, L>(log: L) -> Option<Error>
    where
        L: Iterator<Item = Result<R, Error>> + Clone,
    {
        let mut replay = <cel::Replay<64>>::new(Algorithm::ALL).unwrap();
        let finished = replay.run(log);
        assert_eq!(finished.records().count(), 0, "nothing is expected");
        finished.error()
    }
    match kind {
        Kind::Tcg | Kind::TcgSha1 => match open_tcg(kind, bytes) {
            Ok(log) => {
                let mut replay = <tcg::Replay>::new(Platform::Tpm, Algorithm::ALL).unwrap();
                let finished = replay.run(log);
                assert_eq!(finished.events().count(), 0, "nothing is expected");
                let _ = (finished.end(), finished.findings().count());
                finished.error()
            }
            Err(error) => Some(error),
        },
        Kind::ImaBinary { .. } | Kind::ImaAscii(_) => {
            let banks: Vec<_> = Algorithm::ALL.iter().map(|&bank| Bank::hashed(bank)).collect();
            let mut replay = <ima::Replay<64>>::new(&banks).unwrap();
            let finished = replay.run(list(kind, bytes));
            assert_eq!(finished.entries().count(), 0, "nothing is expected");
            finished.error()
        }
        Kind::Cel(encoding) => shared(cel::Log::new(bytes, encoding)),
        Kind::Systemd => shared(systemd::Log::new(bytes)),
        Kind::Aael => match aael::Log::open(bytes, Register::CcMr(4)) {
            Ok(log) => shared(log),
            Err(error) => Some(error),
        },
        Kind::DstackLog => shared(dstack::Log::new(bytes, dstack::Log::RTMR3)),
        Kind::DstackEvents => shared(dstack::Events::new(bytes)),
    }
}

/// A log cut into what stands before its records, and its records.
pub struct Parts<'a> {
    pub kind: Kind,
    pub header: &'a [u8],
    /// Records that the header holds.
    pub in_header: usize,
    /// Each with what separates it from the next.
    pub records: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    /// Cuts a log where reading it says that its records are. What is behind them is left out.
    pub fn of(log: &'a AnyLog) -> Self {
        let spans = read(log.kind, &log.bytes).spans;
        let in_header = usize::from(log.kind == Kind::Aael);
        let first = spans.get(in_header).map(|span| span.0);
        let last = spans.last().map_or(0, |span| span.1);
        let ends = spans.iter().skip(in_header + 1).map(|span| span.0).chain([last]);
        let begins = spans.iter().skip(in_header).map(|span| span.0);
        let records: Vec<_> = begins.zip(ends).map(|(a, b)| &log.bytes[a..b]).collect();
        let header = match (first, log.kind) {
            (Some(first), _) => first,
            (None, Kind::Tcg) => {
                tcg::Log::open(&log.bytes).unwrap().next_position().offset as usize
            }
            (None, _) => last,
        };
        Self { kind: log.kind, header: &log.bytes[..header], in_header, records }
    }

    /// The header and some records behind it.
    pub fn window(&self, from: usize, to: usize) -> Vec<u8> {
        let mut window = self.header.to_vec();
        for record in &self.records[from..to.min(self.records.len())] {
            window.extend(*record);
        }
        window
    }
}

/// Whether an error is what is left of a record may give.
pub fn is_of_cut(kind: Kind, error: Error, rest: &[u8]) -> bool {
    match (kind, error.kind()) {
        (_, ErrorKind::Truncated) => true,
        // Cut at or behind a line feed in a file name, it is a whole line with another name.
        (Kind::ImaAscii(_), ErrorKind::TemplateDigest | ErrorKind::Line) => rest.contains(&b'\n'),
        // Records of the oldest template with MD5 are told by what follows: nothing says their length.
        (Kind::ImaBinary { md5: true, .. }, ErrorKind::Field) => true,
        // A line that was cut is a line: without its words, or with half a character.
        (Kind::Aael, ErrorKind::Member | ErrorKind::Encoding) => true,
        _ => false,
    }
}
