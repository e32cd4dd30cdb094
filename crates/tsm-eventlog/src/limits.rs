// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bounds a reader keeps, in one place.

/// Bounds on what a reader accepts.
///
/// A record beyond a bound is an error, never skipped. The defaults take every list the kernel is
/// known to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one record: 65,536. In an ascii list the bytes of its text. The kernel has no small
    /// bound of its own (`buf` and `modsig` fields hold certificates and signatures).
    pub record_bytes: usize,
    /// Fields of a template: 15 (`IMA_TEMPLATE_NUM_FIELDS_MAX`, Linux
    /// `security/integrity/ima/ima.h`). A larger number has no effect.
    pub fields: usize,
    /// Line feeds that one record of an ascii list may hold inside its file name: 4.
    ///
    /// The kernel writes file names raw, so a name with a line feed spreads a record over lines.
    /// Such lines are joined only if the template digest of the joined text verifies. 0 turns this
    /// off. Each line feed allowed costs one more hash of the record when a line does not verify.
    pub name_line_feeds: usize,
    /// Bytes of the data of one event of a TCG log, or of one value in a record of a canonical event
    /// log: 1,048,576. Firmware writes up to some ten
    /// thousand; the specification advises to stay below this.
    pub event_bytes: usize,
    /// Algorithms that the header of a TCG log may list: 16, which is also the most
    /// ([`AlgorithmList::MAX`](crate::tcg::AlgorithmList::MAX)). Real ones list up to four.
    pub algorithms: usize,
    /// Digests of one record of a canonical event log or of systemd's log: 16.
    pub digests: usize,
}

impl Limits {
    /// The default limits.
    pub const DEFAULT: Self = Self {
        record_bytes: 64 * 1024,
        fields: 15,
        name_line_feeds: 4,
        event_bytes: 1024 * 1024,
        algorithms: 16,
        digests: 16,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
