// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of a record log: `Lines` against a naive reading, `Splitter` against `Lines`.

use tsm_core::log::{Limits, Line, Lines, LogErrorKind, Splitter, first_banks};

use crate::input::{Input, pieces};

/// Input: 1 byte for the limit, 2 for the sizes of pieces, 1 for the splitter's buffer, then a log.
pub fn record_reader(data: &[u8]) {
    let mut input = Input::new(data);
    let limits = Limits::DEFAULT.record(input.of(&[4096, 0, 1, 16, 80, 255]));
    let sizes = [input.byte(), input.byte()];
    let small = input.below(128);
    let log = input.rest();

    let (lines, error) = naive(log, limits);
    let mut reader = Lines::new(log, limits);
    let mut found_banks = None;
    let mut offset = 0;
    for (number, expected) in (1..).zip(&lines) {
        let line = reader.next().expect("a line").expect("a well-formed line");
        assert_eq!((line.bytes, line.number, line.offset), (*expected, number, offset));
        assert_eq!(line.line, class_of(expected));
        if let (Line::Sync(captures), None) = (line.line, found_banks) {
            found_banks = Some(captures.banks().ok());
        }
        offset += expected.len() as u64 + 1;
    }
    match (reader.next(), error) {
        (None, None) => assert_eq!(offset, log.len() as u64),
        (Some(Err(found)), Some(kind)) => {
            assert_eq!((found.kind, found.offset), (kind, offset));
            assert_eq!(found.line, lines.len() as u64 + 1);
        }
        (found, expected) => panic!("{found:?}, expected {expected:?}"),
    }
    assert!(reader.next().is_none() && reader.next().is_none());
    assert_eq!(first_banks(log, limits), found_banks.flatten());

    let whole = split(log, sizes, log.len(), limits);
    assert_eq!(whole, (lines.iter().map(|l| l.to_vec()).collect(), error));
    // A buffer that is too small may end it earlier, and in no other way.
    let (some, ended) = split(log, sizes, small, limits);
    assert_eq!(some, whole.0[..some.len()]);
    assert!(ended == Some(LogErrorKind::TooLong) || (some.len(), ended) == (whole.0.len(), error));
}

fn split(
    log: &[u8],
    sizes: [u8; 2],
    buffer: usize,
    limits: Limits,
) -> (Vec<Vec<u8>>, Option<LogErrorKind>) {
    let mut lines = Vec::new();
    let mut buffer = vec![0; buffer];
    let mut splitter = Splitter::new(&mut buffer);
    let mut each = |line: &[u8]| {
        let class = Line::classify(line)?;
        if line.len() > limits.record && !matches!(class, Line::Sync(_) | Line::Note(_)) {
            return Err(LogErrorKind::TooLong);
        }
        lines.push(line.to_vec());
        Ok(())
    };
    let result = pieces(log, sizes).try_for_each(|piece| splitter.push(piece, &mut each));
    let torn = splitter.held() > 0;
    (lines, result.err().or(torn.then_some(LogErrorKind::Torn)))
}

/// The well-formed lines at the front of a log, and what is wrong with the next.
fn naive(log: &[u8], limits: Limits) -> (Vec<&[u8]>, Option<LogErrorKind>) {
    let mut lines = Vec::new();
    for line in log.split_inclusive(|&b| b == b'\n') {
        let Some(text) = line.strip_suffix(b"\n") else {
            let cr = line.contains(&b'\r');
            return (lines, Some(if cr { LogErrorKind::NotCanonical } else { LogErrorKind::Torn }));
        };
        if let Some(kind) = wrong(text, limits) {
            return (lines, Some(kind));
        }
        lines.push(text);
    }
    (lines, None)
}

fn wrong(line: &[u8], limits: Limits) -> Option<LogErrorKind> {
    let space = |b: &u8| b" \t\x0B\x0C\r".contains(b);
    let word = |word: &[u8]| line.strip_prefix(word).filter(|r| r.first().is_none_or(space));
    let ends = [line.first(), line.last()].into_iter().flatten().any(space);
    // An LF cannot be here and a CR anywhere makes the line another one.
    if line.contains(&b'\r') || ends {
        return Some(LogErrorKind::NotCanonical);
    }
    for (reserved, kind) in
        [(&b"SYNC"[..], LogErrorKind::Captures), (b"# .EXTEND", LogErrorKind::Note)]
    {
        if let Some(rest) = word(reserved)
            && (rest.first() != Some(&b' ') || rest == b" ")
        {
            return Some(kind);
        }
    }
    let own = line.starts_with(b"SYNC ") || line.starts_with(b"# .EXTEND ");
    (line.len() > limits.record && !own).then_some(LogErrorKind::TooLong)
}

fn class_of(line: &[u8]) -> Line<'_> {
    let class = Line::classify(line).expect("a well-formed line");
    let same = match class {
        Line::Blank => line.is_empty(),
        Line::Note(_) => line.starts_with(b"# .EXTEND "),
        Line::Comment(text) => text == line && line[0] == b'#',
        Line::Sync(_) => line.starts_with(b"SYNC "),
        Line::Record(text) => text == line && line[0] != b'#' && !line.starts_with(b"SYNC "),
    };
    assert!(same, "{class:?}");
    class
}
