// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a replay says about lists that were made for the question.

mod common;

use common::build::{data, ng, ng_record, record};
use common::{all_runs, said};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::ima::{
    Ascii, Bank, BankRule, Binary, Check, Endian, FieldId, KexecHeader, Layout, List, Match,
    Replay, UntrustedEntry, Value,
};
use tsm_eventlog::{Error, ErrorKind, Format, Limits, detect};

const SHA256: [Bank; 1] = [Bank::hashed(Algorithm::Sha256)];

fn binary(bytes: &[u8]) -> Binary<'_> {
    Binary::new(bytes, Layout::DEFAULT)
}

fn extended(mut value: Digest, digest: &Digest) -> Digest {
    value.extend(digest).unwrap();
    value
}

/// The value of a register after these template data.
fn value(algorithm: Algorithm, all: &[Vec<u8>]) -> Digest {
    let zeros = Digest::zeros(algorithm);
    all.iter().fold(zeros, |value, data| extended(value, &algorithm.hash(data)))
}

fn names(count: usize) -> Vec<String> {
    let names = (1..count).map(|index| format!("/bin/{index}"));
    core::iter::once("boot_aggregate".to_owned()).chain(names).collect()
}

fn list(pcr: usize, names: &[String]) -> Vec<u8> {
    names.iter().flat_map(|name| ng_record(pcr, name)).collect()
}

fn template_data(names: &[String]) -> Vec<Vec<u8>> {
    names.iter().map(|name| ng(name, name.as_bytes())).collect()
}

/// No real big-endian list was at hand. Here every integer that the kernel keeps in its own byte
/// order is turned around, in the records and in their template data, and the template digests are
/// those of the result: what reading the kernel's source lets one expect.
#[test]
fn big_endian_lists() {
    let (mut lists, mut entries, mut differ) = (0, 0, 0);
    for run in all_runs() {
        for file in run.lists.iter().filter(|file| file.is_binary && file.bytes.len() < 100_000) {
            let mut big = Vec::new();
            let mut value = Digest::zeros(Algorithm::Sha256);
            let mut expected = Vec::new();
            for entry in file.list() {
                let entry = entry.unwrap();
                if entry.template_name() == b"ima" {
                    continue; // written by hand below
                }
                let little = data(&entry, Endian::Little);
                assert_eq!(entry.template_data(), Some(&little[..]), "{entry:?}");
                let data = data(&entry, Endian::Big);
                let place = (entry.pcr() as usize, entry.is_violation());
                let layout = (file.digest, Endian::Big);
                big.extend(record(place, entry.template_name(), &data, layout));
                let digest = match entry.is_violation() {
                    true => Digest::ones(Algorithm::Sha256),
                    false => Algorithm::Sha256.hash(&data),
                };
                if entry.pcr() == 10 {
                    value.extend(&digest).unwrap();
                }
                expected.push(entry);
            }
            if expected.is_empty() {
                continue;
            }
            let layout = Layout { digest: file.digest, endian: Endian::Big };
            assert_eq!(detect(&big), Some(Format::ImaBinary(layout)), "{}", run.label(file));
            for (entry, expected) in List::open(&big).unwrap().zip(&expected) {
                let entry = entry.unwrap();
                assert_ne!(entry.check(), Check::Mismatch);
                for (field, expected) in entry.fields().zip(expected.fields()) {
                    let (field, expected) = (field.unwrap(), expected.unwrap());
                    if field.id != FieldId::XattrLengths {
                        assert_eq!(field, expected);
                    } else if field != expected {
                        differ += 1;
                    }
                }
                entries += 1;
            }
            let mut replay = <Replay>::new(&SHA256).unwrap();
            replay.expect(10, value).unwrap();
            assert_eq!(replay.run(List::open(&big).unwrap()).error(), None);
            assert_eq!(replay.result(10, Algorithm::Sha256), Match::Complete);

            // The same as text.
            let text = ascii(List::open(&big).unwrap());
            let first = detect(&text);
            let endian = Endian::Big;
            assert_eq!(first, Some(Format::ImaAscii { digest: file.digest, endian }));
            let mut replay = <Replay>::new(&SHA256).unwrap();
            replay.expect(10, value).unwrap();
            assert_eq!(replay.run(List::open(&text).unwrap()).error(), None);
            assert_eq!(replay.result(10, Algorithm::Sha256), Match::Complete);
            let error = Ascii::new(&text).next().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TemplateDigest, "little endian does not verify");
            lists += 1;
        }
    }
    eprintln!("{lists} lists, {entries} entries turned around");
    assert!(lists >= 30 && entries >= 400 && differ > 0);
}

