// SPDX-License-Identifier: MIT OR Apache-2.0
//! The secrets page, and the keys that come from it.
//!
//! Source: SEV-SNP firmware ABI (56860), secrets page, as coconut-svsm `kernel/src/sev/secrets_page.rs`
//! and Linux `arch/x86/include/asm/sev.h` (`snp_secrets_page`) have it. The counters in it are a
//! convention of software (GHCB specification): with them firmware, boot loader and kernels that follow
//! each other go on with one series.

use core::fmt;
use core::mem::offset_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};
use zeroize::Zeroize;

use crate::address::PAGE;
use crate::bytes::is_zero;
use crate::error::{Error, ErrorKind};
use crate::privilege::{VmpckIndex, Vmpl};

/// The page, 4096 bytes in private memory that the firmware filled when the guest was launched.
///
/// It holds keys: it does not print, is not cloned, and what is made of it is erased.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SecretsPage {
    version: U32,
    flags: U32,
    processor: U32,
    reserved: U32,
    gosvw: [u8; 16],
    keys: [[u8; 32]; 4],
    counters_low: [U32; 4],
    ap_jump_table: U64,
    counters_high: [U32; 4],
    reserved_2: [u8; 22],
    os_area_version: U16,
    guest_usage: [u8; 32],
    vmsa_tweak_bitmap: [u8; 64],
    svsm_base: U64,
    svsm_size: U64,
    svsm_calling_area: U64,
    svsm_max_version: U32,
    svsm_guest_vmpl: u8,
    reserved_3: [u8; 3],
    tsc_factor: U32,
    reserved_4: [u8; 4],
    launch_mitigation_vector: U64,
    rest: [u8; 3728],
}

const _: () = {
    assert!(size_of::<SecretsPage>() == PAGE);
    assert!(offset_of!(SecretsPage, gosvw) == 0x010);
    assert!(offset_of!(SecretsPage, keys) == 0x020);
    assert!(offset_of!(SecretsPage, counters_low) == 0x0A0);
    assert!(offset_of!(SecretsPage, ap_jump_table) == 0x0B0);
    assert!(offset_of!(SecretsPage, counters_high) == 0x0B8);
    assert!(offset_of!(SecretsPage, os_area_version) == 0x0DE);
    assert!(offset_of!(SecretsPage, guest_usage) == 0x0E0);
    assert!(offset_of!(SecretsPage, vmsa_tweak_bitmap) == 0x100);
    assert!(offset_of!(SecretsPage, svsm_base) == 0x140);
    assert!(offset_of!(SecretsPage, svsm_size) == 0x148);
    assert!(offset_of!(SecretsPage, svsm_calling_area) == 0x150);
    assert!(offset_of!(SecretsPage, svsm_max_version) == 0x158);
    assert!(offset_of!(SecretsPage, svsm_guest_vmpl) == 0x15C);
    assert!(offset_of!(SecretsPage, tsc_factor) == 0x160);
    assert!(offset_of!(SecretsPage, launch_mitigation_vector) == 0x168);
};

impl SecretsPage {
    /// The page in these bytes.
    #[must_use]
    pub fn of(bytes: &mut [u8; PAGE]) -> &mut Self {
        zerocopy::transmute_mut!(bytes)
    }

