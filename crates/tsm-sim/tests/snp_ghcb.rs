// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model behind a GHCB: pages that the host changes while they are read, and exits that it leaves
//! as they were.

use core::cell::RefCell;

use tsm_sim::snp::{
    Carrier, Chip, Conduct, Fault, Firmware, GuestMemory, Host, Hostile, Hypervisor, SharedPages,
};
use tsm_snp::ghcb::layout::{Field, ValidBitmap};
use tsm_snp::ghcb::{GhcbChannel, SharedMemory, Vmgexit};
use tsm_snp::report::{Generation, Report};
use tsm_snp::{
    Cause, Certificates, Error, ErrorKind, GuestMessages, GuestPhysical, HostStatus, PAGE,
    REPORT_SIZE, ReportRequest, VmpckIndex, Vmpl,
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
        let _pages = [REQUEST, RESPONSE].map(|at| memory.map(at, 1));
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
    assert_eq!(reason(&|page| page[Field::ExitInfo2.offset()] = 8), (2, 5));
    assert_eq!(reason(&|page| page[Field::ExitInfo2.offset() + 2] = 1), (2, 5));
    assert_eq!(reason(&|page| page[Field::ExitCode.offset()] = 0x18), (2, 6));
    // The extended event without RAX and RBX.
    assert_eq!(reason(&|page| page[Field::ExitCode.offset()] = 0x12), (2, 4));
}

/// Five pages at 0x10000, of which somebody else than the simulator keeps the bytes.
struct Flat(RefCell<[[u8; PAGE]; 5]>);

const FLAT: u64 = 0x10000;

impl Flat {
    fn at<T>(
        &self,
        address: GuestPhysical,
        size: usize,
        act: impl FnOnce(&mut [u8]) -> T,
    ) -> Result<T, Fault> {
        let fault = Fault { address };
        let start = usize::try_from(address.0.checked_sub(FLAT).ok_or(fault)?).unwrap();
        self.0.borrow_mut().as_flattened_mut().get_mut(start..start + size).map(act).ok_or(fault)
    }
}

impl GuestMemory for &Flat {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        self.at(address, out.len(), |bytes| out.copy_from_slice(bytes))
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        self.at(address, bytes.len(), |place| place.copy_from_slice(bytes))
    }
}

/// The guest's side of so many pages of it.
struct Region<'f>(&'f Flat, u64, usize);

impl SharedMemory for Region<'_> {
    fn guest_physical(&self) -> GuestPhysical {
        GuestPhysical(FLAT + self.1 * 4096)
    }

    fn size(&self) -> usize {
        self.2 * PAGE
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        let at = GuestPhysical(self.guest_physical().0 + offset as u64);
        self.0.at(at, out.len(), |bytes| out.copy_from_slice(bytes)).unwrap();
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let at = GuestPhysical(self.guest_physical().0 + offset as u64);
        self.0.at(at, bytes.len(), |place| place.copy_from_slice(bytes)).unwrap();
    }

    fn clear(&mut self) {
        self.0.at(self.guest_physical(), self.size(), |bytes| bytes.fill(0)).unwrap();
    }
}

/// The MSR protocol: leaves as the instruction does.
struct ByMsr<'h, 'f>(&'h mut Hypervisor<Host, &'f Flat>);

impl Vmgexit for ByMsr<'_, '_> {
    fn exit(&mut self, ghcb: GuestPhysical) -> Result<(), Error> {
        match self.0.vmgexit(ghcb.0) {
            Some(after) => assert_eq!(after, ghcb.0),
            None => return Err(Error::not_sent()),
        }
        Ok(())
    }
}

/// Over memory that is not the simulator's, by the MSR: with certificates, and after registration
/// only.
#[test]
fn other_memory_by_the_msr() {
    let flat = Flat(RefCell::new([[0x77; PAGE]; 5]));
    let host = Host::new(firmware()).with_certificates(vec![9; PAGE + 1]);
    let mut hypervisor = Hypervisor::new(host, &flat);
    // Nobody's memory; a request that is not known; a GHCB that is not registered.
    assert_eq!(hypervisor.vmgexit(0x9000_0012), Some(0xFFFF_FFFF_FFFF_F013));
    assert_eq!(hypervisor.vmgexit(FLAT | 0x002), None);
    let request = ReportRequest::new([3; 64], Vmpl::VMPL0);
    let (mut out, mut room) = ([0; REPORT_SIZE], vec![1; 2 * PAGE]);
    let mut ask = |hypervisor: &mut Hypervisor<_, _>, firmware: &Firmware| {
        let [ghcb, request_page, response] = [0, 1, 2].map(|page| Region(&flat, page, 1));
        let channel = GhcbChannel::new(ByMsr(hypervisor), ghcb, request_page, response).unwrap();
        let channel = channel.with_certificates(Region(&flat, 3, 2)).unwrap();
        let key = firmware.vmpck(VmpckIndex::ALL[0]);
        GuestMessages::new(key, channel).report_with_certificates(&request, &mut out, &mut room)
    };
    assert_eq!(ask(&mut hypervisor, &firmware()).unwrap_err().kind(), ErrorKind::NotSent);
    assert_eq!(hypervisor.vmgexit(FLAT | 0x012), Some(FLAT | 0x013));
    assert_eq!(ask(&mut hypervisor, &firmware()), Ok(Certificates::Copied));
    assert_eq!(out[Report::REPORT_DATA], 3);
    assert!(room[..=PAGE].iter().all(|&byte| byte == 9) && room[PAGE + 1..] == [0; PAGE - 1]);
    assert_eq!(hypervisor.vmgexit((FLAT + 4096) | 0x012), Some((FLAT + 4096) | 0x013));
    assert_eq!(hypervisor.vmgexit(FLAT), None);
    assert_eq!(hypervisor.carrier().firmware().counter(VmpckIndex::ALL[0]), 2);
}
