// SPDX-License-Identifier: MIT OR Apache-2.0
//! A naive reading of CBOR into a tree: definite lengths only.

/// An item.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// A whole number.
    Number(i128),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A text.
    Text(String),
    /// An array.
    Array(Vec<Item>),
    /// A map, in its order.
    Map(Vec<(Item, Item)>),
    /// A tag and what it is of.
    Tagged(u64, Box<Item>),
    /// Anything else: simple values and floating point, as their head says.
    Other(u8, u64),
}

/// The only item; `None` if it is not well-formed or something follows.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Item> {
    let mut rest = bytes;
    let item = item(&mut rest, 0)?;
    rest.is_empty().then_some(item)
}

fn take<'b>(rest: &mut &'b [u8], size: u64) -> Option<&'b [u8]> {
    let (front, back) = rest.split_at_checked(usize::try_from(size).ok()?)?;
    *rest = back;
    Some(front)
}

/// `depth` is bounded so that this does not overflow the stack: `None` beyond.
fn item(rest: &mut &[u8], depth: u32) -> Option<Item> {
    if depth > 200 {
        return None;
    }
    let head = take(rest, 1)?[0];
    let (major, info) = (head >> 5, head & 31);
    let value = match info {
        0..24 => u64::from(info),
        24..28 => {
            let bytes = take(rest, 1 << (info - 24))?;
            bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
        }
        _ => return None,
    };
    Some(match major {
        0 => Item::Number(value.into()),
        1 => Item::Number(-1 - i128::from(value)),
        2 => Item::Bytes(take(rest, value)?.to_vec()),
        3 => Item::Text(String::from_utf8(take(rest, value)?.to_vec()).ok()?),
        4 => {
            let mut items = Vec::new();
            for _ in 0..value {
                items.push(item(rest, depth + 1)?);
            }
            Item::Array(items)
        }
        5 => {
            let mut pairs = Vec::new();
            for _ in 0..value {
                pairs.push((item(rest, depth + 1)?, item(rest, depth + 1)?));
            }
            Item::Map(pairs)
        }
        6 => Item::Tagged(value, Box::new(item(rest, depth + 1)?)),
        _ if info == 24 && value < 32 => return None,
        _ => Item::Other(info, value),
    })
}

impl Item {
    /// The value of a label in a map.
    #[must_use]
    pub fn at(&self, label: i128) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(found, _)| *found == Self::Number(label)).map(|(_, value)| value)
    }

    /// The bytes of a byte string.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// An array's item.
    #[must_use]
    pub fn item(&self, place: usize) -> Option<&Self> {
        match self {
            Self::Array(items) => items.get(place),
            _ => None,
        }
    }

    /// Whether a label stands twice.
    #[must_use]
    pub fn repeats(&self) -> bool {
        let Self::Map(pairs) = self else { return false };
        let mut labels = pairs.iter().enumerate();
        labels.any(|(place, (label, _))| pairs[..place].iter().any(|(other, _)| other == label))
    }
}
