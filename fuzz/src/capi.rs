// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C interface, driven by a list of calls, beside `tsm-core` driven by the same list.
//!
//! Both must do the same. Pointers that are NULL, misaligned, overlapping or of impossible size are
//! refused, and a refused call changes nothing.
#![allow(unsafe_code, reason = "this is what C would do")]

mod reading;

use core::ffi::{CStr, c_void};
use core::ptr::{null, null_mut};

use tsm_capi::*;
use tsm_core::log::{Cause, Limits, OpenError, RecordLog, SliceStorage, WriteError};
use tsm_core::{
    Algorithm, Banks, Digest, ErrorKind, Powers, Provider, Register, RegisterId, provider,
};

use crate::input::Input;

const ID: RegisterId = RegisterId(0);
const LIMIT: usize = 300;
const LIMITS: Limits = Limits::DEFAULT.record(LIMIT);

/// Input: banks, 2 bytes for the buffer's size, then calls of one byte and what they need.
pub fn capi(data: &[u8]) {
    let mut input = Input::new(data);
    let banks = input.banks();
    let size = input.below(4096);
    let machine = Machine::new(banks);
    let mut c = OverC {
        machine: Box::new(machine.clone()),
        // Rounded up so that a word of another kind lies in it; only `size` bytes are given away.
        buffer: vec![0xAAAA_AAAA_AAAA_AAAA; size / 8 + 1],
        size,
        log: Box::new(tsm_log { opaque: [0; TSM_LOG_WORDS] }),
    };
    assert_eq!(c.append(b"x", &mut None), TSM_ERR_UNINITIALISED);
    c.make(banks);
    let mut bytes = vec![0xAA; size];
    let log = RecordLog::new(SliceStorage::new(&mut bytes), LIMITS);
    let mut rust = OverRust { machine, log };
    while !input.is_empty() {
        step(&mut input, &mut c, &mut rust, banks);
        c.same_as(&rust);
    }
}

fn step(input: &mut Input<'_>, c: &mut OverC, rust: &mut OverRust<'_>, banks: Banks) {
    match input.byte() {
        b'f' => {
            let fault = Fault {
                after: u32::from(input.byte() & 7),
                code: input.of(&CODES),
                anyway: input.byte() & 1 == 1,
            };
            c.machine.fault = Some(fault);
            rust.machine.fault = Some(fault);
        }
        b'x' => {
            let count = input.below(5);
            let digests: Vec<Digest> = (0..count)
                .map(|_| {
                    let algorithm = input.of(Algorithm::ALL);
                    input.digest(algorithm)
                })
                .collect();
            c.extend(&digests, rust);
        }
        b'i' => {
            // SAFETY: an initialised log.
            assert_eq!(unsafe { tsm_log_invalidate(&raw mut *c.log) }, TSM_OK);
            rust.log.invalidate();
        }
        b'p' => c.refused(input),
        b'o' => c.reopen(rust, banks, input),
        b'l' => reading::lines(input),
        b'v' => reading::fold(input),
        b'r' => {
            let log = rust.log.storage().as_bytes();
            reading::replayed(&c.machine.values, log, banks, input);
        }
        _ => {
            let size = input.below(400);
            c.append_both(input.bytes(size), rust);
        }
    }
}

/// What a callback may say, right and wrong.
const CODES: [tsm_status; 8] = [
    TSM_ERR_FAILED,
    TSM_ERR_BUSY,
    TSM_ERR_LOCKED,
    TSM_ERR_NO_SUCH_BANK,
    TSM_ERR_STATE_UNKNOWN,
    TSM_ERR_OVERLAP,
    TSM_END,
    u32::MAX,
];

#[derive(Clone, Copy)]
struct Fault {
    after: u32,
    code: tsm_status,
    anyway: bool,
}

impl Fault {
    /// The kind that the contract gives to the code.
    fn kind(self, reading: bool) -> ErrorKind {
        match self.code {
            TSM_ERR_FAILED => ErrorKind::Failed,
            TSM_ERR_BUSY => ErrorKind::Busy,
            TSM_ERR_LOCKED => ErrorKind::Locked,
            TSM_ERR_NO_SUCH_BANK => ErrorKind::NoSuchBank,
            TSM_ERR_STATE_UNKNOWN => ErrorKind::StateUnknown,
            _ if reading => ErrorKind::Failed,
            _ => ErrorKind::StateUnknown,
        }
    }
}

/// A register in memory, with a fault.
#[derive(Clone)]
struct Machine {
    values: Vec<Digest>,
    banks: Banks,
    fault: Option<Fault>,
    /// The handle that calls, if it is the C interface.
    handle: *mut tsm_log,
}

