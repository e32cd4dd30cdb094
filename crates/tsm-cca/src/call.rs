// SPDX-License-Identifier: MIT OR Apache-2.0
//! An RSI call as a value: registers, and the buffer that an address register names.
//!
//! Only this crate makes a [`Call`], so each one's registers are as its function wants them, and its
//! buffer is borrowed while it lives. That is why [`Smc::call`] is safe to call and can be
//! implemented without `unsafe`: a monitor in software writes the buffer as a slice, the instruction
//! gets its intermediate physical address.

use tsm_core::Digest;
use tsm_core::index::RemIndex;

use crate::address::{GuestPhysical, SharedBit};
use crate::buffer::{Challenge, Granule, HostCall};
use crate::bytes::copy;
use crate::error::{Error, ErrorKind};
use crate::function::{Function, Version};
use crate::measurement::MeasurementIndex;
use crate::status::Status;

/// Something that answers RSI calls: the instruction (`Hardware`), a monitor in software, a
/// recording.
///
/// # For implementers
///
/// Answer what an RMM would: the registers after the call, the status in X0. The buffer of the call
/// ([`Call::operand`], [`Call::written`]) is the memory that X1 names. There is no need to check what a [`Call`]
/// cannot have wrong (alignment, sizes, indexes), but a monitor in software that also serves
/// instructions will. All calls of one [`Smc`] are made on one virtual processor.
///
/// # For users
///
/// Take [`Realm`](crate::Realm), which makes the calls, decodes and repeats.
pub trait Smc {
    /// Makes the call and returns the registers after it, the status in X0 among them.
    ///
    /// # Errors
    ///
    /// The call was not made: [`ErrorKind::Unmapped`], [`ErrorKind::Misaligned`] or
    /// [`ErrorKind::Shared`]. What the RMM has to say is not an error here.
    fn call(&mut self, call: Call<'_>) -> Result<Registers, Error>;
}

impl<T: Smc + ?Sized> Smc for &mut T {
    fn call(&mut self, call: Call<'_>) -> Result<Registers, Error> {
        T::call(self, call)
    }
}

/// The registers of a call, before or after it: X0 to X10.
///
/// No call of this crate has more. X11 to X17 are zero before the call; X18 and above are the
/// caller's (SMCCC 1.2, SMC64).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Registers {
    /// X0 to X10.
    pub x: [u64; 11],
}

impl Registers {
    /// X0 after a call.
    #[must_use]
    pub const fn status(&self) -> Status {
        let [x0, ..] = self.x;
        Status(x0)
    }

    /// X0 before a call.
    #[must_use]
    pub const fn function(&self) -> Function {
        let [x0, ..] = self.x;
        Function::of_register(x0)
    }

    /// X1 and X2.
    pub(crate) const fn pair(&self) -> (u64, u64) {
        let [_, x1, x2, ..] = self.x;
        (x1, x2)
    }

    /// X1 to X8 as memory, byte 0 the lowest of X1: as many bytes as `out` has.
    pub(crate) fn copy_value(&self, out: &mut [u8]) {
        let [_, words @ .., _, _] = &self.x;
        for (out, word) in out.chunks_mut(8).zip(words) {
            copy(&word.to_le_bytes(), out);
        }
    }
}

/// The buffer of a call. X1 holds its address.
#[derive(Debug)]
pub struct Operand<'b> {
    alignment: u16,
    memory: &'b mut [u8],
}

impl Operand<'_> {
    /// The alignment in bytes that the function demands; the buffer has it.
    #[must_use]
    pub fn alignment(&self) -> u64 {
        u64::from(self.alignment)
    }

    /// The memory as it is now.
    #[must_use]
    pub const fn memory(&self) -> &[u8] {
        self.memory
    }

    /// Virtual address and size in bytes. Whoever gets the address may use it: it is exposed.
    fn place(&mut self) -> (usize, usize) {
        (self.memory.as_mut_ptr().expose_provenance(), self.memory.len())
    }
}

/// An RSI call that is ready to be made. See the [module documentation](self).
#[derive(Debug)]
pub struct Call<'b> {
    /// As the function wants them; zero where an address belongs.
    registers: Registers,
    operand: Option<Operand<'b>>,
    /// An operand at an address with one of these bits is refused.
    refused: u64,
}

