// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding the lines of a log: zero-copy in a slice, or in pieces as they arrive.
//!
//! What comes out is untrusted: anybody can write a well-formed log.

use crate::bytes::copy;
use crate::log::{Limits, Line, LogError, LogErrorKind};
use crate::register::Banks;

/// A well-formed line and where it stands. Nothing vouches for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UntrustedLine<'l> {
    /// What it is.
    pub line: Line<'l>,
    /// All of its bytes, without the LF.
    pub bytes: &'l [u8],
    /// Byte offset of its first byte.
    pub offset: u64,
    /// Line number, from 1.
    pub number: u64,
}

/// The lines of a log that is at hand as one slice.
///
/// Ends after the first error. A last line without LF is the error [`LogErrorKind::Torn`].
#[derive(Clone, Debug)]
pub struct Lines<'l> {
    rest: &'l [u8],
    offset: u64,
    number: u64,
    limits: Limits,
}

impl<'l> Lines<'l> {
    /// The lines of `log`.
    #[must_use]
    pub const fn new(log: &'l [u8], limits: Limits) -> Self {
        Self { rest: log, offset: 0, number: 0, limits }
    }

    /// The lines of a part of a log whose first byte stands at `offset` of it, behind `number`
    /// lines.
    #[must_use]
    pub const fn within(log: &'l [u8], offset: u64, number: u64, limits: Limits) -> Self {
        Self { rest: log, offset, number, limits }
    }
}

impl<'l> Iterator for Lines<'l> {
    type Item = Result<UntrustedLine<'l>, LogError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.offset;
        let number = self.number.saturating_add(1);
        let (found, rest) = match split_line(self.rest) {
            Ok((bytes, rest)) => (classify(bytes, self.limits).map(|line| (line, bytes)), rest),
            Err(kind) => (Err(kind), &[][..]),
        };
        let consumed = self.rest.len().saturating_sub(rest.len());
        self.offset = offset.saturating_add(u64::try_from(consumed).unwrap_or(u64::MAX));
        self.number = number;
        Some(match found {
            Ok((line, bytes)) => {
                self.rest = rest;
                Ok(UntrustedLine { line, bytes, offset, number })
            }
            Err(kind) => {
                self.rest = &[];
                Err(kind.at(offset, number))
            }
        })
    }
}

impl core::iter::FusedIterator for Lines<'_> {}

/// The banks that the log's first `SYNC` line captures, which are the register's banks; `None` if
/// there is no such line or something before it is malformed.
#[must_use]
pub fn first_banks(log: &[u8], limits: Limits) -> Option<Banks> {
    Lines::new(log, limits).map_while(Result::ok).find_map(|line| match line.line {
        Line::Sync(captures) => Some(captures.banks().ok()),
        _ => None,
    })?
}

/// Cuts a log that comes in pieces into lines.
///
/// A line inside one piece is handed on without being copied. A line across pieces is put together
/// in the caller's buffer, which must hold the longest line; it may be empty if no line ever
/// crosses.
#[derive(Debug)]
pub struct Splitter<'b> {
    partial: &'b mut [u8],
    len: usize,
}

impl<'b> Splitter<'b> {
    /// A splitter at the start of a line.
    #[must_use]
    pub const fn new(partial: &'b mut [u8]) -> Self {
        Self { partial, len: 0 }
    }

    /// How many bytes of an unfinished line are held. Not zero at the end of the input: torn log.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.len
    }

    /// Calls `each` with every line (without its LF) that `piece` completes.
    ///
    /// # Errors
    ///
    /// `TooLong` if a line that crosses pieces does not fit the buffer, `NotCanonical` for a CR,
    /// and whatever `each` returns. The splitter is of no use afterwards.
    pub fn push<E: From<LogErrorKind>>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        while !rest.is_empty() {
            match split_line(rest) {
                Ok((line, after)) => {
                    if self.len == 0 {
                        each(line)?;
                    } else {
                        self.hold(line)?;
                        each(self.partial.get(..self.len).unwrap_or_default())?;
                        self.len = 0;
                    }
                    rest = after;
                }
                Err(LogErrorKind::Torn) => {
                    self.hold(rest)?;
                    rest = &[];
                }
                Err(kind) => return Err(kind.into()),
            }
        }
        Ok(())
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), LogErrorKind> {
        let end = self.len.saturating_add(bytes.len());
        let target = self.partial.get_mut(self.len..end).ok_or(LogErrorKind::TooLong)?;
        copy(bytes, target);
        self.len = end;
        Ok(())
    }
}

/// Checks a line's length and says what it is.
#[inline]
pub(crate) fn classify(line: &[u8], limits: Limits) -> Result<Line<'_>, LogErrorKind> {
    let class = Line::classify(line)?;
    // The length of the log's own lines follows from their digests, which are checked on their own.
    if line.len() > limits.record && !matches!(class, Line::Sync(_) | Line::Note(_)) {
        return Err(LogErrorKind::TooLong);
    }
    Ok(class)
}

