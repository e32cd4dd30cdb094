// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which kind of log some bytes look like.

use tsm_core::Algorithm;

use crate::cel::{Encoding, Register};
use crate::ima::{Ascii, Endian, Head, Layout, Template};
use crate::{aael, dstack, systemd, tcg};

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
    /// A canonical event log.
    Cel(Encoding),
    /// systemd's log of user space.
    Systemd,
    /// A text log of Confidential Containers' attestation agent.
    Aael,
    /// Lines of dstack's runtime events.
    DstackLog,
    /// The array of events that dstack's interfaces give out.
    DstackEvents,
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
        .or_else(|| Encoding::detect(bytes).map(Format::Cel))
        .or_else(|| other_text(bytes))
        .or_else(|| tcg::detect_sha1(bytes))
}

fn other_text(bytes: &[u8]) -> Option<Format> {
    match bytes.first()? {
        0x1E => matches!(systemd::Log::new(bytes).next(), Some(Ok(_))).then_some(Format::Systemd),
        b'I' => {
            // Its first line alone is a line of a record log, too.
            let mut lines = aael::Log::open(bytes, Register::CcMr(4)).ok()?;
            lines.next()?.ok()?;
            matches!(lines.next(), Some(Ok(_))).then_some(Format::Aael)
        }
        b'[' => {
            let first = dstack::Events::new(bytes).next();
            matches!(first, Some(Ok(_))).then_some(Format::DstackEvents)
        }
        b'{' => {
            let first = dstack::Log::new(bytes, dstack::Log::RTMR3).next();
            matches!(first, Some(Ok(_))).then_some(Format::DstackLog)
        }
        _ => None,
    }
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
            "[]".into(),
            "[{\"recnum\":0}]".into(),
            format!("INIT sha256/{zeros}\n"),
            format!("INIT sha256/{zeros}\nSYNC\n"),
            "\u{1e}{}\n".into(),
            "{\"event\":\"a\"}\n".into(),
            "\0".repeat(500),
            // An EV_NO_ACTION record for a register that no machine has.
            format!("# N\0\u{3}\0\0\0{}", "\0".repeat(500)),
            "\u{7f}ELF\u{2}\u{1}\u{1}".into(),
        ] {
            assert_eq!(detect(other.as_bytes()), None, "{other}");
        }
    }
}
