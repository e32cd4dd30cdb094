// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host at the other side of a GHCB.

use alloc::vec;

use tsm_snp::ghcb::Vmgexit;
use tsm_snp::ghcb::layout::{Field, Ghcb, PROTOCOL_VERSION, ValidBitmap};
use tsm_snp::{Error, Event, Exit, GuestPhysical, PAGE};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::memory::{Fault, GuestMemory};
use super::{Carrier, Message, SharedPages};

/// A [`Carrier`] behind a GHCB: it reads the event, its arguments and the request from the guest's
/// memory, and writes the answer there. The memory is [`SharedPages`], or that of a guest that really
/// runs.
///
/// What it cannot do it says as the GHCB specification has it: SW_EXITINFO1 2, SW_EXITINFO2 the
/// reason. It allocates for certificates only.
#[derive(Clone, Debug)]
pub struct Hypervisor<C, M = SharedPages> {
    carrier: C,
    memory: M,
    ignored: u32,
    registered: Option<GuestPhysical>,
}

/// Reasons for which an exit is malformed.
const INVALID_USAGE: u64 = 2;
const MISSING_INPUT: u64 = 4;
const INVALID_INPUT: u64 = 5;
const INVALID_EVENT: u64 = 6;

/// Most pages for certificates that it takes. Linux and coconut-svsm give four.
const MAX_CERTIFICATES: usize = 64;

impl<C, M> Hypervisor<C, M> {
    /// This host, over this memory.
    #[must_use]
    pub const fn new(carrier: C, memory: M) -> Self {
        Self { carrier, memory, ignored: 0, registered: None }
    }

    /// The next so many exits come back with everything as the guest left it.
    pub const fn ignore(&mut self, exits: u32) {
        self.ignored = exits;
    }

    /// The host.
    pub const fn carrier(&self) -> &C {
        &self.carrier
    }

    /// The host.
    pub const fn carrier_mut(&mut self) -> &mut C {
        &mut self.carrier
    }
}

impl<C: Carrier, M: GuestMemory> Hypervisor<C, M> {
    /// What VMGEXIT does with this value in the GHCB's MSR; gives what the MSR has afterwards.
    ///
    /// A GHCB must have been registered; the last one counts. Of the MSR protocol there is its
    /// registration: 0x012, answered by 0x013 with the same address, or with all ones, which is an
    /// assumption, if no memory is there. `None`: the host was not called, or ends the guest, as KVM
    /// (`arch/x86/kvm/svm/sev.c`) does for a GHCB that is not registered and for other requests.
    pub fn vmgexit(&mut self, msr: u64) -> Option<u64> {
        const REGISTER: u64 = 0x012;
        const REGISTERED: u64 = 0x013;
        let address = GuestPhysical(msr & !0xFFF);
        match msr & 0xFFF {
            0 if self.registered == Some(address) => self.exit(address).ok().map(|()| msr),
            REGISTER => {
                let there = self.memory.read(address, &mut [0; PAGE]).is_ok();
                self.registered = there.then_some(address);
                let answer = if there { address.0 } else { !0xFFF };
                Some(answer | REGISTERED)
            }
            _ => None,
        }
    }

    /// Carries out what the GHCB asks for; `Err` says why it is malformed. `Ok(None)`: no host was
    /// called.
    fn handle(&mut self, ghcb: &Ghcb) -> Result<Option<Exit>, u64> {
        let valid = ValidBitmap::from_bytes(ghcb.valid_bitmap);
        let has = |fields: &[Field]| fields.iter().all(|field| valid.contains(*field));
        if ghcb.usage.get() != 0 || ghcb.protocol_version.get() != PROTOCOL_VERSION {
            return Err(INVALID_USAGE);
        }
        if !has(&[Field::ExitCode, Field::ExitInfo1, Field::ExitInfo2]) {
            return Err(MISSING_INPUT);
        }
        let events = [Event::GuestRequest, Event::ExtendedGuestRequest];
        let event = events.into_iter().find(|event| event.code() == ghcb.sw_exit_code.get());
        let event = event.ok_or(INVALID_EVENT)?;
        let extended = event == Event::ExtendedGuestRequest;
        if extended && !has(&[Field::Rax, Field::Rbx]) {
            return Err(MISSING_INPUT);
        }
        let [request_at, response_at, certificates_at] =
            [&ghcb.sw_exit_info_1, &ghcb.sw_exit_info_2, &ghcb.rax]
                .map(|at| GuestPhysical(at.get()));
        if [request_at, response_at].iter().any(|at| !at.is_aligned(4096)) {
            return Err(INVALID_INPUT);
        }
        let invalid = |_: Fault| INVALID_INPUT;
        let (mut request, mut response) = ([0; PAGE], [0; PAGE]);
        self.memory.read(request_at, &mut request).map_err(invalid)?;
        self.memory.read(response_at, &mut response).map_err(invalid)?;
        let mut certificates = None;
        if extended {
            let pages = usize::try_from(ghcb.rbx.get()).ok();
            let pages = pages.filter(|pages| *pages <= MAX_CERTIFICATES).ok_or(INVALID_INPUT)?;
            let mut memory = vec![0; pages.saturating_mul(PAGE)];
            self.memory.read(certificates_at, &mut memory).map_err(invalid)?;
            certificates = Some(memory);
        }
        let exit = self.carrier.carry(Message {
            event,
            request: &request,
            response: &mut response,
            certificates: certificates.as_deref_mut(),
        });
        if exit.is_some() {
            self.memory.write(response_at, &response).map_err(invalid)?;
            if let Some(memory) = certificates {
                self.memory.write(certificates_at, &memory).map_err(invalid)?;
            }
        }
        Ok(exit)
    }
}

/// Without the MSR: any GHCB will do.
impl<C: Carrier, M: GuestMemory> Vmgexit for Hypervisor<C, M> {
    fn exit(&mut self, ghcb: GuestPhysical) -> Result<(), Error> {
        if let Some(left) = self.ignored.checked_sub(1) {
            self.ignored = left;
            return Ok(());
        }
        let mut page = [0; PAGE];
        self.memory.read(ghcb, &mut page).map_err(|_| Error::not_sent())?;
        let page = Ghcb::mut_from_bytes(&mut page).map_err(|_| Error::not_sent())?;
        let exit = match self.handle(page) {
            Ok(exit) => exit.ok_or(Error::not_sent())?,
            Err(reason) => Exit { info_1: Some(2), info_2: Some(reason), rbx: None },
        };
        let mut valid = ValidBitmap::default();
        for (value, field, place) in [
            (exit.info_1, Field::ExitInfo1, &mut page.sw_exit_info_1),
            (exit.info_2, Field::ExitInfo2, &mut page.sw_exit_info_2),
            (exit.rbx, Field::Rbx, &mut page.rbx),
        ] {
            if let Some(value) = value {
                *place = value.into();
                valid = valid.with(field);
            }
        }
        page.valid_bitmap = valid.to_bytes();
        self.memory.write(ghcb, page.as_bytes()).map_err(|_| Error::not_sent())
    }
}