/// The text that a kernel would show for a list.
fn ascii(list: List<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in list {
        let entry = entry.unwrap();
        let recorded = entry.recorded().to_string();
        let (_, digest) = recorded.split_once('/').unwrap();
        out.extend(format!("{:2} {digest} ", entry.pcr()).bytes());
        out.extend(entry.template_name());
        for field in entry.fields() {
            out.push(b' ');
            match field.unwrap().value {
                Value::Text(text) => out.extend(text),
                Value::Empty => {}
                value => out.extend(format!("{value:?}").bytes()),
            }
        }
        out.push(b'\n');
    }
    out
}

#[test]
fn big_endian_legacy_records() {
    let digest = Algorithm::Sha1.hash(b"content");
    let mut padded = [0; 276];
    padded[..20].copy_from_slice(digest.as_bytes());
    padded[20..24].copy_from_slice(b"/ini");
    let recorded = Algorithm::Sha1.hash(&padded);
    let list = [&[0, 0, 0, 10][..], recorded.as_bytes(), &[0, 0, 0, 3], b"ima", digest.as_bytes()];
    let list = [&list.concat()[..], &[0, 0, 0, 4], b"/ini"].concat();
    let layout = Layout { digest: Algorithm::Sha1, endian: Endian::Big };
    assert_eq!(detect(&list), Some(Format::ImaBinary(layout)));
    let entries: Vec<_> = List::open(&list).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].check(), entries[0].name()), (Check::Verified, Some(&b"/ini"[..])));
    assert_eq!(entries[0].hash(Algorithm::Sha256), Algorithm::Sha256.hash(&padded));
}

// T-05
#[test]
fn a_quote_may_cover_a_prefix() {
    let names = names(6);
    let list = list(10, &names);
    for covered in 0..=6 {
        let expected = value(Algorithm::Sha256, &template_data(&names[..covered]));
        let mut replay = <Replay>::new(&SHA256).unwrap();
        replay.expect(10, expected).unwrap();
        let finished = replay.run(binary(&list));
        assert_eq!(finished.error(), None);
        let trusted: Vec<_> = finished.entries().map(|e| e.name().unwrap().to_vec()).collect();
        let matched = covered as u64;
        let result = match 6 - matched {
            0 => Match::Complete,
            beyond => Match::Prefix { matched, beyond },
        };
        assert_eq!(replay.result(10, Algorithm::Sha256), result);
        assert!(trusted.iter().zip(&names).all(|(a, b)| a == b.as_bytes()));
        assert_eq!(trusted.len(), covered);
        let end = replay.covered().unwrap();
        assert_eq!(end.record, matched);

        // Going on from the quote: replay what it covers, then the next quote.
        let mut next = <Replay>::new(&SHA256).unwrap();
        assert_eq!(next.run(binary(&list[..end.offset as usize])).error(), None);
        next.expect(10, value(Algorithm::Sha256, &template_data(&names))).unwrap();
        let rest = binary(&list[end.offset as usize..]).at(end);
        let finished = next.run(rest);
        assert_eq!(finished.error(), None);
        assert_eq!(finished.entries().count(), 6 - covered, "only what this run read");
        assert_eq!(next.result(10, Algorithm::Sha256), Match::Complete);
    }
}

