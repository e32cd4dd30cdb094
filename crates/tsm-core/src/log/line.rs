// SPDX-License-Identifier: MIT OR Apache-2.0
//! What one line of a log is (sections 2 and 3). Pure classification: no state, no position.

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::log::LogErrorKind;
use crate::register::Banks;

/// A stored line, without its LF.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line<'l> {
    /// An empty line, which separates appends. Not hashed.
    Blank,
    /// An informative line: it begins with `#`. Not hashed.
    Comment(&'l [u8]),
    /// `# .EXTEND ...`, the note of an off-log extension. Not hashed, so only a hint.
    Note(Note<'l>),
    /// `SYNC ...`, the captured value of the register just before this line. Hashed.
    Sync(Captures<'l>),
    /// An application's record. Hashed.
    Record(&'l [u8]),
}

/// First bytes of the two lines the log keeps for itself.
const SYNC: &[u8] = b"SYNC";
const NOTE: &[u8] = b"# .EXTEND";

impl<'l> Line<'l> {
    /// What `line` is. `line` holds no LF.
    ///
    /// # Errors
    ///
    /// `NotCanonical`, `Captures` or `Note`; digests inside captures and notes are not looked at.
    #[inline]
    pub fn classify(line: &'l [u8]) -> Result<Self, LogErrorKind> {
        let (Some(&first), Some(&last)) = (line.first(), line.last()) else {
            return Ok(Self::Blank);
        };
        if is_space(first) || is_space(last) {
            return Err(LogErrorKind::NotCanonical);
        }
        match first {
            b'#' => match after_word(line, NOTE) {
                None => Ok(Self::Comment(line)),
                Some([]) => Err(LogErrorKind::Note),
                Some(digests) => Ok(Self::Note(Note(digests))),
            },
            b'S' => match after_word(line, SYNC) {
                None => Ok(Self::Record(line)),
                Some([]) => Err(LogErrorKind::Captures),
                Some(captures) => Ok(Self::Sync(Captures(captures))),
            },
            _ => Ok(Self::Record(line)),
        }
    }

    /// Whether an application's `line` begins with a word that is reserved for the log itself.
    #[must_use]
    pub(crate) fn is_reserved(line: &[u8]) -> bool {
        match line.first() {
            Some(b'S') => after_word(line, SYNC).is_some(),
            Some(b'#') => after_word(line, NOTE).is_some(),
            _ => false,
        }
    }
}

/// The captures of a `SYNC` line: `<alg>/<hex>` separated by single spaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Captures<'l>(&'l [u8]);

impl<'l> Captures<'l> {
    /// The captured values in the line's order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Digest, LogErrorKind>> + use<'l> {
        self.0.split(|&b| b == b' ').map(|word| Digest::parse(word).map_err(LogErrorKind::from))
    }

    /// The banks in the line's order.
    ///
    /// # Errors
    ///
    /// As the malformed capture says; `DoubleBank`.
    pub fn banks(&self) -> Result<Banks, LogErrorKind> {
        self.iter().try_fold(Banks::NONE, |banks, digest| {
            banks.and(digest?.algorithm()).ok_or(LogErrorKind::DoubleBank)
        })
    }
}

/// The digests of an off-log extension: `<hex>` where the register has one bank, `<alg>/<hex>`
/// separated by single spaces otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Note<'l>(&'l [u8]);

impl<'l> Note<'l> {
    /// The digests, for a register with these banks.
    pub fn digests(
        &self,
        banks: Banks,
    ) -> impl Iterator<Item = Result<Digest, LogErrorKind>> + use<'l> {
        let single = banks.single();
        self.0.split(|&b| b == b' ').map(move |word| match single {
            Some(bank) if !word.contains(&b'/') => digest(bank, word),
            _ => match Digest::parse(word).map_err(note_error)? {
                digest if banks.contains(digest.algorithm()) => Ok(digest),
                _ => Err(LogErrorKind::NoSuchBank),
            },
        })
    }
}

fn digest(bank: Algorithm, digits: &[u8]) -> Result<Digest, LogErrorKind> {
    if digits.is_empty() {
        return Err(LogErrorKind::Note);
    }
    if digits.len() & 1 == 1 {
        return Err(LogErrorKind::OddDigits);
    }
    if digits.len() != bank.size().saturating_mul(2) {
        return Err(LogErrorKind::DigestLength);
    }
    Digest::from_hex(bank, digits).ok_or(LogErrorKind::Digit)
}

fn note_error(error: crate::ParseError) -> LogErrorKind {
    match LogErrorKind::from(error) {
        LogErrorKind::Captures => LogErrorKind::Note,
        kind => kind,
    }
}

/// What follows `word` and one blank in `line`: empty if only the word is there, or if what
/// follows is another white space than a space; `None` if the line begins with something else.
#[inline]
fn after_word<'l>(line: &'l [u8], word: &[u8]) -> Option<&'l [u8]> {
    match line.strip_prefix(word)? {
        [] => Some(&[]),
        [b' ', rest @ ..] => Some(rest),
        [space, ..] if is_space(*space) => Some(&[]),
        _ => None,
    }
}

