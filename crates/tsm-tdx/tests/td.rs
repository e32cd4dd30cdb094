// SPDX-License-Identifier: MIT OR Apache-2.0
//! The calls: what is retried and how often, which error each status becomes, and the provider.

mod common;

use common::fake::{Fake, folded};
use common::{shared, unhex};
use tsm_core::{Algorithm, Digest, ErrorKind as Refusal, Powers, Provider};
use tsm_tdx::layout::Attributes;
use tsm_tdx::leaf::{FieldId, Leaf};
use tsm_tdx::status::{OperandId, Status, StatusCode};
use tsm_tdx::{
    ErrorKind, ExtendBuffer, MacBuffer, ReportBuffer, ReportData, RtmrIndex, RtmrSet, SharedBit,
    Td, TdxProvider,
};

const BUSY: Status = Status(0x8000_0200_0000_00A8);

fn td(module: &mut Fake) -> Td<&mut Fake> {
    Td::new(module).unwrap()
}

#[test]
fn vp_info() {
    let mut module = Fake::new();
    let td = td(&mut module);
    let info = td.info();
    assert_eq!((info.address_width, info.shared_bit), (48, SharedBit::of_width(48).unwrap()));
    assert_eq!(info.attributes, Attributes::SEPT_VE_DISABLE);
    assert_eq!((info.vcpus, info.max_vcpus, info.vcpu_index), (4, 8, 3));
    assert!(info.has_sys_rd);
}

/// Values of a real TD.
#[test]
fn extend_as_hardware_does() {
    let Some(path) = shared("tdx/vectors.json") else { return };
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let vector = &vectors["rtmr_extend"][0];
    let bytes = |name: &str| unhex(vector[name].as_str().unwrap());
    let mut module = Fake::new();
    let mut td = td(&mut module);
    let buffer = ExtendBuffer::new(bytes("digest")[..].try_into().unwrap());
    for after in ["after_1", "after_2_same_digest"] {
        td.extend(RtmrIndex::RTMR3, &buffer).unwrap();
        let mut report = ReportBuffer::new();
        td.report(&mut report, &ReportData::new([7; 64])).unwrap();
        let report = report.report().unwrap();
        assert_eq!(report.td_info.rtmr(RtmrIndex::RTMR3)[..], bytes(after));
        assert_eq!(td.read_rtmr(RtmrIndex::RTMR3).unwrap()[..], bytes(after));
    }
}

/// Busy, and nothing else, is retried, so often and not more.
#[test]
fn busy_is_retried() {
    for (busy, tries, works) in [(0, 1, true), (2, 3, true), (3, 3, false), (1, 0, false)] {
        let mut module = Fake::new();
        let mut td = td(&mut module).with_tries(tries);
        td.module_mut().statuses = vec![Some(BUSY); busy].into();
        let extended = td.extend(RtmrIndex::RTMR2, &ExtendBuffer::new(&[1; 48]));
        assert_eq!(extended.is_ok(), works, "{busy} times busy, {tries} tries");
        if let Err(error) = extended {
            assert_eq!((error.kind(), error.operand()), {
                (ErrorKind::Module(BUSY), Some(OperandId::RTMR))
            });
            assert_eq!(tsm_core::provider::Error::kind(&error), Refusal::Busy);
        }
        let calls = td.module_mut().calls.iter().filter(|r| r.leaf() == Leaf::MR_RTMR_EXTEND);
        assert_eq!(calls.count(), (busy + usize::from(works)).min(tries.max(1).into()));
        let expected = [Algorithm::Sha384.hash(b"")]
            .map(|_| Digest::from_bytes(Algorithm::Sha384, &[1; 48]).unwrap());
        let expected = if works { folded(&expected) } else { folded(&[]) };
        assert_eq!(module.rtmr(2)[..], *expected.as_bytes(), "extended once or not at all");
    }
}

