// SPDX-License-Identifier: MIT OR Apache-2.0
//! **Emulated**: an EFI_CC_MEASUREMENT_PROTOCOL as the firmware of a TDX machine has it, over a
//! register and a log in memory. It exists so that the shim's calls of the protocol run once; it
//! shows nothing about TDX.
//!
//! Behaves like OVMF's `TdTcg2Dxe`: registers 1 to 4, PCR 8 to 15 stand for register 3, one SHA-384
//! digest for each event.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::fmt::Write as _;
use core::{ptr, slice};

use sha2::Digest as _;
use tsm_core::hex::Hex;
use uefi::{Identify as _, Result, Status, boot};
use uefi_shim::cc_protocol::{
    Capability, CcMeasurement, EVENT_HEADER, FORMAT_TCG_2, RawCcMeasurement, SHA384, TYPE_TDX,
};
use uefi_shim::console::Console;

/// The protocol's interface, and behind it what is private to the firmware.
#[repr(C)]
struct Emulated {
    interface: RawCcMeasurement,
    works: bool,
    installed: bool,
    registers: [[u8; 48]; 4],
    log: [u8; LOG],
    length: usize,
    last: usize,
}

const LOG: usize = 4096;

struct Shared(UnsafeCell<Emulated>);

// SAFETY: UEFI has one thread. The interface's functions and `print_value` each make one reference,
// and none of them calls another.
unsafe impl Sync for Shared {}

static EMULATED: Shared = Shared(UnsafeCell::new(Emulated {
    interface: RawCcMeasurement {
        get_capability,
        get_event_log,
        hash_log_extend_event,
        map_pcr_to_mr_index,
    },
    works: true,
    installed: false,
    registers: [[0; 48]; 4],
    log: [0; LOG],
    length: 0,
    last: 0,
}));

/// Installs it; one that does not work fails every extension that an application asks for.
pub(crate) fn install(works: bool) -> Result<()> {
    // SAFETY: see `Shared`.
    let emulated = unsafe { &mut *EMULATED.0.get() };
    emulated.works = works;
    emulated.installed = true;
    // An event for the register before the shim runs: its log then begins at a value that it has to
    // find out.
    let _ = emulated.extend(3, 1, b"the firmware's own event", b"the firmware's own event");
    let interface = EMULATED.0.get().cast::<c_void>();
    // SAFETY: the interface is what the GUID stands for and stays for ever, as this application
    // never returns.
    unsafe { boot::install_protocol_interface(None, &CcMeasurement::GUID, interface) }.map(drop)
}

/// Prints the value of register 3, RTMR2; `what` says which.
pub(crate) fn print_value(console: &mut Console, what: &str) {
    // SAFETY: see `Shared`.
    let emulated = unsafe { &*EMULATED.0.get() };
    if emulated.installed {
        let value = Hex(&emulated.registers[2]);
        let _ = writeln!(console, "VALUE {what} tdx/rtmr2 sha384/{value}");
    }
}

impl Emulated {
    /// Hashes, extends, logs.
    fn extend(&mut self, index: u32, kind: u32, data: &[u8], event: &[u8]) -> Status {
        let register = (index as usize).checked_sub(1).and_then(|i| self.registers.get_mut(i));
        let Some(register) = register else { return Status::INVALID_PARAMETER };
        let digest = sha2::Sha384::digest(data);
        *register = sha2::Sha384::new_with_prefix(*register).chain_update(digest).finalize().into();
        if self.length == 0 {
            // "Spec ID Event03": one algorithm, 0x000C with 48 bytes.
            self.log[4] = 3;
            self.log[28] = 33;
            self.log[32..48].copy_from_slice(b"Spec ID Event03\0");
            self.log[52..65].copy_from_slice(&[0, 2, 0, 2, 1, 0, 0, 0, 0x0C, 0, 48, 0, 0]);
            self.length = 65;
        }
        let mut at = self.length;
        let size = event.len() as u32;
        let parts: [&[u8]; 7] = [
            &index.to_le_bytes(),
            &kind.to_le_bytes(),
            &1_u32.to_le_bytes(),
            &0x000C_u16.to_le_bytes(),
            &digest,
            &size.to_le_bytes(),
            event,
        ];
        for part in parts {
            let Some(place) = self.log.get_mut(at..at + part.len()) else {
                return Status::VOLUME_FULL;
            };
            place.copy_from_slice(part);
            at += part.len();
        }
        self.last = self.length;
        self.length = at;
        Status::SUCCESS
    }
}

