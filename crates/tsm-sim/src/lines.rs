// SPDX-License-Identifier: MIT OR Apache-2.0
//! Saved states as lines: reading them, and what can be wrong with them.

use core::fmt;

use tsm_core::hex;

#[cfg(test)]
pub(crate) mod laws;

/// Why a state cannot be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadError {
    /// What is wrong.
    pub kind: LoadErrorKind,
    /// Line number, from 1.
    pub line: u32,
}

/// Kinds of wrong states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// Not a simulator's state: the first line says otherwise.
    NotSimulated,
    /// A format that this version does not know.
    Format,
    /// A platform that is unknown, or not with these banks, or not the one asked for.
    Platform,
    /// Another line than the platform has at this place.
    Unexpected,
    /// A value that is not as many lower-case hex digits as the register has.
    Size,
    /// The state ends before its last line, or goes on behind it.
    Length,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            LoadErrorKind::NotSimulated => "not the state of a simulated machine",
            LoadErrorKind::Format => "a state format that this version does not know",
            LoadErrorKind::Platform => "no such simulated platform with these banks",
            LoadErrorKind::Unexpected => "not the line that this platform's state has here",
            LoadErrorKind::Size => "not as many lower-case hex digits as the value has",
            LoadErrorKind::Length => "the state is cut off, or goes on behind its end",
        })?;
        write!(f, " (line {} of the state)", self.line)
    }
}

impl core::error::Error for LoadError {}

/// Walks through a state's lines.
pub(crate) struct Reader<'s> {
    rest: &'s [u8],
    line: u32,
}

impl<'s> Reader<'s> {
    /// Behind the first two lines, which say what it is and in which format.
    pub(crate) fn new(state: &'s [u8], first: &str, format: &str) -> Result<Self, LoadError> {
        let mut reader = Self { rest: state, line: 0 };
        for (expected, kind) in
            [(first, LoadErrorKind::NotSimulated), (format, LoadErrorKind::Format)]
        {
            if reader.next() != Ok(expected.as_bytes()) {
                // Whatever stands there, if the line is cut off too.
                reader.line = if kind == LoadErrorKind::Format { 2 } else { 1 };
                return Err(reader.error(kind));
            }
        }
        Ok(reader)
    }

    pub(crate) fn next(&mut self) -> Result<&'s [u8], LoadError> {
        self.line = self.line.saturating_add(1);
        let end = self.rest.iter().position(|&b| b == b'\n');
        let (line, rest) = end
            .and_then(|end| self.rest.split_at_checked(end))
            .ok_or(self.error(LoadErrorKind::Length))?;
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(line)
    }

    /// What follows `words` in the next line.
    pub(crate) fn after(&mut self, words: &str) -> Result<&'s [u8], LoadError> {
        let line = self.next()?;
        line.strip_prefix(words.as_bytes()).ok_or(self.error(LoadErrorKind::Unexpected))
    }

    /// Fills `out` from the hex digits behind `words`.
    pub(crate) fn hex_into(&mut self, words: &str, out: &mut [u8]) -> Result<(), LoadError> {
        let digits = self.after(words)?;
        hex::decode(digits, out).then_some(()).ok_or(self.error(LoadErrorKind::Size))
    }

    /// Nothing may follow.
    pub(crate) fn finish(mut self) -> Result<(), LoadError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        self.line = self.line.saturating_add(1);
        Err(self.error(LoadErrorKind::Length))
    }

    /// About the line that was read last.
    pub(crate) const fn error(&self, kind: LoadErrorKind) -> LoadError {
        LoadError { kind, line: self.line }
    }
}
