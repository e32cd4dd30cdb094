// SPDX-License-Identifier: MIT OR Apache-2.0
//! The adapter's GetQuote below hosts that do what they like.

use tsm_core::provider::Reporter as _;
use tsm_core::{Algorithm, ErrorKind as Refusal, Provider as _};
use tsm_sim::tdx::quoting::{Conduct, QuoteForm, QuotingHost, SharedBuffer};
use tsm_sim::tdx::{Busy, Cpu, Module, NoHost};
use tsm_tdx::quoting::{HostStatus, IdleQuote, QuoteMemory, Quoter, SharedMemory as _};
use tsm_tdx::{
    ErrorKind, GuestPhysical, Quote, ReportBuffer, ReportData, RtmrSet, Td, TdxProvider,
};

const ROOM: usize = 16 * 1024;

fn memory(size: usize) -> SharedBuffer {
    SharedBuffer::new(GuestPhysical(1 << 47 | 0x4000), size)
}

fn module(memory: &SharedBuffer) -> Module<QuotingHost<SharedBuffer>> {
    let cpu = Cpu::new("host");
    let host = QuotingHost::new(&cpu, QuoteForm::V5Td15, memory.clone());
    Module::new(cpu).with_host(host)
}

/// A clock of which each reading is one tick later.
fn clock() -> impl FnMut() -> u64 {
    let mut now = u64::MAX - 3;
    move || {
        now = now.wrapping_add(1);
        now
    }
}

/// What comes of a quote below a host of this conduct, and the bytes that there were.
fn ask(conduct: Conduct, size: usize) -> (Result<usize, ErrorKind>, Vec<u8>, bool) {
    let memory = memory(size);
    let mut module = module(&memory);
    module.host_mut().set_conduct(conduct);
    let mut td = Td::new(&mut module).unwrap();
    let mut report = ReportBuffer::new();
    let mut quoter = Quoter::new(&mut td, &mut report, IdleQuote::new(memory), clock(), 50);
    let mut out = vec![0; ROOM];
    let result = quoter.quote(&ReportData::new([9; 64]), &mut out).map_err(|e| e.kind());
    let idle = matches!(quoter.into_memory(), Some(QuoteMemory::Idle(_)));
    (result, out, idle)
}

#[test]
fn hosts_that_answer() {
    for conduct in [
        Conduct::Prompt,
        Conduct::After(1),
        Conduct::After(20),
        Conduct::Retries(5),
        // The guest copies header and quote once each; what comes later is not seen.
        Conduct::Overwrites(2),
        // Not looked at: nothing says that the host must keep it.
        Conduct::Version(2),
    ] {
        let (result, out, idle) = ask(conduct, ROOM);
        let size = result.unwrap_or_else(|error| panic!("{conduct:?}: {error}"));
        let quote = Quote::parse(&out[..size]).unwrap_or_else(|e| panic!("{conduct:?}: {e}"));
        assert_eq!(quote.body().report_data(), &[9; 64], "{conduct:?}");
        assert!(idle);
    }
}

#[test]
fn hosts_that_do_not() {
    use HostStatus as H;
    let too_large = (ROOM - 24 + 1) as u32;
    for (conduct, expected) in [
        (Conduct::Refuses(H::INVALID_OPERAND), ErrorKind::Host(H::INVALID_OPERAND)),
        (Conduct::Refuses(H::GPA_INUSE), ErrorKind::Host(H::GPA_INUSE)),
        (Conduct::Refuses(H(0xDEAD)), ErrorKind::Host(H(0xDEAD))),
        (Conduct::Refuses(H::RETRY), ErrorKind::Host(H::RETRY)),
        (Conduct::Retries(1000), ErrorKind::Host(H::RETRY)),
        (Conduct::Fails(1 << 63), ErrorKind::QuoteFailed(1 << 63)),
        (Conduct::Fails(1 << 63 | 1), ErrorKind::QuoteFailed(1 << 63 | 1)),
        (Conduct::Fails(5), ErrorKind::QuoteFailed(5)),
        (Conduct::Length(0), ErrorKind::QuoteLength(0)),
        (Conduct::Length(too_large), ErrorKind::QuoteLength(too_large)),
        (Conduct::Length(u32::MAX), ErrorKind::QuoteLength(u32::MAX)),
    ] {
        let (result, out, idle) = ask(conduct, ROOM);
        assert_eq!(result, Err(expected), "{conduct:?}");
        assert!(idle && out.iter().all(|&byte| byte == 0), "{conduct:?}");
    }
    for conduct in [Conduct::Never, Conduct::After(51)] {
        let (result, _, idle) = ask(conduct, ROOM);
        assert_eq!(result, Err(ErrorKind::TimedOut), "{conduct:?}");
        assert!(!idle, "the memory is still the host's");
    }
    // The quote does not fit: the host says so.
    assert_eq!(ask(Conduct::Prompt, 4096).0, Err(ErrorKind::QuoteFailed(1 << 63)));
}

/// A host that changes the memory between header and quote gets garbage through, of the length that
/// the header said; it is no quote.
#[test]
fn overwritten_while_it_is_read() {
    let (result, out, idle) = ask(Conduct::Overwrites(1), ROOM);
    let (prompt, ..) = ask(Conduct::Prompt, ROOM);
    assert_eq!(result, prompt);
    let size = result.unwrap();
    assert!(idle && out[..size].iter().all(|&byte| byte == 0xA5));
    assert!(out[size..].iter().all(|&byte| byte == 0));
    assert_eq!(Quote::parse(&out[..size]).unwrap_err().kind(), ErrorKind::Version);
}

