// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guest messages against a host that answers with the input.

use std::collections::BTreeMap;

use aes_gcm::aead::{AeadInOut, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, KeyInit};
use tsm_snp::{
    Error, ErrorKind, Exchange, Exit, GuestChannel, GuestMessages, REPORT_SIZE, ReportRequest,
    Vmpck, VmpckIndex, Vmpl,
};

use crate::input::Input;

const KEY: [u8; 32] = [0x4B; 32];

/// Input: messages. For each: what the host does (bits: seal the response with the key, leave a word
/// unmarked, status), the status, and up to 1312 bytes of response.
pub fn snp_message(data: &[u8]) {
    let host = Host { input: Input::new(data), seen: BTreeMap::new(), sealed: false };
    let mut key = KEY;
    let mut guest = GuestMessages::new(Vmpck::unused(VmpckIndex::ALL[0], &mut key), host);
    for byte in 0..8 {
        let request = ReportRequest::new([byte / 2; 64], Vmpl::VMPL0);
        let mut report = [0xEE; REPORT_SIZE];
        let mut certificates = [0; 24];
        let result = if byte % 3 == 0 {
            guest.report_with_certificates(&request, &mut report, &mut certificates).map(|_| ())
        } else {
            guest.report(&request, &mut report)
        };
        match result.map_err(|error| error.kind()) {
            Ok(()) => {
                assert!(guest.channel_mut().sealed, "an answer that nobody sealed");
                assert_eq!((report[0x30], &report[0x50..0x90]), (0, &[byte / 2; 64][..]));
            }
            Err(kind) => {
                assert_eq!(report, [0xEE; REPORT_SIZE]);
                match kind {
                    ErrorKind::Busy | ErrorKind::NotSent => assert!(guest.is_in_flight()),
                    ErrorKind::Disabled(cause) => assert_eq!(guest.cause(), Some(cause)),
                    ErrorKind::Message(_) | ErrorKind::NotAsAsked => {
                        assert!(guest.channel_mut().sealed && guest.cause().is_none());
                    }
                    other => panic!("{other}"),
                }
            }
        }
    }
}

struct Host<'d> {
    input: Input<'d>,
    seen: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether the last response was sealed as firmware would.
    sealed: bool,
}

impl GuestChannel for Host<'_> {
    fn exchange(&mut self, mut exchange: Exchange<'_>) -> Result<Exit, Error> {
        let request = exchange.request();
        let known = self.seen.entry(request[0x20..0x28].to_vec()).or_insert(request.to_vec());
        assert_eq!(known, request, "a number for two messages");
        let sequence = u64::from_le_bytes(request[0x20..0x28].try_into().unwrap()) + 1;
        let flags = self.input.byte();
        if flags & 0xC0 == 0xC0 {
            return Err(Error::not_sent());
        }
        let status = u64::from(self.input.byte());
        let mut bytes = [0; 0x520];
        let given = self.input.bytes(0x520);
        bytes[..given.len()].copy_from_slice(given);
        self.sealed = flags & 1 != 0;
        if self.sealed {
            bytes[0x10..0x60].fill(0);
            bytes[0x20..0x28].copy_from_slice(&sequence.to_le_bytes());
            bytes[0x30..0x38].copy_from_slice(&[1, 1, 0x60, 0, 6, 1, 0xC0, 4]);
            if flags & 2 != 0 {
                bytes[0x60..0x80].fill(0);
                bytes[0x64..0x66].copy_from_slice(&[0xA0, 4]);
                bytes[0xB0..0xB4].fill(0);
            }
            let (header, payload) = bytes.split_at_mut(0x60);
            let mut nonce = [0; 12];
            nonce[..8].copy_from_slice(&sequence.to_le_bytes());
            let buffer = InOutBuf::from(payload);
            let cipher = Aes256Gcm::new((&KEY).into());
            let tag = cipher.encrypt_inout_detached((&nonce).into(), &header[0x30..], buffer);
            header[..16].copy_from_slice(&tag.unwrap());
        }
        exchange.response_mut().copy_from_slice(&bytes);
        let host = if flags & 4 == 0 { 0 } else { status << 32 };
        let firmware = if flags & 8 == 0 { 0 } else { status };
        Ok(Exit {
            info_1: (flags & 16 == 0).then_some(0),
            info_2: (flags & 32 == 0).then_some(host | firmware),
            rbx: Some(status),
        })
    }
}
