// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guest messages over a GHCB, with a host in software at the other side of the pages.

mod common;

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use common::firmware::Firmware;
use tsm_snp::ghcb::layout::{Field, Ghcb, ValidBitmap};
use tsm_snp::ghcb::{GhcbChannel, SharedMemory, Vmgexit};
use tsm_snp::{
    Cause, Certificates, Error, ErrorKind, FirmwareStatus, GuestMessages, GuestPhysical,
    HostStatus, PAGE, REPORT_SIZE, ReportRequest, Vmpck, VmpckIndex, Vmpl,
};
use zerocopy::{FromBytes, IntoBytes};

/// The machine's shared memory, by address.
#[derive(Clone, Default)]
struct Machine(Rc<RefCell<BTreeMap<u64, Rc<Memory>>>>);

struct Memory {
    bytes: RefCell<Vec<u8>>,
    /// The host replaces what was read as soon as it was read.
    changes: Cell<bool>,
}

struct Shared {
    memory: Rc<Memory>,
    address: u64,
}

impl Machine {
    fn map(&self, address: u64, size: usize) -> Shared {
        let memory =
            Rc::new(Memory { bytes: RefCell::new(vec![0x77; size]), changes: Cell::new(false) });
        self.0.borrow_mut().insert(address, memory.clone());
        Shared { memory, address }
    }

    fn at(&self, address: u64) -> Rc<Memory> {
        self.0.borrow()[&address].clone()
    }
}

impl SharedMemory for Shared {
    fn guest_physical(&self) -> GuestPhysical {
        GuestPhysical(self.address)
    }

    fn size(&self) -> usize {
        self.memory.bytes.borrow().len()
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        let mut bytes = self.memory.bytes.borrow_mut();
        let bytes = &mut bytes[offset..offset + out.len()];
        out.copy_from_slice(bytes);
        if self.memory.changes.get() {
            bytes.iter_mut().for_each(|byte| *byte ^= 0xFF);
        }
    }

    fn write(&mut self, offset: usize, new: &[u8]) {
        self.memory.bytes.borrow_mut()[offset..offset + new.len()].copy_from_slice(new);
    }

    fn clear(&mut self) {
        self.memory.bytes.borrow_mut().fill(0);
    }
}

/// What the host leaves in the GHCB.
#[derive(Clone, Copy)]
enum Leaves {
    Answer,
    /// The GHCB as it was.
    Nothing,
    /// An answer with an empty bitmap.
    Unmarked,
    Info2(u64),
}

struct Host {
    machine: Machine,
    firmware: Firmware,
    leaves: Leaves,
    certificates: Vec<u8>,
    exits: usize,
}

impl Vmgexit for Host {
    fn exit(&mut self, ghcb: GuestPhysical) -> Result<(), Error> {
        self.exits += 1;
        let page = self.machine.at(ghcb.0);
        let mut bytes = page.bytes.borrow_mut();
        let ghcb = Ghcb::mut_from_bytes(&mut bytes).unwrap();
        assert_eq!((ghcb.protocol_version.get(), ghcb.usage.get()), (2, 0));
        let valid = ValidBitmap::from_bytes(ghcb.valid_bitmap);
        assert!(
            [Field::ExitCode, Field::ExitInfo1, Field::ExitInfo2].map(|f| valid.contains(f))
                == [true; 3]
        );
        let extended = match ghcb.sw_exit_code.get() {
            0x8000_0011 => false,
            0x8000_0012 => true,
            other => panic!("event {other:#x}"),
        };
        assert_eq!((valid.contains(Field::Rax), valid.contains(Field::Rbx)), (extended, extended));
        let request = self.machine.at(ghcb.sw_exit_info_1.get());
        let response = self.machine.at(ghcb.sw_exit_info_2.get());
        assert_eq!(*response.bytes.borrow(), [0; PAGE], "the response page is zeros before");
        let mut info_2 = 0;
        let mut valid = ValidBitmap::default().with(Field::ExitInfo1).with(Field::ExitInfo2);
        if matches!(self.leaves, Leaves::Nothing) {
            return Ok(());
        }
        let pages = usize::try_from(ghcb.rbx.get()).unwrap();
        if extended && self.certificates.len() > pages * PAGE {
            info_2 = 1 << 32;
            ghcb.rbx = (self.certificates.len().div_ceil(PAGE) as u64).into();
            valid = valid.with(Field::Rbx);
        } else {
            if extended {
                let memory = self.machine.at(ghcb.rax.get());
                memory.bytes.borrow_mut()[..self.certificates.len()]
                    .copy_from_slice(&self.certificates);
            }
            match self.firmware.answer(&request.bytes.borrow()) {
                Ok(page) => response.bytes.borrow_mut().copy_from_slice(&page),
                Err(status) => info_2 = status.0.into(),
            }
        }
        if let Leaves::Info2(value) = self.leaves {
            info_2 = value;
        }
        ghcb.sw_exit_info_1 = 0.into();
        ghcb.sw_exit_info_2 = info_2.into();
        ghcb.valid_bitmap = match self.leaves {
            Leaves::Unmarked => [0; 16],
            _ => valid.to_bytes(),
        };
        Ok(())
    }
}