// T-01
#[test]
fn a_wrong_value_gives_no_entries() {
    let names = names(3);
    let list = list(10, &names);
    let banks = [Bank::hashed(Algorithm::Sha1), Bank::hashed(Algorithm::Sha256)];
    let good = value(Algorithm::Sha1, &template_data(&names));
    let mut replay = <Replay>::new(&banks).unwrap();
    replay.expect(10, good).unwrap();
    assert_eq!(replay.clone().run(binary(&list)).entries().count(), 3);
    // The other bank contradicts: nothing is trusted, though SHA-1 agrees.
    replay.expect(10, Algorithm::Sha256.hash(b"wrong")).unwrap();
    let finished = replay.run(binary(&list));
    assert_eq!(finished.entries().count(), 0);
    assert_eq!(replay.result(10, Algorithm::Sha1), Match::Complete);
    assert_eq!(replay.result(10, Algorithm::Sha256), Match::Mismatch);
    assert_eq!(replay.result(10, Algorithm::Sha512), Match::Unchecked, "no such bank");
    assert_eq!(replay.result(11, Algorithm::Sha1), Match::Unchecked, "nothing expected");
    assert_eq!(replay.covered(), None);
    // Nothing expected at all: nothing is trusted.
    let mut replay = <Replay>::new(&banks).unwrap();
    assert_eq!(replay.run(binary(&list)).entries().count(), 0);
    assert_eq!(replay.result(10, Algorithm::Sha1), Match::Unchecked);
}

// T-01
#[test]
fn absence_is_not_a_match() {
    let names = names(2);
    let list = list(10, &names);
    let mut replay = <Replay>::new(&SHA256).unwrap();
    replay.expect(11, Algorithm::Sha256.hash(b"something")).unwrap();
    replay.expect(12, Digest::zeros(Algorithm::Sha256)).unwrap();
    assert_eq!(replay.run(binary(&list)).error(), None);
    assert_eq!(replay.result(11, Algorithm::Sha256), Match::Mismatch);
    assert_eq!(replay.result(12, Algorithm::Sha256), Match::Complete, "still at its start value");
    assert_eq!(replay.register(12).unwrap().entries(), 0);
}

// T-35
#[test]
fn several_pcrs() {
    let names = names(6);
    let bytes: Vec<u8> =
        names.iter().enumerate().flat_map(|(i, name)| ng_record(10 + i % 3, name)).collect();
    let mut replay = Replay::<3>::new(&SHA256).unwrap();
    for pcr in 0..3 {
        let own: Vec<String> = names.iter().skip(pcr).step_by(3).cloned().collect();
        // PCR 11's quote is one record behind.
        let own = &own[..own.len() - usize::from(pcr == 1)];
        let expected = value(Algorithm::Sha256, &template_data(own));
        replay.expect(10 + pcr as u32, expected).unwrap();
    }
    let mut small = Replay::<2>::new(&SHA256).unwrap();
    let error = small.run(binary(&bytes)).error().unwrap();
    assert_eq!((error.kind(), error.record()), (ErrorKind::TooManyRegisters, 2));
    assert_eq!(small.position().record, 2);

    let finished = replay.run(binary(&bytes));
    assert_eq!(finished.error(), None);
    let trusted: Vec<_> = finished.entries().map(|e| e.name().unwrap().to_vec()).collect();
    assert_eq!(trusted.len(), 5);
    assert!(!trusted.contains(&names[4].clone().into_bytes()));
    let result = |pcr| replay.result(pcr, Algorithm::Sha256);
    assert_eq!(result(10), Match::Complete);
    assert_eq!(result(11), Match::Prefix { matched: 1, beyond: 1 });
    assert_eq!(result(12), Match::Complete);
    let order: Vec<u32> = replay.registers().map(|register| register.pcr()).collect();
    assert_eq!(order, [10, 11, 12]);
}

