// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of a report.

use core::fmt;
use core::mem::offset_of;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::bits::{GuestPolicy, KeyInfo, PlatformInfo};
use super::chip::ChipId;
use super::generation::{Generation, Processor};
use super::tcb::TcbVersion;
use crate::bytes::is_zero;
use crate::error::{Error, ErrorKind};
use crate::privilege::Vmpl;

/// Bytes of a report, in every version.
pub const REPORT_SIZE: usize = 0x4A0;

/// A report as the firmware wrote it, not authenticated. A view: all bytes are kept.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Report {
    version: U32,
    guest_svn: U32,
    policy: U64,
    family_id: [u8; 16],
    image_id: [u8; 16],
    vmpl: U32,
    signature_algorithm: U32,
    current_tcb: [u8; 8],
    platform_info: U64,
    key_info: U32,
    reserved: U32,
    report_data: [u8; 64],
    measurement: [u8; 48],
    host_data: [u8; 32],
    id_key_digest: [u8; 48],
    author_key_digest: [u8; 48],
    report_id: [u8; 32],
    report_id_ma: [u8; 32],
    reported_tcb: [u8; 8],
    processor: [u8; 3],
    reserved_2: [u8; 21],
    chip_id: [u8; 64],
    committed_tcb: [u8; 8],
    current_build: u8,
    current_minor: u8,
    current_major: u8,
    reserved_3: u8,
    committed_build: u8,
    committed_minor: u8,
    committed_major: u8,
    reserved_4: u8,
    launch_tcb: [u8; 8],
    launch_mitigation_vector: U64,
    current_mitigation_vector: U64,
    reserved_5: [u8; 152],
    signature: Signature,
}

/// The signature: ECDSA P-384 over SHA-384 of [`Report::signed_bytes`].
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Signature {
    r: [u8; 72],
    s: [u8; 72],
    reserved: [u8; 368],
}

const _: () = {
    assert!(size_of::<Report>() == REPORT_SIZE);
    assert!(offset_of!(Report, policy) == 0x008);
    assert!(offset_of!(Report, family_id) == 0x010);
    assert!(offset_of!(Report, vmpl) == 0x030);
    assert!(offset_of!(Report, current_tcb) == 0x038);
    assert!(offset_of!(Report, platform_info) == 0x040);
    assert!(offset_of!(Report, key_info) == 0x048);
    assert!(offset_of!(Report, report_data) == 0x050);
    assert!(offset_of!(Report, measurement) == 0x090);
    assert!(offset_of!(Report, host_data) == 0x0C0);
    assert!(offset_of!(Report, id_key_digest) == 0x0E0);
    assert!(offset_of!(Report, author_key_digest) == 0x110);
    assert!(offset_of!(Report, report_id) == 0x140);
    assert!(offset_of!(Report, report_id_ma) == 0x160);
    assert!(offset_of!(Report, reported_tcb) == 0x180);
    assert!(offset_of!(Report, processor) == 0x188);
    assert!(offset_of!(Report, chip_id) == 0x1A0);
    assert!(offset_of!(Report, committed_tcb) == 0x1E0);
    assert!(offset_of!(Report, current_build) == 0x1E8);
    assert!(offset_of!(Report, committed_build) == 0x1EC);
    assert!(offset_of!(Report, launch_tcb) == 0x1F0);
    assert!(offset_of!(Report, launch_mitigation_vector) == 0x1F8);
    assert!(offset_of!(Report, current_mitigation_vector) == 0x200);
    assert!(offset_of!(Report, signature) == 0x2A0);
    assert!(offset_of!(Signature, s) == 72);
    assert!(offset_of!(Signature, reserved) == 0x330 - 0x2A0);
};

/// Which versions of a report are read. 2, 3 and 5 always are.
///
/// Version 4 exists in the field and its layout is not public; verifiers read it as version 3
/// (virtee/sev#307, google/go-sev-guest#158). That is an option here, and no default.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Versions {
    fourth: bool,
}

impl Versions {
    /// 2, 3 and 5.
    pub const KNOWN: Self = Self { fourth: false };
    /// Those, and 4 read as 3.
    pub const WITH_FOURTH: Self = Self { fourth: true };