type Guest = GuestMessages<GhcbChannel<Host, Shared>>;

fn guest(leaves: Leaves, changes: bool) -> (Guest, Machine) {
    let machine = Machine::default();
    let host = Host {
        machine: machine.clone(),
        firmware: Firmware::new(),
        leaves,
        certificates: vec![0; 24],
        exits: 0,
    };
    let mut key = host.firmware.keys[0];
    let (ghcb, request) = (machine.map(0x1_0000_0000, PAGE), machine.map(0x2_0000_0000, PAGE));
    let response = machine.map(0x3_0000_0000, PAGE);
    let channel = GhcbChannel::new(host, ghcb, request, response).unwrap();
    let channel = channel.with_certificates(machine.map(0x8000, 2 * PAGE)).unwrap();
    for memory in machine.0.borrow().values() {
        memory.changes.set(changes);
    }
    (GuestMessages::new(Vmpck::unused(VmpckIndex::ALL[0], &mut key), channel), machine)
}

fn ask(guest: &mut Guest, byte: u8) -> Result<u8, ErrorKind> {
    let mut out = [0; REPORT_SIZE];
    let request = ReportRequest::new([byte; 64], Vmpl::VMPL1);
    guest.report(&request, &mut out).map(|()| out[0x50]).map_err(|error| error.kind())
}

/// Also when everything that was read once reads otherwise the next time.
#[test]
fn there_and_back() {
    for changes in [false, true] {
        let (mut guest, machine) = guest(Leaves::Answer, changes);
        for byte in 0..5 {
            assert_eq!(ask(&mut guest, byte), Ok(byte));
        }
        // What the host sees of the last request is ciphertext.
        let request = machine.at(0x2_0000_0000);
        assert!(!request.bytes.borrow().windows(8).any(|window| window == [4; 8]));
    }
}

#[test]
fn certificates_over_their_own_pages() {
    for changes in [false, true] {
        let (mut guest, _) = guest(Leaves::Answer, changes);
        let request = ReportRequest::new([3; 64], Vmpl::VMPL0);
        let mut out = [0; REPORT_SIZE];
        let mut room = vec![1; 2 * PAGE + 10];
        let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
        assert!(came == Certificates::Copied && room.iter().all(|&byte| byte == 0));
    }
}

#[test]
fn certificates_that_do_not_fit() {
    let machine = Machine::default();
    let host = Host {
        machine: machine.clone(),
        firmware: Firmware::new(),
        leaves: Leaves::Answer,
        certificates: vec![5; PAGE + 1],
        exits: 0,
    };
    let mut key = host.firmware.keys[0];
    let pages = [0x1000, 0x2000, 0x3000].map(|address| machine.map(address, PAGE));
    let [ghcb, request, response] = pages;
    let channel = GhcbChannel::new(host, ghcb, request, response).unwrap();
    let key = Vmpck::unused(VmpckIndex::ALL[0], &mut key);
    let mut guest = GuestMessages::new(key, channel);
    let mut out = [0; REPORT_SIZE];
    let mut room = vec![0; PAGE];
    let request = ReportRequest::new([3; 64], Vmpl::VMPL0);
    let none = guest.report_with_certificates(&request, &mut out, &mut room).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NoCertificateMemory);
    // It was not sent: the same request without certificates goes on.
    guest.report(&request, &mut out).unwrap();

    let mut guest = with_two_pages(&machine);
    let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
    assert_eq!((came, out[0x50]), (Certificates::Pages(Some(2)), 3));
    let mut room = vec![0; 2 * PAGE];
    let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
    assert!(came == Certificates::Copied && room[..=PAGE].iter().all(|&byte| byte == 5));
}

