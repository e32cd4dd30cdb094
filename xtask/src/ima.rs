// SPDX-License-Identifier: MIT OR Apache-2.0
//! Just enough of the IMA measurement list to damage one and to make one up. Not the library's
//! reader: what checks it must not share its mistakes.

use core::ops::Range;

use anyhow::{Context as _, Result};

/// Where the parts of one entry lie in the list.
pub(crate) struct Entry {
    pub(crate) all: Range<usize>,
    /// The template digest, SHA-1; all zeros for a violation.
    pub(crate) digest: Range<usize>,
    /// What the template digest covers.
    pub(crate) data: Range<usize>,
}

/// Size of the template digest in the list.
const SHA1: usize = 20;

/// The entries of a binary list as little-endian kernels write it
/// (Linux `security/integrity/ima/ima_fs.c`, `ima_measurements_show`).
///
/// # Errors
///
/// The list ends within an entry.
pub(crate) fn entries(list: &[u8]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < list.len() {
        let digest = at + 4..at + 4 + SHA1;
        let name = digest.end + 4..digest.end + 4 + number(list, digest.end)?;
        // The oldest template has no length of its own: a SHA-1 digest, then a counted path.
        let data = if list.get(name.clone()) == Some(b"ima") {
            name.end..name.end + SHA1 + 4 + number(list, name.end + SHA1)?
        } else {
            name.end + 4..name.end + 4 + number(list, name.end)?
        };
        list.get(data.clone()).with_context(|| format!("the list ends in the entry at {at}"))?;
        entries.push(Entry { all: at..data.end, digest, data });
        at = entries.last().map_or(at, |e| e.all.end);
    }
    Ok(entries)
}

fn number(list: &[u8], at: usize) -> Result<usize> {
    let bytes = list.get(at..at + 4).with_context(|| format!("the list ends at {at}"))?;
    Ok(u32::from_le_bytes(bytes.try_into()?).try_into()?)
}

/// A list of `ima-ng` entries that a kernel could have written, in both forms, and the value of
/// PCR 10 in the SHA-1 bank after it.
pub(crate) struct Synthetic {
    pub(crate) binary: Vec<u8>,
    pub(crate) ascii: String,
    pub(crate) pcr: tsm_core::Digest,
}

/// Makes a list of `count` entries with paths as long as those of a real system.
///
/// # Errors
///
/// Never; the core library's extend refuses only another algorithm.
pub(crate) fn synthesize(count: usize) -> Result<Synthetic> {
    use core::fmt::Write as _;
    use tsm_core::{Algorithm, Digest, hex::Hex};

    let mut made =
        Synthetic { binary: Vec::new(), ascii: String::new(), pcr: Digest::zeros(Algorithm::Sha1) };
    for i in 0..count {
        let path = format!("/usr/lib/x86_64-linux-gnu/package-{:03}/module-{i:06}.so", i % 997);
        let file = Algorithm::Sha256.hash(path.as_bytes());
        let mut data = Vec::new();
        put(&mut data, &[b"sha256:\0", file.as_bytes()]);
        put(&mut data, &[path.as_bytes(), b"\0"]);
        let digest = Algorithm::Sha1.hash(&data);
        made.pcr.extend(&digest)?;

        made.binary.extend(10_u32.to_le_bytes());
        made.binary.extend(digest.as_bytes());
        put(&mut made.binary, &[b"ima-ng"]);
        put(&mut made.binary, &[&data]);
        let (digest, file) = (Hex(digest.as_bytes()), Hex(file.as_bytes()));
        writeln!(made.ascii, "10 {digest} ima-ng sha256:{file} {path}")?;
    }
    Ok(made)
}

/// Appends the parts with their length before them.
fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    // Parts are a path or a digest.
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    parts.iter().for_each(|p| out.extend(*p));
}

#[cfg(test)]
mod tests {
    use super::*;
    use tsm_core::Algorithm;

    #[test]
    fn a_synthetic_list_has_valid_digests() {
        let made = synthesize(3).unwrap();
        let entries = entries(&made.binary).unwrap();
        assert_eq!((entries.len(), made.ascii.lines().count()), (3, 3));
        for entry in entries {
            let digest = Algorithm::Sha1.hash(&made.binary[entry.data]);
            assert_eq!(digest.as_bytes(), &made.binary[entry.digest]);
        }
    }

    #[test]
    fn a_cut_list_is_an_error() {
        let made = synthesize(2).unwrap();
        assert!(entries(&made.binary[..made.binary.len() - 1]).is_err());
    }
}
