// SPDX-License-Identifier: MIT OR Apache-2.0
//! GetQuote against a host that does as it likes.

mod common;

use common::fake::{Fake, Pages};
use tsm_core::ErrorKind as Refusal;
use tsm_core::provider::Reporter as _;
use tsm_tdx::leaf::Leaf;
use tsm_tdx::quoting::{
    HostStatus, IdleQuote, Progress, QuoteMemory, STATUS_DONE, STATUS_ERROR, STATUS_IN_FLIGHT,
    STATUS_UNAVAILABLE,
};
use tsm_tdx::{ErrorKind, GuestPhysical, ReportBuffer, ReportData, RtmrSet, Td, TdxProvider};

fn reported(td: &mut Td<&mut Fake>) -> ReportBuffer {
    let mut report = ReportBuffer::new();
    td.report(&mut report, &ReportData::new([3; 64])).unwrap();
    report
}

/// What the host sees: registers, and the request in memory.
#[test]
fn request() {
    let mut module = Fake::new();
    let mut td = Td::new(&mut module).unwrap();
    let report = reported(&mut td);
    let pages = Pages::new(8192);
    let pending = IdleQuote::new(pages.clone()).submit(&mut td, &report).unwrap();
    let registers = *td.module_mut().calls.last().unwrap();
    assert_eq!((registers.leaf(), registers.rcx), (Leaf::VP_VMCALL, 0xFC00));
    assert_eq!((registers.r10, registers.r11), (0, 0x1_0002));
    assert_eq!((registers.r12, registers.r13), (0x8000_0010_0000, 8192));
    let bytes = pages.0.borrow().clone();
    assert_eq!(bytes[..16], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[16..24], [0, 4, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[24..1048], report.as_bytes()[..]);
    assert!(bytes[1048..].iter().all(|&byte| byte == 0xEE));

    pages.answer(STATUS_IN_FLIGHT, 77, &[]);
    let mut out = [0; 100];
    let Progress::Pending(pending) = pending.poll(&mut out) else { panic!("too early") };
    pages.answer(STATUS_DONE, 5, b"quote");
    let Progress::Done { size, memory } = pending.poll(&mut out) else { panic!("it is there") };
    assert_eq!(&out[..size], b"quote");
    assert_eq!(memory.room(), 8192 - 24);
}

/// Lengths and statuses of a host that lies.
#[test]
fn answers() {
    let room = 8192 - 24;
    for (status, length, expected) in [
        (STATUS_DONE, 0, Err(ErrorKind::QuoteLength(0))),
        (STATUS_DONE, 1, Ok(1)),
        (STATUS_DONE, room, Ok(room as usize)),
        (STATUS_DONE, room + 1, Err(ErrorKind::QuoteLength(room + 1))),
        (STATUS_DONE, u32::MAX, Err(ErrorKind::QuoteLength(u32::MAX))),
        (STATUS_ERROR, 10, Err(ErrorKind::QuoteFailed(STATUS_ERROR))),
        (STATUS_UNAVAILABLE, 10, Err(ErrorKind::QuoteFailed(STATUS_UNAVAILABLE))),
        (12345, 10, Err(ErrorKind::QuoteFailed(12345))),
    ] {
        let mut module = Fake::new();
        let mut td = Td::new(&mut module).unwrap();
        let report = reported(&mut td);
        let pages = Pages::new(8192);
        let pending = IdleQuote::new(pages.clone()).submit(&mut td, &report).unwrap();
        pages.answer(status, length, &[]);
        let mut out = vec![0; 10_000];
        let found = match pending.poll(&mut out) {
            Progress::Pending(_) => panic!("it is done"),
            Progress::Done { size, .. } => Ok(size),
            Progress::Failed { error, .. } => Err(error.kind()),
        };
        assert_eq!(found, expected, "{status:#x} {length}");
    }
}

#[test]
fn no_room_for_the_quote() {
    let mut module = Fake::new();
    let mut td = Td::new(&mut module).unwrap();
    let report = reported(&mut td);
    let pages = Pages::new(4096);
    let pending = IdleQuote::new(pages.clone()).submit(&mut td, &report).unwrap();
    pages.answer(STATUS_DONE, 11, b"hello quote");
    let mut out = [0; 10];
    let failed = pending.wait(&mut || 0, 5, &mut out).unwrap_err();
    assert_eq!(failed.error.kind(), ErrorKind::Refused(Refusal::WrongSize));
    assert!(matches!(failed.memory, QuoteMemory::Idle(_)));
    assert_eq!(out, [0; 10]);
}

/// What the host refuses is told apart from what the module refuses.
#[test]
fn refusals() {
    for (answers, expected) in [
        (vec![HostStatus::GPA_INUSE], ErrorKind::Host(HostStatus::GPA_INUSE)),
        (vec![HostStatus::SUBFUNC_UNSUPPORTED], ErrorKind::Host(HostStatus::SUBFUNC_UNSUPPORTED)),
        (vec![HostStatus(99)], ErrorKind::Host(HostStatus(99))),
        (vec![HostStatus::RETRY; 3], ErrorKind::Host(HostStatus::RETRY)),
    ] {
        let mut module = Fake::new();
        let mut td = Td::new(&mut module).unwrap().with_tries(3);
        let report = reported(&mut td);
        td.module_mut().host = answers.iter().map(|status| status.0).collect();
        let failed = IdleQuote::new(Pages::new(4096)).submit(&mut td, &report).unwrap_err();
        assert_eq!(failed.error.kind(), expected);
        assert!(matches!(failed.memory, QuoteMemory::Idle(_)));
        assert!(td.module_mut().host.is_empty(), "asked as often as it said retry");
    }
    let mut module = Fake::new();
    let mut td = Td::new(&mut module).unwrap().with_tries(3);
    let report = reported(&mut td);
    td.module_mut().host = [1, 1, 0].into();
    assert!(IdleQuote::new(Pages::new(4096)).submit(&mut td, &report).is_ok());
    let status = tsm_tdx::status::Status(0xC000_0100_0000_0001);
    td.module_mut().statuses = [Some(status)].into();
    let failed = IdleQuote::new(Pages::new(4096)).submit(&mut td, &report).unwrap_err();
    assert_eq!(failed.error.kind(), ErrorKind::Module(status));
}

#[test]
fn refused_before_the_call() {
    let private = GuestPhysical(0x10_0000);
    let odd = GuestPhysical(0x8000_0010_0010);
    let good = GuestPhysical(0x8000_0010_0000);
    for (size, address, expected) in [
        (4096, private, ErrorKind::NotShared),
        (4096, odd, ErrorKind::QuoteMemory),
        (4095, good, ErrorKind::QuoteMemory),
        (0, good, ErrorKind::QuoteMemory),
    ] {
        let mut module = Fake::new();
        let mut td = Td::new(&mut module).unwrap();
        let report = reported(&mut td);
        let calls = td.module_mut().calls.len();
        let mut pages = Pages::new(size);
        pages.1 = address;
        let failed = IdleQuote::new(pages).submit(&mut td, &report).unwrap_err();
        assert_eq!(failed.error.kind(), expected, "{size} at {address:?}");
        assert_eq!(td.module_mut().calls.len(), calls, "no call");
    }
}

/// A late quote: the memory stays the host's, and the next call waits for it.
#[test]
fn time_out() {
    let mut module = Fake::new();
    let td = Td::new(&mut module).unwrap();
    let mut buffer = ReportBuffer::new();
    let mut provider = TdxProvider::new(td, RtmrSet::ALL).with_report_buffer(&mut buffer);
    let pages = Pages::new(4096);
    // A clock near its end, by which the host works at certain times.
    let mut now = u64::MAX - 2;
    let host = pages.clone();
    let mut answers = vec![
        (u64::MAX - 1, STATUS_IN_FLIGHT),
        // Beyond the first time-out; the request that comes then is answered at once.
        (12, STATUS_DONE),
        (13, STATUS_DONE),
    ]
    .into_iter()
    .peekable();
    let clock = move || {
        now = now.wrapping_add(1);
        if let Some(&(at, status)) = answers.peek()
            && at == now
        {
            answers.next();
            host.answer(status, 5, b"quote");
        }
        now
    };
    let idle = IdleQuote::new(pages.clone());
    let mut quoter = provider.quoter(idle, clock, 10).unwrap();
    assert_eq!((quoter.user_data_size(), quoter.report_size()), (64, 4072));
    let mut out = [0; 4072];
    pages.answer(STATUS_IN_FLIGHT, 0, &[]);
    let error = quoter.report(b"nonce", &mut out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(quoter.report(b"nonce", &mut out), Ok(5));
    assert_eq!(&out[..5], b"quote");
    assert!(matches!(quoter.into_memory(), Some(QuoteMemory::Idle(_))));
    let quotes = module.calls.iter().filter(|r| r.leaf() == Leaf::VP_VMCALL).count();
    assert_eq!(quotes, 2);
    // REPORTDATA of the last request.
    let bytes = pages.0.borrow();
    assert_eq!(bytes[24 + 128..24 + 134], *b"nonce\0");
}

#[test]
fn no_quotes_without_reports() {
    let mut module = Fake::new();
    let mut provider = TdxProvider::new(Td::new(&mut module).unwrap(), RtmrSet::ALL);
    assert!(provider.quoter(IdleQuote::new(Pages::new(4096)), || 0, 1).is_none());
}
