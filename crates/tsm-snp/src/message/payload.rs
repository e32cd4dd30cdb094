// SPDX-License-Identifier: MIT OR Apache-2.0
//! Payloads: what is asked, and what is answered.

use core::fmt;
use core::ops::BitOr;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};
use zeroize::Zeroize;

use super::header::MessageType;
use crate::error::{Error, ErrorKind};
use crate::privilege::Vmpl;
use crate::report::REPORT_SIZE;
use crate::status::MessageStatus;

/// Bytes of the largest request of this crate, that for the TSC.
pub(crate) const MAX_REQUEST: usize = 128;
/// Bytes of the largest response, a report's.
pub(crate) const MAX_RESPONSE: usize = size_of::<ReportResponse>();

/// A request of this crate, as the messages carry it.
pub(crate) trait Payload: IntoBytes + Immutable {
    /// What it is.
    const TYPE: MessageType;
    /// Bytes of the response.
    const RESPONSE: u16;

    /// The version of its structure.
    fn version(&self) -> u8 {
        1
    }

    /// The bytes that are sent.
    fn sent(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// MSG_REPORT_REQ: asks for a report.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct ReportRequest {
    report_data: [u8; 64],
    vmpl: U32,
    flags: U32,
    reserved: [u8; 24],
}

impl ReportRequest {
    /// For a report of the privilege level `vmpl`, which the key's must not be below, with 64 bytes
    /// of the caller's, signed with whatever key the platform has.
    #[must_use]
    pub const fn new(report_data: [u8; 64], vmpl: Vmpl) -> Self {
        Self {
            report_data,
            vmpl: U32::from_bytes([vmpl.number(), 0, 0, 0]),
            flags: U32::new(0),
            reserved: [0; 24],
        }
    }

    /// The same, signed with this key.
    #[must_use]
    pub const fn signed_with(mut self, selection: KeySelection) -> Self {
        self.flags = U32::new(selection.bits());
        self
    }

    /// The caller's 64 bytes.
    #[must_use]
    pub const fn report_data(&self) -> &[u8; 64] {
        &self.report_data
    }

    /// The privilege level, as a number.
    #[must_use]
    pub const fn vmpl(&self) -> u32 {
        self.vmpl.get()
    }

    /// Which key is to sign.
    #[must_use]
    pub const fn selection(&self) -> u32 {
        self.flags.get()
    }
}

impl Payload for ReportRequest {
    const TYPE: MessageType = MessageType::REPORT_REQUEST;
    const RESPONSE: u16 = 0x4C0;
}

/// Which key signs a report.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum KeySelection {
    /// The VLEK if the platform has one, else the VCEK.
    #[default]
    Any,
    /// The chip's own key.
    Vcek,
    /// The cloud provider's key.
    Vlek,
}

impl KeySelection {
    const fn bits(self) -> u32 {
        match self {
            Self::Any => 0,
            Self::Vcek => 1,
            Self::Vlek => 2,
        }
    }
}

/// MSG_REPORT_RSP.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct ReportResponse {
    status: U32,
    report_size: U32,
    reserved: [u8; 24],
    report: [u8; REPORT_SIZE],
}

const _: () = {
    assert!(size_of::<ReportRequest>() == 96);
    assert!(MAX_RESPONSE == 0x4C0);
    assert!(core::mem::offset_of!(ReportResponse, report) == 0x20);
};

/// The report in a decrypted response, if the firmware gave one of the right size.
pub(crate) fn report_of(payload: &[u8]) -> Result<&[u8; REPORT_SIZE], Error> {
    let response =
        ReportResponse::ref_from_bytes(payload).map_err(|_| Error::new(ErrorKind::Size))?;
    granted(response.status)?;
    let size = usize::try_from(response.report_size.get()).unwrap_or(usize::MAX);
    if size != REPORT_SIZE {
        return Err(Error::at(ErrorKind::NotAsAsked, 4));
    }
    Ok(&response.report)
}

