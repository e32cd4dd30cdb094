// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model behind a GHCB: pages that the host changes while they are read, and exits that it leaves
//! as they were.

use tsm_sim::snp::{Carrier, Chip, Conduct, Firmware, Host, Hostile, Hypervisor, SharedPages};
use tsm_snp::ghcb::layout::{Field, ValidBitmap};
use tsm_snp::ghcb::{GhcbChannel, SharedMemory as _, Vmgexit as _};
use tsm_snp::report::{Generation, Report};
use tsm_snp::{
    Cause, Certificates, ErrorKind, GuestMessages, GuestPhysical, HostStatus, PAGE, REPORT_SIZE,
    ReportRequest, VmpckIndex, Vmpl,
};

const GHCB: GuestPhysical = GuestPhysical(0x1_0000_0000);
const REQUEST: GuestPhysical = GuestPhysical(0x2_0000_0000);
const RESPONSE: GuestPhysical = GuestPhysical(0x3_0000_0000);
const CERTIFICATES: GuestPhysical = GuestPhysical(0x8000);

type Guest<C> = GuestMessages<GhcbChannel<Hypervisor<C>, tsm_sim::snp::SharedPage>>;

fn firmware() -> Firmware {
    Firmware::new(Chip::new("ghcb", Generation::Turin)).with_chip_key_masked()
}

/// The exits to ignore come first.
fn guest<C: Carrier>(carrier: C, ignored: u32) -> (Guest<C>, SharedPages) {
    let memory = SharedPages::new();
    let mut hypervisor = Hypervisor::new(carrier, memory.clone());
    hypervisor.ignore(ignored);
    let [ghcb, request, response] = [GHCB, REQUEST, RESPONSE].map(|at| memory.map(at, 1));
    let channel = GhcbChannel::new(hypervisor, ghcb, request, response).unwrap();
    let channel = channel.with_certificates(memory.map(CERTIFICATES, 2)).unwrap();
    (GuestMessages::new(firmware().vmpck(VmpckIndex::ALL[0]), channel), memory)
}

fn ask<C: Carrier>(guest: &mut Guest<C>, byte: u8) -> Result<u8, ErrorKind> {
    let mut out = [0xEE; REPORT_SIZE];
    let asked = guest.report(&ReportRequest::new([byte; 64], Vmpl::VMPL1), &mut out);
    match asked {
        Ok(()) => Ok(out[Report::REPORT_DATA]),
        Err(error) => {
            assert_eq!(out, [0xEE; REPORT_SIZE]);
            Err(error.kind())
        }
    }
}

/// Also when everything that was read once reads otherwise the next time.
#[test]
fn there_and_back() {
    for restless in [false, true] {
        let (mut guest, memory) = guest(Host::new(firmware()), 0);
        memory.set_restless(restless);
        for byte in 0..5 {
            assert_eq!(ask(&mut guest, byte), Ok(byte));
        }
        // What the host sees of the last request is ciphertext.
        let request = memory.snapshot(REQUEST).unwrap();
        assert!(!request.windows(8).any(|window| window == [4; 8]));
    }
}

#[test]
fn certificates() {
    for restless in [false, true] {
        let host = Host::new(firmware()).with_certificates(vec![9; PAGE + 1]);
        let (mut guest, memory) = guest(host, 0);
        memory.set_restless(restless);
        let request = ReportRequest::new([3; 64], Vmpl::VMPL0);
        let (mut out, mut room) = ([0; REPORT_SIZE], vec![1; PAGE]);
        let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
        assert_eq!(came, Certificates::Pages(Some(2)));
        let mut room = vec![1; 2 * PAGE];
        let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
        assert_eq!(came, Certificates::Copied);
        assert!(room[..=PAGE].iter().all(|&byte| byte == 9) && room[PAGE + 1..] == [0; PAGE - 1]);
    }
}