impl Machine {
    fn new(banks: Banks) -> Self {
        let values = banks.iter().map(Digest::zeros).collect();
        Self { values, banks, fault: None, handle: null_mut() }
    }

    /// The fault if it strikes now.
    fn strikes(&mut self) -> Option<Fault> {
        let fault = self.fault.as_mut()?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        self.fault.take()
    }

    fn add(&mut self, digests: &[Digest]) {
        for digest in digests {
            let value = self.values.iter_mut().find(|v| v.algorithm() == digest.algorithm());
            value.unwrap().extend(digest).unwrap();
        }
    }
}

impl Provider for Machine {
    type Error = ErrorKind;

    fn name(&self) -> &str {
        "fuzz"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        (id == ID).then(|| Register::runtime("r", self.banks).with(Powers::DIRECT))
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), ErrorKind> {
        provider::check_read(self.describe(id).as_ref(), bank, out)?;
        if let Some(fault) = self.strikes() {
            return Err(fault.kind(true));
        }
        let value = self.values.iter().find(|v| Some(v.algorithm()) == bank).unwrap();
        out.copy_from_slice(value.as_bytes());
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), ErrorKind> {
        provider::check_extend(self.describe(id).as_ref(), digests)?;
        match self.strikes() {
            None => self.add(digests),
            Some(fault) => {
                let kind = fault.kind(false);
                if fault.anyway && kind == ErrorKind::StateUnknown {
                    self.add(digests);
                }
                return Err(kind);
            }
        }
        Ok(())
    }
}

unsafe extern "C" fn extend(
    context: *mut c_void,
    index: usize,
    digests: *const tsm_digest,
    count: usize,
) -> tsm_status {
    // SAFETY: the context is the machine, which nobody else uses during a call.
    let machine = unsafe { &mut *context.cast::<Machine>() };
    // SAFETY: by contract.
    let digests = unsafe { core::slice::from_raw_parts(digests, count) };
    assert_eq!(index, 0);
    // SAFETY: the handle is there; that it is busy is found out.
    let again = unsafe { tsm_log_append(machine.handle, b"x".as_ptr().cast(), 1, null_mut()) };
    assert_eq!(again, TSM_ERR_REENTERED);
    let digests: Vec<Digest> = digests.iter().map(from_c).collect();
    let code = machine.fault.map_or(TSM_OK, |fault| fault.code);
    match Provider::extend(machine, ID, &digests) {
        Ok(()) => TSM_OK,
        Err(_) => code,
    }
}

unsafe extern "C" fn read(
    context: *mut c_void,
    index: usize,
    value: *mut tsm_digest,
) -> tsm_status {
    // SAFETY: as in `extend`.
    let machine = unsafe { &mut *context.cast::<Machine>() };
    // SAFETY: by contract.
    let value = unsafe { &mut *value };
    assert_eq!(index, 0);
    let bank = Algorithm::from_tpm_id(value.algorithm).unwrap();
    let code = machine.fault.map_or(TSM_OK, |fault| fault.code);
    match Provider::read(machine, ID, Some(bank), &mut value.bytes[..bank.size()]) {
        Ok(()) => TSM_OK,
        Err(_) => code,
    }
}

fn from_c(digest: &tsm_digest) -> Digest {
    let algorithm = Algorithm::from_tpm_id(digest.algorithm).unwrap();
    Digest::from_bytes(algorithm, &digest.bytes[..algorithm.size()]).unwrap()
}

fn to_c(digest: &Digest) -> tsm_digest {
    // What lies behind the digest is not looked at.
    let mut c = tsm_digest { algorithm: digest.algorithm().tpm_id(), bytes: [0x5A; 64] };
    c.bytes[..digest.as_bytes().len()].copy_from_slice(digest.as_bytes());
    c
}

struct OverRust<'s> {
    machine: Machine,
    log: RecordLog<SliceStorage<'s>>,
}

struct OverC {
    machine: Box<Machine>,
    buffer: Vec<u64>,
    size: usize,
    log: Box<tsm_log>,
}

impl OverC {
    /// The provider, and what it points to.
    fn provider(&mut self, banks: Banks) -> (tsm_provider, Box<tsm_register>) {
        let mut list = [TSM_NO_ALGORITHM; TSM_MAX_BANKS];
        for (to, from) in list.iter_mut().zip(banks.iter()) {
            *to = from.tpm_id();
        }
        let register = Box::new(tsm_register {
            name: c"r".as_ptr(),
            banks: list,
            powers: TSM_READ | TSM_EXTEND | TSM_DIRECT,
            initial: TSM_INITIAL_ZEROS,
        });
        self.machine.handle = &raw mut *self.log;
        let provider = tsm_provider {
            registers: &raw const *register,
            count: 1,
            extend: Some(extend),
            read: Some(read),
            context: (&raw mut *self.machine).cast(),
        };
        (provider, register)
    }