/// One whose host has certificates of two pages.
fn with_two_pages(machine: &Machine) -> Guest {
    let host = Host {
        machine: machine.clone(),
        firmware: Firmware::new(),
        leaves: Leaves::Answer,
        certificates: vec![5; PAGE + 1],
        exits: 0,
    };
    let mut key = host.firmware.keys[0];
    let pages = [0x1000, 0x2000, 0x3000].map(|address| machine.map(address, PAGE));
    let [ghcb, request, response] = pages;
    let channel = GhcbChannel::new(host, ghcb, request, response).unwrap();
    let channel = channel.with_certificates(machine.map(0x4000, 2 * PAGE)).unwrap();
    GuestMessages::new(Vmpck::unused(VmpckIndex::ALL[0], &mut key), channel)
}

/// The pages' addresses are chosen so that their lower halves are zero: a host that leaves the
/// fields as they were must not pass for one that has handled the exit.
#[test]
fn a_host_that_leaves_it_undefined() {
    let (mut guest, _) = guest(Leaves::Unmarked, false);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Disabled(Cause::Undefined)));
    let (mut guest, _) = self::guest(Leaves::Nothing, false);
    let untouched = Cause::Host(HostStatus(3));
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Disabled(untouched)));
    let (mut guest, _) = self::guest(Leaves::Info2(0x16), false);
    let failed = Cause::Firmware(FirmwareStatus::INVALID_PARAMETER);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Disabled(failed)));
    // Passed on, and called busy: the firmware never answers twice, but the host may go on.
    let (mut guest, _) = self::guest(Leaves::Info2(2 << 32), false);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Busy));
}

#[test]
fn pages_of_their_own() {
    struct Nobody;
    impl Vmgexit for Nobody {
        fn exit(&mut self, _: GuestPhysical) -> Result<(), Error> {
            unreachable!()
        }
    }
    let machine = Machine::default();
    let of = |[ghcb, request, response]: [u64; 3], size| {
        let map = |address| machine.map(address, size);
        let channel = GhcbChannel::new(Nobody, map(ghcb), map(request), map(response));
        channel.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(of([0x1000, 0x2000, 0x3000], PAGE), Ok(()));
    assert_eq!(of([0x1000, 0x2000, 0x1000], PAGE), Err(ErrorKind::Overlapping));
    assert_eq!(of([0x1000, 0x3000, 0x2000], 2 * PAGE), Err(ErrorKind::Overlapping));
    assert_eq!(of([0x1000, 0x2010, 0x3000], PAGE), Err(ErrorKind::Misaligned));
    assert_eq!(of([0x1000, 0x2000, 0x3000], 0), Err(ErrorKind::Misaligned));
    assert_eq!(of([0x1000, 0x2000, 0x3000], 100), Err(ErrorKind::Misaligned));
    assert_eq!(of([0x1000, 0x2000, u64::MAX - 0xFFF], PAGE), Err(ErrorKind::Misaligned));
}

/// The structure for software hosts and the offsets that the guest uses are the same.
#[test]
fn one_layout() {
    let mut ghcb = Ghcb::read_from_bytes(&[0; PAGE]).unwrap();
    (ghcb.rax, ghcb.rbx, ghcb.sw_exit_code) = (1.into(), 2.into(), 3.into());
    (ghcb.sw_exit_info_1, ghcb.sw_exit_info_2) = (4.into(), 5.into());
    let fields = [Field::Rax, Field::Rbx, Field::ExitCode, Field::ExitInfo1, Field::ExitInfo2];
    assert_eq!(fields.map(|field| ghcb.as_bytes()[field.offset()]), [1, 2, 3, 4, 5]);
}