    const fn contains(self, version: u32) -> bool {
        matches!(version, 2 | 3 | 5) || (version == 4 && self.fourth)
    }
}

impl Report {
    /// Its size in bytes.
    pub const SIZE: usize = REPORT_SIZE;

    /// The report in `bytes`, which must be just that.
    ///
    /// Bits and bytes that are reserved do not make it fail, since firmware gains new ones without
    /// a new version; they are [`findings`](Self::findings), and [`check_reserved`] is for those who
    /// refuse them.
    ///
    /// [`check_reserved`]: Self::check_reserved
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Truncated`], [`ErrorKind::Size`] if there are more bytes,
    /// [`ErrorKind::Version`].
    pub fn parse(bytes: &[u8], versions: Versions) -> Result<&Self, Error> {
        if bytes.len() < REPORT_SIZE {
            return Err(Error::at(ErrorKind::Truncated, bytes.len()));
        }
        let whole = Self::ref_from_bytes(bytes);
        let report = whole.map_err(|_| Error::at(ErrorKind::Size, REPORT_SIZE))?;
        if !versions.contains(report.version()) {
            return Err(Error::at(ErrorKind::Version(report.version()), 0));
        }
        Ok(report)
    }

    /// The report in so many bytes, whatever its version.
    pub(crate) fn of(bytes: &[u8; REPORT_SIZE]) -> &Self {
        zerocopy::transmute_ref!(bytes)
    }

    /// All bytes as they came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        IntoBytes::as_bytes(self)
    }

    /// What the signature is over: the bytes before it, as they came.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8] {
        self.as_bytes().get(..offset_of!(Self, signature)).unwrap_or_default()
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The version of the report's layout.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version.get()
    }

    /// The guest's security version, from its ID block.
    #[must_use]
    pub const fn guest_svn(&self) -> u32 {
        self.guest_svn.get()
    }

    /// The policy that the guest was launched with.
    #[must_use]
    pub const fn policy(&self) -> GuestPolicy {
        GuestPolicy(self.policy.get())
    }

    /// FAMILY_ID of the ID block.
    #[must_use]
    pub const fn family_id(&self) -> &[u8; 16] {
        &self.family_id
    }

    /// IMAGE_ID of the ID block.
    #[must_use]
    pub const fn image_id(&self) -> &[u8; 16] {
        &self.image_id
    }

    /// The privilege level that was asked for, as it stands there. [`Self::HOST`] if the host
    /// asked.
    #[must_use]
    pub const fn vmpl(&self) -> u32 {
        self.vmpl.get()
    }

    /// The privilege level; `None` if the host asked for the report, or if it is none.
    #[must_use]
    pub const fn guest_vmpl(&self) -> Option<Vmpl> {
        Vmpl::new(self.vmpl())
    }

    /// [`vmpl`](Self::vmpl) of a report that the host asked for; REPORT_DATA is zero then.
    pub const HOST: u32 = 0xFFFF_FFFF;

    /// The signature's algorithm.
    #[must_use]
    pub const fn signature_algorithm(&self) -> u32 {
        self.signature_algorithm.get()
    }

    /// [`signature_algorithm`](Self::signature_algorithm) of ECDSA P-384 with SHA-384, the only one.
    pub const ECDSA_P384_SHA384: u32 = 1;

    /// CURRENT_TCB: what runs.
    #[must_use]
    pub const fn current_tcb(&self) -> TcbVersion {
        TcbVersion(self.current_tcb)
    }

    /// PLATFORM_INFO.
    #[must_use]
    pub const fn platform_info(&self) -> PlatformInfo {
        PlatformInfo(self.platform_info.get())
    }

    /// Which key signed, and whether there is an author key.
    #[must_use]
    pub const fn key_info(&self) -> KeyInfo {
        KeyInfo(self.key_info.get())
    }

    /// REPORT_DATA: 64 bytes of the one who asked.
    #[must_use]
    pub const fn report_data(&self) -> &[u8; 64] {
        &self.report_data
    }

    /// The launch measurement, SHA-384.
    #[must_use]
    pub const fn measurement(&self) -> &[u8; 48] {
        &self.measurement
    }

    /// HOST_DATA: 32 bytes that the host chose at launch.
    #[must_use]
    pub const fn host_data(&self) -> &[u8; 32] {
        &self.host_data
    }

    /// SHA-384 of the key that signed the ID block.
    #[must_use]
    pub const fn id_key_digest(&self) -> &[u8; 48] {
        &self.id_key_digest
    }

    /// SHA-384 of the key that certified the ID key.
    #[must_use]
    pub const fn author_key_digest(&self) -> &[u8; 48] {
        &self.author_key_digest
    }

    /// REPORT_ID: the same in all reports of one run of a guest.
    #[must_use]
    pub const fn report_id(&self) -> &[u8; 32] {
        &self.report_id
    }

    /// REPORT_ID of the guest's migration agent; all ones without one.
    #[must_use]
    pub const fn report_id_ma(&self) -> &[u8; 32] {
        &self.report_id_ma
    }

    /// REPORTED_TCB: what the endorsement key is derived from.
    #[must_use]
    pub const fn reported_tcb(&self) -> TcbVersion {
        TcbVersion(self.reported_tcb)
    }

    /// The processor; `None` before version 3, which does not say.
    #[must_use]
    pub const fn processor(&self) -> Option<Processor> {
        let [family, model, stepping] = self.processor;
        match self.version() {
            0..=2 => None,
            _ => Some(Processor { family, model, stepping }),
        }
    }

    /// The generation, which says how TCB versions are to be read; `None` if the report does not
    /// say (version 2) or the processor is not known. Then only the issuer of the endorsement
    /// certificate tells ([`Generation::of_certificate`]).
    ///
    /// Never from the report's version: Turin firmware has made reports of version 2, and Genoa
    /// firmware makes reports of version 5.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        self.processor()?.generation()
    }

    /// CHIP_ID; zero where the platform hides it.
    #[must_use]
    pub const fn chip_id(&self) -> ChipId {
        ChipId(self.chip_id)
    }

    /// COMMITTED_TCB: the platform cannot go back behind it.
    #[must_use]
    pub const fn committed_tcb(&self) -> TcbVersion {
        TcbVersion(self.committed_tcb)
    }

    /// The running firmware: major, minor, build.
    #[must_use]
    pub const fn current_firmware(&self) -> (u8, u8, u8) {
        (self.current_major, self.current_minor, self.current_build)
    }

    /// The committed firmware: major, minor, build.
    #[must_use]
    pub const fn committed_firmware(&self) -> (u8, u8, u8) {
        (self.committed_major, self.committed_minor, self.committed_build)
    }

    /// LAUNCH_TCB: CURRENT_TCB when the guest was launched or imported.
    #[must_use]
    pub const fn launch_tcb(&self) -> TcbVersion {
        TcbVersion(self.launch_tcb)
    }

    /// Mitigations in force at launch; `None` before version 5. To be compared by mask.
    #[must_use]
    pub const fn launch_mitigation_vector(&self) -> Option<u64> {
        match self.version() {
            0..=4 => None,
            _ => Some(self.launch_mitigation_vector.get()),
        }
    }

    /// Mitigations in force now; `None` before version 5. To be compared by mask.
    #[must_use]
    pub const fn current_mitigation_vector(&self) -> Option<u64> {
        match self.version() {
            0..=4 => None,
            _ => Some(self.current_mitigation_vector.get()),
        }
    }

    /// Refuses reserved bytes that are not zero, among them those of the signature, whose encoding
    /// would not be unique otherwise. Every report seen so far passes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Reserved`] with the first such byte.
    pub fn check_reserved(&self) -> Result<(), Error> {
        match self.reserved_byte() {
            Some(offset) => Err(Error::at(ErrorKind::Reserved, offset)),
            None => Ok(()),
        }
    }

    /// The first byte that is not zero and should be, for the report's version.
    pub(super) fn reserved_byte(&self) -> Option<usize> {
        let processor = if self.version() <= 2 { 0x188 } else { 0x18B };
        let vectors = if self.version() <= 4 { 0x1F8 } else { 0x208 };
        let ranges = [
            0x04C..0x050,
            processor..0x1A0,
            0x1EB..0x1EC,
            0x1EF..0x1F0,
            vectors..0x2A0,
            0x2A0 + 48..0x2E8,
            0x2E8 + 48..0x330,
            0x330..0x4A0,
        ];
        let bytes = self.as_bytes();
        ranges.into_iter().find_map(|range| {
            let start = range.start;
            let at = bytes.get(range)?.iter().position(|&byte| byte != 0)?;
            Some(at.saturating_add(start))
        })
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("version", &self.version())
            .field("vmpl", &self.vmpl())
            .finish_non_exhaustive()
    }
}