    fn make(&mut self, banks: Banks) {
        let (provider, _register) = self.provider(banks);
        let (log, buffer) = (&raw mut *self.log, self.buffer.as_mut_ptr().cast());
        // SAFETY: all of it is there and stays.
        let made = unsafe { tsm_log_init(log, &raw const provider, 0, buffer, self.size, LIMIT) };
        assert_eq!(made, TSM_OK);
    }

    fn append(&mut self, lines: &[u8], done: &mut Option<tsm_appended>) -> tsm_status {
        let mut what = tsm_appended { records: 9, synced: 9, offset: 9, callback: 9 };
        let log = &raw mut *self.log;
        // SAFETY: all of it is there.
        let status =
            unsafe { tsm_log_append(log, lines.as_ptr().cast(), lines.len(), &raw mut what) };
        *done = Some(what);
        named(status)
    }

    fn append_both(&mut self, lines: &[u8], rust: &mut OverRust<'_>) {
        let mut done = None;
        let status = self.append(lines, &mut done);
        let done = done.unwrap();
        match rust.log.append(&mut rust.machine, ID, lines) {
            Ok(what) => {
                assert_eq!(status, TSM_OK);
                assert_eq!((done.records, done.synced), (what.records, u32::from(what.synced)));
                assert_eq!(done.callback, TSM_OK);
            }
            Err(error) => {
                assert_eq!(status, of(&error));
                assert_eq!((done.records, done.offset), (error.record, error.offset));
                let by_callback = matches!(error.cause, Cause::Provider(_));
                assert_eq!(done.callback != TSM_OK, by_callback);
            }
        }
    }

    fn extend(&mut self, digests: &[Digest], rust: &mut OverRust<'_>) {
        let list: Vec<tsm_digest> = digests.iter().map(to_c).collect();
        let log = &raw mut *self.log;
        // SAFETY: all of it is there.
        let status = unsafe { tsm_log_extend(log, list.as_ptr(), list.len(), null_mut()) };
        match rust.log.extend_off_log(&mut rust.machine, ID, digests) {
            Ok(()) => assert_eq!(status, TSM_OK),
            Err(error) => assert_eq!(named(status), of(&error)),
        }
    }

    /// Makes the log anew over some of its content.
    fn reopen(&mut self, rust: &mut OverRust<'_>, banks: Banks, input: &mut Input<'_>) {
        let content = self.bytes().len() - input.byte() as usize % (self.bytes().len() + 1);
        let mut copy = rust.log.storage().as_bytes()[..content].to_vec();
        let (provider, _register) = self.provider(banks);
        let (log, buffer) = (&raw mut *self.log, self.buffer.as_mut_ptr().cast());
        let mut at = tsm_position { record: 9, line: 9, offset: 9 };
        let (provider, at_) = (&raw const provider, &raw mut at);
        // SAFETY: all of it is there and stays.
        let status =
            unsafe { tsm_log_open(log, provider, 0, buffer, self.size, content, LIMIT, at_) };
        named(status);
        let storage = SliceStorage::with_content(&mut copy, content).unwrap();
        match RecordLog::open(storage, LIMITS, &mut rust.machine, ID, &mut []) {
            Ok(opened) => {
                assert_eq!(status, TSM_OK);
                assert_eq!(self.status().in_sync, u32::from(opened.in_sync()));
            }
            Err(OpenError::Log(error)) => {
                assert!((80..96).contains(&status));
                assert_eq!((at.line, at.offset), (error.line, error.offset));
            }
            Err(OpenError::Provider(_)) => assert!((48..64).contains(&status)),
            Err(other) => panic!("{other:?}"),
        }
        // Back to where both were. A reading callback has not changed anything.
        let used = rust.log.storage().as_bytes().len();
        let (log, buffer) = (&raw mut *self.log, self.buffer.as_mut_ptr().cast());
        self.machine.fault = None;
        rust.machine.fault = None;
        // SAFETY: all of it is there and stays.
        let status =
            unsafe { tsm_log_open(log, provider, 0, buffer, self.size, used, LIMIT, null_mut()) };
        assert_eq!(status, TSM_OK);
        if !rust.log.in_sync() {
            // SAFETY: an initialised log.
            assert_eq!(unsafe { tsm_log_invalidate(log) }, TSM_OK);
        } else {
            assert_eq!(self.status().in_sync, 1);
        }
    }

