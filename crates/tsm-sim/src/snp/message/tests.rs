// SPDX-License-Identifier: MIT OR Apache-2.0
//! Against pages of another implementation.

use std::path::Path;

use serde_json::Value;
use tsm_snp::message::MessageType;
use tsm_test_support::shared;

use super::*;

fn unhex(value: &Value) -> Vec<u8> {
    tsm_test_support::unhex(value.as_str().unwrap())
}

/// Pages that another implementation has sealed.
#[test]
fn vectors() {
    let Some(path) = shared("snp/synthetic/guestmsg_kat.json") else { return };
    let vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let file = |part: &str| {
        let name = vector[part]["page_file"].as_str().unwrap();
        std::fs::read(path.parent().map(Path::to_path_buf).unwrap().join(name)).unwrap()
    };
    let key: [u8; 32] = unhex(&vector["key"]).try_into().unwrap();
    let (request, response) = (file("request"), file("response"));
    let (head, index) = header(&request).unwrap();
    let mut room = [0; MAX_PAYLOAD];
    let plain = open(&key, &head, &request, &mut room).unwrap();
    assert_eq!(plain, unhex(&vector["request"]["plaintext"]));
    assert_eq!((head.message_type, index.number()), (MessageType::REPORT_REQUEST, 1));

    let (head, _) = header(&response).unwrap();
    let plain = open(&key, &head, &response, &mut room).unwrap();
    let size = head.message_size.get();
    let fresh = Header::new(index, head.sequence.get(), head.message_type, 1, size);
    let mut page = [0; PAGE];
    seal(&key, fresh, plain, &mut page);
    assert_eq!(page[..], response);
}
