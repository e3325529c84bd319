//! What the broker is told of a browser before anything that the browser says. It checks nothing.

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use callboard_protocol::Millis;
use callboard_protocol::codec::encode;
use callboard_protocol::frame::{ClientFrame, Credential, Introduce};
use callboard_protocol::limits::ORIGIN_BYTES_MAX;

/// How a key is shown that came by HTTP.
const APIKEY: &str = "apikey";

/// What the broker is told of a browser. A page whose origin is too long to be told has none.
pub(super) fn introduction(
    address: IpAddr,
    origin: Option<&str>,
    secret: Option<&str>,
    private: bool,
    ping_interval: Millis,
    publishes: u32,
) -> Bytes {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let introduce = Introduce {
        address: address.octets(),
        origin: origin.filter(|origin| origin.len() <= ORIGIN_BYTES_MAX),
        credential: secret.map(|secret| Credential { strategy: APIKEY, secret }),
        private,
        ping_interval,
        publishes,
    };
    let mut body = BytesMut::new();
    encode(&ClientFrame::Introduce(introduce), &mut body).expect("a header field is shorter than a body");
    body.freeze()
}
