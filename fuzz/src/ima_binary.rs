// SPDX-License-Identifier: MIT OR Apache-2.0
//! Binary IMA lists, and the same list as text.

use tsm_core::Algorithm;
use tsm_core::hex::Hex;
use tsm_eventlog::Position;
use tsm_eventlog::ima::{
    Ascii, Binary, Check, Endian, FieldId, KexecHeader, Layout, List, UntrustedEntry, Value,
};

use crate::ima::{self, Choices};
use crate::input::Input;

/// Input: layout, what else (bits: template digests made right, MD5, a kexec header), 6 bytes of
/// [`Choices`], then a list.
pub fn ima_binary(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.byte();
    let digest = Algorithm::ALL[usize::from(kind) % 4];
    let endian = if kind & 4 == 0 { Endian::Little } else { Endian::Big };
    let layout = Layout { digest, endian };
    let flags = input.byte();
    let choices = Choices::new(&mut input, false);
    let mut list = input.rest().to_vec();

    if flags & 4 != 0 {
        let _ = KexecHeader::split(&list, endian).map(|(header, rest)| {
            assert!(header.buffer_size as usize <= list.len());
            assert!(rest.count() <= list.len());
        });
    }
    if flags & 1 != 0 {
        repair(&mut list, layout);
    }
    let open = |bytes, position: Position| -> List<'_> {
        let list = Binary::new(bytes, layout).at(position);
        if flags & 2 != 0 { list.md5().into() } else { list.into() }
    };
    ima::laws(&list, &choices, open);
    for entry in Binary::new(&list, layout).map_while(Result::ok) {
        stands(&list, &entry, layout);
        as_text(&entry, endian);
    }
}

/// Gives every record the template digest it should have, except violations.
fn repair(list: &mut [u8], layout: Layout) {
    let copy = list.to_vec();
    for entry in Binary::new(&copy, layout).map_while(Result::ok) {
        if !entry.is_violation() {
            let at = entry.position().offset as usize + 4;
            let digest = entry.hash(layout.digest);
            list[at..at + layout.digest.size()].copy_from_slice(digest.as_bytes());
        }
    }
}

/// The parts of a record are where the format has them.
fn stands(list: &[u8], entry: &UntrustedEntry<'_>, layout: Layout) {
    let number = |at: usize| {
        let bytes: [u8; 4] = list[at..at + 4].try_into().unwrap();
        match layout.endian {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        }
    };
    let at = entry.position().offset as usize;
    assert_eq!(number(at), entry.pcr());
    let size = layout.digest.size();
    assert_eq!(list[at + 4..at + 4 + size], *entry.recorded().as_bytes());
    let name = at + 8 + size;
    let length = number(name - 4) as usize;
    assert_eq!(list[name..name + length], *entry.template_name());
    if let Some(data) = entry.template_data() {
        let begin = name + length + 4;
        assert_eq!(number(begin - 4) as usize, data.len());
        assert_eq!(list[begin..begin + data.len()], *data);
        assert_eq!(entry.end().offset as usize, begin + data.len());
        let hash = layout.digest.hash(data);
        assert_eq!(entry.check() == Check::Verified, hash == entry.recorded());
    } else {
        assert_eq!(entry.template_name(), b"ima");
    }
}

/// A record that text can carry says the same as a line.
fn as_text(entry: &UntrustedEntry<'_>, endian: Endian) {
    if entry.check() == Check::Mismatch {
        return;
    }
    let Some(line) = line(entry) else { return };
    let mut lines = Ascii::new(&line).endian(endian);
    let text = lines.next().expect("a record").unwrap_or_else(|e| panic!("{e}: {entry:?}"));
    assert!(lines.next().is_none());
    assert_eq!(format!("{text:?}"), format!("{entry:?}"));
    assert_eq!(text.check(), entry.check());
    for &algorithm in Algorithm::ALL {
        assert_eq!(text.hash(algorithm), entry.hash(algorithm));
    }
}

/// The line the kernel writes; `None` if it could not be read back.
fn line(entry: &UntrustedEntry<'_>) -> Option<Vec<u8>> {
    let template = entry.template().ok()?;
    let recorded = entry.recorded();
    let name = String::from_utf8(entry.template_name().to_vec()).ok()?;
    let mut line = format!("{:2} {} {name}", entry.pcr(), Hex(recorded.as_bytes())).into_bytes();
    let last = template.fields().len() - 1;
    for (index, field) in entry.fields().enumerate() {
        let field = field.ok()?;
        line.push(b' ');
        match field.value {
            Value::Empty => {}
            Value::Digest(digest) => {
                for part in [digest.kind, digest.algorithm] {
                    if !part.is_empty() {
                        line.extend_from_slice(part);
                        line.push(b':');
                    }
                }
                line.extend(digest.value.to_string().bytes());
            }
            Value::Text(text) => {
                let ends = if index == last { &b"\n"[..] } else { b"\n " };
                // Names of no attributes stand as a NUL or as nothing, in text as nothing.
                let two_ways = field.id == FieldId::XattrNames && text.is_empty();
                if two_ways || text.iter().any(|b| ends.contains(b) || *b == 0) {
                    return None;
                }
                line.extend_from_slice(text);
            }
            Value::Bytes(bytes) => line.extend(bytes.to_string().bytes()),
            Value::Number(number) => line.extend(number.to_string().bytes()),
            _ => return None,
        }
    }
    line.push(b'\n');
    // A digest in the oldest template is SHA-1 or MD5; text tells them by their length.
    Some(line)
}