/// Every status that is known, and some that are not: what becomes of it, and the operand.
#[test]
fn statuses_become_errors() {
    use tsm_core::ErrorKind::{Busy, Failed, StateUnknown};
    for &code in StatusCode::KNOWN {
        let status = Status::new(code, OperandId::RDX);
        let mut module = Fake::new();
        let mut td = td(&mut module).with_tries(1);
        let mut with = |what: &dyn Fn(&mut Td<&mut Fake>) -> Result<(), tsm_tdx::Error>| {
            td.module_mut().statuses = [Some(status)].into();
            let result = what(&mut td);
            assert_eq!(result.is_ok(), status.is_success(), "{status}");
            result.err().map(|error| {
                assert_eq!(error.operand(), status.operand(), "{status}");
                assert_eq!(error.status(), Some(status));
                tsm_core::provider::Error::kind(&error)
            })
        };
        let busy = matches!(
            code,
            StatusCode::OPERAND_BUSY
                | StatusCode::SYS_BUSY
                | StatusCode::OPERAND_BUSY_HOST_PRIORITY
        );
        let before =
            matches!(code, StatusCode::OPERAND_INVALID | StatusCode::OPERAND_ADDR_RANGE_ERROR);
        let extended = with(&|td| td.extend(RtmrIndex::RTMR1, &ExtendBuffer::new(&[1; 48])));
        let expected = match (status.is_success(), busy, before) {
            (true, ..) => None,
            (_, true, _) => Some(Busy),
            (_, _, true) => Some(Failed),
            _ => Some(StateUnknown),
        };
        assert_eq!(extended, expected, "{status}");
        // What only reads is never in doubt.
        let read = with(&|td| td.vm_read(FieldId::MRTD).map(drop));
        let again = busy || code == StatusCode::RND_NO_ENTROPY;
        let expected = if again { Busy } else { Failed };
        assert_eq!(read, (!status.is_success()).then_some(expected), "{status}");
    }
    let mut module = Fake::new();
    let mut td = td(&mut module);
    td.module_mut().statuses = [Some(Status(0x8000_7777_0000_0001))].into();
    let error = td.extend(RtmrIndex::RTMR1, &ExtendBuffer::new(&[1; 48])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InDoubt(Status(0x8000_7777_0000_0001)), "kept");
    assert_eq!(error.operand(), None);
    assert_eq!(td.module_mut().calls.len(), 2, "and not repeated");
}

#[test]
fn fields() {
    let mut module = Fake::new();
    let mut td = td(&mut module);
    assert_eq!(td.vm_read(FieldId::ATTRIBUTES).unwrap(), 1 << 28);
    assert_eq!(td.vm_read_48(FieldId::MRTD).unwrap(), core::array::from_fn(|n| n as u8));
    assert_eq!(td.quote_max_size().unwrap(), None, "an older module");
    assert_eq!(td.sys_read(FieldId(0x10)).unwrap(), 0xEF);
    let error = td.vm_read(FieldId(1)).unwrap_err();
    let code = error.status().map(Status::code);
    assert_eq!(code, Some(StatusCode::METADATA_FIELD_ID_INCORRECT));
}

/// A register that another processor extends is read again until it stands still.
#[test]
fn torn_readings() {
    for (changes, works) in [(1, true), (6, true), (100, false)] {
        let mut module = Fake::new();
        module.restless = changes;
        let read = td(&mut module).read_rtmr(RtmrIndex::RTMR0);
        match read {
            Ok(value) => assert_eq!(value, module.rtmr(0)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Torn),
        }
        assert_eq!(read.is_ok(), works, "{changes}");
    }
}

#[test]
fn verify_report() {
    let mut module = Fake::new();
    let mut td = td(&mut module);
    let mut buffer = ReportBuffer::new();
    assert!(buffer.report().is_err(), "nothing was written");
    td.report(&mut buffer, &ReportData::new([9; 64])).unwrap();
    let mut mac = buffer.report().unwrap().mac;
    td.verify_report(&MacBuffer::new(&mac)).unwrap();
    mac.report_data[0] ^= 1;
    let error = td.verify_report(&MacBuffer::new(&mac)).unwrap_err();
    let code = error.status().map(Status::code);
    assert_eq!(code, Some(StatusCode::INVALID_REPORTMACSTRUCT));
}

#[test]
fn provider_keeps_the_contract() {
    for set in [RtmrSet::ALL, RtmrSet::APPLICATION, RtmrSet::NONE] {
        let mut module = Fake::new();
        tsm_sim::contract::check_contract(&mut TdxProvider::new(td(&mut module), set));
        let mut buffer = ReportBuffer::new();
        let mut module = Fake::new();
        let provider = TdxProvider::new(td(&mut module), set);
        tsm_sim::contract::check_contract(&mut provider.with_report_buffer(&mut buffer));
    }
}

