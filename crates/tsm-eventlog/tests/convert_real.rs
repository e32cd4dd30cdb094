// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every log at hand, converted and back.

mod common;

use common::all_runs;
use common::cel::{file, files};
use common::tcg::{LogFile, all};
use tsm_core::Algorithm;
use tsm_eventlog::cel::{self, Encoding, Match};
use tsm_eventlog::convert::{
    Numbering, Output, Reason, TcgHeader, aael_to_cel, aael_to_tcg, cel_to_aael, cel_to_ima,
    cel_to_systemd, cel_to_tcg, ima_to_cel, systemd_to_cel, tcg_to_aael, tcg_to_cel,
};
use tsm_eventlog::ima::{self, Endian, Layout};
use tsm_eventlog::registers::{Platform, RegisterIndex, RtmrIndex};
use tsm_eventlog::tcg::{self, NewHeader};
use tsm_eventlog::{Error, ErrorKind, aael, systemd};
use tsm_test_support::base64;

const NUMBERINGS: [Numbering; 3] = [Numbering::Log(0), Numbering::Log(1), Numbering::Register];

/// A canonical event log as it is written by `write`.
fn to_cel(
    encoding: Encoding,
    write: impl Fn(&mut cel::Writer<'_>) -> Result<(), Error>,
) -> (Vec<u8>, Result<(), Error>) {
    let mut buffer = vec![0; 1 << 23]; // zeroed pages cost nothing until used
    let mut writer = cel::Writer::new(&mut buffer, encoding).unwrap();
    let done = write(&mut writer);
    (writer.as_bytes().to_vec(), done)
}

fn output(write: impl Fn(&mut Output<'_>) -> Result<(), Error>) -> (Vec<u8>, Result<(), Error>) {
    let mut buffer = vec![0; 1 << 22];
    let mut out = Output::new(&mut buffer);
    let done = write(&mut out);
    (out.as_bytes().to_vec(), done)
}

fn used(file: &LogFile) -> &[u8] {
    let mut log = tcg::Log::open(&file.bytes).unwrap();
    assert!(log.by_ref().all(|event| event.is_ok()));
    &file.bytes[..file.bytes.len() - log.rest().len()]
}

/// The register's value in both replays, where the source's knows it.
fn replays_agree(file: &LogFile, converted: &[u8], encoding: Encoding) -> usize {
    let log = tcg::Log::open(&file.bytes).unwrap();
    let banks: Vec<Algorithm> = log.algorithms().known().collect();
    if banks.is_empty() {
        return 0; // SM3
    }
    let mut source = tcg::Replay::<24>::new(file.platform, &banks).unwrap();
    assert_eq!(source.run(log).error(), None);
    let mut target = cel::Replay::<24>::new(&banks).unwrap();
    assert_eq!(target.run(cel::Log::new(converted, encoding)).error(), None);
    let mut compared = 0;
    for register in source.registers() {
        let number = file.platform.number(register.index()).unwrap();
        let name = match file.platform {
            Platform::Tpm => cel::Register::Pcr(number),
            _ => cel::Register::CcMr(number),
        };
        for &bank in &banks {
            let found = target.register(name).unwrap().value(bank);
            assert_eq!(found, register.value(bank), "{} {}", file.name, register.index());
            compared += 1;
        }
    }
    compared
}

#[test]
fn firmware_logs() {
    let (mut logs, mut compared, mut refused) = (0, 0, Vec::new());
    for file in all() {
        let agile = tcg::Log::open(&file.bytes).unwrap().header().is_some();
        let header = if agile { TcgHeader::OfSource } else { TcgHeader::Sha1 };
        for (encoding, numbering) in Encoding::ALL.into_iter().zip(NUMBERINGS.into_iter().cycle()) {
            let log = tcg::Log::open(&file.bytes).unwrap();
            let (converted, done) =
                to_cel(encoding, |to| tcg_to_cel(log.clone(), file.platform, numbering, to));
            if let Err(error) = done {
                refused.push((file.name.clone(), error.kind()));
                let kept = cel::Log::new(&converted, encoding).map(Result::unwrap).count() as u64;
                assert_eq!(kept, error.record(), "those before it");
                continue;
            }
            compared += replays_agree(&file, &converted, encoding);
            let log = cel::Log::new(&converted, encoding);
            let (back, done) =
                output(|to| cel_to_tcg(log.clone(), file.platform, numbering, &header, to));
            assert_eq!(done, Ok(()), "{} {encoding:?}", file.name);
            assert!(back == used(&file), "{} {encoding:?}", file.name);
            logs += 1;
        }
    }
    refused.dedup();
    println!("{logs} logs, {compared} values; refused: {refused:?}");
    assert!(logs > 0 && compared > 0);
    for (name, kind) in refused {
        // Firmware that lists banks whose digests it does not give.
        assert_eq!(kind, ErrorKind::MissingDigest, "{name}");
    }
}

/// Cut anywhere, a log is converted up to there, and the error is at the record that was cut.
#[test]
fn cut_firmware_logs() {
    let mut cuts = 0;
    for file in all().iter().filter(|file| used(file).len() < 20_000) {
        let whole = used(file);
        for cut in (0..whole.len()).step_by(97) {
            let Ok(log) = tcg::Log::open(&whole[..cut]) else { continue };
            let mut events = log.clone();
            let count = events.by_ref().filter(Result::is_ok).count();
            let header = usize::from(log.header().is_some());
            let (converted, done) = to_cel(Encoding::Tlv, |to| {
                tcg_to_cel(log.clone(), file.platform, Numbering::default(), to)
            });
            if let Err(error) = done
                && error.kind() == ErrorKind::Truncated
            {
                assert_eq!(error.position(), events.next_position());
                let kept = cel::Log::new(&converted, Encoding::Tlv).map(Result::unwrap).count();
                assert_eq!(kept, count + header);
                cuts += 1;
            }
        }
    }
    assert!(cuts > 0);
}

#[test]
fn ima_lists() {
    let (mut lists, mut values, mut texts) = (0, 0, 0);
    for run in all_runs() {
        let banks = match run.banks() {
            banks if banks.is_empty() => vec![ima::Bank::hashed(Algorithm::Sha1)],
            banks => banks,
        };
        for file in &run.lists {
            let label = run.label(file);
            for (encoding, numbering) in
                Encoding::ALL.into_iter().zip(NUMBERINGS.into_iter().cycle())
            {
                if file.bytes.len() > 500_000 && encoding != Encoding::Tlv {
                    continue; // big12k, in one encoding
                }
                let (converted, done) = to_cel(encoding, |to| {
                    ima_to_cel(file.list(), &banks, numbering, &mut [0; 1 << 16], to)
                });
                assert_eq!(done, Ok(()), "{label}");
                let log = cel::Log::new(&converted, encoding);
                let algorithms: Vec<_> = banks.iter().map(|bank| bank.algorithm).collect();
                let mut replay = cel::Replay::<8>::new(&algorithms).unwrap();
                assert_eq!(replay.run(log.clone()).error(), None);
                for register in replay.registers() {
                    let cel::Register::Pcr(pcr) = register.register() else { panic!("{label}") };
                    for (bank, pcrs) in &run.pcrs {
                        // On other PCRs the firmware was before.
                        if pcr >= 10 {
                            assert_eq!(register.value(*bank), pcrs.get(&pcr).copied(), "{label}");
                            values += 1;
                        }
                    }
                }
                let layout = Layout { digest: file.digest, endian: Endian::Little };
                let (back, done) =
                    output(|to| cel_to_ima(log.clone(), &banks, numbering, layout, to));
                if file.md5 {
                    assert_eq!(done.unwrap_err().kind(), ErrorKind::NotCarried(Reason::Type));
                    continue;
                }
                assert_eq!(done, Ok(()), "{label} {encoding:?}");
                // A text list comes back as the binary one of the same boot.
                let is_it = |other: &&common::ListFile| {
                    other.is_binary
                        && other.digest == file.digest
                        && (file.is_binary == (other.path == file.path))
                        && other.path.parent() == file.path.parent()
                };
                let Some(binary) = run.lists.iter().find(is_it) else { continue };
                assert!(back == binary.bytes, "{label} {encoding:?}");
                texts += usize::from(!file.is_binary);
                lists += 1;
            }
        }
    }
    println!("{lists} lists, {texts} of them texts, {values} values");
    assert!(lists > 0 && values > 0 && texts > 0);
}

/// The same for lists, and for the way back from what they became.
#[test]
fn cut_lists() {
    let (mut cuts, mut backs) = (0, 0);
    let banks = [ima::Bank::hashed(Algorithm::Sha256)];
    for run in all_runs() {
        let is_small = |file: &&common::ListFile| file.is_binary && file.bytes.len() < 20_000;
        for file in run.lists.iter().filter(is_small).filter(|file| !file.md5) {
            let layout = Layout { digest: file.digest, endian: Endian::Little };
            for cut in (1..file.bytes.len()).step_by(211) {
                let list = || ima::Binary::new(&file.bytes[..cut], layout);
                let (converted, done) = to_cel(Encoding::Tlv, |to| {
                    ima_to_cel(list(), &banks, Numbering::default(), &mut [], to)
                });
                let count = list().filter(Result::is_ok).count() as u64;
                if let Some(Err(error)) = list().find(Result::is_err) {
                    assert_eq!(done, Err(error));
                    cuts += 1;
                }
                assert_eq!(cel::Log::new(&converted, Encoding::Tlv).count() as u64, count);

                let part = &converted[..converted.len() * 2 / 3];
                let log = || cel::Log::new(part, Encoding::Tlv);
                let (back, done) =
                    output(|to| cel_to_ima(log(), &banks, Numbering::default(), layout, to));
                if let Some(Err(error)) = log().find(Result::is_err) {
                    assert_eq!(done, Err(error));
                    backs += 1;
                }
                assert!(file.bytes.starts_with(&back), "whole records of the list");
                let records = ima::Binary::new(&back, layout).map(Result::unwrap);
                assert_eq!(records.count(), log().filter(Result::is_ok).count());
            }
        }
    }
    assert!(cuts > 0 && backs > 0);
}

#[test]
fn systemd_logs() {
    let Some(bytes) = file("generated/systemd/tpm2-measure-v257.log") else { return };
    for numbering in NUMBERINGS {
        let log = systemd::Log::new(&bytes);
        let (json, done) = to_cel(Encoding::Json, |to| systemd_to_cel(log.clone(), numbering, to));
        assert_eq!(done, Ok(()));
        let pcrs = file("generated/systemd/tpm2-measure-v257.pcrs.yaml").unwrap();
        let pcrs = common::cel::yaml(&String::from_utf8(pcrs).unwrap());
        let mut replay = <cel::Replay>::new(Algorithm::ALL).unwrap();
        assert_eq!(replay.run(cel::Log::new(&json, Encoding::Json)).error(), None);
        for register in replay.registers() {
            let cel::Register::Pcr(pcr) = register.register() else { panic!() };
            for (bank, values) in &pcrs {
                assert_eq!(register.value(*bank).as_ref(), values.get(&pcr), "{pcr} {bank}");
            }
        }
        assert_eq!(replay.registers().map(|register| register.records()).sum::<u64>(), 10);
        let log = cel::Log::new(&json, Encoding::Json);
        let (back, done) = output(|to| cel_to_systemd(log.clone(), numbering, to));
        assert_eq!(done, Ok(()));
        assert!(back == bytes);
    }
    for encoding in [Encoding::Tlv, Encoding::Cbor, Encoding::CborSequence] {
        let log = systemd::Log::new(&bytes);
        let (_, done) = to_cel(encoding, |to| systemd_to_cel(log.clone(), NUMBERINGS[0], to));
        let error = done.unwrap_err();
        assert_eq!((error.kind(), error.record()), (ErrorKind::NotRepresentable, 0));
    }
}

/// What systemd-pcrlock wrote, as TCG logs: it leaves the Spec ID event out, so a new one is needed.
#[test]
fn logs_of_systemd_pcrlock() {
    let mut logs = 0;
    for (name, bytes) in files("generated/cel-json") {
        let log = || cel::Log::new(&bytes, Encoding::Json);
        let first = log().next().unwrap().unwrap();
        let banks: Vec<Algorithm> = Algorithm::ALL
            .iter()
            .copied()
            .filter(|a| first.record().digests.digest(*a).is_some())
            .collect();
        let new = NewHeader::tpm(&banks);
        let numbering = Numbering::Log(1);
        let convert = |header: &TcgHeader<'_>, numbering| {
            output(|to| cel_to_tcg(log(), Platform::Tpm, numbering, header, to))
        };
        let (back, done) = convert(&TcgHeader::New(new), numbering);
        if name.starts_with("firmware+userspace") {
            assert_eq!(done.unwrap_err().kind(), ErrorKind::NotCarried(Reason::Type));
            continue;
        }
        assert_eq!(done, Ok(()), "{name}");
        let tcg = tcg::Log::open(&back).unwrap();
        let records = log().map(Result::unwrap);
        let mut again = vec![0; 1 << 22];
        let mut writer = cel::Writer::new(&mut again, Encoding::Json).unwrap();
        tcg_to_cel(tcg, Platform::Tpm, Numbering::Log(0), &mut writer).unwrap();
        // The header is one more record, with the number before.
        let again = writer.finish();
        let again = cel::Log::new(again, Encoding::Json).skip(1).map(Result::unwrap);
        assert!(records.map(|r| *r.record()).eq(again.map(|r| *r.record())), "{name}");

        let (_, done) = convert(&TcgHeader::OfSource, numbering);
        assert_eq!(done.unwrap_err().kind(), ErrorKind::NotCarried(Reason::Header));
        let (_, done) = convert(&TcgHeader::New(new), Numbering::Log(0));
        assert_eq!(done.unwrap_err().kind(), ErrorKind::NotCarried(Reason::Number));
        let (_, done) = convert(&TcgHeader::New(NewHeader::tpm(&[Algorithm::Sha512])), numbering);
        assert_eq!(done.unwrap_err().record(), 0);
        logs += 1;
    }
    println!("{logs} logs");
}

#[test]
fn aael_logs() {
    let rtmr3 = RegisterIndex::from(RtmrIndex::new(3).unwrap());
    let ccmr = cel::Register::CcMr(4);
    let logs = files("trustee-history/aael");
    for (_, bytes) in logs.iter().filter(|(name, _)| name.starts_with("AAEL_data")) {
        let log = || aael::Log::open(bytes, ccmr).unwrap();
        let bank = log().init().algorithm();
        let mut known = cel::Replay::<1>::new(&[bank]).unwrap();
        known.start(ccmr, log().init()).unwrap();
        let _ = known.run(log());
        let value = known.register(ccmr).unwrap().value(bank).unwrap();
        let canonical = [&bytes[..], b"\n"].concat();
        for (encoding, numbering) in Encoding::ALL.into_iter().zip(NUMBERINGS.into_iter().cycle()) {
            let (converted, done) = to_cel(encoding, |to| aael_to_cel(log(), numbering, to));
            assert_eq!(done, Ok(()));
            let converted = cel::Log::new(&converted, encoding);
            let mut replay = cel::Replay::<1>::new(&[bank]).unwrap();
            replay.start(ccmr, log().init()).unwrap();
            replay.expect(ccmr, value).unwrap();
            let records = replay.run(converted.clone()).records().count();
            assert_eq!(replay.result(ccmr, bank), Match::Complete);
            assert_eq!(records, log().count());
            let (back, done) =
                output(|to| cel_to_aael(converted.clone(), (ccmr, numbering), bank, to));
            assert_eq!((done, &back), (Ok(()), &canonical));
        }
        let mut area = [0; 4096];
        let mut writer = tcg::Writer::new(&mut area, &NewHeader::ccel(&[bank])).unwrap();
        aael_to_tcg(log(), (Platform::Tdx, rtmr3), &mut writer).unwrap();
        let converted = tcg::Log::open(writer.as_bytes()).unwrap();
        let mut replay = tcg::Replay::<5>::new(Platform::Tdx, &[bank]).unwrap();
        replay.start(rtmr3, log().init()).unwrap();
        replay.expect(rtmr3, value).unwrap();
        assert_eq!(replay.run(converted.clone()).error(), None);
        assert_eq!(replay.holds(), Some(true));
        let (back, done) =
            output(|to| tcg_to_aael(converted.clone(), (Platform::Tdx, rtmr3), bank, to));
        assert_eq!((done, &back), (Ok(()), &canonical));
    }
}

/// AAEL's own events in a CCEL are another log than its text: nothing makes one of the other.
#[test]
fn tagged_events_are_no_lines() {
    let Some(bytes) = file("trustee/eventlog/test_data/CCEL_AAEL_alibabacloud") else { return };
    let log = tcg::Log::open(&bytes).unwrap();
    let rtmr3 = RegisterIndex::from(RtmrIndex::new(3).unwrap());
    let at = (Platform::Tdx, rtmr3);
    let (_, done) = output(|to| tcg_to_aael(log.clone(), at, Algorithm::Sha384, to));
    assert_eq!(done.unwrap_err().kind(), ErrorKind::NotCarried(Reason::Register));
    let tagged = log.clone().position(|event| event.unwrap().index() == 4).unwrap();
    let begin = log.clone().nth(tagged).unwrap().unwrap().position();
    let rest = log.skip_to(begin).unwrap();
    let (_, done) = output(|to| tcg_to_aael(rest.clone(), at, Algorithm::Sha384, to));
    let error = done.unwrap_err();
    assert_eq!((error.kind(), error.position()), (ErrorKind::NotCarried(Reason::Type), begin));
}

/// Confidential Space's log is of another kind of content than a firmware log has.
#[test]
fn other_content() {
    let Some(bytes) = file("go-tpm-tools/agent/testdata/cel.b64") else { return };
    let bytes = base64(&bytes);
    let log = cel::Log::open(&bytes).unwrap();
    let new = NewHeader::ccel(&[Algorithm::Sha384]);
    for (platform, reason) in [(Platform::Tdx, Reason::Type), (Platform::Tpm, Reason::Type)] {
        let header = TcgHeader::New(new);
        let (_, done) = output(|to| cel_to_tcg(log.clone(), platform, NUMBERINGS[0], &header, to));
        assert_eq!(done.unwrap_err().kind(), ErrorKind::NotCarried(reason));
    }
    let banks = [ima::Bank::hashed(Algorithm::Sha384)];
    let layout = Layout::DEFAULT;
    let (_, done) = output(|to| cel_to_ima(log.clone(), &banks, NUMBERINGS[0], layout, to));
    assert_eq!(done.unwrap_err().kind(), ErrorKind::NotCarried(Reason::Type));
}
