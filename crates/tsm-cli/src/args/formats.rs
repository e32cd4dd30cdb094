// SPDX-License-Identifier: MIT OR Apache-2.0
//! Words of the command line for formats of logs, for platforms, and for kinds of evidence.

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

/// What `tsm inspect` reads, by the names that its JSON has.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EvidenceKind {
    /// TDREPORT of Intel TDX
    TdxReport,
    /// Quote of Intel TDX
    TdxQuote,
    /// ACPI table that tells where a confidential VM's log is
    CcelTable,
    /// Attestation report of SEV-SNP
    SnpReport,
    /// The same with the manifest of a register bank behind it
    SnpReportBank,
    /// Decrypted response to a request for a report (MSG_REPORT_RSP)
    SnpReportResponse,
    /// Certificate table that a host gives with a report
    #[value(alias = "certificates")]
    SnpCertificates,
    /// Manifest of an SVSM's services
    SvsmServices,
    /// Manifest of an SVSM's vTPM
    SvsmVtpm,
    /// Manifest of a register bank that software keeps
    SnpBank,
    /// Report of a paravisor, of Azure's or OpenHCL
    HclReport,
    /// Attestation token of Arm CCA
    CcaToken,
    /// Event log of any format
    EventLog,
}
