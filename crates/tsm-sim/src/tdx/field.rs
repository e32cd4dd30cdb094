// SPDX-License-Identifier: MIT OR Apache-2.0
//! Fields that `TDG.VM.RD` and `TDG.SYS.RD` read by an id.
//!
//! Bits of an id: 23:0 code of the first element and number of the element, 33:32 size of an element,
//! 37:34 last element, 46:38 last field, 50 size of the increment, 51 write mask, 54:52 context, 61:56
//! class, 63 not architectural; the others are reserved (TDX module 1.5,
//! `src/common/metadata_handlers/metadata_generic.c`).

use tsm_tdx::leaf::FieldId;

/// What stands for "no field".
pub(super) const NONE: FieldId = FieldId(u64::MAX);

/// One field of the tables: consecutive elements of 8 bytes or less.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// Id of the first element.
    pub(super) first: FieldId,
    /// How many there are.
    pub(super) elements: u64,
    pub(super) value: Value,
}

/// Where a field's value is.
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// In TDINFO, at this offset.
    TdInfo(usize),
    /// A word that this model does not vary.
    Constant(u64),
    /// QUOTE_MAX_SIZE, if the module has it.
    QuoteMaxSize,
}

const fn field(first: FieldId, elements: u64, value: Value) -> Field {
    Field { first, elements, value }
}

/// CONFIG_FLAGS and TD_CTLS.
const CONFIG_FLAGS: FieldId = FieldId(0x1110_0003_0000_0016);
const TD_CTLS: FieldId = FieldId(0x1110_0003_0000_0017);
const SERVTD_NUM: FieldId = FieldId(0x9910_0001_0000_0006);

/// Fields of the TD that a guest can read, in the order in which the module goes through them: by
/// class and code. A real module has more of them.
pub(super) const TD: [Field; 12] = [
    field(FieldId::QUOTE_MAX_SIZE, 1, Value::QuoteMaxSize),
    field(FieldId::ATTRIBUTES, 1, Value::TdInfo(0)),
    field(FieldId::XFAM, 1, Value::TdInfo(8)),
    field(CONFIG_FLAGS, 1, Value::Constant(0)),
    field(TD_CTLS, 1, Value::Constant(0)),
    field(FieldId::MRTD, 6, Value::TdInfo(16)),
    field(FieldId::MRCONFIGID, 6, Value::TdInfo(64)),
    field(FieldId::MROWNER, 6, Value::TdInfo(112)),
    field(FieldId::MROWNERCONFIG, 6, Value::TdInfo(160)),
    field(FieldId::RTMR, 24, Value::TdInfo(208)),
    field(FieldId::SERVTD_HASH, 6, Value::TdInfo(400)),
    field(SERVTD_NUM, 1, Value::Constant(0)),
];

/// Fields of the module: version 1.5.0, as Linux names them (`arch/x86/virt/vmx/tdx/tdx.h`). What
/// TDX_FEATURES0 has here is nothing.
pub(super) const MODULE: [Field; 5] = [
    field(FieldId(0x0800_0001_0000_0003), 1, Value::Constant(5)),
    field(FieldId(0x0800_0001_0000_0004), 1, Value::Constant(1)),
    field(FieldId(0x0800_0001_0000_0005), 1, Value::Constant(0)),
    field(FieldId(0x0A00_0002_0000_0000), 1, Value::Constant(0)),
    field(FieldId(0x0A00_0003_0000_0008), 1, Value::Constant(0)),
];

/// An id that asks for one element; `None` if it asks for more or has reserved bits.
pub(super) const fn single(id: FieldId) -> Option<FieldId> {
    const FORBIDDEN: u64 = 0xFF << 24 | 0xF << 34 | 0x1FF << 38 | 0x7 << 47 | 1 << 55 | 1 << 62;
    if id.0 & FORBIDDEN == 0 { Some(id) } else { None }
}

impl Field {
    /// Which of its elements `id` names. Only class and code are looked at: the context is the
    /// leaf's, and sizes and masks are ignored in what comes in.
    pub(super) fn element(&self, id: FieldId) -> Option<u64> {
        const CLASS: u64 = 0x3F << 56;
        const CODE: u64 = 0xFF_FFFF;
        let same_class = self.first.0 & CLASS == id.0 & CLASS;
        let element = (id.0 & CODE).checked_sub(self.first.0 & CODE)?;
        (same_class && element < self.elements).then_some(element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: FieldId) -> (u64, u64) {
        (id.0 >> 56 & 0x3F, id.0 & 0xFF_FFFF)
    }

    #[test]
    fn tables_are_in_order_and_do_not_overlap() {
        for table in [&TD[..], &MODULE] {
            for pair in table.windows(2) {
                let last = pair[0].first.element(pair[0].elements - 1);
                assert!(place(last) < place(pair[1].first), "{:?}", pair[1].first);
            }
            for field in table {
                assert_eq!(single(field.first), Some(field.first));
                for n in 0..field.elements {
                    let id = field.first.element(n);
                    assert_eq!(field.element(id), Some(n));
                    assert_eq!(table.iter().filter(|f| f.element(id).is_some()).count(), 1);
                }
            }
        }
    }

    #[test]
    fn only_single_elements() {
        for bit in [24, 31, 34, 37, 38, 46, 47, 49, 55, 62] {
            assert_eq!(single(FieldId(FieldId::RTMR.0 | 1 << bit)), None, "bit {bit}");
        }
        // Size, increment, mask, context.
        for bit in [32, 33, 50, 51, 52, 54] {
            let id = FieldId(FieldId::RTMR.0 ^ 1 << bit);
            assert_eq!(single(id), Some(id));
            assert_eq!(TD.iter().filter(|f| f.element(id) == Some(0)).count(), 1, "bit {bit}");
        }
    }
}
