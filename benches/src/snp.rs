// SPDX-License-Identifier: MIT OR Apache-2.0
//! Report requests of an SNP guest: by the adapter, and their AES-GCM and copying alone. Answers are
//! made beforehand by the simulated firmware, since making them is not the guest's work.

use core::hint::black_box;

use aes_gcm::aead::{AeadInOut as _, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use tsm_sim::snp::{Chip, Firmware};
use tsm_snp::message::{Header, MessageType};
use tsm_snp::report::Generation;
use tsm_snp::{
    Error, Exchange, Exit, FirmwareStatus, GuestChannel, GuestMessages, PAGE, REPORT_SIZE,
    ReportRequest, Vmpck, VmpckIndex, Vmpl,
};

/// Bytes of a request's and of an answer's message.
const REQUEST: usize = Header::SIZE + 96;
const ANSWER: usize = Header::SIZE + 0x4C0;

/// A conversation: the key, and all answers.
pub struct Conversation {
    key: [u8; 32],
    answers: Vec<[u8; ANSWER]>,
}

impl Conversation {
    /// One of so many reports.
    #[must_use]
    pub fn new(reports: usize) -> Self {
        // Not signed: a signature takes a thousand times as long as the rest.
        let firmware = Firmware::new(Chip::new("bench", Generation::Milan));
        let mut firmware = firmware.with_chip_key_masked();
        let mut page = [0; PAGE];
        firmware.write_secrets(&mut page);
        let key = *page[0x20..].first_chunk().expect("a key");
        let cipher = Aes256Gcm::new((&key).into());
        let answers = (0..reports).map(|number| {
            let (mut request, mut page) = ([0; REQUEST], [0; PAGE]);
            seal(&cipher, number, &mut request);
            assert_eq!(firmware.answer(&request, &mut page), FirmwareStatus::SUCCESS);
            *page.first_chunk().expect("a page")
        });
        Self { key, answers: answers.collect() }
    }

    /// All of it, by the adapter.
    pub fn adapter(&self) {
        let key = Vmpck::unused(VmpckIndex::ALL[0], &mut self.key.clone());
        let channel = Recording { answers: self.answers.iter(), page: [0; REQUEST] };
        let mut guest = GuestMessages::new(key, channel);
        let (request, mut report) = (request(), [0; REPORT_SIZE]);
        for _ in &self.answers {
            guest.report(&request, &mut report).expect("an answer that is good");
            black_box(&report);
        }
    }

    /// All of it: sealing, copying out and in, opening, copying to the caller.
    pub fn alone(&self) {
        let cipher = Aes256Gcm::new((&self.key).into());
        let (mut page, mut report) = ([0; REQUEST], [0; REPORT_SIZE]);
        for (number, answer) in self.answers.iter().enumerate() {
            let mut request = [0; REQUEST];
            seal(&cipher, number, &mut request);
            page.copy_from_slice(&request);
            black_box(&page);
            let mut private = *answer;
            let (header, payload) = private.split_at_mut(Header::SIZE);
            let tag = header.first_chunk::<16>().expect("a tag");
            let nonce = nonce(2 * number as u64 + 2);
            let payload_of = InOutBuf::from(&mut *payload);
            let opened = cipher.decrypt_inout_detached(
                (&nonce).into(),
                &header[0x30..],
                payload_of,
                tag.into(),
            );
            opened.expect("an answer that is good");
            report.copy_from_slice(&payload[0x20..]);
            black_box(&report);
        }
    }
}

fn request() -> ReportRequest {
    ReportRequest::new(black_box([7; 64]), Vmpl::VMPL0)
}

fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    nonce
}

/// Seals the request that comes after so many others.
fn seal(cipher: &Aes256Gcm, before: usize, message: &mut [u8; REQUEST]) {
    let number = 2 * before as u64 + 1;
    let kind = MessageType::REPORT_REQUEST;
    let mut header = Header::new(VmpckIndex::ALL[0], number, kind, 1, 96);
    let (front, payload) = message.split_at_mut(Header::SIZE);
    payload[..64].copy_from_slice(request().report_data());
    let payload = InOutBuf::from(payload);
    let (nonce, data) = (header.nonce(), header.associated_data());
    let tag = cipher.encrypt_inout_detached((&nonce).into(), data, payload).expect("small");
    header.tag[..16].copy_from_slice(&tag);
    front[..32].copy_from_slice(&header.tag);
    front[0x20..0x28].copy_from_slice(&number.to_le_bytes());
    front[0x30..].copy_from_slice(header.associated_data());
}

/// A channel that has all answers.
struct Recording<'c> {
    answers: core::slice::Iter<'c, [u8; ANSWER]>,
    page: [u8; REQUEST],
}

impl GuestChannel for Recording<'_> {
    fn exchange(&mut self, mut exchange: Exchange<'_>) -> Result<Exit, Error> {
        self.page.copy_from_slice(exchange.request());
        black_box(&self.page);
        let answer = self.answers.next().ok_or(Error::not_sent())?;
        exchange.response_mut().copy_from_slice(answer);
        Ok(Exit::ANSWERED)
    }
}
