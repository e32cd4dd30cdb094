// SPDX-License-Identifier: MIT OR Apache-2.0
//! Words of the command line for formats of logs, and for platforms.

use clap::ValueEnum;

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Record log
    Record,
    /// IMA runtime measurement list, binary or ascii
    Ima,
    /// Crypto-agile TCG log of a TPM (binary_bios_measurements)
    Tcg2,
    /// Crypto-agile TCG log of a confidential VM (CCEL)
    Ccel,
    /// TCG log in the SHA-1 format
    TcgSha1,
    /// Canonical event log as TLV
    CelTlv,
    /// Canonical event log as an array of CBOR
    CelCbor,
    /// Canonical event log as CBOR records behind each other
    CelCborSequence,
    /// Canonical event log as JSON
    CelJson,
    /// systemd's log of user space (tpm2-measure.log)
    Systemd,
    /// Text log of Confidential Containers' attestation agent
    Aael,
    /// Lines of dstack's runtime events
    DstackLog,
    /// Array of events of dstack's interfaces
    DstackEvents,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Platform {
    /// A TPM: pcr0 to pcr23
    Tpm,
    /// Intel TDX: mrtd, rtmr0 to rtmr3
    Tdx,
    /// Arm CCA: rim, rem0 to rem3
    Cca,
    /// Arm CCA, in a log of the machine monitor, which counts PCRs
    CcaMonitor,
    /// Some confidential VM: ccmr0 to ccmr4
    Cc,
}
