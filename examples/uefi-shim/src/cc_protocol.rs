// SPDX-License-Identifier: MIT OR Apache-2.0
//! A runtime register of a confidential VM through EFI_CC_MEASUREMENT_PROTOCOL (UEFI 2.10, 38.2),
//! which the `uefi` crate does not have. Here is its C interface, and a register on top.

use core::ffi::c_void;
use core::ptr;

use tsm_core::{Algorithm, Banks, Digest};
use uefi::boot::{self, ScopedProtocol};
use uefi::proto::unsafe_protocol;
use uefi::{Error, Result, Status, StatusExt as _};

use crate::firmware_register::{DATA, Firmware};
use crate::tcg2;

/// The protocol's functions, in the specification's order.
#[repr(C)]
pub struct RawCcMeasurement {
    /// Fills in a [`Capability`].
    pub get_capability: unsafe extern "efiapi" fn(*mut Self, *mut Capability) -> Status,
    /// Takes a log format; gives the log's first byte, its last event's first byte, and whether the
    /// log was cut off.
    pub get_event_log:
        unsafe extern "efiapi" fn(*mut Self, u32, *mut u64, *mut u64, *mut u8) -> Status,
    /// Takes flags, address and size of the data to hash, and an EFI_CC_EVENT.
    pub hash_log_extend_event:
        unsafe extern "efiapi" fn(*mut Self, u64, u64, u64, *const c_void) -> Status,
    /// Says which measurement register stands for a PCR.
    pub map_pcr_to_mr_index: unsafe extern "efiapi" fn(*mut Self, u32, *mut u32) -> Status,
}

/// EFI_CC_BOOT_SERVICE_CAPABILITY.
#[repr(C)]
#[derive(Clone, Copy, Default)]
#[expect(missing_docs, reason = "names of the specification")]
pub struct Capability {
    pub size: u8,
    pub structure_version: [u8; 2],
    pub protocol_version: [u8; 2],
    pub hash_algorithms: u32,
    pub event_logs: u32,
    /// Type and subtype of the platform.
    pub cc_type: [u8; 2],
}

/// EFI_CC_BOOT_HASH_ALG_SHA384.
pub const SHA384: u32 = 4;
/// EFI_CC_EVENT_LOG_FORMAT_TCG_2.
pub const FORMAT_TCG_2: u32 = 2;
/// EFI_CC_TYPE_TDX.
pub const TYPE_TDX: u8 = 2;
/// Bytes of an EFI_CC_EVENT before the data: size, then header size, version, register, type.
pub const EVENT_HEADER: usize = 18;
const EV_IPL: u32 = 13;
const EV_NO_ACTION: u32 = 3;

/// EFI_CC_MEASUREMENT_PROTOCOL.
#[repr(transparent)]
#[unsafe_protocol("96751a3d-72f4-41a6-a794-ed5d0e67ae6b")]
pub struct CcMeasurement(RawCcMeasurement);

/// Number of a register with this protocol. Not the RTMR's number: 0 is MRTD, 1 is RTMR0.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CcMrIndex(u32);

impl CcMrIndex {
    /// The name of the RTMR with this number.
    const fn rtmr(self) -> Option<&'static str> {
        match self.0 {
            1 => Some("rtmr0"),
            2 => Some("rtmr1"),
            3 => Some("rtmr2"),
            4 => Some("rtmr3"),
            _ => None,
        }
    }
}

/// The RTMR that stands for [`tcg2::PCR`]; RTMR2 with OVMF.
pub struct Cc {
    protocol: ScopedProtocol<CcMeasurement>,
    index: CcMrIndex,
    name: &'static str,
}

impl Cc {
    /// The protocol, if the firmware has it.
    ///
    /// # Errors
    ///
    /// The firmware's, if the protocol is there and cannot be used; `UNSUPPORTED` if it is not that
    /// of a TDX machine with SHA-384.
    pub fn open() -> Result<Option<Self>> {
        let Ok(handle) = boot::get_handle_for_protocol::<CcMeasurement>() else { return Ok(None) };
        let mut protocol = boot::open_protocol_exclusive::<CcMeasurement>(handle)?;
        let (capabilities, map) = (protocol.0.get_capability, protocol.0.map_pcr_to_mr_index);
        let raw = &raw mut protocol.0;
        let mut capability =
            Capability { size: size_of::<Capability>() as u8, ..Capability::default() };
        // SAFETY: `raw` is the firmware's own interface, opened exclusively; it writes at most
        // `capability.size` bytes to `capability`.
        unsafe { capabilities(raw, &raw mut capability) }.to_result()?;
        let mut index = CcMrIndex(0);
        // SAFETY: as above; it writes one number to `index`.
        unsafe { map(raw, tcg2::PCR.0, &raw mut index.0) }.to_result()?;
        let tdx = capability.cc_type[0] == TYPE_TDX && capability.hash_algorithms & SHA384 != 0;
        let name = index.rtmr().filter(|_| tdx).ok_or(Error::from(Status::UNSUPPORTED))?;
        Ok(Some(Self { protocol, index, name }))
    }
}

