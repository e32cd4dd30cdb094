// SPDX-License-Identifier: MIT OR Apache-2.0
//! TCB versions: eight bytes whose order depends on the processor's generation.

use core::cmp::Ordering;
use core::fmt;

use tsm_core::hex::Hex;

use super::generation::Generation;

/// A TCB version as it came. What its bytes are, the generation tells: [`of`](Self::of).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcbVersion(pub [u8; 8]);

impl TcbVersion {
    /// The components, for this generation.
    #[must_use]
    pub const fn of(self, generation: Generation) -> Tcb {
        let [a, b, c, d, e, f, g, microcode] = self.0;
        match generation {
            Generation::Milan | Generation::Genoa => Tcb {
                fmc: None,
                boot_loader: a,
                tee: b,
                snp: g,
                microcode,
                reserved: [c, d, e, f, 0],
            },
            Generation::Turin | Generation::Venice => Tcb {
                fmc: Some(a),
                boot_loader: b,
                tee: c,
                snp: d,
                microcode,
                reserved: [e, f, g, 0, 0],
            },
        }
    }

    /// Whether every byte is at most that of `other`: the order of TCB versions, whichever the
    /// generation is, as long as it is one and the same.
    #[must_use]
    pub fn is_at_most(self, other: Self) -> bool {
        self.0.iter().zip(other.0).all(|(own, other)| *own <= other)
    }
}

impl fmt::Debug for TcbVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Hex(&self.0))
    }
}

/// The components of a TCB version. Compared one by one, never as a number: of two versions, neither
/// may be the higher one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tcb {
    /// FMC; `None` before Turin, which began it.
    pub fmc: Option<u8>,
    /// The boot loader.
    pub boot_loader: u8,
    /// The operating system of the security processor.
    pub tee: u8,
    /// The SNP firmware.
    pub snp: u8,
    /// The microcode.
    pub microcode: u8,
    /// Bytes without a meaning yet.
    reserved: [u8; 5],
}

impl Tcb {
    /// A version with these components; `fmc` from Turin on.
    #[must_use]
    pub const fn new(fmc: Option<u8>, boot_loader: u8, tee: u8, snp: u8, microcode: u8) -> Self {
        Self { fmc, boot_loader, tee, snp, microcode, reserved: [0; 5] }
    }

    /// One component; `None` if this generation has it not.
    #[must_use]
    pub const fn component(&self, component: Component) -> Option<u8> {
        match component {
            Component::Fmc => self.fmc,
            Component::BootLoader => Some(self.boot_loader),
            Component::Tee => Some(self.tee),
            Component::Snp => Some(self.snp),
            Component::Microcode => Some(self.microcode),
        }
    }

    /// The first component that is below that of `floor`; `None` if none is. A component that only
    /// one of the two has is below.
    #[must_use]
    pub fn below(&self, floor: &Self) -> Option<Component> {
        Component::ALL.into_iter().find(|&component| {
            match (self.component(component), floor.component(component)) {
                (Some(own), Some(floor)) => own < floor,
                (None, None) => false,
                _ => true,
            }
        })
    }

    /// Whether a byte is set that has no meaning yet.
    #[must_use]
    pub fn has_unknown_bytes(&self) -> bool {
        self.reserved != [0; 5]
    }
}

impl PartialOrd for Tcb {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.below(other), other.below(self)) {
            // Bytes that no generation uses are compared by nobody: what differs in them alone is
            // neither equal nor in an order.
            (None, None) => (self == other).then_some(Ordering::Equal),
            (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (Some(_), Some(_)) => None,
        }
    }
}

impl fmt::Display for Tcb {
    /// `bootloader 4, tee 0, snp 24, microcode 219`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for component in Component::ALL {
            if let Some(value) = self.component(component) {
                write!(f, "{separator}{component} {value}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// A component of a TCB.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Component {
    /// FMC.
    Fmc,
    /// The boot loader.
    BootLoader,
    /// The operating system of the security processor.
    Tee,
    /// The SNP firmware.
    Snp,
    /// The microcode.
    Microcode,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Fmc, Self::BootLoader, Self::Tee, Self::Snp, Self::Microcode];
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fmc => "fmc",
            Self::BootLoader => "bootloader",
            Self::Tee => "tee",
            Self::Snp => "snp",
            Self::Microcode => "microcode",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REPORTED_TCB of real reports, with what the SPL extensions of their certificates say.
    #[test]
    fn components_of_real_reports() {
        let milan = TcbVersion([4, 0, 0, 0, 0, 0, 0x18, 0xDB]).of(Generation::Milan);
        assert_eq!(milan, Tcb::new(None, 4, 0, 0x18, 0xDB));
        assert_eq!(milan.to_string(), "bootloader 4, tee 0, snp 24, microcode 219");
        let turin = TcbVersion([1, 1, 1, 4, 0, 0, 0, 0x51]).of(Generation::Turin);
        assert_eq!(turin, Tcb::new(Some(1), 1, 1, 4, 0x51));
    }

    #[test]
    fn order_is_partial() {
        let tcb = |boot, snp| Tcb::new(None, boot, 0, snp, 9);
        assert!(tcb(1, 2) < tcb(2, 2) && tcb(2, 2) > tcb(2, 1));
        assert_eq!(tcb(1, 2).partial_cmp(&tcb(2, 1)), None);
        assert_eq!(tcb(1, 2).below(&tcb(2, 1)), Some(Component::BootLoader));
        let with_fmc = Tcb::new(Some(0), 1, 0, 2, 9);
        assert_eq!(tcb(1, 2).partial_cmp(&with_fmc), None);
        // Neither equal nor in an order, as `==` says.
        let odd = TcbVersion([1, 0, 9, 0, 0, 0, 2, 9]).of(Generation::Milan);
        let plain = TcbVersion([1, 0, 0, 0, 0, 0, 2, 9]).of(Generation::Milan);
        assert_eq!((odd == plain, odd.partial_cmp(&plain)), (false, None));
        assert_eq!(odd.partial_cmp(&odd), Some(Ordering::Equal));
        assert!(TcbVersion([1; 8]).is_at_most(TcbVersion([1, 1, 1, 1, 1, 1, 1, 2])));
        assert!(!TcbVersion([2, 0, 0, 0, 0, 0, 0, 0]).is_at_most(TcbVersion([1; 8])));
        assert!(TcbVersion([0, 0, 0, 5, 0, 0, 0, 0]).of(Generation::Genoa).has_unknown_bytes());
        assert!(!TcbVersion([0, 0, 0, 5, 0, 0, 0, 0]).of(Generation::Turin).has_unknown_bytes());
    }
}
