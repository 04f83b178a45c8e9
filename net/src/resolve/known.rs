//! Names whose addresses need no lookup: addresses in writing, and `localhost`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The address that `host` is, also in the brackets of a URL.
pub(super) fn address_in_writing(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// Whether RFC 6761 gives `host` to the loopback interface: `localhost` and what ends in `.localhost`. `host` is in lower case.
pub(super) fn is_localhost(host: &str) -> bool {
    host.strip_suffix("localhost").is_some_and(|rest| rest.is_empty() || rest.len() > 1 && rest.ends_with('.'))
}

/// What `localhost` stands for where the hosts file says nothing of it.
pub(super) fn loopback() -> Vec<IpAddr> {
    in_system_order(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
}

/// The addresses in the order in which `getaddrinfo` would give them, as far as families go: those that this host has a route
/// for first, and of these IPv6 first (RFC 6724, rules 1 and 6). Order within a family is kept.
pub(crate) fn in_system_order(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let first_of = |is_v6: bool| addresses.iter().find(|address| address.is_ipv6() == is_v6).copied();
    if let (Some(v6), Some(v4)) = (first_of(true), first_of(false)) {
        let (v6_reachable, v4_reachable) = (has_route(v6), has_route(v4));
        let v6_first = v6_reachable || !v4_reachable;
        addresses.sort_by_key(|address| address.is_ipv6() != v6_first);
    }
    addresses
}

/// Whether the system would know how to send to `address`. Connecting a datagram socket sends nothing.
fn has_route(address: IpAddr) -> bool {
    let unspecified: IpAddr =
        if address.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let discard = SocketAddr::new(address, 9);
    UdpSocket::bind((unspecified, 0)).and_then(|socket| socket.connect(discard)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names() {
        assert_eq!(address_in_writing("127.0.0.1"), Some(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(address_in_writing("::1"), Some(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(address_in_writing("[::1]"), Some(Ipv6Addr::LOCALHOST.into()));
        for name in ["[127.0.0.1]", "[::1", "::1]", "", "[]", "a.example", "1.2.3", "fe80::1%lo"] {
            assert_eq!(address_in_writing(name), None, "{name}");
        }
    }

    #[test]
    fn which_names_are_localhost() {
        for name in ["localhost", "a.localhost", "a.b.localhost"] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["", ".localhost", "mylocalhost", "localhost.example", "localhos"] {
            assert!(!is_localhost(name), "{name}");
        }
    }

    #[test]
    fn loopback_is_both_families() {
        let mut addresses = loopback();
        addresses.sort();
        assert_eq!(addresses, [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()]);
    }

    #[test]
    fn order_within_a_family_is_kept() {
        let addresses = ["127.0.0.2", "::1", "127.0.0.1"].map(|text| text.parse().unwrap());
        let sorted = in_system_order(addresses.to_vec());
        let v4: Vec<_> = sorted.iter().filter(|address| address.is_ipv4()).collect();
        assert_eq!(v4, [&addresses[0], &addresses[2]]);
        assert_eq!(sorted.len(), 3);
        assert!(sorted[0].is_ipv6() || sorted[2].is_ipv6(), "families do not mix");
    }
}