/// With reports and without, the values are the same, and those of the module.
#[test]
fn provider_reads_the_same_both_ways() {
    let mut module = Fake::new();
    module.report.td_info.rtmrs = [[1; 48], [2; 48], [3; 48], [4; 48]];
    let values = |provider: &mut TdxProvider<'_, &mut Fake>| {
        let registers: Vec<_> = provider
            .registers()
            .map(|(id, r)| (id, r.name.to_owned(), r.banks().single(), r.size(r.banks().single())))
            .collect();
        registers
            .into_iter()
            .map(|(id, name, bank, size)| {
                let mut value = vec![0; size.unwrap()];
                provider.read(id, bank, &mut value).unwrap();
                (name, value)
            })
            .collect::<Vec<_>>()
    };
    let words = values(&mut TdxProvider::new(td(&mut module), RtmrSet::ALL));
    let mut buffer = ReportBuffer::new();
    let provider = TdxProvider::new(td(&mut module), RtmrSet::ALL);
    let reports = values(&mut provider.with_report_buffer(&mut buffer));
    let (last, rest) = reports.split_last().unwrap();
    assert_eq!(rest, words);
    assert_eq!(*last, ("mrseam".to_owned(), vec![0x5E; 48]));
    let value = |name: &str| &reports.iter().find(|(n, _)| n == name).unwrap().1[..];
    for (name, byte) in [
        ("rtmr0", 1),
        ("rtmr1", 2),
        ("rtmr2", 3),
        ("rtmr3", 4),
        ("mrconfigid", 0xC0),
        ("mrowner", 0xC1),
        ("mrownerconfig", 0xC2),
        ("servtd_hash", 0xC3),
    ] {
        assert_eq!(value(name), [byte; 48], "{name}");
    }
    assert_eq!(value("attributes"), [0, 0, 0, 0x10, 0, 0, 0, 0]);
    assert_eq!(value("xfam"), [0xE7, 2, 6, 0, 0, 0, 0, 0]);
}

#[test]
fn who_may_extend() {
    let mut module = Fake::new();
    let mut provider = TdxProvider::new(td(&mut module), RtmrSet::APPLICATION);
    let digest = [Algorithm::Sha384.hash(b"x")];
    for index in RtmrIndex::ALL {
        let id = TdxProvider::<Fake>::rtmr(index);
        let register = provider.describe(id).unwrap();
        assert_eq!(register.name, index.to_string());
        let may = index == RtmrIndex::RTMR3;
        assert_eq!(register.powers.contains(Powers::EXTEND), may);
        let result = provider.extend(id, &digest).map_err(|error| error.kind());
        let refused = ErrorKind::Refused(Refusal::NotPermitted);
        assert_eq!(result, if may { Ok(()) } else { Err(refused) });
    }
    assert_eq!(module.rtmr(3)[..], *folded(&digest).as_bytes());
    assert_eq!(module.rtmr(0), [0; 48]);
}

/// A report's measurements do not move with the data of the caller.
#[test]
fn reports_of_the_provider() {
    let mut module = Fake::new();
    let mut buffer = ReportBuffer::new();
    let mut provider =
        TdxProvider::new(td(&mut module), RtmrSet::ALL).with_report_buffer(&mut buffer);
    let reporter = provider.as_reporter().unwrap();
    let mut report = |data: &[u8]| {
        let mut out = [0; 1030];
        assert_eq!(reporter.report(data, &mut out), Ok(1024));
        out
    };
    let (first, second) = (report(&[0x11; 64]), report(&[0xFE; 20]));
    assert_eq!(first[128..192], [0x11; 64]);
    assert_eq!((&second[128..148], &second[148..192]), (&[0xFE; 20][..], &[0; 44][..]));
    assert_eq!(first[256..], second[256..]);
    let error = reporter.report(&[0; 65], &mut [0; 1024]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::WrongSize));
}

/// Records through the core's log: what stands in the log is what the register was extended with.
#[test]
fn logged() {
    use tsm_core::log::{Limits, RecordLog, SliceStorage};
    let mut module = Fake::new();
    let mut provider = TdxProvider::new(td(&mut module), RtmrSet::APPLICATION);
    let rtmr3 = provider.find("rtmr3").unwrap();
    let mut page = [0; 4096];
    let mut log = RecordLog::new(SliceStorage::new(&mut page), Limits::DEFAULT);
    log.append(&mut provider, rtmr3, b"app.example start\napp.example ready").unwrap();
    let value = provider.value(rtmr3, Algorithm::Sha384).unwrap();
    let start = Digest::zeros(Algorithm::Sha384);
    let log = log.storage().as_bytes();
    let verified =
        tsm_core::replay::verify(log, &[start], &[value], Limits::DEFAULT, &mut ()).unwrap();
    assert_eq!(verified.holds(), Some(true));
}