fn granted(status: U32) -> Result<(), Error> {
    match MessageStatus(status.get()) {
        MessageStatus::SUCCESS => Ok(()),
        status => Err(Error::new(ErrorKind::Message(status))),
    }
}

/// MSG_KEY_REQ: asks for a key that the firmware derives from its own and from what the guest is.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct KeyRequest {
    key_select: U32,
    reserved: U32,
    fields: U64,
    vmpl: U32,
    guest_svn: U32,
    tcb_version: U64,
    launch_mitigation_vector: U64,
}

const _: () = assert!(size_of::<KeyRequest>() == 40);

impl KeyRequest {
    /// For a key of the privilege level `vmpl`, derived from `root` and from these fields of the
    /// guest.
    #[must_use]
    pub const fn new(root: RootKey, fields: GuestFields, vmpl: Vmpl) -> Self {
        Self {
            key_select: U32::new(match root {
                RootKey::Endorsement(selection) => selection.bits() << 1,
                RootKey::Migration => 1,
            }),
            reserved: U32::new(0),
            fields: U64::new(fields.0),
            vmpl: U32::from_bytes([vmpl.number(), 0, 0, 0]),
            guest_svn: U32::new(0),
            tcb_version: U64::new(0),
            launch_mitigation_vector: U64::new(0),
        }
    }

    /// With a guest SVN, at most that of the ID block.
    #[must_use]
    pub const fn guest_svn(mut self, number: u32) -> Self {
        self.guest_svn = U32::new(number);
        self
    }

    /// With a TCB version, no component above COMMITTED_TCB.
    #[must_use]
    pub const fn tcb_version(mut self, version: u64) -> Self {
        self.tcb_version = U64::new(version);
        self
    }

    /// With a launch mitigation vector. Makes it a message of version 2.
    #[must_use]
    pub const fn launch_mitigation_vector(mut self, vector: u64) -> Self {
        self.launch_mitigation_vector = U64::new(vector);
        self.fields = U64::new(self.fields.get() | GuestFields::LAUNCH_MITIGATION_VECTOR.0);
        self
    }

    const fn is_newer(&self) -> bool {
        self.fields.get() & GuestFields::LAUNCH_MITIGATION_VECTOR.0 != 0
    }
}

impl Payload for KeyRequest {
    const TYPE: MessageType = MessageType::KEY_REQUEST;
    const RESPONSE: u16 = 64;

    fn version(&self) -> u8 {
        if self.is_newer() { 2 } else { 1 }
    }

    /// Without the last field in version 1.
    fn sent(&self) -> &[u8] {
        let size = if self.is_newer() { 40 } else { 32 };
        self.as_bytes().get(..size).unwrap_or_default()
    }
}

/// What a derived key is derived from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RootKey {
    /// The endorsement key.
    Endorsement(KeySelection),
    /// The VM root key that a migration agent gave.
    Migration,
}

/// What of the guest goes into a derived key. A set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct GuestFields(u64);

impl GuestFields {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The guest's policy.
    pub const POLICY: Self = Self(1);
    /// The image id.
    pub const IMAGE_ID: Self = Self(1 << 1);
    /// The family id.
    pub const FAMILY_ID: Self = Self(1 << 2);
    /// The launch measurement.
    pub const MEASUREMENT: Self = Self(1 << 3);
    /// The guest SVN of the request.
    pub const GUEST_SVN: Self = Self(1 << 4);
    /// The TCB version of the request.
    pub const TCB_VERSION: Self = Self(1 << 5);
    /// The launch mitigation vector of the request; see
    /// [`KeyRequest::launch_mitigation_vector`], which sets it.
    const LAUNCH_MITIGATION_VECTOR: Self = Self(1 << 6);
}