#[test]
fn a_kexec_brings_a_second_boot_aggregate() {
    let mut names = names(3);
    names.push("boot_aggregate".to_owned());
    let list = list(10, &names);
    let mut replay = <Replay>::new(&SHA256).unwrap();
    assert_eq!(replay.run(binary(&list)).error(), None);
    assert_eq!(replay.register(10).unwrap().boot_aggregates(), 2);

    let mut buffer = vec![1, 0, 0, 0, 0, 0, 0, 0];
    buffer.extend((list.len() as u64 + 24).to_le_bytes());
    buffer.extend(4_u64.to_le_bytes());
    buffer.extend(&list);
    buffer.extend([0xAA; 100]); // the rest of the segment
    let (header, records) = KexecHeader::split(&buffer, Endian::Little).unwrap();
    assert_eq!((header.count, header.buffer_size), (4, list.len() as u64 + 24));
    let mut carried = <Replay>::new(&SHA256).unwrap();
    assert_eq!(carried.run(records).error(), None);
    assert_eq!(carried.position().offset, header.buffer_size);
    assert!(carried.registers().eq(replay.registers()));
    for (index, value) in [(0, 2), (2, 1), (4, 1), (8, 200), (15, 0xFF)] {
        let mut bad = buffer.clone();
        bad[index] = value;
        let result = KexecHeader::split(&bad, Endian::Little);
        if index != 8 {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::KexecHeader, "{index}");
        }
    }
    for size in 0..24 {
        assert!(KexecHeader::split(&buffer[..size], Endian::Little).is_err());
    }
}

// T-36
#[test]
fn start_values() {
    let names = names(2);
    let list = list(10, &names);
    let start = Algorithm::Sha256.hash(b"before");
    let expected = template_data(&names)
        .iter()
        .fold(start, |value, data| extended(value, &Algorithm::Sha256.hash(data)));
    let mut replay = <Replay>::new(&SHA256).unwrap();
    replay.expect(10, expected).unwrap();
    replay.start(10, start).unwrap();
    assert_eq!(replay.run(binary(&list)).error(), None);
    assert_eq!(replay.result(10, Algorithm::Sha256), Match::Complete);
    assert_eq!(replay.start(10, start).unwrap_err().kind(), ErrorKind::AlreadyStarted);
}

// T-31
#[test]
fn violations_extend_ones() {
    let data = ng("/tmp/x", b"x");
    let bytes = record((10, true), b"ima-ng", &data, (Algorithm::Sha1, Endian::Little));
    let entry = binary(&bytes).next().unwrap().unwrap();
    assert_eq!(entry.check(), Check::Violation);
    let ones20 = Digest::ones(Algorithm::Sha1);
    let mut padded = [0; 48];
    padded[..20].fill(0xFF);
    for (rule, digest) in [
        (BankRule::Hashed, Digest::ones(Algorithm::Sha384)),
        (BankRule::PaddedSha1, Digest::ones(Algorithm::Sha384)),
        (BankRule::PaddedSha1Legacy, Digest::from_bytes(Algorithm::Sha384, &padded).unwrap()),
    ] {
        let banks =
            [Bank::with_rule(Algorithm::Sha384, rule), Bank::with_rule(Algorithm::Sha1, rule)];
        let mut replay = <Replay>::new(&banks).unwrap();
        replay.expect(10, extended(Digest::zeros(Algorithm::Sha384), &digest)).unwrap();
        replay.expect(10, extended(Digest::zeros(Algorithm::Sha1), &ones20)).unwrap();
        let finished = replay.run(binary(&bytes));
        let entries: Vec<_> = finished.entries().collect();
        assert_eq!(entries.len(), 1, "{rule:?}");
        assert!(!entries[0].is_data_covered());
        assert_eq!(replay.register(10).unwrap().violations(), 1);
    }
}