impl<'b> Call<'b> {
    /// `RSI_VERSION`. X1 is the revision that is asked for. Gives X1 and X2.
    #[must_use]
    pub const fn version(requested: Version) -> Self {
        Self::new(Function::VERSION, requested.0)
    }

    /// `RSI_FEATURES`. X1 is the feature register. Gives X1.
    #[must_use]
    pub const fn features(index: u64) -> Self {
        Self::new(Function::FEATURES, index)
    }

    /// `RSI_MEASUREMENT_READ`. X1 is the index. Gives X1 to X8, of which a realm's hash fills the
    /// first 32, 48 or 64 bytes.
    ///
    /// X2 to X8 are zero: TF-RMM since v0.9.0 gives some of them back where zeros belong (by reading
    /// its `runtime/core/exit.c`).
    #[must_use]
    pub const fn measurement_read(index: MeasurementIndex) -> Self {
        Self::new(Function::MEASUREMENT_READ, index.number())
    }

    /// `RSI_MEASUREMENT_EXTEND`. X1 is the index, X2 the size of the data in bytes, X3 to X10 the
    /// data. Gives X0 only.
    ///
    /// The data are always a digest: with other sizes than the hash's, no log could tell what was
    /// measured.
    #[must_use]
    pub fn measurement_extend(index: RemIndex, digest: &Digest) -> Self {
        let mut call =
            Self::new(Function::MEASUREMENT_EXTEND, MeasurementIndex::of(index).number());
        let [_, _, size, words @ ..] = &mut call.registers.x;
        *size = u64::try_from(digest.as_bytes().len()).unwrap_or(0);
        load(words, digest.as_bytes());
        call
    }

    /// `RSI_ATTESTATION_TOKEN_INIT`. X1 to X8 are the challenge. Gives X1, an upper bound of the
    /// token's size in bytes.
    #[must_use]
    pub fn attestation_token_init(challenge: &Challenge) -> Self {
        let mut call = Self::new(Function::ATTESTATION_TOKEN_INIT, 0);
        let [_, words @ .., _, _] = &mut call.registers.x;
        load(words, challenge.as_bytes());
        call
    }

    /// `RSI_ATTESTATION_TOKEN_CONTINUE`. X1 is the granule, X2 an offset in it, X3 how many bytes may
    /// be written there: all up to the granule's end. Gives X1, the bytes written.
    ///
    /// `None` unless the offset lies in the granule.
    #[must_use]
    pub fn attestation_token_continue(granule: &'b mut Granule, offset: usize) -> Option<Self> {
        let size = Granule::SIZE.checked_sub(offset).filter(|&size| size > 0)?;
        let mut call = Self::new(Function::ATTESTATION_TOKEN_CONTINUE, 0);
        let [_, _, x2, x3, ..] = &mut call.registers.x;
        *x2 = u64::try_from(offset).ok()?;
        *x3 = u64::try_from(size).ok()?;
        Some(call.writing(4096, granule.as_bytes_mut()))
    }

    /// `RSI_REALM_CONFIG`. X1 is the granule. Gives X0 only.
    #[must_use]
    pub const fn realm_config(granule: &'b mut Granule) -> Self {
        Self::new(Function::REALM_CONFIG, 0).writing(4096, granule.as_bytes_mut())
    }

    /// `RSI_HOST_CALL`. X1 is the structure. Gives X0 only.
    #[must_use]
    pub const fn host_call(host_call: &'b mut HostCall) -> Self {
        Self::new(Function::HOST_CALL, 0).writing(256, host_call.as_bytes_mut())
    }

    /// The same call, but a buffer in shared memory is refused before it is made.
    #[must_use]
    pub const fn private(mut self, bit: SharedBit) -> Self {
        self.refuse(bit);
        self
    }

    pub(crate) const fn refuse(&mut self, bit: SharedBit) {
        self.refused = bit.mask();
    }

    /// The function.
    #[must_use]
    pub const fn function(&self) -> Function {
        self.registers.function()
    }

