// SPDX-License-Identifier: MIT OR Apache-2.0
//! IMA templates: which fields a record has, from the template's name.

use crate::error::ErrorKind;

/// How many fields a template may have (`IMA_TEMPLATE_NUM_FIELDS_MAX`, Linux
/// `security/integrity/ima/ima.h`).
pub const MAX_FIELDS: usize = 15;

/// Length of the longest template name: 15 field ids of 16 characters with 14 separators.
pub const MAX_NAME: usize = 254;

/// What a field of a template holds (`supported_fields`, Linux
/// `security/integrity/ima/ima_template.c`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum FieldId {
    /// `d`: file digest without the algorithm's name, 20 bytes (16 with MD5).
    D,
    /// `n`: file name, cut to 255 bytes.
    N,
    /// `d-ng`: file digest with the algorithm's name.
    DNg,
    /// `d-ngv2`: file digest with its kind (`ima` or `verity`) and the algorithm's name.
    DNgV2,
    /// `n-ng`: file name, or the name of the event.
    NNg,
    /// `sig`: the file's signature (extended attribute `security.ima`; if that is not a signature,
    /// a portable signature of `security.evm`).
    Sig,
    /// `buf`: the buffer that was measured.
    Buf,
    /// `d-modsig`: digest of the file without its appended signature.
    DModsig,
    /// `modsig`: the appended signature (PKCS#7).
    Modsig,
    /// `evmsig`: the portable signature of `security.evm`.
    EvmSig,
    /// `iuid`: the inode's user id.
    Iuid,
    /// `igid`: the inode's group id.
    Igid,
    /// `imode`: the inode's mode.
    Imode,
    /// `xattrnames`: names of the extended attributes that EVM protects, joined with `|`.
    XattrNames,
    /// `xattrlengths`: their lengths, 4 bytes each.
    XattrLengths,
    /// `xattrvalues`: their values, one after the other.
    XattrValues,
}

/// How a field stands in the template data and in a text list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bytes; hex.
    Digest,
    /// `alg:` NUL digest; `alg:hex`.
    DigestWithAlgorithm,
    /// `type:alg:` NUL digest; `type:alg:hex`.
    DigestWithType,
    /// Text NUL; text.
    Name,
    /// As `Name`, but nothing at all when empty.
    Names,
    /// Bytes; hex.
    Bytes,
    /// Native integer of this many bytes, or nothing; decimal.
    Number(u8),
}

impl FieldId {
    const ALL: [Self; 16] = [
        Self::D,
        Self::N,
        Self::DNg,
        Self::DNgV2,
        Self::NNg,
        Self::Sig,
        Self::Buf,
        Self::DModsig,
        Self::Modsig,
        Self::EvmSig,
        Self::Iuid,
        Self::Igid,
        Self::Imode,
        Self::XattrNames,
        Self::XattrLengths,
        Self::XattrValues,
    ];

    /// The kernel's name: `d-ng`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::D => "d",
            Self::N => "n",
            Self::DNg => "d-ng",
            Self::DNgV2 => "d-ngv2",
            Self::NNg => "n-ng",
            Self::Sig => "sig",
            Self::Buf => "buf",
            Self::DModsig => "d-modsig",
            Self::Modsig => "modsig",
            Self::EvmSig => "evmsig",
            Self::Iuid => "iuid",
            Self::Igid => "igid",
            Self::Imode => "imode",
            Self::XattrNames => "xattrnames",
            Self::XattrLengths => "xattrlengths",
            Self::XattrValues => "xattrvalues",
        }
    }

    /// The field id with this name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|id| id.name().as_bytes() == name)
    }

    pub(crate) const fn form(self) -> Form {
        match self {
            Self::D => Form::Digest,
            Self::DNg | Self::DModsig => Form::DigestWithAlgorithm,
            Self::DNgV2 => Form::DigestWithType,
            Self::N | Self::NNg => Form::Name,
            Self::XattrNames => Form::Names,
            Self::Sig
            | Self::Buf
            | Self::Modsig
            | Self::EvmSig
            | Self::XattrLengths
            | Self::XattrValues => Form::Bytes,
            Self::Iuid | Self::Igid => Form::Number(4),
            Self::Imode => Form::Number(2),
        }
    }
}

/// The fields of a record, in order.
///
/// The name of a template is in no digest: whoever can alter a list can give a record another
/// template, and so another reading of the same bytes, without changing any register. A verifier
/// should insist on the templates that the measured system's policy uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Template {
    /// Beyond `len`: `D`.
    fields: [FieldId; MAX_FIELDS],
    len: u8,
    legacy: bool,
}