#[test]
fn errors_of_calls() {
    let kind = |result: Result<(), Error>| result.unwrap_err().kind();
    let bank = Bank::hashed(Algorithm::Sha1);
    assert_eq!(<Replay>::new(&[]).unwrap_err().kind(), ErrorKind::Banks);
    assert_eq!(<Replay>::new(&[bank, bank]).unwrap_err().kind(), ErrorKind::Banks);
    let mut replay = Replay::<1>::new(&[bank]).unwrap();
    let zeros = Digest::zeros(Algorithm::Sha1);
    assert_eq!(kind(replay.expect(64, zeros)), ErrorKind::PcrNumber);
    replay.expect(10, zeros).unwrap();
    assert_eq!(kind(replay.expect(11, zeros)), ErrorKind::TooManyRegisters);
    assert_eq!(kind(replay.start(11, zeros)), ErrorKind::TooManyRegisters);
    let other = Digest::zeros(Algorithm::Sha256);
    assert_eq!(kind(replay.expect(10, other)), ErrorKind::NoSuchBank);
    assert_eq!(kind(replay.start(10, other)), ErrorKind::NoSuchBank);
    assert_eq!(List::open(b"hello").unwrap_err().kind(), ErrorKind::UnknownFormat);
}

#[test]
fn an_error_is_not_forgotten() {
    let names = names(2);
    let bytes = [&list(10, &names)[..], &[0; 40]].concat();
    let mut replay = <Replay>::new(&SHA256).unwrap();
    replay.expect(10, value(Algorithm::Sha256, &template_data(&names))).unwrap();
    assert_eq!(replay.run(binary(&bytes)).error().unwrap().kind(), ErrorKind::TemplateName);
    let mut out = [0; <Replay>::SAVED_MAX];
    let restored = <Replay>::restore(replay.save(&mut out).unwrap()).unwrap();
    assert_eq!(restored, replay);
    assert_eq!(restored.result(10, Algorithm::Sha256), Match::Prefix { matched: 2, beyond: 1 });
}

#[test]
fn sizes_are_as_documented() {
    assert!(size_of::<Replay<5>>() - size_of::<Replay<4>>() <= 640);
    assert_eq!(Replay::<4>::SAVED_MAX, 4 * 576 + 80);
    assert!(size_of::<UntrustedEntry<'_>>() <= 192, "{}", size_of::<UntrustedEntry<'_>>());
}

// T-29
#[test]
fn a_replay_goes_on_only_where_it_stopped() {
    let list = list(10, &names(3));
    let mut replay = <Replay>::new(&SHA256).unwrap();
    let entries: Vec<_> = binary(&list).map(Result::unwrap).collect();
    assert_eq!(replay.push(&entries[1]).unwrap_err().kind(), ErrorKind::NotContiguous);
    for entry in &entries {
        assert_eq!(replay.push(entry), Ok(Check::Verified));
    }
    assert_eq!(replay.push(&entries[2]).unwrap_err().kind(), ErrorKind::NotContiguous);
    let before = replay.clone();
    let finished = replay.run(binary(&list));
    assert_eq!(finished.error().unwrap().kind(), ErrorKind::NotContiguous);
    assert_eq!(finished.entries().count(), 0);
    assert_eq!(replay.position(), before.position());
    let mut whole = <Replay>::new(&SHA256).unwrap();
    assert_eq!(whole.run(binary(&list)).error(), None);
    assert_eq!(whole, before);
}

