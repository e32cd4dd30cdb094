// SPDX-License-Identifier: MIT OR Apache-2.0
//! Extensions of a REM: by the adapter on the simulated monitor, and by that monitor alone.

use core::hint::black_box;

use tsm_cca::{CcaProvider, Function, Granule, GuestPhysical, Realm, Registers, RemSet};
use tsm_core::{Algorithm, Digest, Provider as _, RegisterId};
use tsm_sim::cca::{Fault, GuestMemory, Monitor, RealmState};

/// A realm of SHA-384, whose extension is one compression.
fn monitor() -> Monitor {
    Monitor::with_realm(RealmState::new(Algorithm::Sha384).expect("a hash of realms"))
}

/// The registers of a realm on the simulated monitor.
pub struct Adapter<'g> {
    cca: CcaProvider<'g, Monitor>,
    rem3: RegisterId,
    digest: Digest,
}

impl<'g> Adapter<'g> {
    /// The adapter, with what the monitor writes to. The first extension, which it checks, is made.
    pub fn new(granule: &'g mut Granule) -> Self {
        let realm = Realm::open(monitor()).expect("a monitor that answers");
        let cca = CcaProvider::open(realm, granule, RemSet::APPLICATION).expect("a known hash");
        let rem3 = cca.find("rem3").expect("there are four");
        let mut adapter = Self { cca, rem3, digest: black_box(Algorithm::Sha384.hash(b"event")) };
        adapter.extend(1);
        adapter
    }

    /// Extends rem3 so often.
    pub fn extend(&mut self, times: usize) {
        for _ in 0..times {
            self.cca.extend(self.rem3, &[self.digest]).expect("the usual rule");
        }
    }
}

/// The same monitor without the adapter: registers as the instruction has them.
pub struct Alone {
    monitor: Monitor,
    registers: Registers,
}

/// No memory: an extension needs none.
struct None;

impl GuestMemory for None {
    fn write(&mut self, address: GuestPhysical, _: &[u8]) -> Result<(), Fault> {
        Err(Fault { address })
    }
}

impl Default for Alone {
    fn default() -> Self {
        let mut registers = Registers::default();
        registers.x[..3].copy_from_slice(&[Function::MEASUREMENT_EXTEND.0.into(), 4, 48]);
        let digest = black_box(Algorithm::Sha384.hash(b"event"));
        for (register, word) in registers.x[3..].iter_mut().zip(digest.as_bytes().chunks(8)) {
            *register = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        }
        Self { monitor: monitor(), registers }
    }
}

impl Alone {
    /// Extends REM3 so often.
    pub fn extend(&mut self, times: usize) {
        for _ in 0..times {
            let mut registers = self.registers;
            self.monitor.execute(&mut registers, &mut None).expect("no memory is asked for");
            assert_eq!(registers.x[0], 0);
        }
    }
}
