// SPDX-License-Identifier: MIT OR Apache-2.0
//! How firmware is called on a machine: what can be known without trying.

/// The instruction that calls firmware. SMC and HVC are undefined instructions where nobody takes
/// them (an SMC at EL1 of a machine without EL2 and EL3, for example), so neither may be tried to
/// find out. The machine's tables say which it is.
///
/// A realm's is SMC; an HVC in a realm is an exception (TF-RMM `runtime/core/exit.c`). Linux looks
/// at this too before it asks for the RSI (`arch/arm64/kernel/rsi.c`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Conduit {
    /// SMC.
    Smc,
    /// HVC.
    Hvc,
}

impl Conduit {
    /// What the property `method` of the device tree's node `psci` says; `None` for anything else
    /// (Linux `Documentation/devicetree/bindings/arm/psci.yaml`). The zero byte that ends the
    /// property may be there or not.
    #[must_use]
    pub fn of_device_tree(method: &[u8]) -> Option<Self> {
        match method.strip_suffix(b"\0").unwrap_or(method) {
            b"smc" => Some(Self::Smc),
            b"hvc" => Some(Self::Hvc),
            _ => None,
        }
    }

    /// What ARM_BOOT_ARCH of the ACPI table FADT, 16 bits at offset 129, says: bit 0 that there is
    /// PSCI, bit 1 that it is called by HVC (ACPI 6.5, table 5.11). `None` without PSCI.
    #[must_use]
    pub const fn of_fadt(arm_boot_arch: u16) -> Option<Self> {
        match arm_boot_arch & 3 {
            1 => Some(Self::Smc),
            3 => Some(Self::Hvc),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let tree = |method: &[u8]| Conduit::of_device_tree(method);
        assert_eq!((tree(b"smc\0"), tree(b"smc")), (Some(Conduit::Smc), Some(Conduit::Smc)));
        assert_eq!((tree(b"hvc\0"), tree(b"SMC"), tree(b"")), (Some(Conduit::Hvc), None, None));
        assert_eq!(tree(b"smc\0\0"), None);
        let fadt = |flags| Conduit::of_fadt(flags);
        assert_eq!((fadt(0), fadt(2), fadt(4)), (None, None, None));
        assert_eq!((fadt(1), fadt(0xFFFD)), (Some(Conduit::Smc), Some(Conduit::Smc)));
        assert_eq!((fadt(3), fadt(0xFFFF)), (Some(Conduit::Hvc), Some(Conduit::Hvc)));
    }
}
