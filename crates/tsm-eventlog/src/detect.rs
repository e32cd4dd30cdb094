// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which kind of log some bytes look like.

use tsm_core::Algorithm;

use crate::ima::{Ascii, Endian, Head, Layout, Template};
use crate::tcg;

/// A kind of log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Format {
    /// A Linux IMA ascii list.
    ImaAscii {
        /// The algorithm of the width of its template digests.
        digest: Algorithm,
        /// The byte order in which its first record verifies; little endian if in none.
        endian: Endian,
    },
    /// A Linux IMA binary list.
    ImaBinary(Layout),
    /// A crypto-agile TCG log: as a rule of a TPM, but some firmware for confidential VMs (td-shim)
    /// writes the same header.
    Tcg2,
    /// A crypto-agile TCG log whose Spec ID event is for CC measurement register 1, as OVMF writes
    /// it: of a confidential VM. Of which kind is not in it.
    Ccel,
    /// A TCG log in the SHA-1 format.
    TcgSha1,
}

/// What `bytes` look like: a guess from the first record, or two, for tools that are given a file.
///
/// Cautious rather than clever: a record log (lines such as `SYNC sha256/...`), an empty file and
/// anything else whose beginning is not entirely a record as a kernel writes it is `None`. An ascii
/// list is recognized even if its first line does not verify, so that the user hears what is wrong.
#[must_use]
pub fn detect(bytes: &[u8]) -> Option<Format> {
    tcg::detect_agile(bytes)
        .or_else(|| ima_ascii(bytes))
        .or_else(|| Layout::detect(bytes).map(Format::ImaBinary))
        .or_else(|| tcg::detect_sha1(bytes))
}

fn ima_ascii(bytes: &[u8]) -> Option<Format> {
    let Head { recorded, rest, .. } = Head::read(bytes).filter(|head| head.recorded.is_hex())?;
    let name = rest.split(|&byte| matches!(byte, b' ' | b'\n')).next()?;
    Template::parse(name).ok()?;
    let verifies =
        |endian: &Endian| matches!(Ascii::new(bytes).endian(*endian).next(), Some(Ok(_)));
    let endian = [Endian::Little, Endian::Big].into_iter().find(verifies).unwrap_or_default();
    Some(Format::ImaAscii { digest: recorded.algorithm, endian })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_things_are_not_lists() {
        let zeros = "0".repeat(64);
        for other in [
            String::new(),
            "\n".into(),
            "10".into(),
            format!("SYNC sha256/{zeros}\nSYNC\n"),
            format!("# .EXTEND {zeros}\n\nhello\n"),
            format!("10 {zeros}"),
            format!("10 {zeros} not-a-template x"),
            format!("10 {} ima-ng sha1:00 x", &zeros[1..]),
            "{\"recnum\": 0}".into(),
            "\0".repeat(500),
            "\u{7f}ELF\u{2}\u{1}\u{1}".into(),
        ] {
            assert_eq!(detect(other.as_bytes()), None, "{other}");
        }
    }
}
