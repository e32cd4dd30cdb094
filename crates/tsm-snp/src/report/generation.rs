// SPDX-License-Identifier: MIT OR Apache-2.0
//! Generations of processors: they tell the order of a TCB version's bytes, the size of a hardware
//! id, and the certificates.

use core::fmt;

/// A generation of EPYC processors with SEV-SNP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Generation {
    /// Third.
    Milan,
    /// Fourth, with Bergamo and Siena.
    Genoa,
    /// Fifth.
    Turin,
    /// Sixth. Nothing of it was seen yet; ranges as virtee/sev has them.
    Venice,
}

impl Generation {
    /// AMD's name for it, as it stands in URLs and in certificates.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
            Self::Venice => "Venice",
        }
    }

    /// From a name in a certificate: the product name of an endorsement certificate (`Milan-B0`,
    /// `Genoa`) or the common name of its issuer (`SEV-Milan`, `SEV-VLEK-Milan`, `ARK-Milan`).
    #[must_use]
    pub fn of_certificate(name: &str) -> Option<Self> {
        let issuer = ["SEV-VLEK-", "SEV-", "ARK-"].into_iter().find_map(|p| name.strip_prefix(p));
        let product = issuer.unwrap_or(name);
        // A stepping may follow, after a hyphen.
        let product = product.split_once('-').map_or(product, |(product, _)| product);
        let all = [Self::Milan, Self::Genoa, Self::Turin, Self::Venice];
        all.into_iter().find(|generation| generation.name() == product)
    }

    /// Bytes of a chip's id that mean something.
    #[must_use]
    pub const fn hardware_id_size(self) -> usize {
        match self {
            Self::Milan | Self::Genoa => 64,
            Self::Turin | Self::Venice => 8,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Family, model and stepping of CPUID function 1, with the extended parts added.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the words of CPUID")]
pub struct Processor {
    pub family: u8,
    pub model: u8,
    pub stepping: u8,
}

impl Processor {
    /// The generation; `None` if it is not known. Ranges from virtee/sev.
    #[must_use]
    pub const fn generation(self) -> Option<Generation> {
        Some(match (self.family, self.model) {
            (0x19, 0x00..=0x0F) => Generation::Milan,
            (0x19, 0x10..=0x1F | 0xA0..=0xAF) => Generation::Genoa,
            (0x1A, 0x00..=0x11) => Generation::Turin,
            (0x1A, 0x50..=0x57 | 0x90..=0x9F | 0xA0..=0xAF | 0xC0..=0xC7) => Generation::Venice,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of real certificates.
    #[test]
    fn names() {
        for (name, generation) in [
            ("Milan-B0", Some(Generation::Milan)),
            ("Milan", Some(Generation::Milan)),
            ("Genoa", Some(Generation::Genoa)),
            ("SEV-Turin", Some(Generation::Turin)),
            ("SEV-VLEK-Milan", Some(Generation::Milan)),
            ("ARK-Genoa", Some(Generation::Genoa)),
            ("SEV-VCEK", None),
            ("Milano", None),
            ("", None),
        ] {
            assert_eq!(Generation::of_certificate(name), generation, "{name}");
        }
    }

    /// CPUID bytes of real reports.
    #[test]
    fn processors() {
        let of = |family, model, stepping| Processor { family, model, stepping }.generation();
        assert_eq!(of(0x19, 0x01, 1), Some(Generation::Milan));
        assert_eq!(of(0x19, 0x11, 1), Some(Generation::Genoa));
        assert_eq!(of(0x19, 0xA0, 2), Some(Generation::Genoa));
        assert_eq!(of(0x1A, 0x02, 1), Some(Generation::Turin));
        assert_eq!(of(0x1A, 0x24, 0), None);
        assert_eq!(of(0, 0, 0), None);
    }
}
