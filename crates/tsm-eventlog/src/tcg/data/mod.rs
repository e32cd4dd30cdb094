// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the data of events say: structures, fields, text.
//!
//! [`UntrustedEvent::decode`](super::UntrustedEvent::decode) gives an [`EventData`]: typed structures
//! for programs, [`fields`](EventData::fields) for what shows any event without knowing its format, and
//! `Display` for one line about it. All borrow the log.
//!
//! ```
//! use tsm_core::Algorithm;
//! use tsm_eventlog::tcg::{FieldCoverage, Log};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tsm_eventlog::tcg::{EventType, NewEvent, NewHeader, Writer};
//! # let (bank, data) = (Algorithm::Sha256, b"grub_cmd: linux /vmlinuz\0");
//! # let mut area = [0; 512];
//! # let mut writer = Writer::new(&mut area, &NewHeader::tpm(&[bank]))?;
//! # let digests = [bank.hash(b"linux /vmlinuz")];
//! # writer.append(&NewEvent { index: 8, event_type: EventType::IPL, digests: &digests, data })?;
//! # let bytes = writer.as_bytes();
//! // In life: the bytes of binary_bios_measurements.
//! for event in Log::open(bytes)? {
//!     let event = event?;
//!     let (data, coverage) = (event.decode(), event.coverage(Algorithm::Sha256));
//!     assert_eq!(data.to_string(), "GRUB command: linux /vmlinuz");
//!     // The word that says what it is, is not covered: anybody could have changed it.
//!     data.fields(&mut |field| {
//!         let is_covered = coverage.of(&field) == FieldCoverage::Covered;
//!         assert_eq!(is_covered, field.name == "command");
//!     });
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Sources: TCG PC Client Platform Firmware Profile 1.06, section 10; UEFI 2.10; and what firmware and
//! boot loaders were seen to write.

mod blob;
mod decode;
mod described;
mod device_path;
mod device_path_text;
mod field;
mod gpt;
mod guid;
mod image;
mod ipl;
mod load_option;
mod no_action;
mod part;
mod separator;
mod signature_list;
mod tagged;
mod text;
mod variable;

pub use blob::{FirmwareBlob, HandoffTables};
pub use decode::{EventData, Raw};
pub use described::{
    Action, Description, NonHostInfo, PlatformConfig, Version, VersionValue, Words,
};
pub use device_path::{DevicePath, Node, Nodes};
pub use field::{Field, FieldValue};
pub use gpt::{Gpt, Partition};
pub use guid::Guid;
pub use image::ImageLoad;
pub use ipl::{Ipl, IplKind};
pub(super) use ipl::{ascii_in_utf16, behind_first_space};
pub use load_option::LoadOption;
pub use no_action::{NoAction, NoActionKind};
pub(super) use part::Part;
pub use part::Reason;
pub use separator::{Separator, SeparatorData};
pub use signature_list::{Signature, SignatureList, SignatureLists};
pub use tagged::{Tag, Tagged, Tags};
pub use text::{RawText, Utf16Text};
pub use variable::{Contents, LoadOrder, Variable};