unsafe extern "efiapi" fn get_capability(_: *mut RawCcMeasurement, out: *mut Capability) -> Status {
    let capability = Capability {
        size: size_of::<Capability>() as u8,
        structure_version: [1, 0],
        protocol_version: [1, 0],
        hash_algorithms: SHA384,
        event_logs: FORMAT_TCG_2,
        cc_type: [TYPE_TDX, 0],
    };
    // SAFETY: the caller gives a place for a capability.
    unsafe { out.write(capability) };
    Status::SUCCESS
}

unsafe extern "efiapi" fn get_event_log(
    _: *mut RawCcMeasurement,
    format: u32,
    start: *mut u64,
    last: *mut u64,
    truncated: *mut u8,
) -> Status {
    if format != FORMAT_TCG_2 {
        return Status::INVALID_PARAMETER;
    }
    // SAFETY: see `Shared`.
    let emulated = unsafe { &*EMULATED.0.get() };
    let log = emulated.log.as_ptr().expose_provenance() as u64;
    // SAFETY: the caller gives a place for a number.
    unsafe { start.write(log) };
    // SAFETY: as above.
    unsafe { last.write(log + emulated.last as u64) };
    // SAFETY: as above.
    unsafe { truncated.write(0) };
    Status::SUCCESS
}

unsafe extern "efiapi" fn hash_log_extend_event(
    _: *mut RawCcMeasurement,
    flags: u64,
    data: u64,
    size: u64,
    event: *const c_void,
) -> Status {
    // SAFETY: see `Shared`.
    let emulated = unsafe { &mut *EMULATED.0.get() };
    // OVMF measures what it loads through this protocol, too. Such an event's digest should be the
    // Authenticode one; here it is that of the file.
    if flags == 0 && !emulated.works {
        return Status::DEVICE_ERROR;
    }
    if !matches!(flags, 0 | PE_COFF_IMAGE) || event.is_null() {
        return Status::INVALID_PARAMETER;
    }
    // SAFETY: an EFI_CC_EVENT begins with its header.
    let header = unsafe { event.cast::<[u8; EVENT_HEADER]>().read() };
    let number = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let whole = number(0) as usize;
    if number(4) != 14 || header[8..10] != [1, 0] || whole < EVENT_HEADER {
        return Status::INVALID_PARAMETER;
    }
    // SAFETY: the event's first field is its size.
    let event = unsafe { slice::from_raw_parts(event.cast::<u8>(), whole) };
    let data = ptr::with_exposed_provenance::<u8>(data as usize);
    // SAFETY: the caller says that so many bytes lie there.
    let data = unsafe { slice::from_raw_parts(data, size as usize) };
    emulated.extend(number(10), number(14), data, &event[EVENT_HEADER..])
}

/// EFI_CC_FLAG_PE_COFF_IMAGE.
const PE_COFF_IMAGE: u64 = 0x10;

unsafe extern "efiapi" fn map_pcr_to_mr_index(
    _: *mut RawCcMeasurement,
    pcr: u32,
    index: *mut u32,
) -> Status {
    let mapped = match pcr {
        0 => 0,
        1 | 7 => 1,
        2..=6 => 2,
        8..=15 => 3,
        _ => return Status::INVALID_PARAMETER,
    };
    // SAFETY: the caller gives a place for a number.
    unsafe { index.write(mapped) };
    Status::SUCCESS
}