/// A file name with line feeds that imitates a record: read only if the digest says so.
// T-32
#[test]
fn line_feeds_in_names() {
    let zeros = "0".repeat(40);
    let evil = format!("/tmp/evil\n10_{zeros}_ima-ng_sha256:00_x\n\n");
    for (feeds, good) in [(3, true), (2, false)] {
        let list = [ng_record(10, "boot_aggregate"), ng_record(10, &evil), ng_record(10, "/z")];
        let list = list.concat();
        let text = ascii(binary(&list).into());
        let mut limits = Limits::DEFAULT;
        limits.name_line_feeds = feeds;
        let read: Vec<_> = Ascii::new(&text).limits(limits).collect();
        if good {
            let read: Vec<_> = read.into_iter().map(Result::unwrap).collect();
            assert_eq!(read.len(), 3);
            assert_eq!(read[1].name(), Some(evil.as_bytes()));
            assert_eq!(read[2].position().line, 6);
            let binary = binary(&list).map(Result::unwrap);
            assert!(read.iter().zip(binary).all(|(a, b)| said(a) == said(&b)));
        } else {
            assert_eq!(read.len(), 2);
            let error = read[1].unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TemplateDigest);
            assert_eq!((error.line(), error.record()), (Some(2), 1));
            assert_eq!(error.offset() as usize, text.iter().position(|&b| b == b'\n').unwrap() + 1);
        }
    }
    // A violation has nothing to say where its name ends.
    let layout = (Algorithm::Sha1, Endian::Little);
    let list = record((10, true), b"ima-ng", &ng("/a\nb", b""), layout);
    let text = ascii(binary(&list).into());
    let read: Vec<_> = Ascii::new(&text).collect();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1].unwrap_err().kind(), ErrorKind::Line);
}

// T-28
#[test]
fn limits_are_kept() {
    let long = "n".repeat(3000);
    let list = [ng_record(10, "boot_aggregate"), ng_record(10, &long)].concat();
    let text = ascii(binary(&list).into());
    let mut limits = Limits::DEFAULT;
    limits.record_bytes = 3000;
    for mut list in
        [List::from(binary(&list).limits(limits)), List::from(Ascii::new(&text).limits(limits))]
    {
        assert!(list.next().unwrap().is_ok());
        assert_eq!(list.next().unwrap().unwrap_err().kind(), ErrorKind::RecordTooLong);
        assert!(list.next().is_none());
    }
    limits.fields = 1;
    let error = Ascii::new(&text).limits(limits).next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyFields);
    // Names this long are hashed in pieces.
    let read: Vec<_> = Ascii::new(&text).map(Result::unwrap).collect();
    assert_eq!(read[1].check(), Check::Verified);
    assert_eq!(
        read[1].hash(Algorithm::Sha512),
        Algorithm::Sha512.hash(&ng(&long, long.as_bytes()))
    );
    let banks = Algorithm::ALL.iter().map(|&a| Bank::hashed(a)).collect::<Vec<_>>();
    let mut replays = [<Replay>::new(&banks).unwrap(), <Replay>::new(&banks).unwrap()];
    assert_eq!(replays[0].run(binary(&list)).error(), None);
    assert_eq!(replays[1].run(Ascii::new(&text)).error(), None);
    assert!(replays[0].registers().eq(replays[1].registers()));
}

#[test]
fn a_last_line_without_line_feed() {
    let list = list(10, &names(2));
    let text = ascii(binary(&list).into());
    let cut = &text[..text.len() - 1];
    let mut whole = <Replay>::new(&SHA256).unwrap();
    assert_eq!(whole.run(Ascii::new(&text)).error(), None);
    let mut replay = <Replay>::new(&SHA256).unwrap();
    assert_eq!(replay.run(Ascii::new(cut)).error(), None);
    assert!(replay.registers().eq(whole.registers()));
    // Later there is more behind it, beginning with that line feed.
    let more = [&b"\n"[..], &ascii(binary(&ng_record(10, "/more")).into())].concat();
    let place = replay.position();
    assert_eq!(replay.run(Ascii::new(&more[..1]).at(place)).error(), None);
    assert_eq!(replay.run(Ascii::new(&more).at(place)).error(), None);
    assert_eq!(replay.position().record, 3);
    assert_eq!(replay.position().offset as usize, cut.len() + more.len());
    let error = Ascii::new(&more).next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Line, "only where a list goes on");
    assert_eq!((error.offset(), error.line()), (0, Some(1)));
}