/// Every way to leave the outcome undefined, and the exit that was not handled at all.
#[test]
fn undefined_exits() {
    for (info_1, info_2) in [(false, false), (true, false), (false, true)] {
        let conduct = Conduct::Unmarked { info_1, info_2 };
        let (mut guest, _) = guest(Hostile::new(Host::new(firmware()), [conduct]), 0);
        assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Disabled(Cause::Undefined)));
        assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Disabled(Cause::Undefined)));
    }
    // Untouched fields hold the pages' addresses, marked as valid: lower halves zero, so that they
    // look like an exit that was handled.
    let (mut guest, _) = guest(Host::new(firmware()), 1);
    let untouched = ErrorKind::Disabled(Cause::Host(HostStatus(3)));
    assert_eq!(ask(&mut guest, 1), Err(untouched));
}

#[test]
fn hostile_hosts() {
    for (conduct, cause) in [
        (Conduct::DropAnswer, Cause::Sequence(0)),
        (Conduct::Replay(1), Cause::Sequence(2)),
        (Conduct::Size(0xFFFF), Cause::MessageSize(0xFFFF)),
        (Conduct::Change { at: 0x60, mask: 1 }, Cause::Unauthentic),
        (Conduct::Unhandled(2), Cause::Unhandled(2, 0)),
    ] {
        for restless in [false, true] {
            let host = Hostile::new(Host::new(firmware()), [Conduct::Honest, conduct]);
            let (mut guest, memory) = guest(host, 0);
            memory.set_restless(restless);
            assert_eq!(ask(&mut guest, 1), Ok(1));
            assert_eq!(ask(&mut guest, 2), Err(ErrorKind::Disabled(cause)), "{conduct:?}");
        }
    }
    let (mut guest, _) = guest(Hostile::new(Host::new(firmware()), [Conduct::NotSent]), 0);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::NotSent));
    assert_eq!(ask(&mut guest, 1), Ok(1));
}

/// What the hypervisor says of a GHCB that is not filled in as the specification has it.
#[test]
fn malformed_exits() {
    let reason = |fill: &dyn Fn(&mut [u8; PAGE])| {
        let memory = SharedPages::new();
        let mut page = [0; PAGE];
        page[0xFFA] = 2;
        let fields = [Field::ExitCode, Field::ExitInfo1, Field::ExitInfo2];
        let values = [0x8000_0011, REQUEST.0, RESPONSE.0];
        let mut valid = ValidBitmap::default();
        for (field, value) in fields.into_iter().zip(values) {
            page[field.offset()..][..8].copy_from_slice(&u64::to_le_bytes(value));
            valid = valid.with(field);
        }
        page[ValidBitmap::OFFSET..][..16].copy_from_slice(&valid.to_bytes());
        fill(&mut page);
        let mut ghcb = memory.map(GHCB, 1);
        let _request = memory.map(REQUEST, 1);
        ghcb.write(0, &page);
        Hypervisor::new(Host::new(firmware()), memory).exit(GHCB).unwrap();
        let word = |field: Field| {
            let mut value = [0; 8];
            ghcb.read(field.offset(), &mut value);
            u64::from_le_bytes(value)
        };
        (word(Field::ExitInfo1), word(Field::ExitInfo2))
    };
    // The request page is not a message: the firmware's status.
    assert_eq!(reason(&|_| ()), (0, 0x16));
    assert_eq!(reason(&|page| page[0xFFC] = 1), (2, 2));
    assert_eq!(reason(&|page| page[0xFFA] = 1), (2, 2));
    assert_eq!(reason(&|page| page[ValidBitmap::OFFSET..][..16].fill(0)), (2, 4));
    assert_eq!(reason(&|page| page[Field::ExitInfo1.offset()] = 1), (2, 5));
    assert_eq!(reason(&|page| page[Field::ExitCode.offset()] = 0x18), (2, 6));
    // The extended event without RAX and RBX.
    assert_eq!(reason(&|page| page[Field::ExitCode.offset()] = 0x12), (2, 4));
}