/// A good quote of another machine: only who compares can tell.
#[test]
fn another_machines_quote() {
    let (result, out, _) = ask(Conduct::Other, ROOM);
    let quote = Quote::parse(&out[..result.unwrap()]).unwrap();
    let (_, own, _) = ask(Conduct::Prompt, ROOM);
    let own = Quote::parse(&own).unwrap();
    assert_eq!(quote.body().report_data(), own.body().report_data());
    assert_ne!(quote.signature_data().attestation_key(), own.signature_data().attestation_key());
}

/// After a time-out the memory is still the host's; it can be waited for, and used again.
#[test]
fn late_quotes() {
    let memory = memory(ROOM);
    let mut module = module(&memory);
    module.host_mut().set_conduct(Conduct::After(60));
    module.set_busy(Busy::every(2));
    let mut report = ReportBuffer::new();
    let mut out = vec![0; ROOM];
    let mut td = Td::new(&mut module).unwrap();
    let mut quoter = Quoter::new(&mut td, &mut report, IdleQuote::new(memory), clock(), 50);
    let late = quoter.quote(&ReportData::new([1; 64]), &mut out).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let Some(QuoteMemory::Pending(pending)) = quoter.into_memory() else { panic!("not pending") };
    module.host_mut().set_conduct(Conduct::Prompt);
    let (size, idle) = pending.wait(&mut clock(), 50, &mut out).unwrap();
    assert_eq!(Quote::parse(&out[..size]).unwrap().body().report_data(), &[1; 64]);
    let mut td = Td::new(&mut module).unwrap();
    let mut quoter = Quoter::new(&mut td, &mut report, idle, clock(), 50);
    let size = quoter.quote(&ReportData::new([2; 64]), &mut out).unwrap();
    assert_eq!(Quote::parse(&out[..size]).unwrap().body().report_data(), &[2; 64]);
    assert_eq!(module.host().requests(), 2);
}

/// A padded quote: nothing signs what stands behind it.
#[test]
fn padding() {
    let memory = memory(ROOM);
    let cpu = Cpu::new("host");
    let host = QuotingHost::new(&cpu, QuoteForm::V4, memory.clone()).with_padding(70);
    let mut td = Td::new(Module::new(cpu).with_host(host)).unwrap();
    let mut report = ReportBuffer::new();
    let mut quoter = Quoter::new(&mut td, &mut report, IdleQuote::new(memory), clock(), 50);
    assert_eq!((quoter.user_data_size(), quoter.report_size()), (64, ROOM - 24));
    let mut out = vec![0; ROOM];
    let size = quoter.report(b"nonce", &mut out).unwrap();
    let quote = Quote::parse(&out[..size]).unwrap();
    assert_eq!(quote.trailing(), [0; 70]);
    assert_eq!(quote.body().report_data()[..6], *b"nonce\0");
}

/// No quote, if the report is not of the host's processor.
#[test]
fn a_report_from_elsewhere() {
    let memory = memory(ROOM);
    let host = QuotingHost::new(&Cpu::new("one"), QuoteForm::V4, memory.clone());
    let mut td = Td::new(Module::new(Cpu::new("other")).with_host(host)).unwrap();
    let mut report = ReportBuffer::new();
    let mut quoter = Quoter::new(&mut td, &mut report, IdleQuote::new(memory), clock(), 50);
    let error = quoter.quote(&ReportData::new([0; 64]), &mut vec![0; ROOM]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QuoteFailed(1 << 63));
}

#[test]
fn no_host() {
    let memory = memory(ROOM);
    let mut td = Td::new(Module::new(Cpu::new("host")).with_host(NoHost)).unwrap();
    let mut report = ReportBuffer::new();
    let mut quoter = Quoter::new(&mut td, &mut report, IdleQuote::new(memory), clock(), 50);
    let error = quoter.quote(&ReportData::new([0; 64]), &mut vec![0; ROOM]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host(HostStatus::SUBFUNC_UNSUPPORTED));
    assert_eq!(tsm_core::provider::Error::kind(&error), Refusal::Failed);
}

/// What was extended is in the quote, and the provider of the adapter keeps the contract.
#[test]
fn from_the_register_to_the_quote() {
    let memory = memory(ROOM);
    let mut module = module(&memory);
    let mut report = ReportBuffer::new();
    let td = Td::new(&mut module).unwrap();
    let mut tdx = TdxProvider::new(td, RtmrSet::ALL).with_report_buffer(&mut report);
    tsm_sim::contract::check_contract(&mut tdx);
    let rtmr3 = tdx.find("rtmr3").unwrap();
    let value = tdx.value(rtmr3, Algorithm::Sha384).unwrap();
    let mut quoter = tdx.quoter(IdleQuote::new(memory.clone()), clock(), 50).unwrap();
    let mut out = vec![0; ROOM];
    let size = quoter.quote(&ReportData::new([4; 64]), &mut out).unwrap();
    let quote = Quote::parse(&out[..size]).unwrap();
    let in_quote = quote.body().td().unwrap().rtmr(tsm_tdx::RtmrIndex::RTMR3);
    assert_eq!(in_quote[..], *value.as_bytes());
    assert_eq!(memory.size(), ROOM);
}
