// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why something is not converted.

use core::fmt;

/// What a conversion cannot carry: the detail of
/// [`ErrorKind::NotCarried`](crate::ErrorKind::NotCarried).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// An informative line of a record log.
    Informative,
    /// The note of an off-log extension.
    OffLog,
    /// A `SYNC` record whose captures are not what the records before it lead to.
    Gap,
    /// A first `SYNC` record that does not capture the register's start values.
    Midway,
    /// A record log, or what should be one, without a `SYNC` record at its beginning.
    NoSync,
    /// The target's banks are not the source's.
    Banks,
    /// A register that the target cannot name, or another than the one asked for.
    Register,
    /// A record's number that the target would not give back.
    Number,
    /// An event, or content, of a type that the target does not have.
    Type,
    /// A record whose digest is not the hash of its data.
    Digest,
    /// Data that would be other lines, or another kind of line, in the target.
    Line,
    /// A second header among the records.
    SecondHeader,
    /// A log without the header that the target needs.
    Header,
    /// A violation in a bank where it cannot be told from an ordinary record.
    Violation,
    /// A text list's record that is longer than the room given for putting it together.
    Scratch,
    /// A member that the target does not have.
    Member,
}

impl Reason {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Informative => {
                "an informative line cannot be carried: it is not hashed, and other formats have \
                 no place for it; keep the record log, or leave the line out of it"
            }
            Self::OffLog => {
                "the note of an off-log extension cannot be carried: nothing hashes to the digest \
                 it notes; keep the record log"
            }
            Self::Gap => {
                "a SYNC record that does not follow from the records before it cannot be carried: \
                 other formats cannot say that something is missing; keep the record log"
            }
            Self::Midway => {
                "the log begins midway, at other values than the start values given; give those \
                 that it begins at, if something is known to lead to them"
            }
            Self::NoSync => "no SYNC record at the beginning: not a whole record log",
            Self::Banks => "the target's banks are not the source's; make it with the same",
            Self::Register => {
                "a register that the target cannot name, or another than the one asked for"
            }
            Self::Number => {
                "a record's number is not the one that the numbering gives it; name the log's \
                 numbering"
            }
            Self::Type => "the target has no such type of event or content",
            Self::Digest => {
                "a record's digest is not the hash of its data, so that the target, which has only \
                 the data, would say something else"
            }
            Self::Line => "the data would be other lines, or another kind of line, in the target",
            Self::SecondHeader => "a second Spec ID event; take the logs apart",
            Self::Header => {
                "the log begins without the Spec ID event that the target needs; give a header"
            }
            Self::Violation => {
                "a violation in a bank of this rule cannot be told from an ordinary record; leave \
                 the bank out"
            }
            Self::Scratch => {
                "a record of a text list is longer than the room for putting it together; give \
                 more"
            }
            Self::Member => "a record with a member that the target does not have",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