impl Template {
    /// The template with this name: a built-in one (`builtin_templates`, Linux
    /// `security/integrity/ima/ima_template.c`), or a custom one, whose name is its format, field
    /// ids separated by `|`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TemplateName`] if the length is 0 or above [`MAX_NAME`],
    /// [`ErrorKind::UnknownTemplate`] if a field id is unknown, [`ErrorKind::TooManyFields`] if there are
    /// more than [`MAX_FIELDS`].
    pub fn parse(name: &[u8]) -> Result<Self, ErrorKind> {
        use FieldId as F;
        Ok(match name {
            b"ima-ng" => Self::of(&[F::DNg, F::NNg]),
            b"ima-sig" => Self::of(&[F::DNg, F::NNg, F::Sig]),
            b"ima-buf" => Self::of(&[F::DNg, F::NNg, F::Buf]),
            b"ima" => Self { legacy: true, ..Self::of(&[F::D, F::N]) },
            b"ima-ngv2" => Self::of(&[F::DNgV2, F::NNg]),
            b"ima-sigv2" => Self::of(&[F::DNgV2, F::NNg, F::Sig]),
            b"ima-modsig" => Self::of(&[F::DNg, F::NNg, F::Sig, F::DModsig, F::Modsig]),
            b"evm-sig" => Self::of(&[
                F::DNg,
                F::NNg,
                F::EvmSig,
                F::XattrNames,
                F::XattrLengths,
                F::XattrValues,
                F::Iuid,
                F::Igid,
                F::Imode,
            ]),
            _ => return Self::custom(name),
        })
    }

    /// The field ids.
    #[must_use]
    pub fn fields(&self) -> &[FieldId] {
        self.fields.get(..usize::from(self.len)).unwrap_or(&self.fields)
    }

    /// Whether this is the template `ima`, whose records have a form and a digest rule of their
    /// own.
    #[must_use]
    pub const fn is_legacy(&self) -> bool {
        self.legacy
    }

    fn of(ids: &[FieldId]) -> Self {
        let mut template = Self::EMPTY;
        ids.iter().for_each(|&id| {
            let _ = template.push(id); // the built-in templates have at most 9
        });
        template
    }

    fn custom(name: &[u8]) -> Result<Self, ErrorKind> {
        if !is_name(name) {
            return Err(ErrorKind::TemplateName);
        }
        let mut template = Self::EMPTY;
        for id in name.split(|&byte| byte == b'|') {
            template.push(FieldId::from_name(id).ok_or(ErrorKind::UnknownTemplate)?)?;
        }
        Ok(template)
    }

    const EMPTY: Self = Self { fields: [FieldId::D; MAX_FIELDS], len: 0, legacy: false };

    fn push(&mut self, id: FieldId) -> Result<(), ErrorKind> {
        *self.fields.get_mut(usize::from(self.len)).ok_or(ErrorKind::TooManyFields)? = id;
        self.len = self.len.saturating_add(1);
        Ok(())
    }
}

/// Whether a template may have this name.
pub(crate) fn is_name(name: &[u8]) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for id in FieldId::ALL {
            assert_eq!(FieldId::from_name(id.name().as_bytes()), Some(id));
            assert!(id.name().len() <= 16);
        }
        assert_eq!(FieldId::from_name(b""), None);
    }

    #[test]
    fn custom_formats_are_read_from_the_name() {
        for (built_in, format) in [
            ("ima-ng", "d-ng|n-ng"),
            ("ima-sig", "d-ng|n-ng|sig"),
            ("ima-ngv2", "d-ngv2|n-ng"),
            ("ima-sigv2", "d-ngv2|n-ng|sig"),
            ("ima-buf", "d-ng|n-ng|buf"),
            ("ima-modsig", "d-ng|n-ng|sig|d-modsig|modsig"),
            ("evm-sig", "d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode"),
        ] {
            assert_eq!(Template::parse(built_in.as_bytes()), Template::parse(format.as_bytes()));
        }
        let legacy = Template::parse(b"ima").unwrap();
        let custom = Template::parse(b"d|n").unwrap();
        assert_eq!(legacy.fields(), custom.fields());
        assert!(legacy.is_legacy() && !custom.is_legacy());
    }

    #[test]
    fn limits() {
        let full = ["d-ng"; 15].join("|");
        assert_eq!(Template::parse(full.as_bytes()).unwrap().fields().len(), 15);
        for (name, error) in [
            (["d-ng"; 16].join("|"), ErrorKind::TooManyFields),
            (String::new(), ErrorKind::TemplateName),
            ("d-ng||n".into(), ErrorKind::UnknownTemplate),
            ("d-ng|".into(), ErrorKind::UnknownTemplate),
            ("ima-xx".into(), ErrorKind::UnknownTemplate),
            ("d n".into(), ErrorKind::TemplateName),
            (["xattrlengths"; 20].join("|"), ErrorKind::TemplateName),
        ] {
            assert_eq!(Template::parse(name.as_bytes()), Err(error), "{name}");
        }
    }
}