/// ASCII white space that an append trims: everything `isspace` in the C locale but LF, which
/// never gets here.
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0B | 0x0C | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let class = |line: &'static [u8]| Line::classify(line);
        assert_eq!(class(b""), Ok(Line::Blank));
        assert_eq!(class(b"#"), Ok(Line::Comment(b"#")));
        assert_eq!(class(b"# .EXTENDED x"), Ok(Line::Comment(b"# .EXTENDED x")));
        assert_eq!(class(b"# .EXTEND 00"), Ok(Line::Note(Note(b"00"))));
        assert_eq!(class(b"# .EXTEND"), Err(LogErrorKind::Note));
        assert_eq!(class(b"SYNC x"), Ok(Line::Sync(Captures(b"x"))));
        assert_eq!(class(b"SYNC\tx"), Err(LogErrorKind::Captures));
        assert_eq!(class(b"SYNC"), Err(LogErrorKind::Captures));
        assert_eq!(class(b"SYNCED"), Ok(Line::Record(b"SYNCED")));
        assert_eq!(class(b"sync x"), Ok(Line::Record(b"sync x")));
        assert_eq!(class(b"\0\xFF"), Ok(Line::Record(b"\0\xFF")));
        for bad in [&b" a"[..], b"a ", b"\ta", b"a\x0B", b"a\x0C", b"a\r", b" "] {
            assert_eq!(class(bad), Err(LogErrorKind::NotCanonical), "{bad:?}");
        }
    }

    #[test]
    fn captures_and_notes() {
        let sha1 = Algorithm::Sha1.hash(b"a");
        let sha256 = Algorithm::Sha256.hash(b"b");
        let both = format!("{sha256} {sha1}");
        let captures = Captures(both.as_bytes());
        assert_eq!(captures.iter().collect::<Vec<_>>(), [Ok(sha256), Ok(sha1)]);
        assert_eq!(captures.banks().unwrap().len(), 2);
        let twice = format!("{sha1} {sha1}");
        assert_eq!(Captures(twice.as_bytes()).banks(), Err(LogErrorKind::DoubleBank));
        assert_eq!(Captures(b"sha1/00  x").banks(), Err(LogErrorKind::DigestLength));
        let gap = format!("{sha1}  {sha256}");
        assert_eq!(Captures(gap.as_bytes()).banks(), Err(LogErrorKind::Captures));

        let hex = crate::hex::Hex(sha1.as_bytes()).to_string();
        let one = Banks::one(Algorithm::Sha1);
        let digests = |text: &str, banks| Note(text.as_bytes()).digests(banks).collect::<Vec<_>>();
        assert_eq!(digests(&hex, one), [Ok(sha1)]);
        assert_eq!(digests(&sha1.to_string(), one), [Ok(sha1)]);
        assert_eq!(digests(&hex.to_uppercase(), one), [Err(LogErrorKind::Digit)]);
        assert_eq!(digests(&sha256.to_string(), one), [Err(LogErrorKind::NoSuchBank)]);
        let two = Banks::new(&[Algorithm::Sha1, Algorithm::Sha256]).unwrap();
        assert_eq!(digests(&hex, two), [Err(LogErrorKind::Note)]);
        assert_eq!(digests(&both, two), [Ok(sha256), Ok(sha1)]);
    }
}