    /// The registers before the call; zero where the address of the operand belongs.
    #[must_use]
    pub const fn registers(&self) -> &Registers {
        &self.registers
    }

    /// The buffer, if the function has one.
    #[must_use]
    pub const fn operand(&self) -> Option<&Operand<'b>> {
        self.operand.as_ref()
    }

    /// The buffer's memory, to be written; `None` if the function has no buffer.
    ///
    /// There is no access to the operand itself: a call whose buffer could be exchanged would not be
    /// one that this crate made.
    pub fn written(&mut self) -> Option<&mut [u8]> {
        self.operand.as_mut().map(|operand| &mut *operand.memory)
    }

    /// The registers with the address that `guest_physical` gives for the operand's virtual address
    /// and size in bytes.
    ///
    /// # Errors
    ///
    /// With the function: [`ErrorKind::Unmapped`] if there is no address, [`ErrorKind::Misaligned`]
    /// if it lacks the alignment that the function demands, [`ErrorKind::Shared`] if it is one that
    /// [`private`](Self::private) excludes.
    pub fn resolve(
        &mut self,
        guest_physical: impl Fn(usize, usize) -> Option<GuestPhysical>,
    ) -> Result<Registers, Error> {
        let mut registers = self.registers;
        let function = self.function();
        if let Some(operand) = &mut self.operand {
            let error = |kind| Error::of(kind, function);
            let (address, size) = operand.place();
            let found = guest_physical(address, size).ok_or_else(|| error(ErrorKind::Unmapped))?;
            if !found.is_aligned(operand.alignment()) {
                return Err(error(ErrorKind::Misaligned));
            }
            if found.0 & self.refused != 0 {
                return Err(error(ErrorKind::Shared));
            }
            let [_, x1, ..] = &mut registers.x;
            *x1 = found.0;
        }
        Ok(registers)
    }

    const fn new(function: Function, x1: u64) -> Self {
        let x = [function.register(), x1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Self { registers: Registers { x }, operand: None, refused: 0 }
    }

    const fn writing(mut self, alignment: u16, memory: &'b mut [u8]) -> Self {
        self.operand = Some(Operand { alignment, memory });
        self
    }
}

