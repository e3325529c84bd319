//! Who may do what with a channel when no rule says otherwise; pure, and the same for every door.

use callboard_protocol::error::Class;
use callboard_protocol::{ChannelName, Refusal};

use super::Identity;

/// Names that the server alone gives.
const RESERVED: [&str; 3] = ["everyone", "anonymous", "authenticated"];

/// First segments under which every name is the server's to give. Alone, such a word is a name like any other.
const RESERVED_PARENTS: [&str; 5] = ["user", "role", "permission", "room", "project"];

/// Which anonymous peers may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anonymous {
    /// None.
    Nowhere,
    /// Peers on this machine: that doors are on loopback says nothing of those for whom a bridge or a proxy speaks.
    Here,
    /// All.
    Everywhere,
}

impl Anonymous {
    /// Whether one is among them who is on this machine, or is not.
    pub(crate) fn has(self, is_local: bool) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Here => is_local,
            Self::Everywhere => true,
        }
    }
}

/// Whether a peer may subscribe to this channel and rewind it: anyone may, if the server does not give the name.
///
/// # Errors
///
/// A refusal of class [`Class::ReservedChannel`].
pub fn may_subscribe(identity: Option<&Identity>, name: &ChannelName) -> Result<(), Refusal> {
    // "Anyone may subscribe to any other literal name" (PROTOCOL.md, "Access"): who asks makes no difference yet.
    let _ = identity;
    check_not_reserved(name)
}

/// Whether a peer may publish to this channel: authenticated ones, and anonymous ones where the broker is so
/// configured, if the server does not give the name.
///
/// # Errors
///
/// A refusal of class [`Class::ReservedChannel`] or [`Class::NotAuthenticated`].
pub fn may_publish(identity: Option<&Identity>, name: &ChannelName, anonymous_publish: bool) -> Result<(), Refusal> {
    check_not_reserved(name)?;
    if identity.is_some() || anonymous_publish {
        return Ok(());
    }
    let sentence = "this broker accepts publishes from authenticated peers only; authenticate with an API key \
                    (`callboard token new` makes one), or start the broker with --anonymous-publish";
    Err(Refusal::new(Class::NotAuthenticated, sentence))
}

fn check_not_reserved(name: &ChannelName) -> Result<(), Refusal> {
    if !is_reserved(name) {
        return Ok(());
    }
    let sentence = format!(
        "`{name}` is reserved: the server makes peers members of it, and they cannot subscribe, rewind or publish to \
         it; choose another name"
    );
    Err(Refusal::new(Class::ReservedChannel, sentence))
}

fn is_reserved(name: &ChannelName) -> bool {
    let mut segments = name.segments();
    match (segments.next(), segments.next()) {
        (Some(only), None) => RESERVED.contains(&only),
        (Some(first), Some(_)) => RESERVED_PARENTS.contains(&first),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::limits;

    use super::super::{KeyId, Rights};
    use super::*;

    const RESERVED_NAMES: [&str; 9] = [
        "everyone",
        "anonymous",
        "authenticated",
        "user/7",
        "user/7/inbox",
        "role/admin",
        "permission/write",
        "room/1",
        "project/x/y/z",
    ];
    const FREE_NAMES: [&str; 10] = [
        "demo/hello",
        "user",
        "room",
        "users/7",
        "everyone/else",
        "authenticated/x",
        "User/7",
        "Everyone",
        "chat/user/7",
        " user/7",
    ];

    fn name(name: &str) -> ChannelName {
        ChannelName::parse(name).expect("a name")
    }

    fn someone() -> Identity {
        let id = KeyId::parse("0123abcd").expect("an id");
        Identity { strategy: "apikey", key: "reporter".into(), id, rights: Rights::default() }
    }

    #[test]
    fn anyone_may_subscribe_to_a_name_that_is_not_the_servers() {
        for free in FREE_NAMES {
            assert_eq!(may_subscribe(None, &name(free)), Ok(()), "{free}");
            assert_eq!(may_subscribe(Some(&someone()), &name(free)), Ok(()), "{free}");
        }
    }

    #[test]
    fn names_that_the_server_gives_are_refused_to_everyone_for_everything() {
        for reserved in RESERVED_NAMES {
            let name = name(reserved);
            for identity in [None, Some(&someone())] {
                let subscribe = may_subscribe(identity, &name).expect_err(reserved);
                assert_eq!(subscribe.class, Class::ReservedChannel);
                for anonymous_publish in [false, true] {
                    assert_eq!(may_publish(identity, &name, anonymous_publish), Err(subscribe.clone()));
                }
            }
        }
    }

    #[test]
    fn publishing_takes_an_identity_or_a_broker_that_asks_for_none() {
        for free in FREE_NAMES {
            let name = name(free);
            assert_eq!(may_publish(Some(&someone()), &name, false), Ok(()));
            assert_eq!(may_publish(None, &name, true), Ok(()));
            let refusal = may_publish(None, &name, false).expect_err(free);
            assert_eq!(refusal.class, Class::NotAuthenticated);
        }
    }

    #[test]
    fn a_refusal_of_the_longest_name_fits_its_frame() {
        let longest = name(&format!("user/{}", "a".repeat(limits::CHANNEL_NAME_BYTES_MAX - 5)));
        let refusal = may_subscribe(None, &longest).expect_err("reserved");
        assert!(refusal.sentence.len() <= limits::SENTENCE_BYTES_MAX);
    }
}
