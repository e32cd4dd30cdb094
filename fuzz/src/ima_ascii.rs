// SPDX-License-Identifier: MIT OR Apache-2.0
//! IMA lists as text.

use tsm_core::{Algorithm, hex};
use tsm_eventlog::ima::{Ascii, Check, Endian, List, UntrustedEntry};
use tsm_eventlog::{Limits, Position};

use crate::ima::{self, Choices};
use crate::input::Input;

/// Input: what else (bits: template digests made right, big endian, few line feeds in names), 6
/// bytes of [`Choices`], then a list.
pub fn ima_ascii(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let choices = Choices::new(&mut input, true);
    let endian = if flags & 2 == 0 { Endian::Little } else { Endian::Big };
    let mut limits = Limits::DEFAULT;
    if flags & 4 != 0 {
        limits.name_line_feeds = 0;
        limits.record_bytes = 300;
    }
    let mut list = input.rest().to_vec();
    if flags & 1 != 0 {
        repair(&mut list, endian);
    }
    let open = |bytes, position: Position| -> List<'_> {
        Ascii::new(bytes).endian(endian).limits(limits).at(position).into()
    };
    ima::laws(&list, &choices, open);
    for entry in Ascii::new(&list).endian(endian).limits(limits).map_while(Result::ok) {
        stands(&list, &entry, endian);
    }
}

/// Gives every `ima-ng` line the template digest it should have.
fn repair(list: &mut [u8], endian: Endian) {
    for line in list.split_mut(|&b| b == b'\n') {
        let Some((width, data)) = ng(line, endian) else { continue };
        let Some(algorithm) = Algorithm::ALL.iter().find(|a| 2 * a.size() == width) else {
            continue;
        };
        let digest = algorithm.hash(&data);
        if line[3..3 + width].iter().any(|&b| b != b'0') {
            for (to, byte) in line[3..3 + width].chunks_mut(2).zip(digest.as_bytes()) {
                to.copy_from_slice(&hex::digits(*byte));
            }
        }
    }
}

/// Width of the template digest and template data of an `ima-ng` line.
fn ng(line: &[u8], endian: Endian) -> Option<(usize, Vec<u8>)> {
    let mut words = line.get(3..)?.splitn(4, |&b| b == b' ');
    let (digest, template) = (words.next()?, words.next()?);
    let (file, name) = (words.next()?, words.next()?);
    if template != b"ima-ng" {
        return None;
    }
    let colon = file.iter().position(|&b| b == b':')?;
    let (algorithm, digits) = file.split_at(colon + 1);
    let mut value = vec![0; digits.len() / 2];
    if !hex::decode(digits, &mut value) {
        return None;
    }
    let mut data = Vec::new();
    for field in [[algorithm, b"\0", &value].concat(), [name, b"\0"].concat()] {
        let length = u32::try_from(field.len()).ok()?;
        data.extend(match endian {
            Endian::Little => length.to_le_bytes(),
            Endian::Big => length.to_be_bytes(),
        });
        data.extend(field);
    }
    Some((digest.len(), data))
}

/// A record is its line: nothing in front, nothing behind, and hashed as the kernel does.
fn stands(list: &[u8], entry: &UntrustedEntry<'_>, endian: Endian) {
    let (from, to) = (entry.position().offset as usize, entry.end().offset as usize);
    let text = &list[from..to];
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    assert_ne!(entry.check(), Check::Mismatch);
    assert!(text.starts_with(format!("{:2} ", entry.pcr()).as_bytes()));
    let lines = text.iter().filter(|&&b| b == b'\n').count() as u64 + 1;
    assert_eq!(entry.end().line - entry.position().line, lines);
    // Text that no digest covers is never put together from several lines.
    assert!(lines == 1 || entry.check() == Check::Verified);
    if let Some((_, data)) = ng(text, endian) {
        for &algorithm in Algorithm::ALL {
            assert_eq!(entry.hash(algorithm), algorithm.hash(&data));
        }
    }
}
