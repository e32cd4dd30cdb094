// SPDX-License-Identifier: MIT OR Apache-2.0
//! The next stage: its file is read once, and what was read is what is measured and started.

use core::fmt::Write as _;

use tsm_core::Banks;
use uefi::boot::{self, LoadImageSource, MemoryType, OpenProtocolAttributes, OpenProtocolParams};
use uefi::proto::loaded_image::LoadedImage;
use uefi::proto::media::file::{File as _, FileAttribute, FileMode, RegularFile};
use uefi::proto::media::fs::SimpleFileSystem;
use uefi::{CStr16, Error, Handle, Result, Status, cstr16};

use crate::firmware_register::DATA;
use crate::pages;
use crate::text::Text;

/// Where it is, on the shim's own volume.
pub const PATH: &CStr16 = cstr16!("\\EFI\\tsm\\next.efi");

/// Larger files are refused rather than read.
const MAX: u64 = 64 << 20;

/// The file's bytes, in memory of this application.
pub struct NextStage {
    file: &'static [u8],
}

impl NextStage {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// The firmware's; `BAD_BUFFER_SIZE` for an empty or enormous file or one that changes its size
    /// while it is read.
    pub fn read() -> Result<Self> {
        Ok(Self { file: read_file(own_volume()?, PATH)? })
    }

    /// `boot.example/shim start-next-stage <alg>/<digest of the file>... <path>`, with a digest for
    /// every bank.
    ///
    /// # Errors
    ///
    /// `BAD_BUFFER_SIZE` if it is longer than the buffer.
    pub fn record(&self, banks: Banks) -> Result<Text<DATA>> {
        let mut record = Text::new();
        let mut write = || {
            record.write_str("boot.example/shim start-next-stage")?;
            for bank in banks.iter() {
                write!(record, " {}", bank.hash(self.file))?;
            }
            write!(record, " {PATH}")
        };
        write().map_err(|_| Error::from(Status::BAD_BUFFER_SIZE))?;
        Ok(record)
    }

    /// Starts it, from the bytes that were measured. Returns when it returns.
    ///
    /// # Errors
    ///
    /// The firmware's if it is no application (then nothing was started), or the application's.
    pub fn start(self) -> Result<()> {
        let source = LoadImageSource::FromBuffer { buffer: self.file, file_path: None };
        boot::start_image(boot::load_image(boot::image_handle(), source)?)
    }
}

/// The volume this application was loaded from.
///
/// # Errors
///
/// The firmware's.
pub fn own_volume() -> Result<Handle> {
    let image = boot::image_handle();
    let params = OpenProtocolParams { handle: image, agent: image, controller: None };
    // SAFETY: an application's own image is not unloaded while it runs. Not exclusive: whoever
    // started this application holds the protocol open.
    let loaded =
        unsafe { boot::open_protocol::<LoadedImage>(params, OpenProtocolAttributes::GetProtocol) }?;
    loaded.device().ok_or(Error::from(Status::NOT_FOUND))
}

/// All of a file.
///
/// # Errors
///
/// See [`NextStage::read`].
pub fn read_file(volume: Handle, path: &CStr16) -> Result<&'static [u8]> {
    let wrong_size = || Error::from(Status::BAD_BUFFER_SIZE);
    let mut volume = boot::open_protocol_exclusive::<SimpleFileSystem>(volume)?;
    let file = volume.open_volume()?.open(path, FileMode::Read, FileAttribute::empty())?;
    let mut file = file.into_regular_file().ok_or(Error::from(Status::NOT_FOUND))?;
    file.set_position(RegularFile::END_OF_FILE)?;
    let size = file.get_position()?;
    if !(1..=MAX).contains(&size) {
        return Err(wrong_size());
    }
    file.set_position(0)?;
    let size = usize::try_from(size).map_err(|_| wrong_size())?;
    // One byte more, so that a file that has grown is noticed.
    let buffer = pages::allocate(MemoryType::LOADER_DATA, size + 1)?;
    let read = file.read(buffer)?;
    let buffer = buffer.get(..read).ok_or_else(wrong_size)?;
    (read == size).then_some(buffer).ok_or_else(wrong_size)
}
