// SPDX-License-Identifier: MIT OR Apache-2.0
//! The test's side of a boot in QEMU: starts the shim as firmware would, and ends QEMU with a status
//! that says how the shim ended. The shim itself knows nothing of QEMU.
//!
//! The file `\EFI\tsm\harness.txt` may say `cc` or `cc-failing`: then an **emulated**
//! EFI_CC_MEASUREMENT_PROTOCOL is installed before ([`emulated_cc`]).
//!
//! QEMU's status is 33 if the shim succeeded, 35 if it failed, 37 if the harness did.

#![no_main]
#![no_std]

mod emulated_cc;

use core::arch::asm;
use core::fmt::Write as _;
use core::mem::MaybeUninit;

use tsm_core::{Algorithm, Digest};
use uefi::boot::{self, LoadImageSource, OpenProtocolAttributes, OpenProtocolParams};
use uefi::proto::BootPolicy;
use uefi::proto::device_path::DevicePath;
use uefi::proto::device_path::build::{DevicePathBuilder, media::FilePath};
use uefi::proto::tcg::AlgorithmId;
use uefi::proto::tcg::v2::Tcg;
use uefi::{CStr16, Error, Handle, Result, Status, cstr16, entry};
use uefi_shim::console::Console;
use uefi_shim::next_stage::{own_volume, read_file};
use uefi_shim::tcg2;

const SHIM: &CStr16 = cstr16!("\\EFI\\tsm\\shim.efi");
const MODE: &CStr16 = cstr16!("\\EFI\\tsm\\harness.txt");

#[entry]
fn main() -> Status {
    let mut console = Console::open();
    let status = match prepare(&mut console) {
        Err(error) => {
            let _ = writeln!(console, "HARNESS failed: {}", error.status());
            0x12
        }
        Ok(shim) => match boot::start_image(shim) {
            Ok(()) => {
                let _ = writeln!(console, "HARNESS shim succeeded");
                0x10
            }
            Err(error) => {
                let _ = writeln!(console, "HARNESS shim failed: {}", error.status());
                0x11
            }
        },
    };
    emulated_cc::print_value(&mut console, "register");
    print_firmware_log(&mut console);
    leave(status)
}

/// Installs what the mode asks for and loads the shim.
fn prepare(console: &mut Console) -> Result<Handle> {
    let volume = own_volume()?;
    // Without the file there is nothing to install.
    let mode = read_file(volume, MODE).unwrap_or_default().trim_ascii();
    let _ = writeln!(console, "\nHARNESS mode {:?}", str::from_utf8(mode).unwrap_or("?"));
    match mode {
        b"" => {}
        b"cc" => emulated_cc::install(true)?,
        b"cc-failing" => emulated_cc::install(false)?,
        _ => return Err(Status::INVALID_PARAMETER.into()),
    }
    emulated_cc::print_value(console, "start");
    let params =
        OpenProtocolParams { handle: volume, agent: boot::image_handle(), controller: None };
    // SAFETY: the volume stays while the application that came from it runs. Not exclusive: the
    // firmware's drivers use its device path.
    let device =
        unsafe { boot::open_protocol::<DevicePath>(params, OpenProtocolAttributes::GetProtocol) }?;
    let mut buffer = [MaybeUninit::uninit(); 512];
    let mut path = DevicePathBuilder::with_buf(&mut buffer);
    let too_long = |_| Error::from(Status::BUFFER_TOO_SMALL);
    for node in device.node_iter() {
        path = path.push(&node).map_err(too_long)?;
    }
    let path = path.push(&FilePath { path_name: SHIM }).map_err(too_long)?;
    let device_path = path.finalize().map_err(too_long)?;
    let boot_policy = BootPolicy::ExactMatch;
    let source = LoadImageSource::FromDevicePath { device_path, boot_policy };
    boot::load_image(boot::image_handle(), source)
}

/// Prints the value to which the firmware's own log leads, if there is a TPM: the shim's records
/// must be in that log, too.
fn print_firmware_log(console: &mut Console) {
    let Ok(handle) = boot::get_handle_for_protocol::<Tcg>() else { return };
    let Ok(mut tcg) = boot::open_protocol_exclusive::<Tcg>(handle) else { return };
    let Ok(log) = tcg.get_event_log_v2() else { return };
    let mut value = Digest::zeros(Algorithm::Sha256);
    for event in log.iter().filter(|event| event.pcr_index() == tcg2::PCR) {
        for (_, digest) in event.digests().into_iter().filter(|(id, _)| *id == AlgorithmId::SHA256)
        {
            if let Some(digest) = Digest::from_bytes(Algorithm::Sha256, digest) {
                let _ = value.extend(&digest);
            }
        }
    }
    let _ = writeln!(console, "VALUE firmware-log tpm/pcr8 {value}");
}

/// Ends QEMU with status `2 * status + 1`.
fn leave(status: u32) -> ! {
    // SAFETY: port 0xF4 is QEMU's isa-debug-exit (it is started with `iobase=0xf4`), which ends the
    // process; no memory is touched.
    unsafe {
        asm!("out dx, eax", in("dx") 0xF4_u16, in("eax") status, options(nomem, nostack));
    }
    loop {
        boot::stall(core::time::Duration::from_secs(1));
    }
}