    /// The version of the page; 2 at least.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version.get()
    }

    /// Family, model and stepping as CPUID function 1 has them in EAX.
    #[must_use]
    pub const fn processor(&self) -> u32 {
        self.processor.get()
    }

    /// The TSC factor: the guest's frequency differs from the nominal one by so many parts in
    /// 100,000 (AMD APM volume 2, secure TSC; my reading).
    #[must_use]
    pub const fn tsc_factor(&self) -> u32 {
        self.tsc_factor.get()
    }

    /// Mitigations in force at launch; zero where the firmware does not know the field.
    #[must_use]
    pub const fn launch_mitigation_vector(&self) -> u64 {
        self.launch_mitigation_vector.get()
    }

    /// The SVSM that an SVSM told the guest of; `None` if there is none.
    #[must_use]
    pub fn svsm(&self) -> Option<Svsm> {
        let vmpl = Vmpl::new(u32::from(self.svsm_guest_vmpl))?;
        (self.svsm_size.get() != 0).then_some(Svsm {
            base: self.svsm_base.get(),
            size: self.svsm_size.get(),
            calling_area: self.svsm_calling_area.get(),
            max_version: self.svsm_max_version.get(),
            guest_vmpl: vmpl,
        })
    }

    /// Takes a key out of the page: it is erased there, so that there is one holder and one counter.
    ///
    /// Other software that still uses the key (a firmware's runtime, another driver) must be over.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SecretsVersion`]; [`ErrorKind::NoKey`] if the key is all zero (taken, or
    /// withheld by a higher privilege level) or all ones (withheld, by oak's stage0);
    /// [`ErrorKind::Counter`] if the counter is odd.
    pub fn take(&mut self, index: VmpckIndex) -> Result<Vmpck, Error> {
        if self.version() < 2 {
            return Err(Error::new(ErrorKind::SecretsVersion(self.version())));
        }
        let counter = self.counter(index);
        let no_key = Error::at(ErrorKind::NoKey, key_offset(index));
        let key = self.keys.get_mut(index.place()).ok_or(no_key)?;
        if is_zero(key) || key.iter().all(|&byte| byte == 0xFF) {
            return Err(no_key);
        }
        if counter & 1 == 1 {
            return Err(Error::new(ErrorKind::Counter));
        }
        let taken = Vmpck { index, counter, key: *key };
        key.zeroize();
        Ok(taken)
    }

    /// Puts a key back, with its counter, for the software that comes next.
    pub fn put_back(&mut self, key: Vmpck) {
        let [a, b, c, d, e, f, g, h] = key.counter.to_le_bytes();
        let place = key.index.place();
        if let Some(low) = self.counters_low.get_mut(place) {
            *low = U32::from_bytes([a, b, c, d]);
        }
        if let Some(high) = self.counters_high.get_mut(place) {
            *high = U32::from_bytes([e, f, g, h]);
        }
        if key.counter >> 32 != 0 {
            // Says that the high halves mean something (GHCB specification 2.01).
            self.os_area_version = U16::new(1);
        }
        if let Some(slot) = self.keys.get_mut(place) {
            *slot = key.key;
        }
        drop(key);
    }

    /// Erases the keys that software at `vmpl` must not have, those of more privileged levels. An
    /// SVSM does this to the copy that it hands down.
    pub fn withhold_from(&mut self, vmpl: Vmpl) {
        let above = VmpckIndex::ALL.iter().filter(|index| index.vmpl() < vmpl);
        for index in above {
            if let Some(key) = self.keys.get_mut(index.place()) {
                key.zeroize();
            }
        }
    }

    /// The number of the last message of this key, both halves.
    fn counter(&self, index: VmpckIndex) -> u64 {
        let half = |halves: &[U32; 4]| halves.get(index.place()).map_or(0, |half| half.get());
        let high = match self.os_area_version.get() {
            0 => 0,
            _ => half(&self.counters_high),
        };
        u64::from(high) << 32 | u64::from(half(&self.counters_low))
    }
}

impl Drop for SecretsPage {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

fn key_offset(index: VmpckIndex) -> usize {
    index.place().wrapping_mul(32).wrapping_add(offset_of!(SecretsPage, keys))
}

impl fmt::Debug for SecretsPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsPage").field("version", &self.version()).finish_non_exhaustive()
    }
}

/// Where a guest's SVSM is, as the SVSM wrote it into the guest's copy of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Svsm {
    /// Guest-physical address of its memory.
    pub base: u64,
    /// Bytes of its memory.
    pub size: u64,
    /// Guest-physical address of the first processor's calling area.
    pub calling_area: u64,
    /// The highest version of the protocol.
    pub max_version: u32,
    /// The level that the guest runs at.
    pub guest_vmpl: Vmpl,
}

/// A VM platform communication key with the number of the last message under it.
///
/// There is one value for each key: it comes out of the secrets page, goes into
/// [`GuestMessages`](crate::GuestMessages), and perhaps back. It is erased when dropped. When it is
/// moved, the compiler may leave a copy behind on the stack: move it early, to where it stays.
pub struct Vmpck {
    index: VmpckIndex,
    /// Even. The next request has the next number.
    counter: u64,
    key: [u8; 32],
}