/// The first line of `bytes`, without its LF, and what follows.
///
/// `Torn` if there is no LF, `NotCanonical` if a CR comes before it.
#[inline]
fn split_line(bytes: &[u8]) -> Result<(&[u8], &[u8]), LogErrorKind> {
    let end = line_end(bytes).ok_or(LogErrorKind::Torn)?;
    match bytes.split_at_checked(end) {
        Some((line, [b'\n', rest @ ..])) => Ok((line, rest)),
        _ => Err(LogErrorKind::NotCanonical),
    }
}

/// Position of the first LF or CR, eight bytes at a time.
#[inline]
pub(crate) fn line_end(bytes: &[u8]) -> Option<usize> {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    const LF: u64 = u64::from_le_bytes([b'\n'; 8]);
    const CR: u64 = u64::from_le_bytes([b'\r'; 8]);
    /// Text has hardly a byte below this but its line ends.
    const BELOW: u64 = u64::from_le_bytes([b'\r' + 1; 8]);
    // The lowest set bit marks the first zero byte; bits above it may be wrong.
    let zero_bytes = |x: u64| x.wrapping_sub(LOW) & !x & HIGH;

    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // One test for both, for most words.
        if word.wrapping_sub(BELOW) & !word & HIGH != 0 {
            let found = zero_bytes(word ^ LF) | zero_bytes(word ^ CR);
            if found != 0 {
                let byte = usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
                return Some(index.saturating_mul(8).saturating_add(byte));
            }
        }
    }
    let in_tail = tail.iter().position(|&b| b == b'\n' || b == b'\r')?;
    Some(words.len().saturating_mul(8).saturating_add(in_tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_end_is_the_first_lf_or_cr() {
        for len in 0..40 {
            for at in 0..len {
                for end in [b'\n', b'\r'] {
                    for fill in [0, b'\n' - 1, b'\n' + 1, b'\r' + 1, 0x8A, 0x8D, 0xFF] {
                        let mut bytes = vec![fill; len];
                        bytes[at] = end;
                        bytes[len - 1] = if at == len - 1 { end } else { b'\n' };
                        assert_eq!(line_end(&bytes), Some(at), "{bytes:?}");
                    }
                }
            }
            assert_eq!(line_end(&vec![0x0B; len]), None);
        }
    }

    #[test]
    fn positions() {
        let log = b"a\n\n#c\nlonger\n";
        let lines: Vec<_> = Lines::new(log, Limits::DEFAULT).map(Result::unwrap).collect();
        let at: Vec<_> = lines.iter().map(|l| (l.number, l.offset)).collect();
        assert_eq!(at, [(1, 0), (2, 2), (3, 3), (4, 6)]);
    }

    // T-28
    #[test]
    fn errors_end_the_iteration() {
        let kinds = |log: &'static [u8]| {
            let limits = Limits::DEFAULT.record(5);
            let found: Vec<_> = Lines::new(log, limits).collect();
            (found.len(), found.last().copied().unwrap())
        };
        let error = |kind: LogErrorKind, offset, line| Err(kind.at(offset, line));
        assert_eq!(kinds(b"a\nb"), (2, error(LogErrorKind::Torn, 2, 2)));
        assert_eq!(kinds(b"a\n b\nc\n"), (2, error(LogErrorKind::NotCanonical, 2, 2)));
        assert_eq!(kinds(b"a\nb\rc\n"), (2, error(LogErrorKind::NotCanonical, 2, 2)));
        assert_eq!(kinds(b"a\n123456\nc\n"), (2, error(LogErrorKind::TooLong, 2, 2)));
        assert_eq!(kinds(b"a\n#23456\nc\n"), (2, error(LogErrorKind::TooLong, 2, 2)));
    }

    #[test]
    fn pieces_give_the_same_lines() {
        let log = b"first\n\n# note\na longer line that crosses\nlast\n";
        let whole: Vec<_> = log.split(|&b| b == b'\n').collect();
        let whole = &whole[..whole.len() - 1];
        for size in 1..log.len() {
            let mut buffer = [0; 64];
            let mut splitter = Splitter::new(&mut buffer);
            let mut lines = Vec::new();
            for piece in log.chunks(size) {
                splitter
                    .push(piece, |line| {
                        lines.push(line.to_vec());
                        Ok::<(), LogErrorKind>(())
                    })
                    .unwrap();
            }
            assert_eq!(lines, whole);
            assert_eq!(splitter.held(), 0);
        }
    }

    // T-28
    #[test]
    fn a_small_buffer_is_an_error_only_for_lines_that_cross() {
        let mut nothing = [];
        let mut splitter = Splitter::new(&mut nothing);
        assert_eq!(splitter.push(b"one\ntwo\n", |_| Ok::<(), LogErrorKind>(())), Ok(()));
        let crossing = splitter.push(b"three", |_| Ok::<(), LogErrorKind>(()));
        assert_eq!(crossing, Err(LogErrorKind::TooLong));
    }
}