/// Fills registers from memory: byte 0 is the lowest of the first register. Zeros follow a last word
/// that is not whole.
fn load(registers: &mut [u64; 8], memory: &[u8]) {
    let (words, tail) = memory.as_chunks();
    for (register, word) in registers.iter_mut().zip(words) {
        *register = u64::from_le_bytes(*word);
    }
    if let Some(last) = registers.get_mut(words.len()) {
        let mut word = [0; 8];
        copy(tail, &mut word);
        *last = u64::from_le_bytes(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tsm_core::Algorithm;

    /// With an address that tells which buffer it is.
    fn inputs(mut call: Call<'_>) -> [u64; 11] {
        call.resolve(|_, size| Some(GuestPhysical(size as u64 * 0x10_0000))).unwrap().x
    }

    /// Bytes 0, 1, 2, ...
    fn counting<const N: usize>() -> [u8; N] {
        core::array::from_fn(|i| i as u8)
    }

    /// The same as registers.
    const COUNTING: [u64; 8] = [
        0x0706_0504_0302_0100,
        0x0F0E_0D0C_0B0A_0908,
        0x1716_1514_1312_1110,
        0x1F1E_1D1C_1B1A_1918,
        0x2726_2524_2322_2120,
        0x2F2E_2D2C_2B2A_2928,
        0x3736_3534_3332_3130,
        0x3F3E_3D3C_3B3A_3938,
    ];

    /// Every function's input registers, bit for bit, as DEN0137 1.0-rel0, B5.3 has them.
    #[test]
    fn registers_of_every_function() {
        assert_eq!(
            inputs(Call::version(Version::V1_0)),
            [0xC400_0190, 0x1_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(inputs(Call::features(1)), [0xC400_0191, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for number in 0..=4 {
            let index = MeasurementIndex::new(number).unwrap();
            let expected = [0xC400_0192, number, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            assert_eq!(inputs(Call::measurement_read(index)), expected);
        }
        for (number, index) in (1..).zip(RemIndex::ALL) {
            for (algorithm, size) in
                [(Algorithm::Sha256, 32), (Algorithm::Sha384, 48), (Algorithm::Sha512, 64)]
            {
                let bytes = counting::<64>();
                let digest = Digest::from_bytes(algorithm, &bytes[..size]).unwrap();
                let mut expected = [0; 11];
                expected[..3].copy_from_slice(&[0xC400_0193, number, size as u64]);
                expected[3..][..size / 8].copy_from_slice(&COUNTING[..size / 8]);
                assert_eq!(inputs(Call::measurement_extend(index, &digest)), expected);
            }
        }
        let mut expected = [0xC400_0194; 11];
        expected[1..9].copy_from_slice(&COUNTING);
        expected[9..].fill(0);
        let challenge = Challenge::new(counting());
        assert_eq!(inputs(Call::attestation_token_init(&challenge)), expected);

        let mut granule = Granule::new();
        for (offset, size) in [(0, 4096), (1, 4095), (4095, 1)] {
            let call = Call::attestation_token_continue(&mut granule, offset).unwrap();
            let expected = [0xC400_0195, 0x1_0000_0000, offset as u64, size, 0, 0, 0, 0, 0, 0, 0];
            assert_eq!(inputs(call), expected);
        }
        assert!(Call::attestation_token_continue(&mut granule, 4096).is_none());
        assert!(Call::attestation_token_continue(&mut granule, usize::MAX).is_none());
        assert_eq!(
            inputs(Call::realm_config(&mut granule)),
            [0xC400_0196, 0x1_0000_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(
            inputs(Call::host_call(&mut HostCall::new(7))),
            [0xC400_0199, 0x1000_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn values_are_memory() {
        let mut registers = Registers::default();
        registers.x[1..9].copy_from_slice(&COUNTING);
        registers.x[0] = 3;
        registers.x[9] = u64::MAX;
        let value = |size| {
            let mut value = vec![0; size];
            registers.copy_value(&mut value);
            value
        };
        for size in [0, 1, 20, 32, 48, 64] {
            assert_eq!(value(size), counting::<64>()[..size]);
        }
        assert_eq!(value(65), [&counting::<64>()[..], &[0]].concat());
        assert_eq!((registers.status(), registers.pair()), (Status(3), (COUNTING[0], COUNTING[1])));
    }

    #[test]
    fn buffers_are_seen() {
        let mut granule = Granule::new();
        let place = (&raw const granule).addr();
        let mut call = Call::attestation_token_continue(&mut granule, 96).unwrap();
        let registers = call.resolve(|address, _| Some(GuestPhysical(address as u64))).unwrap();
        assert_eq!(registers.x[1] as usize, place, "the granule, not the offset");
        let operand = call.operand().unwrap();
        assert_eq!((operand.alignment(), operand.memory().len()), (4096, 4096));
        call.written().unwrap()[96] = 7;
        assert_eq!(granule.as_bytes()[96], 7);
        assert!(Call::features(0).operand().is_none() && Call::features(0).written().is_none());
    }

    #[test]
    fn refused_before_the_call() {
        let mut granule = Granule::new();
        let bit = SharedBit::of_width(33).unwrap();
        let mut call = Call::realm_config(&mut granule).private(bit);
        let mut with = |address: Option<u64>| {
            call.resolve(|_, _| address.map(GuestPhysical)).map_err(|e| (e.kind(), e.function()))
        };
        let function = Some(Function::REALM_CONFIG);
        assert_eq!(with(None), Err((ErrorKind::Unmapped, function)));
        assert_eq!(with(Some(0x1800)), Err((ErrorKind::Misaligned, function)));
        for shared in [1 << 32, 1 << 33, 1 << 63] {
            assert_eq!(with(Some(shared)), Err((ErrorKind::Shared, function)));
        }
        assert_eq!(with(Some(0xFFFF_F000)).map(|registers| registers.x[1]), Ok(0xFFFF_F000));
        let mut host_call = HostCall::new(0);
        let mut call = Call::host_call(&mut host_call);
        assert!(call.resolve(|_, _| Some(GuestPhysical(0x1180))).is_err());
        assert!(call.resolve(|_, _| Some(GuestPhysical(0x1100))).is_ok());
    }
}