impl Vmpck {
    /// A key that has not been used. For software in place of the firmware, which makes keys;
    /// `key` is erased.
    #[must_use]
    pub fn unused(index: VmpckIndex, key: &mut [u8; 32]) -> Self {
        let taken = Self { index, counter: 0, key: *key };
        key.zeroize();
        taken
    }

    /// Which of the four.
    #[must_use]
    pub const fn index(&self) -> VmpckIndex {
        self.index
    }

    /// The number of the last message, zero if there was none.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    pub(crate) const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// After a complete exchange.
    pub(crate) const fn advance_to(&mut self, response: u64) {
        self.counter = response;
    }
}

impl Drop for Vmpck {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for Vmpck {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after message {}", self.index, self.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Box<[u8; PAGE]> {
        let mut bytes = Box::new([0; PAGE]);
        bytes[0] = 3;
        for key in 0..4 {
            bytes[0x20 + 32 * key..][..32].fill(0x11 * (key as u8 + 1));
        }
        bytes
    }

    #[test]
    fn a_key_is_there_once() {
        let mut bytes = page();
        bytes[0xA8..0xAC].copy_from_slice(&6_u32.to_le_bytes());
        let page = SecretsPage::of(&mut bytes);
        let key = page.take(VmpckIndex::ALL[2]).unwrap();
        assert_eq!((key.counter(), key.key()), (6, &[0x33; 32]));
        assert_eq!(format!("{key:?}"), "VMPCK2 after message 6");
        let gone = page.take(VmpckIndex::ALL[2]).unwrap_err();
        assert_eq!((gone.kind(), gone.offset()), (ErrorKind::NoKey, Some(0x60)));
        page.put_back(key);
        assert_eq!(bytes[0x60..0x80], [0x33; 32]);
        assert_eq!(bytes[0xA8..0xAC], 6_u32.to_le_bytes());
    }

    #[test]
    fn what_cannot_be_taken() {
        let mut bytes = page();
        bytes[0x40..0x60].fill(0xFF);
        bytes[0xA0] = 3;
        let page = SecretsPage::of(&mut bytes);
        let kind =
            |page: &mut SecretsPage, n: usize| page.take(VmpckIndex::ALL[n]).map_err(|e| e.kind());
        assert_eq!(kind(page, 1).unwrap_err(), ErrorKind::NoKey);
        assert_eq!(kind(page, 0).unwrap_err(), ErrorKind::Counter);
        page.version = U32::new(1);
        assert_eq!(kind(page, 3).unwrap_err(), ErrorKind::SecretsVersion(1));
    }

    /// The upper halves count only where the page's version says that they are there.
    #[test]
    fn counters_of_64_bits() {
        let mut bytes = page();
        bytes[0xB8] = 1;
        let key = SecretsPage::of(&mut bytes).take(VmpckIndex::ALL[0]).unwrap();
        assert_eq!(key.counter(), 0);
        let page = SecretsPage::of(&mut bytes);
        page.put_back(Vmpck { counter: 0x5_0000_0002, index: key.index, key: [7; 32] });
        assert_eq!(bytes[0xDE], 1);
        let key = SecretsPage::of(&mut bytes).take(VmpckIndex::ALL[0]).unwrap();
        assert_eq!(key.counter(), 0x5_0000_0002);
    }

    #[test]
    fn lower_levels_get_fewer_keys() {
        let mut bytes = page();
        SecretsPage::of(&mut bytes).withhold_from(Vmpl::VMPL2);
        assert_eq!(bytes[0x20..0x60], [0; 64]);
        assert!(bytes[0x60..0xA0].iter().all(|&byte| byte != 0));
    }

    #[test]
    fn an_svsm_is_told_of() {
        let mut bytes = page();
        assert_eq!(SecretsPage::of(&mut bytes).svsm(), None);
        bytes[0x149] = 0x10;
        bytes[0x15C] = 2;
        let svsm = SecretsPage::of(&mut bytes).svsm().unwrap();
        assert_eq!((svsm.size, svsm.guest_vmpl), (0x1000, Vmpl::VMPL2));
    }
}