/// Offsets in bytes of fields, for software that makes reports.
impl Report {
    /// Of `guest_svn`.
    pub const GUEST_SVN: usize = offset_of!(Self, guest_svn);
    /// Of `policy`.
    pub const POLICY: usize = offset_of!(Self, policy);
    /// Of `family_id`.
    pub const FAMILY_ID: usize = offset_of!(Self, family_id);
    /// Of `image_id`.
    pub const IMAGE_ID: usize = offset_of!(Self, image_id);
    /// Of `vmpl`.
    pub const VMPL: usize = offset_of!(Self, vmpl);
    /// Of `signature_algorithm`.
    pub const SIGNATURE_ALGORITHM: usize = offset_of!(Self, signature_algorithm);
    /// Of `current_tcb`.
    pub const CURRENT_TCB: usize = offset_of!(Self, current_tcb);
    /// Of `platform_info`.
    pub const PLATFORM_INFO: usize = offset_of!(Self, platform_info);
    /// Of `key_info`.
    pub const KEY_INFO: usize = offset_of!(Self, key_info);
    /// Of `report_data`.
    pub const REPORT_DATA: usize = offset_of!(Self, report_data);
    /// Of `measurement`.
    pub const MEASUREMENT: usize = offset_of!(Self, measurement);
    /// Of `host_data`.
    pub const HOST_DATA: usize = offset_of!(Self, host_data);
    /// Of `id_key_digest`.
    pub const ID_KEY_DIGEST: usize = offset_of!(Self, id_key_digest);
    /// Of `author_key_digest`.
    pub const AUTHOR_KEY_DIGEST: usize = offset_of!(Self, author_key_digest);
    /// Of `report_id`.
    pub const REPORT_ID: usize = offset_of!(Self, report_id);
    /// Of `report_id_ma`.
    pub const REPORT_ID_MA: usize = offset_of!(Self, report_id_ma);
    /// Of `reported_tcb`.
    pub const REPORTED_TCB: usize = offset_of!(Self, reported_tcb);
    /// Of `processor`.
    pub const PROCESSOR: usize = offset_of!(Self, processor);
    /// Of `chip_id`.
    pub const CHIP_ID: usize = offset_of!(Self, chip_id);
    /// Of `committed_tcb`.
    pub const COMMITTED_TCB: usize = offset_of!(Self, committed_tcb);
    /// Of `launch_tcb`.
    pub const LAUNCH_TCB: usize = offset_of!(Self, launch_tcb);
    /// Of `launch_mitigation_vector`.
    pub const LAUNCH_MITIGATION_VECTOR: usize = offset_of!(Self, launch_mitigation_vector);
    /// Of `current_mitigation_vector`.
    pub const CURRENT_MITIGATION_VECTOR: usize = offset_of!(Self, current_mitigation_vector);
    /// Of `signature`.
    pub const SIGNATURE: usize = offset_of!(Self, signature);
}

impl Signature {
    /// R, most significant byte first; `None` if it has more than 48 bytes.
    #[must_use]
    pub fn r(&self) -> Option<[u8; 48]> {
        big_endian(&self.r)
    }

    /// S, most significant byte first; `None` if it has more than 48 bytes. It may be above half of
    /// the group's order: firmware does not normalise it.
    #[must_use]
    pub fn s(&self) -> Option<[u8; 48]> {
        big_endian(&self.s)
    }
}

fn big_endian(number: &[u8; 72]) -> Option<[u8; 48]> {
    let (low, high) = number.split_first_chunk::<48>()?;
    if !is_zero(high) {
        return None;
    }
    let mut turned = *low;
    turned.reverse();
    Some(turned)
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature")
    }
}
