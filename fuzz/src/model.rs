// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section 5 of the record log's specification once more, in the plainest way.

use tsm_core::log::Line;
use tsm_core::{Banks, Digest};

/// A replay that remembers everything.
pub(crate) struct Model {
    pub(crate) values: Vec<Digest>,
    pub(crate) records: u64,
    /// Where the log begins, once something that is hashed or noted was there.
    pub(crate) begins: Option<Vec<Digest>>,
    pub(crate) in_gap: bool,
    pub(crate) midway: bool,
    pub(crate) explained: u64,
    pub(crate) unexplained: u64,
    pub(crate) contradictions: u64,
    /// Every state the register was in as far as the log says, and the records before it.
    pub(crate) history: Vec<(u64, Vec<Digest>)>,
}

impl Model {
    pub(crate) fn new(start: Vec<Digest>) -> Self {
        Self {
            history: vec![(0, start.clone())],
            values: start,
            records: 0,
            begins: None,
            in_gap: false,
            midway: false,
            explained: 0,
            unexplained: 0,
            contradictions: 0,
        }
    }

    pub(crate) fn banks(&self) -> Banks {
        self.values.iter().fold(Banks::NONE, |b, v| b.and(v.algorithm()).unwrap())
    }

    /// Takes a stored line; `None`, and nothing happened, if it is malformed.
    pub(crate) fn line(&mut self, line: &[u8]) -> Option<()> {
        match Line::classify(line).ok()? {
            Line::Blank | Line::Comment(_) => return Some(()),
            Line::Note(note) => {
                let digests: Vec<_> = note.digests(self.banks()).collect::<Result<_, _>>().ok()?;
                let mut banks = Banks::NONE;
                for digest in &digests {
                    banks = banks.and(digest.algorithm())?;
                }
                for digest in digests {
                    let mut values = self.values.iter_mut();
                    let value = values.find(|v| v.algorithm() == digest.algorithm())?;
                    value.extend(&digest).ok()?;
                }
                self.begins.get_or_insert_with(|| self.history[0].1.clone());
                self.in_gap = true;
            }
            Line::Sync(captures) => {
                let captures: Vec<_> = captures.iter().collect::<Result<_, _>>().ok()?;
                self.sync(captures)?;
                self.record(line);
            }
            Line::Record(_) => self.record(line),
        }
        self.history.push((self.records, self.values.clone()));
        Some(())
    }

    fn record(&mut self, record: &[u8]) {
        self.begins.get_or_insert_with(|| self.values.clone());
        for value in &mut self.values {
            value.extend(&value.algorithm().hash(record)).unwrap();
        }
        self.records += 1;
    }

    fn sync(&mut self, captures: Vec<Digest>) -> Option<()> {
        if captures.len() != self.values.len() {
            return None;
        }
        // The captures may stand in another order than the values.
        let captured: Option<Vec<_>> = self
            .values
            .iter()
            .map(|v| captures.iter().copied().find(|c| c.algorithm() == v.algorithm()))
            .collect();
        let captured = captured?;
        let agrees = captured == self.values;
        match (&self.begins, self.in_gap, agrees) {
            (_, true, true) => self.explained += 1,
            (_, true, false) => self.unexplained += 1,
            (None, false, false) => self.midway = true,
            (Some(_), false, false) => self.contradictions += 1,
            (_, false, true) => {}
        }
        self.begins.get_or_insert_with(|| captured.clone());
        self.in_gap = false;
        self.values = captured;
        self.history.push((self.records, self.values.clone()));
        Some(())
    }
}

/// A log from a text in which `%` saves the fuzzer from knowing hashes:
///
/// | line | becomes |
/// |---|---|
/// | `SYNC %` | a capture of the value that the log so far leads to |
/// | `SYNC %x` | a capture of something else, which `x` decides |
/// | `# .EXTEND %x` | a note of digests that `x` decides |
///
/// All others stay. The last line gets an LF only if the text has it.
pub(crate) fn expand(text: &[u8], start: &[Digest]) -> Vec<u8> {
    let mut model = Model::new(start.to_vec());
    let mut log = Vec::new();
    for line in text.split_inclusive(|&b| b == b'\n') {
        let (words, end) = line.strip_suffix(b"\n").map_or((line, &b""[..]), |w| (w, b"\n"));
        let begin = log.len();
        let made = |model: &Model, byte: u8| -> Vec<Digest> {
            model.values.iter().map(|v| v.algorithm().hash(&[byte])).collect()
        };
        match words {
            b"SYNC %" => log.extend(sync(&model.values)),
            [b'S', b'Y', b'N', b'C', b' ', b'%', byte] => log.extend(sync(&made(&model, *byte))),
            _ => match words.strip_prefix(b"# .EXTEND %") {
                Some([byte]) => log.extend(note(&made(&model, *byte))),
                _ => log.extend(words),
            },
        }
        let _ = model.line(&log[begin..]);
        log.extend(end);
    }
    log
}

pub(crate) fn sync(values: &[Digest]) -> Vec<u8> {
    values.iter().fold("SYNC".to_owned(), |line, value| format!("{line} {value}")).into()
}

pub(crate) fn note(digests: &[Digest]) -> Vec<u8> {
    let word = |digest: &Digest| {
        let text = digest.to_string();
        let hex = text.split('/').next_back().unwrap_or_default().to_owned();
        if digests.len() == 1 { hex } else { text }
    };
    digests.iter().fold("# .EXTEND".to_owned(), |line, d| format!("{line} {}", word(d))).into()
}
