//! The failure registry: what a request that did not go well is answered; never why a session ended (see [`crate::close`]).

macro_rules! registry {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $class:literal;)*) => {
        /// The class of a failure (PROTOCOL.md, "Failures"). The class is what programs match; the code groups classes
        /// as HTTP status codes and Feathers errors do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Class {
            $($(#[$doc])* $name,)*
        }

        impl Class {
            /// Every class, in the order of the registry.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its code.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code,)* }
            }

            /// Its name on the wire, in kebab case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $class,)* }
            }

            /// The class of this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|class| class.name() == name)
            }
        }
    };
}

registry! {
    /// The request has a value that its field cannot have.
    BadRequest = 400, "bad-request";
    /// The channel's name breaks a rule of names.
    BadChannelName = 400, "bad-channel-name";
    /// The credential was refused, or one is needed.
    NotAuthenticated = 401, "not-authenticated";
    /// The peer may not do this.
    Forbidden = 403, "forbidden";
    /// The channel's name is one that only the server gives.
    ReservedChannel = 403, "reserved-channel";
    /// What the request names is not there.
    NotFound = 404, "not-found";
    /// The session is not subscribed to this channel.
    NotSubscribed = 404, "not-subscribed";
    /// The service has no such method.
    MethodNotAllowed = 405, "method-not-allowed";
    /// The session is subscribed to this channel already.
    AlreadySubscribed = 409, "already-subscribed";
    /// The payload is larger than the session may publish.
    PayloadTooLarge = 413, "payload-too-large";
    /// The session would have more subscriptions than it may.
    TooManySubscriptions = 429, "too-many-subscriptions";
    /// The session asks more often than it may.
    TooManyRequests = 429, "too-many-requests";
    /// The broker failed; the fault is its own.
    GeneralError = 500, "general-error";
    /// This broker does not do this.
    NotImplemented = 501, "not-implemented";
    /// The broker cannot do this now; the same request may go well later.
    Unavailable = 503, "unavailable";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_name_themselves_once() {
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(*class));
        }
        assert_eq!(Class::from_name("teapot"), None);
    }
}