impl Firmware for Cc {
    const PROVIDER: &'static str = "tdx";

    fn register(&self) -> &'static str {
        self.name
    }

    fn banks(&self) -> Banks {
        Banks::one(Algorithm::Sha384)
    }

    /// The protocol reads no register, so this is the value to which the firmware's own log leads.
    /// If that is not the register's, no verifier will accept the log that captures it: an error
    /// here cannot make a machine look better than it is.
    fn value(&mut self, bank: Algorithm) -> Result<Digest> {
        let log = self.protocol.0.get_event_log;
        let raw = &raw mut self.protocol.0;
        let (mut start, mut last, mut truncated) = (0, 0, 0);
        // SAFETY: `raw` is the firmware's own interface; it writes one value to each place.
        let status =
            unsafe { log(raw, FORMAT_TCG_2, &raw mut start, &raw mut last, &raw mut truncated) };
        status.to_result()?;
        if bank != Algorithm::Sha384 || truncated != 0 || start == 0 || last < start {
            return Err(Status::UNSUPPORTED.into());
        }
        // SAFETY: the firmware says that its log lies there, and nothing extends while this runs.
        unsafe { replay(start as usize, last as usize, self.index) }
            .ok_or(Error::from(Status::COMPROMISED_DATA))
    }

    fn hash_log_extend(&mut self, data: &[u8]) -> Result<()> {
        let mut buffer = [0; EVENT_HEADER + DATA];
        let event =
            event(&mut buffer, self.index, data).ok_or(Error::from(Status::BAD_BUFFER_SIZE))?;
        let extend = self.protocol.0.hash_log_extend_event;
        let raw = &raw mut self.protocol.0;
        let address = data.as_ptr().expose_provenance() as u64;
        // SAFETY: `raw` is the firmware's own interface; it reads `data` and the event, whose first
        // field is its size, and keeps neither. UEFI maps memory to itself, so the address is the
        // physical one.
        let status = unsafe { extend(raw, 0, address, data.len() as u64, event.as_ptr().cast()) };
        status.to_result()
    }
}

/// EFI_CC_EVENT, byte-packed: size u32, header {size u32 = 14, version u16 = 1, register u32, type
/// u32}, data.
fn event<'b>(buffer: &'b mut [u8], index: CcMrIndex, data: &[u8]) -> Option<&'b [u8]> {
    let size = EVENT_HEADER.checked_add(data.len())?;
    let event = buffer.get_mut(..size)?;
    let (header, rest) = event.split_at_mut_checked(EVENT_HEADER)?;
    header[..4].copy_from_slice(&u32::try_from(size).ok()?.to_le_bytes());
    header[4..8].copy_from_slice(&14_u32.to_le_bytes());
    header[8..10].copy_from_slice(&1_u16.to_le_bytes());
    header[10..14].copy_from_slice(&index.0.to_le_bytes());
    header[14..].copy_from_slice(&EV_IPL.to_le_bytes());
    rest.copy_from_slice(data);
    Some(event)
}

/// Value of a register after the events of a crypto-agile log (TCG PC Client Platform Firmware
/// Profile 1.06, 10.2) with SHA-384 digests only. `None` if it is anything else.
///
/// # Safety
///
/// The log must lie at `start`, its last event at `last`.
unsafe fn replay(start: usize, last: usize, index: CcMrIndex) -> Option<Digest> {
    // The first event is in the old form: register, type, 20 bytes, size, data.
    // SAFETY: the caller vouches for the log; its first event has a size at 28.
    let mut at = start.checked_add(32)?.checked_add(unsafe { read_u32(start + 28) } as usize)?;
    let mut value = Digest::zeros(Algorithm::Sha384);
    while at <= last {
        // SAFETY: an event begins at `at`, which is not behind the last: register, type, number of
        // digests; then here algorithm (u16), 48 bytes, size, data.
        let [register, kind, digests] = [0, 4, 8].map(|field| unsafe { read_u32(at + field) });
        // SAFETY: as above.
        let algorithm = unsafe { read_u32(at + 12) } & 0xFFFF;
        if digests != 1 || algorithm != u32::from(Algorithm::Sha384.tpm_id()) {
            return None;
        }
        // SAFETY: as above; one digest of 48 bytes follows.
        let digest: [u8; 48] = unsafe { ptr::with_exposed_provenance::<[u8; 48]>(at + 14).read() };
        if register == index.0 && kind != EV_NO_ACTION {
            value.extend(&Digest::from_bytes(Algorithm::Sha384, &digest)?).ok()?;
        }
        // SAFETY: as above; the size of the event's data.
        at = at.checked_add(66)?.checked_add(unsafe { read_u32(at + 62) } as usize)?;
    }
    Some(value)
}

/// # Safety
///
/// Four bytes must be readable there.
unsafe fn read_u32(address: usize) -> u32 {
    // SAFETY: the caller's promise; no alignment is needed.
    unsafe { ptr::with_exposed_provenance::<u32>(address).read_unaligned() }
}