impl BitOr for GuestFields {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A derived key: 32 bytes, erased when dropped. It does not print.
pub struct DerivedKey([u8; 32]);

impl DerivedKey {
    /// From a decrypted response.
    pub(crate) fn of(payload: &[u8]) -> Result<Self, Error> {
        #[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        struct Response {
            status: U32,
            reserved: [u8; 28],
            key: [u8; 32],
        }
        let response =
            Response::ref_from_bytes(payload).map_err(|_| Error::new(ErrorKind::Size))?;
        granted(response.status)?;
        Ok(Self(response.key))
    }

    /// The key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for DerivedKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey")
    }
}

/// MSG_TSC_INFO_REQ: zeros.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct TscInfoRequest([u8; MAX_REQUEST]);

impl TscInfoRequest {
    pub(crate) const ZEROS: &'static Self = &Self([0; MAX_REQUEST]);
}

impl Payload for TscInfoRequest {
    const TYPE: MessageType = MessageType::TSC_INFO_REQUEST;
    const RESPONSE: u16 = 128;
}

/// How the secure TSC runs (Linux `arch/x86/include/asm/sev.h`, `snp_tsc_info_resp`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TscInfo {
    /// GUEST_TSC_SCALE.
    pub scale: u64,
    /// GUEST_TSC_OFFSET.
    pub offset: u64,
    /// TSC_FACTOR.
    pub factor: u32,
}

impl TscInfo {
    /// From a decrypted response.
    pub(crate) fn of(payload: &[u8]) -> Result<Self, Error> {
        #[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        struct Response {
            status: U32,
            reserved: U32,
            scale: U64,
            offset: U64,
            factor: U32,
            reserved_2: [u8; 100],
        }
        const _: () = assert!(size_of::<Response>() == 128);
        let response =
            Response::ref_from_bytes(payload).map_err(|_| Error::new(ErrorKind::Size))?;
        granted(response.status)?;
        Ok(Self {
            scale: response.scale.get(),
            offset: response.offset.get(),
            factor: response.factor.get(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets as Linux's and oak's structures have them.
    #[test]
    fn bytes_of_requests() {
        let request = ReportRequest::new([7; 64], Vmpl::VMPL2).signed_with(KeySelection::Vlek);
        let bytes = request.sent();
        assert_eq!((bytes.len(), bytes[0x40], bytes[0x44]), (96, 2, 2));
        assert!(bytes[..0x40].iter().all(|&b| b == 7) && bytes[0x48..].iter().all(|&b| b == 0));

        let fields = GuestFields::POLICY | GuestFields::MEASUREMENT;
        let request =
            KeyRequest::new(RootKey::Endorsement(KeySelection::Vcek), fields, Vmpl::VMPL1)
                .guest_svn(9)
                .tcb_version(0x0102);
        let bytes = request.sent();
        assert_eq!((bytes.len(), request.version()), (32, 1));
        assert_eq!((bytes[0], bytes[8], bytes[0x10], bytes[0x14]), (2, 0b1001, 1, 9));
        assert_eq!(bytes[0x18..0x1A], [2, 1]);
        let request = request.launch_mitigation_vector(5);
        assert_eq!((request.sent().len(), request.version()), (40, 2));
        assert_eq!((request.sent()[8], request.sent()[0x20]), (0b100_1001, 5));
        let root = KeyRequest::new(RootKey::Migration, GuestFields::NONE, Vmpl::VMPL0);
        assert_eq!(root.sent()[0], 1);
    }

    #[test]
    fn refusals() {
        let mut payload = [0; MAX_RESPONSE];
        payload[0] = 0x16;
        let kind = report_of(&payload).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::Message(MessageStatus::INVALID_PARAMETERS));
        payload[..6].copy_from_slice(&[0, 0, 0, 0, 0xA0, 4]);
        assert!(report_of(&payload).is_ok());
        payload[4] = 0xA1;
        assert_eq!(report_of(&payload).unwrap_err().kind(), ErrorKind::NotAsAsked);
        assert_eq!(DerivedKey::of(&[0; 63]).unwrap_err().kind(), ErrorKind::Size);
        assert_eq!(DerivedKey::of(&[0; 64]).unwrap().as_bytes(), &[0; 32]);
    }
}