    fn status(&mut self) -> tsm_log_info {
        let mut info = tsm_log_info { size: 0, capacity: 0, in_sync: 9 };
        // SAFETY: all of it is there.
        let status = unsafe { tsm_log_status(&raw mut *self.log, &raw mut info) };
        assert_eq!(status, TSM_OK);
        info
    }

    fn bytes(&mut self) -> &[u8] {
        let (mut start, mut size) = (null(), 0);
        // SAFETY: all of it is there.
        let status = unsafe { tsm_log_bytes(&raw mut *self.log, &raw mut start, &raw mut size) };
        assert_eq!(status, TSM_OK);
        assert_eq!(start, self.buffer.as_ptr().cast());
        // SAFETY: what the library said.
        unsafe { core::slice::from_raw_parts(start.cast(), size) }
    }

    fn same_as(&mut self, rust: &OverRust<'_>) {
        let expected = rust.log.storage().as_bytes();
        assert_eq!(self.bytes(), expected);
        let info = self.status();
        assert_eq!((info.size, info.capacity), (expected.len(), self.size));
        assert_eq!(info.in_sync, u32::from(rust.log.in_sync()));
        assert_eq!(self.machine.values, rust.machine.values);
        assert_eq!(self.machine.fault.is_some(), rust.machine.fault.is_some());
    }

    /// Calls that must be refused.
    fn refused(&mut self, input: &mut Input<'_>) {
        let log = &raw mut *self.log;
        let buffer = self.buffer.as_mut_ptr().cast::<u8>();
        let inside = buffer.wrapping_add(input.below(self.size.max(1)));
        let odd = |p: *mut c_void| p.wrapping_byte_add(1 + usize::from(inside.is_null()));
        let huge = usize::MAX - input.below(300);
        let x = b"x".as_ptr().cast::<c_void>();
        let mut size = 0;
        let mut out = [0_u8; 16];
        let out = out.as_mut_ptr().cast::<c_void>();
        let empty = self.size == 0;
        let choice = input.byte() % 9;
        // SAFETY: what is wrong with each call is found before anything is read or written.
        let (status, wanted) = unsafe {
            match choice {
                0 => (tsm_log_append(null_mut(), x, 1, null_mut()), TSM_ERR_NULL),
                1 => (tsm_log_append(log, null(), 1, null_mut()), TSM_ERR_NULL),
                2 => (tsm_log_append(odd(log.cast()).cast(), x, 1, null_mut()), TSM_ERR_MISALIGNED),
                3 => (tsm_log_append(log, x, huge, null_mut()), TSM_ERR_LENGTH),
                4 if !empty => (tsm_log_append(log, inside.cast(), 1, null_mut()), TSM_ERR_OVERLAP),
                5 if !empty => {
                    (tsm_log_copy(log, 0, inside.cast(), 1, &raw mut size), TSM_ERR_OVERLAP)
                }
                6 => (tsm_log_copy(log, 0, log.cast(), 8, &raw mut size), TSM_ERR_OVERLAP),
                7 => (tsm_log_copy(log, 0, out, 8, null_mut()), TSM_ERR_NULL),
                _ => (tsm_log_append(log, x, 1, log.cast()), TSM_ERR_OVERLAP),
            }
        };
        assert_eq!(status, wanted, "{choice}");
    }
}

fn of(error: &WriteError<ErrorKind, tsm_core::log::NoRoom>) -> tsm_status {
    let kind = match error.cause {
        Cause::TooLong => return TSM_ERR_RECORD_TOO_LONG,
        Cause::Reserved => return TSM_ERR_RESERVED,
        Cause::Full => return TSM_ERR_NO_SPACE,
        Cause::Refused(kind) | Cause::Provider(kind) => kind,
        other => panic!("{other:?}"),
    };
    match kind {
        ErrorKind::Failed => TSM_ERR_FAILED,
        ErrorKind::Busy => TSM_ERR_BUSY,
        ErrorKind::Locked => TSM_ERR_LOCKED,
        ErrorKind::NoSuchBank => TSM_ERR_NO_SUCH_BANK,
        ErrorKind::StateUnknown => TSM_ERR_STATE_UNKNOWN,
        ErrorKind::InvalidInput => TSM_ERR_INVALID_INPUT,
        other => panic!("{other:?}"),
    }
}

/// The status, which has a name.
fn named(status: tsm_status) -> tsm_status {
    // SAFETY: static and NUL-terminated.
    let name = unsafe { CStr::from_ptr(tsm_status_name(status)) };
    assert_ne!(name, c"TSM_ERR_?", "{status}");
    status
}
